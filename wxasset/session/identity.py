"""Identity of an account, for caches of its materials."""

import os
import weakref
from typing import Any, Protocol

__all__ = ["AccountIdentity", "DeletionWatcher", "appid_of", "platform_of"]


class DeletionWatcher(Protocol):
    """A cache of materials."""

    async def forget(self, wx: Any, media_id: str) -> None:
        """Drop a material."""
        ...


class AccountIdentity:
    """An account at an API host, shared by a session and those made from it with `WxSession.with_options`.

    Attributes:
        key: String for this account only; a session without an appid has a random one.
        watchers: Caches to be told of each material that was deleted, or that WeChat does not know.
    """

    def __init__(self, origin: str, appid: str | None) -> None:
        """Describe an account.

        Args:
            origin: URL of the API host.
            appid: Its appid, if known.
        """
        self.key: str = f"{origin}\0{appid or os.urandom(32).hex()}"
        self.watchers: weakref.WeakSet[DeletionWatcher] = weakref.WeakSet()

    async def forget(self, wx: Any, media_id: str) -> None:
        """Tell all caches of a deletion."""
        for watcher in list(self.watchers):
            await watcher.forget(wx, media_id)


def platform_of(source: object) -> str | None:
    """Return the appid of a third-party platform's token source; None if it has none."""
    return getattr(source, "component_appid", None)


def appid_of(source: object) -> object:
    """Return the appid of a token source; None if it has none."""
    return getattr(source, "authorizer_appid", None) or getattr(source, "appid", None)
