"""Session of the pytest plugin: it closes itself with the event loop it was used in."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from wxasset.engine.retry import RetryPolicy
from wxasset.engine.uploads import UploadPolicy
from wxasset.session import WxSession
from wxasset.simulator import Simulator
from wxasset.transfer.http import ClientSession, Transport
from wxasset.wire.url_policy import DownloadPolicy

__all__ = ["end_session", "session_on"]

_SECONDS = 5.0  # for the end of a session in a loop that runs in another thread


class _LoopTransport(Transport):
    """Closes its connections when its event loop ends.

    A fixture cannot do that: by the time it is torn down the loop of the test may be closed, as with `asyncio.run`, a
    TestClient, or anyio's plugin. What every one of them does is to close the loop's asynchronous generators.
    """

    loop: asyncio.AbstractEventLoop | None = None
    _guard: AsyncGenerator[None] | None = None

    def _session(self) -> ClientSession:
        if self._guard is None and not self._closed:
            self.loop = asyncio.get_running_loop()
            self._guard = self._close_with_loop()
            with suppress(StopIteration):
                self._guard.__anext__().send(None)  # runs to its yield, and makes it known to the loop
        return super()._session()

    async def _close_with_loop(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self.aclose()
            await asyncio.sleep(0)  # transports close their sockets in the next turn


class _TestSession(WxSession):
    _transport_class = _LoopTransport

    def end(self) -> None:
        """Close the session from outside of its event loop, unless it is closed."""
        loop = self._transport.loop if isinstance(self._transport, _LoopTransport) else None
        if loop is None or loop.is_closed():
            return
        if loop.is_running():
            asyncio.run_coroutine_threadsafe(self.aclose(), loop).result(_SECONDS)
        else:
            loop.run_until_complete(self.aclose())


def session_on(simulator: Simulator) -> WxSession:
    """A session on a simulator, which retries without waiting, looks for lost uploads once, and follows its links."""
    return _TestSession(
        simulator.appid,
        simulator.secret,
        base_url=simulator.url,
        retry=RetryPolicy(wait_initial=0),
        downloads=DownloadPolicy(allow_private_hosts=True),
        uploads=UploadPolicy(visibility=0),
    )


def end_session(session: WxSession) -> None:
    """Close a session from outside of its event loop, unless it is closed."""
    if isinstance(session, _TestSession):
        session.end()
