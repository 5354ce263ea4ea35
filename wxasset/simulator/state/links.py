"""Signed URLs of videos and cloud files, served without a token (wire reference 2.2, 2.8, 3.2)."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Literal
from urllib.parse import quote

from attrs import field, frozen

from wxasset.simulator.identifiers import Identifiers
from wxasset.simulator.state.clock import Clock
from wxasset.simulator.state.objects import CloudFiles, StoredFile, etag_of
from wxasset.simulator.state.ranges import serve_bytes
from wxasset.simulator.state.upload_permits import CosError, cos_error_reply
from wxasset.simulator.wire.replies import RawReply
from wxasset.simulator.wire.requests import ApiRequest

_VIDEO = "/vweixinp.tc.qq.com/"
_PAGE = "/mp/mp/video"
_CLOUD = "/tcb.qcloud.la/"
_PREFIXES = (_VIDEO, _PAGE, _CLOUD)
_origin: ContextVar[str | None] = ContextVar("wxasset_simulator_origin", default=None)


def lead_to(origin: str | None) -> None:
    """Set the scheme and host of links made in this task: those used by its client; None for the simulator's own."""
    _origin.set(origin)


@frozen
class _Link:
    find: Callable[[], StoredFile | None] = field(repr=False)
    content_type: str
    expires_at: float


class LinkTable:
    """Links and their targets.

    Attributes:
        base_url: The address of the simulator, for links made outside a request.
        public_url: The beginning of all links, in place of the address used by a client; None without one.
    """

    def __init__(self, clock: Clock, identifiers: Identifiers) -> None:
        self.base_url = ""
        self.public_url: str | None = None
        self._clock = clock
        self._identifiers = identifiers
        self._links: dict[tuple[str, str], _Link] = {}

    @property
    def origin(self) -> str:
        """Scheme and host of links: as the client of the current request wrote them."""
        return self.public_url or _origin.get() or self.base_url

    def video(self, content: bytes, flavour: Literal["file", "page"], seconds: float) -> str:
        """Return a link to an MP4, or to the HTML page some accounts get instead."""
        if flavour == "page":
            text = b"<!DOCTYPE html><title>video</title>"
            page = StoredFile(text, etag_of(text))
            key = self._keep(_PAGE, lambda: page, "text/html; charset=UTF-8", seconds)
            return f"{self.origin}{_PAGE}?__biz=MzA3&mid=200&sn={key}&idx=1&fromid=1#rd"
        path = f"{_VIDEO}1007_{self._identifiers.link_part(32)}.f10.mp4"
        file = StoredFile(content, etag_of(content))
        key = self._keep(path, lambda: file, "video/mp4", seconds)
        return f"{self.origin}{path}?vkey={key}&sha=0&save=1"

    def cloud_file(self, files: CloudFiles, fileid: str, seconds: float) -> str:
        """Return a link to a file in cloud storage; the content is looked up at download."""
        path = _CLOUD + fileid.removeprefix("cloud://")
        key = self._keep(path, lambda: files.find(fileid), "application/octet-stream", seconds)
        return f"{self.origin}{quote(path)}?sign={key}"

    def owns(self, path: str) -> bool:
        """Return True if a path belongs to links rather than to the API."""
        return path.startswith(_PREFIXES)

    def serve(self, request: ApiRequest, *, video_ranges: bool = True) -> RawReply:
        """Return the content of a link; 403 for an invalid or expired signature, 405 for another method.

        Range requests are documented for cloud files, as served by COS. Chosen: cloud files use the errors of COS,
        AccessDenied as for uploads, and NoSuchKey for a file deleted in the meantime.
        """
        if request.method not in ("GET", "HEAD"):
            return RawReply(status=405, headers={"Allow": "GET, HEAD"})
        keys = (request.query.get(name, "") for name in ("vkey", "sign", "sn"))
        link = next((self._links[request.path, key] for key in keys if (request.path, key) in self._links), None)
        if link is None or self._clock.now() >= link.expires_at:
            late = "Access Denied." if link is None else "Request has expired"
            return self._refuse(403, "AccessDenied", late) if request.path.startswith(_CLOUD) else RawReply(status=403)
        file = link.find()
        if file is None:
            return self._refuse(404, "NoSuchKey", "The specified key does not exist.")
        headers = request.headers if video_ranges or request.path.startswith(_CLOUD) else {}
        return serve_bytes(file.content, link.content_type, file.etag, headers)

    def _refuse(self, status: int, code: str, message: str) -> RawReply:
        return cos_error_reply(CosError(status, code, message), self._identifiers)

    def _keep(self, path: str, find: Callable[[], StoredFile | None], content_type: str, seconds: float) -> str:
        key = self._identifiers.link_part(64)
        self._links[path, key] = _Link(find, content_type, self._clock.now() + seconds)
        return key
