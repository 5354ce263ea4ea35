"""The newest ticket of a third-party platform, shared by its processes."""

import hashlib
import time
from collections.abc import Callable
from typing import Final

from attrs import define, field

from wxasset.errors import Hint, TokenStoreError, TokenUnavailableError, UsageError
from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.records import TokenRecord
from wxasset.tokens.store import MemoryTokenStore, TokenStore
from wxasset.tokens.token import is_token
from wxasset.tokens.validation import filled
from wxasset.wire.push_events import PushedTicket

__all__ = ["TicketKeeper"]

_LIFE: Final = 12 * 3600  # seconds (wire reference 8.4)
_KEY_LENGTH: Final = 32  # hexadecimal digits, as for tokens
_NONE: Final = Hint(
    "WeChat pushes a ticket every 10 minutes to the authorization event URL, where platform_events receives it; call"
    " StartPushTicket if none comes. Processes share it through one store: TicketKeeper(appid, store).",
    "微信每 10 分钟向「授权事件接收 URL」推送 ticket，由 platform_events 接收；若一直没有推送，请调用 StartPushTicket。"
    "多个进程须共用同一存储：TicketKeeper(appid, store)。",
)


def _store(_: object, attribute: object, value: object) -> None:
    del attribute
    if isinstance(value, type) or not callable(getattr(value, "load", None)):
        raise UsageError('store= must be a TokenStore, such as FileTokenStore("tokens.json").')


@conceals_arguments
@define(eq=False)
class TicketKeeper:
    """Keep the newest ticket of a platform, for `ComponentToken`.

    ::

        tickets = TicketKeeper(appid, store)
        component = ComponentToken(appid, secret, ticket=tickets)
        events = platform_events(..., appid=appid, on_ticket=tickets.save)

    A store shared with other processes, such as `RedisTokenStore`, shares the ticket with them. An older ticket never
    replaces a newer one, also not across processes: the store compares and sets.

    Attributes:
        component_appid: The platform's appid.
        store: The store; the memory of this process by default. It is borrowed, and not closed here.
        clock: Unix time in seconds.
    """

    component_appid: str = field(validator=filled("open.weixin.qq.com shows it with the platform's settings."))
    store: TokenStore = field(factory=MemoryTokenStore, validator=_store, repr=False)
    clock: Callable[[], float] = field(default=time.time, kw_only=True, repr=False)
    _newest: TokenRecord | None = field(default=None, init=False, repr=False)

    async def save(self, pushed: PushedTicket) -> None:
        """Save a pushed ticket unless a newer one is kept; pass this as ``on_ticket=``.

        Raises:
            TokenStoreError: The store failed. The receiver then answers with an error, and WeChat pushes again.
            UsageError: The ticket is of another platform, or has characters that no ticket has.
        """
        if pushed.component_appid != self.component_appid:
            raise UsageError(f"A ticket of {pushed.component_appid} came to the keeper of {self.component_appid}.")
        if not is_token(pushed.ticket):
            raise UsageError("The pushed ticket has characters that no ticket has.")
        record = TokenRecord(
            token=pushed.ticket,
            issued=pushed.created_at,
            expires=pushed.created_at + _LIFE,
            version=pushed.created_at,
            mode="ticket",
        )
        self._remember(record)
        await self.store.save(self._key, record)

    async def __call__(self) -> str:
        """Return the newest ticket.

        Raises:
            TokenUnavailableError: No ticket was pushed in the last 12 hours.
            TokenStoreError: The store failed, and this process received no ticket.
        """
        try:
            found = await self.store.load(self._key)
        except TokenStoreError:
            if self._newest is None:
                raise
            found = None
        if found is not None:
            self._remember(found)
        if self._newest is None:
            raise TokenUnavailableError(f"No ticket has been pushed for {self.component_appid} yet.", _NONE)
        if self._newest.left(self.clock()) <= 0:
            raise TokenUnavailableError(f"The newest ticket of {self.component_appid} is older than 12 hours.", _NONE)
        return self._newest.token

    def _remember(self, record: TokenRecord) -> None:
        if self._newest is None or self._newest.version < record.version:
            self._newest = record

    @property
    def _key(self) -> str:
        """Return the record's name in the store; it does not show the appid."""
        return hashlib.sha256(f"ticket {self.component_appid}".encode()).hexdigest()[:_KEY_LENGTH]
