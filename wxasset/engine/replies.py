"""Distinguish files from other responses by their first bytes."""

from typing import Any, Final, TypeVar

from wxasset.calls.base import Call, Download
from wxasset.errors import DecodeError, NotAFileError, TruncatedDownload
from wxasset.transfer.downloads.download import FileReply
from wxasset.transfer.http import Reply
from wxasset.wire.codec import decode
from wxasset.wire.formats import Content, content_of
from wxasset.wire.json_bodies import excerpt, raise_for_errcode
from wxasset.wire.limits import KIB, Limits

__all__ = ["file_reply", "json_or_file", "max_reply", "not_a_file"]

R = TypeVar("R")

_HEAD: Final = 512  # bytes; random data of this length never looks like text
_BLANK: Final = 4 * KIB  # bytes; maximum length of the white space before a body


def max_reply(call: Call[Any], limits: Limits) -> int:
    """Return the maximum size of a JSON response in bytes."""
    return min(call.route.max_reply, limits.max_reply)


async def json_or_file(call: Download[R], reply: Reply, limits: Limits) -> R | FileReply:
    """Return the decoded JSON, or the open file; the bytes decide, and no header.

    Raises:
        APIError: The body is an error, possibly broken.
        DecodeError: The body is empty, a page, text, or JSON other than the response of this call.
        NotAFileError: A link leads to a page or to text.
        ReplyTooLarge: The JSON is larger than the limit.
    """
    head = await _head(reply)
    content = content_of(head.lstrip()[:_HEAD])
    if content is Content.FILE:
        return file_reply(call, reply, limits, head)
    if content is Content.JSON:
        body = await reply.read(max_reply(call, limits), head)
        decoded: R = decode(body, call.reply, call.route.path)
        return decoded
    from wxasset.calls.object_storage import FetchLink  # noqa: PLC0415 - few answers are neither

    if isinstance(call, FetchLink):
        raise not_a_file(reply.path)
    raise DecodeError(f"{reply.path} returned {content.value} instead of a file.", reply.path, excerpt=excerpt(head))


async def _head(reply: Reply) -> bytes:
    """Read the first bytes after white space."""
    head = bytearray()
    try:
        while len(head.strip()) < _HEAD and len(head) <= _BLANK and (chunk := await reply.next_chunk()):
            head += chunk
    except TruncatedDownload:
        raise_for_errcode(bytes(head), reply.path)
        raise
    if not head.strip():
        raise DecodeError(f"{reply.path} returned an empty body.", reply.path)
    return bytes(head)


def file_reply(call: Download[Any], reply: Reply, limits: Limits, head: bytes = b"", *, done: int = 0) -> FileReply:
    """Return a response as a file.

    Args:
        call: The call, for the fallback name of the file.
        reply: The open response.
        limits: The limits of the session.
        head: The bytes read so far.
        done: The number of bytes received by earlier responses.
    """
    fallback = str(getattr(call, "fallback", "") or getattr(call, "media_id", ""))
    fallback = fallback or call.route.path.rsplit("/", 1)[-1]
    return FileReply(fallback, reply, head, limits.max_download - done)


def not_a_file(path: str) -> NotAFileError:
    """Return the error for a link to something other than a file."""
    return NotAFileError(f"{path} leads to a page, not to a file.", path)
