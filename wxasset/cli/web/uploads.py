"""An upload whose response tells its own progress."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import anyio
from attrs import define
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from wxasset import WxSession
from wxasset.cli.web.site import NO_STORE, failure
from wxasset.errors import WxAssetError
from wxasset.starlette import upload
from wxasset.wire.limits import ADD_MATERIAL, UploadLimit

if TYPE_CHECKING:
    from starlette.background import BackgroundTask

__all__ = ["UploadResponse", "upload_limits"]

_TICK: Final = 0.15  # seconds between two lines of progress
_LINES: Final = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]


def upload_limits() -> Mapping[str, UploadLimit]:
    """Return the documented limits of the types shown by the page; thumbs are not."""
    return {kind: limit for kind, limit in ADD_MATERIAL.items() if kind != "thumb"}


@define
class _Progress:
    """Bytes sent to WeChat."""

    done: int = 0
    total: int | None = None

    def move(self, done: int, total: int | None) -> None:
        """Update the numbers; callback of `add_material`."""
        self.done, self.total = done, total


class UploadResponse(Response):
    """Upload of a file to WeChat, answered with one JSON object a line.

    Lines with ``done`` and ``total`` tell the bytes sent so far; the last line has the ``status``, and the ids or the
    failure. An upload that ends before the first line is answered with this status itself. The upload is cancelled when
    the client leaves. No other request is needed for the progress, so that any number of processes can serve the page.
    """

    def __init__(self, wx: WxSession, kind: str, form: FormData, texts: Mapping[str, str | None]) -> None:
        """Prepare the response; the upload begins when it is sent.

        Args:
            wx: The session.
            kind: The type of material.
            form: The form with the field ``file``; closed at the end.
            texts: Title and introduction of a video.

        Raises:
            HTTPException: 422: the form has no file.
        """
        self._wx = wx
        self._kind = cast("Literal['image', 'voice', 'video']", kind)
        self._form = form
        self._file = upload(form, "file")  # never a text, which would be a path on this machine
        self._texts = texts
        self._progress = _Progress()
        self._result: dict[str, Any] = {}
        self.background: BackgroundTask | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Upload the file, and send the response."""
        failures: list[Exception] = []
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_end_without_client, receive, group.cancel_scope)
                try:
                    await self._answer(scope, receive, send)
                except OSError:
                    pass  # of `send` after the client has left, from ASGI 2.4 on
                except Exception as error:  # noqa: BLE001 - raised below: the group would wrap it
                    failures.append(error)
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._form.close()
        if failures:
            raise failures[0]

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        done, started, told = anyio.Event(), False, (0, 0)
        async with anyio.create_task_group() as group:
            group.start_soon(self._upload, done)
            while not done.is_set():
                with anyio.move_on_after(_TICK):
                    await done.wait()
                now = (self._progress.done, self._progress.total or 0)
                if not done.is_set() and now != told:
                    if not started:
                        await send({"type": "http.response.start", "status": 200, "headers": _LINES})
                    started, told = True, now
                    await _line(send, {"done": now[0], "total": now[1]})
        if not started:
            await JSONResponse(self._result, self._result["status"], NO_STORE)(scope, receive, send)
            return
        await _line(send, self._result)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _upload(self, done: anyio.Event) -> None:
        try:
            added = await self._wx.add_material(
                self._kind,
                self._file,
                title=self._texts["title"],
                introduction=self._texts["introduction"],
                progress=self._progress.move,
            )
            self._result = {"status": 201, "media_id": added.media_id, "url": added.url}
        except WxAssetError as error:
            self._result = failure(error)
        finally:
            done.set()


async def _line(send: Send, document: Mapping[str, object]) -> None:
    line = json.dumps(document, ensure_ascii=False).encode() + b"\n"
    await send({"type": "http.response.body", "body": line, "more_body": True})


async def _end_without_client(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
