"""Record one token fetch and emit its events."""

import logging
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from wxasset.instrumentation.hooks import Hooks

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from wxasset.instrumentation.events import TokenFetch

__all__ = ["FetchRecorder"]

_log: Final = logging.getLogger("wxasset.tokens")


class FetchRecorder:
    """One fetch of a token; its events are built if somebody listens, or logs them."""

    def __init__(self, hooks: Hooks, source: object) -> None:
        """Prepare to watch this source."""
        self._hooks = hooks
        self._source = type(source).__name__
        self._fetch: TokenFetch | None = None
        self._scope: AbstractContextManager[object] | None = None
        self._expires_in: float | None = None
        self._shared = False
        self._began = self._duration = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        if self._hooks.listening or _log.isEnabledFor(logging.INFO):
            from wxasset.instrumentation.events import TokenFetch, TokenFetchStarted  # noqa: PLC0415 - few sessions have listeners
            from wxasset.instrumentation.logging import tell  # noqa: PLC0415 - likewise

            self._fetch = TokenFetch(source=self._source)
            started = TokenFetchStarted(fetch=self._fetch)
            self._scope = self._hooks.scope(started)
            self._scope.__enter__()
            tell(started, self._hooks)
        return self

    def got(self, expires_in: float, *, shared: bool) -> None:
        """Record the result."""
        self._expires_in, self._shared, self._duration = expires_in, shared, time.monotonic() - self._began

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._fetch is None or self._scope is None:
            return
        from wxasset.instrumentation.events import TokenFetched, TokenFetchFailed  # noqa: PLC0415 - likewise
        from wxasset.instrumentation.logging import tell  # noqa: PLC0415 - likewise

        ended: TokenFetched | TokenFetchFailed
        if self._expires_in is None:
            ended = TokenFetchFailed(fetch=self._fetch, error=error, duration=time.monotonic() - self._began)
        else:
            ended = TokenFetched(
                fetch=self._fetch, expires_in=self._expires_in, shared=self._shared, duration=self._duration
            )
        tell(ended, self._hooks)
        self._scope.__exit__(kind, error, traceback)
