"""A material of the library as the response to a request."""

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, ClassVar, Final, Literal
from urllib.parse import quote

import anyio
from attrs import asdict
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from wxasset.calls.library import News
from wxasset.errors import UsageError, WxAssetError
from wxasset.integrations.starlette.cache import MaterialCache, temporary_cache
from wxasset.integrations.starlette.cached_file import CachedFile
from wxasset.integrations.starlette.errors import problem, status_of
from wxasset.integrations.starlette.lifespan import opened_accounts
from wxasset.integrations.starlette.openapi import OPENAPI
from wxasset.session import WxSession
from wxasset.wire.filenames import safe_name

__all__ = ["MaterialResponse"]

_BINARY: Final = "application/octet-stream"
_PASSIVE: Final = re.compile(r"(?:image|audio|video)/[\w.-]+", re.ASCII)  # "image/svg+xml" runs scripts: no "+"
_SERVER_ERROR: Final = 500


class MaterialResponse(Response):
    """Serves a permanent material, with everything that browsers need to cache it and to seek in it.

    The material is fetched into a cache at full speed, and read from there at the speed of the visitor; see
    `MaterialCache`. Without ``cache=`` it is the one of `lifespan`, a temporary directory of up to 256 MiB for each
    process; several processes should share a cache, so that each sees what another deletes. An application without that
    lifespan fetches the material for each response.

    A Range is answered with 206 or 416, If-None-Match with 304, and HEAD with 200. The ETag is made of the media id: a
    material never changes. Cached materials cost no call. A video is answered with its file. The media type is that
    of the bytes; other bytes than images, sounds and videos are attachments. Articles are answered as JSON,
    ``{"type": "news", "articles": [...]}``, and are not cached.

    Failures are answered as by `wxasset.starlette.answer_error`: 404 for no such material.

    Attributes:
        openapi: The responses for FastAPI: ``@app.get("/{media_id}", responses=MaterialResponse.openapi)``. Without it
            FastAPI documents JSON, as for each function with a response as its return type.
    """

    openapi: ClassVar[dict[int | str, dict[str, Any]]] = OPENAPI

    def __init__(
        self,
        wx: WxSession,
        media_id: str,
        *,
        cache: MaterialCache | None = None,
        filename: str | None = None,
        disposition: Literal["inline", "attachment"] = "inline",
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        """Prepare the response; the material is fetched when it is sent.

        Args:
            wx: The session.
            media_id: The material's id.
            cache: The cache; that of the application by default.
            filename: What to call it, made safe; the name in the library by default.
            disposition: Whether a browser should show it or save it.
            status_code: The status of a material sent in full. FastAPI reads its default from here.
            headers: More headers, such as Cache-Control ("private, no-cache" by default: a browser asks again, for the
                material can be deleted). They are not sent with a failure.
            background: What to do afterwards.

        Raises:
            UsageError: `disposition` is neither, or `cache` is not a `MaterialCache`.
        """
        if disposition not in ("inline", "attachment"):
            raise UsageError(f"disposition= is inline or attachment; not {disposition!r}.")
        if cache is not None and not isinstance(cache, MaterialCache):
            raise UsageError(f"cache= is a MaterialCache; not {type(cache).__name__}.")
        self._wx = wx
        self._media_id = media_id
        self._cache = cache
        self._filename = filename
        self._disposition = disposition
        self.status_code = status_code
        self.background = background
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the material; the fetch ends when the client leaves, unless others wait for it."""
        failure: Exception | None = None
        client = _Client(send)
        async with anyio.create_task_group() as group:
            group.start_soon(client.watch, receive)
            try:
                await self._answer(scope, client)
            except _ClientLeft:
                pass
            except Exception as error:  # noqa: BLE001 - raised below: the group would wrap it up
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if self.background is not None:
            await self.background()

    async def _answer(self, scope: Scope, client: "_Client") -> None:
        async with AsyncExitStack() as stack:
            reply: Response
            try:
                with client.waiting:
                    material = await stack.enter_async_context(await self._opening(scope, stack))
                if client.waiting.cancelled_caught:
                    raise _ClientLeft
            except WxAssetError as error:
                if status_of(error) == _SERVER_ERROR:
                    raise
                reply = problem(error, scope)
            else:
                reply = _articles(material) if isinstance(material, News) else self._file(material, scope)
                self._dress(reply)
            # The server must not send the file by itself, later: it may be evicted by then.
            extensions = {name: one for name, one in scope.get("extensions", {}).items() if "pathsend" not in name}
            await reply({**scope, "extensions": extensions}, _receive_nothing, client.send)

    async def _opening(self, scope: Scope, stack: AsyncExitStack) -> AbstractAsyncContextManager[News | CachedFile]:
        cache = self._cache or next((one.cache for one in opened_accounts(scope)), None)
        if cache is None:
            cache = await stack.enter_async_context(temporary_cache())
        return cache.open(self._wx, self._media_id)

    def _file(self, file: CachedFile, scope: Scope) -> Response:
        claimed = file.form.content_type if file.form is not None else _bare(file.content_type)
        passive = _PASSIVE.fullmatch(claimed) is not None
        name = safe_name(self._filename or file.filename, self._media_id, file.form)
        self.headers.setdefault("Content-Type", claimed if passive else _BINARY)
        self.headers.setdefault("Content-Disposition", _named(self._disposition if passive else "attachment", name))
        self.headers.setdefault("X-Content-Type-Options", "nosniff")
        self.headers.setdefault("Cache-Control", "private, no-cache")
        self.headers.setdefault("ETag", f'"{file.key}"')
        if scope["method"] in ("GET", "HEAD") and _matches(Headers(scope=scope), self.headers["ETag"]):
            return Response(status_code=304)
        return FileResponse(file.path, self.status_code, stat_result=file.found, media_type=_BINARY)

    def _dress(self, reply: Response) -> None:
        """Put on the headers that were given, and the cookies."""
        own = {b"content-type", b"content-disposition"} if isinstance(reply, JSONResponse) else set()
        given = [pair for pair in self.raw_headers if pair[0] not in own]
        names = {name for name, _ in given}
        reply.raw_headers[:] = [pair for pair in reply.raw_headers if pair[0] not in names] + given


class _ClientLeft(Exception):
    """The client has left."""


class _Client:
    """The client of a response.

    Attributes:
        waiting: Scope of the fetch, cancelled when the client leaves. The response itself is not cancelled: Starlette
            before 1.10 does not close its file then.
    """

    def __init__(self, send: Send) -> None:
        self.waiting = anyio.CancelScope()
        self._send = send
        self._left = False

    async def watch(self, receive: Receive) -> None:
        """Wait until the client leaves."""
        while (await receive())["type"] != "http.disconnect":
            pass  # what is left of the request's body
        self._left = True
        self.waiting.cancel()

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            _ClientLeft: The client has left.
        """
        if self._left:
            raise _ClientLeft
        try:
            await self._send(message)
        except OSError as error:  # from ASGI 2.4 on; not to be taken for an error of the file
            raise _ClientLeft from error


async def _receive_nothing() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


def _articles(news: News) -> JSONResponse:
    return JSONResponse({"type": "news", "articles": [asdict(one) for one in news.articles]})


def _bare(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip()


def _matches(headers: Headers, etag: str) -> bool:
    """Return whether the client has the material already."""
    known = ",".join(headers.getlist("If-None-Match"))
    return known.strip() == "*" or etag in [one.strip().removeprefix("W/") for one in known.split(",")]


def _named(disposition: str, name: str) -> str:
    """Write a Content-Disposition (RFC 6266): a name that every parser reads, and behind it the real one (RFC 5987)."""
    plain = re.sub(r"[^\w .()+-]", "_", name, flags=re.ASCII)  # some decode "%41", some end at a ";" within quotes
    extended = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'{disposition}; filename="{plain}"{extended}'
