"""Record one token fetch and emit its events."""

import time
from types import TracebackType
from typing import Self

from wxasset.instrumentation.events import TokenFetch, TokenFetched, TokenFetchFailed, TokenFetchStarted
from wxasset.instrumentation.hooks import Hooks
from wxasset.instrumentation.logging import tell

__all__ = ["FetchRecorder"]


class FetchRecorder:
    """One fetch of a token."""

    def __init__(self, hooks: Hooks, source: object) -> None:
        """Prepare to watch this source."""
        self._hooks = hooks
        self._fetch = TokenFetch(source=type(source).__name__)
        self._fetched: TokenFetched | None = None

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        started = TokenFetchStarted(fetch=self._fetch)
        self._scope = self._hooks.scope(started)
        self._scope.__enter__()
        tell(started, self._hooks)
        return self

    def got(self, expires_in: float, *, shared: bool) -> None:
        """Record the result."""
        self._fetched = TokenFetched(
            fetch=self._fetch, expires_in=expires_in, shared=shared, duration=time.monotonic() - self._began
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        duration = time.monotonic() - self._began
        tell(self._fetched or TokenFetchFailed(fetch=self._fetch, error=error, duration=duration), self._hooks)
        self._scope.__exit__(kind, error, traceback)
