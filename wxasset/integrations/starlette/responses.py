"""A material of the library as the response to a request, passed on as it comes."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import quote

import anyio
from attrs import asdict
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from wxasset.calls.materials import News, Video
from wxasset.errors import UsageError, WxAssetError
from wxasset.integrations.starlette.errors import problem, status_of
from wxasset.session import WxSession
from wxasset.transfer.downloads.download import MaterialStream
from wxasset.wire.filenames import safe_name
from wxasset.wire.formats import HEAD_SIZE, Format, sniff

__all__ = ["MaterialResponse"]

_BINARY: Final = "application/octet-stream"
_PASSIVE: Final = re.compile(r"(?:image|audio|video)/[\w.-]+", re.ASCII)  # "image/svg+xml" runs scripts: no "+"
_SERVER_ERROR: Final = 500


class MaterialResponse(Response):
    """Passes a permanent material on to a client, no faster than it reads, and stops when it leaves.

    The media type is that of the bytes; what is no image, sound or video is only ever an attachment. Articles are
    answered as JSON, ``{"type": "news", "articles": [...]}``, and a video as ``{"type": "video", "title",
    "description"}``: its address is as good as a secret, see `WxSession.download_video`.

    A failure before the first byte is answered as `wxasset.starlette.answer_error` does (404 for no such material);
    one after it breaks the connection, so that what is there is not taken for the whole. Ranges are not answered.
    """

    def __init__(
        self,
        wx: WxSession,
        media_id: str,
        *,
        filename: str | None = None,
        disposition: Literal["inline", "attachment"] = "inline",
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        """Prepare the response; WeChat is asked when it is sent.

        Args:
            wx: The session.
            media_id: The material's id.
            filename: What to call it, made safe; the name in the library by default.
            disposition: Whether a browser should show it or save it.
            headers: More headers, such as Cache-Control: a material never changes, but can be deleted. They are not
                sent with a failure.
            background: What to do afterwards.

        Raises:
            UsageError: `disposition` is neither.
        """
        if disposition not in ("inline", "attachment"):
            raise UsageError(f"disposition= is inline or attachment; not {disposition!r}.")
        self._wx = wx
        self._media_id = media_id
        self._filename = filename
        self._disposition = disposition
        self._started = False
        self.status_code = 200
        self.background = background
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the material; everything about it ends when the client leaves."""
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(_end_without_client, receive, group.cancel_scope)
            try:
                await self._answer(scope, receive, send)
            except OSError:
                pass  # what servers say to `send` when the client has left, from ASGI 2.4 on
            except Exception as error:  # noqa: BLE001 - raised below: the group would wrap it up
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if self.background is not None:
            await self.background()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with self._wx.open_material(self._media_id) as material:
                if isinstance(material, MaterialStream):
                    await self._stream(material, send, head_only=scope["method"] == "HEAD")
                    return
            reply = self._document(material)
        except WxAssetError as error:
            if self._started or status_of(error) == _SERVER_ERROR:
                raise
            reply = problem(error)
        await reply(scope, receive, send)

    async def _stream(self, material: MaterialStream, send: Send, *, head_only: bool) -> None:
        chunks = aiter(material)
        chunk = await anext(chunks, b"")
        self._describe(material, sniff(chunk[:HEAD_SIZE]))
        self._started = True
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while chunk and not head_only:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await anext(chunks, b"")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _describe(self, material: MaterialStream, form: Format | None) -> None:
        """Put on the headers; those that were given stay."""
        claimed = form.content_type if form is not None else (material.content_type or "").partition(";")[0].strip()
        passive = _PASSIVE.fullmatch(claimed) is not None
        name = safe_name(self._filename or material.filename, self._media_id, form)
        self.headers.setdefault("Content-Type", claimed if passive else _BINARY)
        self.headers.setdefault("Content-Disposition", _named(self._disposition if passive else "attachment", name))
        self.headers.setdefault("X-Content-Type-Options", "nosniff")
        if material.size is not None:
            self.headers["Content-Length"] = str(material.size)

    def _document(self, material: News | Video) -> Response:
        """Articles, or what a video is about, as JSON; with the headers that were given, and the cookies."""
        content: dict[str, Any] = (
            {"type": "news", "articles": [asdict(one) for one in material.articles]}
            if isinstance(material, News)
            else {"type": "video", "title": material.title, "description": material.description}
        )
        reply = JSONResponse(content)
        about_bytes = (b"content-type", b"content-disposition")
        reply.raw_headers.extend(pair for pair in self.raw_headers if pair[0] not in about_bytes)
        return reply


async def _end_without_client(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass  # what is left of the request's body
    scope.cancel()


def _named(disposition: str, name: str) -> str:
    """Write a Content-Disposition (RFC 6266): a name that every parser reads, and behind it the real one (RFC 5987)."""
    plain = re.sub(r"[^\w .()+-]", "_", name, flags=re.ASCII)  # some decode "%41", some end at a ";" within quotes
    extended = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'{disposition}; filename="{plain}"{extended}'
