"""Serve the application until a signal."""

import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from ipaddress import ip_address

import aiohttp
import uvicorn
from anyio import to_thread
from attrs import define, field

from wxasset.cli.runtime.credentials import Credentials, open_session
from wxasset.cli.runtime.simulation import CannotListenError, cannot_listen
from wxasset.cli.web.app import make_app
from wxasset.cli.web.door import Keys
from wxasset.cli.web.site import Site
from wxasset.integrations.starlette.cache import temporary_cache
from wxasset.simulator import Simulator

__all__ = ["CannotListenError", "Serving", "is_loopback", "listen"]

_GRACE = 3  # seconds for requests in progress after Ctrl-C
_PROBE = aiohttp.ClientTimeout(total=2.0)


def is_loopback(host: str) -> bool:
    """Return True for an address or a name of this machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Bind the address.

    Raises:
        CannotListenError: The port is in use, or the address is not one of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        raise cannot_listen(error, f"{host}:{port}") from None


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `run_in_event_loop`."""
        yield


@define(kw_only=True)
class Serving:
    """The application, from start to end.

    Attributes:
        listener: The bound socket; closed at the end.
        keys: The tokens or the password.
        credentials: The account; None to run a simulator.
        environ: The environment variables, for the doctor.
        read_only: Refuse uploads and deletions.
        ready: Called as soon as the application answers.
    """

    listener: socket.socket
    keys: Keys
    credentials: Credentials | None
    environ: Mapping[str, str] = field(repr=False)
    read_only: bool
    ready: Callable[[Site], None]
    _server: uvicorn.Server | None = None

    def end(self) -> bool:
        """Ask the server to end, and return True if it will."""
        if self._server is not None:
            self._server.should_exit = True
        return self._server is not None

    async def run(self) -> None:
        """Open the session, and serve until `end`."""
        async with AsyncExitStack() as stack:
            stack.callback(self.listener.close)
            site = await self._open(stack)
            app = make_app(site, self.keys)
            config = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
            )
            self._server = _Server(config)
            self.keys.renew()
            await to_thread.run_sync(self._tell, site)
            await self._server.serve(sockets=[self.listener])

    def _tell(self, site: Site) -> None:
        self.ready(site)
        self.keys.tell()

    async def _open(self, stack: AsyncExitStack) -> Site:
        """Open the session of the account, or of a new simulator."""
        one, environ = self.credentials, self.environ
        if one is None:
            sim = await stack.enter_async_context(Simulator(seed=secrets.randbits(64)))  # ids that nobody can guess
            one = Credentials(appid=sim.appid, secret=sim.secret, base_url=sim.url, origin="the simulator")
            environ = {}
        wx = await stack.enter_async_context(open_session(one))
        controls = f"{one.base_url.rstrip('/')}/_sim/"
        simulated = self.credentials is None or await _is_simulator(one, controls)
        return Site(
            wx=wx,
            cache=await stack.enter_async_context(temporary_cache()),
            credentials=one,
            environ=environ,
            controls=controls if simulated else None,
            read_only=self.read_only,
        )


async def _is_simulator(one: Credentials, controls: str) -> bool:
    """Return True if the API host is a simulator on this machine; all others count as the real service."""
    name = one.host.rpartition(":")[0] if one.host.rpartition(":")[2].isdecimal() else one.host
    if not await to_thread.run_sync(is_loopback, name):
        return False
    try:
        async with aiohttp.ClientSession(timeout=_PROBE) as http, http.get(f"{controls}state") as reply:
            return reply.status == 200 and "counts" in await reply.json()  # noqa: PLR2004 - OK
    except (aiohttp.ClientError, TimeoutError, ValueError, TypeError):
        return False
