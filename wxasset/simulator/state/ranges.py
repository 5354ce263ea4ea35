"""Range requests as served by object storage (RFC 9110, section 14)."""

import re
from collections.abc import Mapping

from wxasset.simulator.state.objects import Content
from wxasset.simulator.wire.replies import RawReply

_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))")


def serve_bytes(content: Content, content_type: str, etag: str, headers: Mapping[str, str]) -> RawReply:
    """Return the requested bytes: 200, 206 for one range, 416 for a range beyond the end.

    For several ranges, and if If-Range names another ETag, the whole content is sent.
    """
    answer = {"Content-Type": content_type, "Accept-Ranges": "bytes", "ETag": etag}
    match = _RANGE.fullmatch(headers.get("Range", "").strip())
    if match is None or headers.get("If-Range", etag) != etag:
        return RawReply(headers=answer, body=content)
    size = len(content)
    if match[3] is None:
        start, end = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < start:
            return RawReply(headers=answer, body=content)  # an invalid range is ignored
    else:
        start, end = max(0, size - int(match[3])), size - 1
    if start > end:
        return RawReply(status=416, headers={**answer, "Content-Range": f"bytes */{size}"})
    part = {**answer, "Content-Range": f"bytes {start}-{end}/{size}"}
    return RawReply(status=206, headers=part, body=content[start : end + 1])
