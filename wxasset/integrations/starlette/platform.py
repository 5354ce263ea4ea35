"""The authorization event URL of a third-party platform: tickets and authorizations, as WeChat pushes them."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import define, field
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from wxasset.errors import UsageError
from wxasset.tokens.validation import is_async
from wxasset.wire.checks import check_number
from wxasset.wire.push_events import AuthorizationChange, InvalidPushError, PlatformEvent, PushedTicket

if TYPE_CHECKING:
    from wxasset.wire.push_crypto import PushKey

__all__ = ["PlatformEvents", "platform_events"]

_log: Final = logging.getLogger("wxasset.starlette")

OnTicket: TypeAlias = Callable[[PushedTicket], Awaitable[object]]
OnChange: TypeAlias = Callable[[AuthorizationChange], Awaitable[object]]

_LARGEST: Final = 64 * 1024
"""Largest body in bytes: chosen; an event has about 1 KiB."""
_MAX_AGE: Final = 300.0  # seconds between a push and its arrival: chosen, as WeChat documents none


def platform_events(
    *,
    token: str,
    aes_key: str,
    appid: str,
    on_ticket: OnTicket,
    on_authorized: OnChange,
    on_unauthorized: OnChange | None = None,
    max_age: float = _MAX_AGE,
    clock: Callable[[], float] = time.time,
) -> "PlatformEvents":
    """Make the endpoint for the authorization event URL (授权事件接收 URL) of a third-party platform.

    ::

        app.add_route("/wechat/events", platform_events(token=..., aes_key=..., appid=..., on_ticket=tickets.save, ...))

    It is an ASGI application, for ``Route(path, ...)``, ``app.add_route`` or ``app.mount``. A push is verified and
    decrypted; the functions get the event, and WeChat gets ``success`` after they returned. If one raises, the error is
    logged and answered with 500, and WeChat pushes again. Events may therefore come twice. A ticket created before the
    newest one of this process is not stored again; processes share the newest with a `TicketKeeper`.
    https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/ThirdParty/token/authorize_event.html

    Args:
        token: The platform's token for verification (消息校验 Token).
        aes_key: Its EncodingAESKey (消息加解密 Key), 43 characters.
        appid: Its appid.
        on_ticket: An async function that stores a `PushedTicket`, such as `TicketKeeper.save`.
        on_authorized: An async function for an `AuthorizationChange` of an account that authorized the platform or
            changed its authorization: exchange its code with `QueryAuth` and store the refresh token.
        on_unauthorized: The same for an account that withdrew.
        max_age: Largest difference of a push's timestamp from the time here, in seconds.
        clock: Unix time in seconds.

    Raises:
        UsageError: An option is wrong; the message shows no secret.
        ImportError: cryptography is not installed.
    """
    try:
        from wxasset.wire.push_crypto import PushKey  # noqa: PLC0415 - needs an extra that other applications do not
    except ModuleNotFoundError:
        raise ImportError("platform_events needs cryptography; run: pip install 'wxasset[platform]'.") from None
    key = PushKey(token=token, aes_key=aes_key, appid=appid)
    functions: dict[str, object] = {"on_ticket": on_ticket, "on_authorized": on_authorized}
    functions |= {} if on_unauthorized is None else {"on_unauthorized": on_unauthorized}
    for name, function in functions.items():
        if not is_async(function):
            raise UsageError(f"{name}= must be an async function with one parameter, not {type(function).__name__}.")
    check_number("max_age", max_age, above=0)
    return PlatformEvents(key, on_ticket, on_authorized, on_unauthorized, max_age, clock)


@define(eq=False)
class PlatformEvents:
    """An ASGI application that receives the pushes of a platform, see `platform_events`."""

    _key: "PushKey"
    _on_ticket: OnTicket = field(repr=False)
    _on_authorized: OnChange = field(repr=False)
    _on_unauthorized: OnChange | None = field(repr=False)
    _max_age: float
    _clock: Callable[[], float] = field(repr=False)
    _newest: PushedTicket | None = field(default=None, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            await (await self._answer(Request(scope, receive)))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            return PlainTextResponse("method not allowed", 405, {"Allow": "POST"})
        try:
            event = self._key.open(await _body(request), request.query_params, self._clock(), self._max_age)
        except (InvalidPushError, ClientDisconnect):
            return PlainTextResponse("bad request", 400)
        try:
            await self._handle(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, WeChat has to push the event again
            _log.exception("an event of the platform could not be stored (%s)", type(error).__name__)
            return PlainTextResponse("error", 500)
        return PlainTextResponse("success")

    async def _handle(self, event: PlatformEvent | None) -> None:
        match event:
            case PushedTicket():
                await self._store(event)
            case AuthorizationChange(kind="unauthorized"):
                if self._on_unauthorized is not None:
                    await self._on_unauthorized(event)
            case AuthorizationChange():
                await self._on_authorized(event)
            case None:
                _log.debug("an event of another kind was pushed to the platform")

    async def _store(self, pushed: PushedTicket) -> None:
        """Store a ticket unless it is stored already, or a newer one is."""
        newest = self._newest
        if newest is not None and (pushed.created_at < newest.created_at or pushed == newest):
            return
        await self._on_ticket(pushed)
        newest = self._newest
        if newest is not None and pushed.created_at < newest.created_at:
            await self._on_ticket(newest)  # stored meanwhile, and perhaps replaced by the older one
        else:
            self._newest = pushed


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise InvalidPushError("the size")
    return bytes(body)
