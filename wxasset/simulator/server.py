"""The simulator: its lifetime, its addresses and its accounts."""

import asyncio
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from aiohttp import web

from wxasset.simulator.control_api import PREFIX, ControlApi
from wxasset.simulator.controls import AccountControls, SimulatedAccount
from wxasset.simulator.endpoints import images, object_storage
from wxasset.simulator.endpoints.table import ENDPOINTS
from wxasset.simulator.exchange import BODY_CAP, Exchange
from wxasset.simulator.faults.schedule import FaultSchedule
from wxasset.simulator.interception.controls import InterceptionControls
from wxasset.simulator.interception.hosts import inner_url, is_wechat
from wxasset.simulator.interception.listeners import Listeners
from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.persistence.keeper import Keeper
from wxasset.simulator.platform_controls import PlatformControls, PlatformShortcuts
from wxasset.simulator.senders import asked_url, host_name, is_loopback, origin, public_origin, reason_to_reject
from wxasset.simulator.server_log import SERVER_LOG
from wxasset.simulator.service_controls import ServiceControls
from wxasset.simulator.shared_state import SharedState
from wxasset.simulator.state.account import Account
from wxasset.simulator.state.clock import Clock
from wxasset.simulator.state.links import lead_to
from wxasset.simulator.state.service import Service
from wxasset.simulator.thread import BackgroundLoop

# At shutdown only requests waiting for the rest of their body can be active; that rest never arrives.
_SHUTDOWN_SECONDS = 0.05
# Stalled requests are cancelled and end at once; the timeout only guards against a defect.
_STOP_SECONDS = 5.0


class Simulator(ServiceControls, AccountControls, PlatformShortcuts, InterceptionControls):
    """A strict double of api.weixin.qq.com on a free port of the loopback interface.

    Use it as `async with Simulator() as simulator:`, or with `start()` and `close()`. `with Simulator() as simulator:`
    runs it in a thread of its own, for tests without an event loop or with a blocked one. All methods and properties
    except `start` and `close` may be used from any thread. Set `host` to listen on another interface. Its state
    survives `close()`.

    It has one account from the start, with its appid, secret, library and options as attributes of the simulator.
    `add_account()` adds others; `accounts` returns all of them, and `platform` is the third-party platform.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        appid: The appid of the account; None draws one from the seed.
        secret: The secret of the account; None draws one from the seed.
        seed: Seed for media ids, tokens, links, request ids and hints; the same seed repeats a run.
        expires_in: Lifetime of a token in seconds (wire reference 1.1).
        clock: Returns the time in unix seconds; None is the system's clock.
        options: Switches of the service's behaviour; None takes every default. Can be replaced at any time.
        control: Allow control over HTTP below `/_sim/`; None allows it on loopback only. True also accepts any Host
            header; otherwise, on loopback, requests for other host names are rejected with 403. Requests sent by a
            browser for a page of another site are always rejected.
        tls: Listen with TLS and this certificate: a self-signed one as the sidecar of cloud hosting shows (8.5), or
            one of an authority that the client trusts. True issues certificates for itself and for hosts of WeChat.
            None listens without TLS.
        intercept: Answer for the hosts of WeChat, through a proxy; `intercepted` has the variables for programs.
        control_token: Token for control by other machines, sent as `Authorization: Bearer TOKEN`. It enables control
            on every interface; clients of this machine that use a loopback name need no token.
        public_url: Base URL for `url` and for all links, for example of a reverse proxy. None takes the Host header of
            each request for its links.
        state: Directory for accounts, libraries, drafts and tokens, kept across restarts; it has the seed and the
            credentials of its first run. A change is written before the response to its request, one by a method with
            the next request or at `close`. The directory is locked until `close`, and the simulator starts once.

    Raises:
        ValueError: The control token or the public URL has a wrong form.
        StateDirectoryError: The state directory is in use, damaged, of another version, or cannot be used.
        ImportError: Certificates are issued with `intercept` and `tls=True`, and trustme is not installed.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        appid: str | None = None,
        secret: str | None = None,
        seed: int = 0,
        expires_in: int = 7200,
        clock: Callable[[], float] | None = None,
        options: SimulatorOptions | None = None,
        control: bool | None = None,
        tls: ssl.SSLContext | bool | None = None,
        control_token: str | None = None,
        public_url: str | None = None,
        state: str | os.PathLike[str] | None = None,
        intercept: bool = False,
    ) -> None:
        self._listeners = Listeners(host, port, tls=tls or False, intercept=intercept)
        self._runner: web.AppRunner | None = None
        self._background: BackgroundLoop | None = None
        self._public = public_origin(public_url) if public_url else None
        self._controllable = is_loopback(host) or control_token is not None if control is None else control
        self._any_host = control is True or not is_loopback(host)
        keeper = None if state is None else Keeper(Path(state))
        seed = keeper.seed if keeper is not None and keeper.seed is not None else seed
        start = 0 if keeper is None else keeper.start
        service = Service(seed, Clock(clock or time.time), options or SimulatorOptions(), expires_in, start=start)
        service.links.public_url = None if self._public is None else str(self._public).rstrip("/")
        schedule = FaultSchedule(ENDPOINTS, self._is_link)
        self._shared = SharedState(service=service, schedule=schedule, keeper=keeper)
        self._accounts: dict[str, SimulatedAccount] = {}
        self.platform: PlatformControls = PlatformControls(service, self._shared.lock)
        try:
            self._control = ControlApi(self, self._shared, allowed=self._controllable, token=control_token)
            self._restore(keeper, seed, (appid, secret))
        except BaseException:
            if keeper is not None:
                keeper.close()
            raise

    def _restore(self, keeper: Keeper | None, seed: int, given: tuple[str | None, str | None]) -> None:
        """Add the accounts: one with the given credentials, or those of an earlier run."""
        for appid, secret, options in [(*given, None)] if keeper is None else keeper.accounts(*given):
            self._add(appid, secret, options)
        if keeper is None or keeper.document is None:
            self._shared.service.platform.authorize(self.appid)
        if keeper is not None:
            keeper.attach(self._shared.service, seed)

    def __enter__(self) -> Self:
        background = BackgroundLoop()
        try:
            background.run(self.start)
        except BaseException:
            background.stop()
            raise
        self._background = background
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        background, self._background = self._background, None
        if background is not None:
            background.run(self.close)
            background.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Start listening.

        Raises:
            RuntimeError: The simulator is running already.
            OSError: The port is taken.
        """
        if self._runner is not None:
            raise RuntimeError("the simulator is running already")
        if self._shared.closed:
            raise RuntimeError("a simulator with a state directory starts once; create another one")
        self._shared.closing = asyncio.Event()
        # One byte above the cap: a body is rejected by its announced length only.
        application = web.Application(client_max_size=BODY_CAP + 1)
        application.router.add_route("*", "/{path:.*}", self._serve)
        # Bodies are validated as sent; compressed ones are not decompressed.
        self._runner = web.AppRunner(
            application,
            access_log=None,
            auto_decompress=False,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            logger=SERVER_LOG,
        )
        try:
            await self._runner.setup()
            self._shared.service.links.base_url = await self._listeners.open(self._runner)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop listening and drop every connection; no effect if not running."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self._shared.closing.set()
            self._shared.journal.interrupt()
            await runner.cleanup()
            await self._listeners.close()
            if self._shared.active:
                await asyncio.wait(self._shared.active, timeout=_STOP_SECONDS)
            # Transports close their sockets in the next iteration of the loop.
            await asyncio.sleep(0)
        await self._shared.close()

    @property
    def _account(self) -> Account:
        return self._shared.account

    @property
    def _lock(self) -> threading.RLock:
        return self._shared.lock

    def _set_options(self, options: SimulatorOptions) -> None:
        self._account.switches.options = options

    @property
    def first(self) -> AccountControls:
        """The controls of the first account: the simulator itself."""
        return self

    @property
    def accounts(self) -> Mapping[str, SimulatedAccount]:
        """All accounts by appid, the first one first."""
        return MappingProxyType(self._accounts.copy())

    def add_account(
        self, *, appid: str | None = None, secret: str | None = None, options: SimulatorOptions | None = None
    ) -> SimulatedAccount:
        """Add an account with a library, tokens and quotas of its own, and return it.

        Args:
            appid: Its appid; None draws one from the seed.
            secret: Its secret; None draws one from the seed.
            options: Its switches; None shares those of the simulator.

        Raises:
            ValueError: The appid is taken.
        """
        return self._add(appid, secret, options)

    def _add(self, appid: str | None, secret: str | None, options: SimulatorOptions | None) -> SimulatedAccount:
        service = self._shared.service
        with self._shared.lock:
            name = service.add(appid, secret, options).appid
            self._accounts[name] = SimulatedAccount(lambda: service.accounts[name], self._shared.lock)
            return self._accounts[name]

    @property
    def controllable(self) -> bool:
        """True if the simulator is controlled over HTTP below `/_sim/`."""
        return self._controllable

    @property
    def url(self) -> str:
        """The base URL for clients: the public URL, or for example `http://127.0.0.1:49152`.

        Raises:
            RuntimeError: The simulator is not running.
        """
        return self._account.links.public_url or self.local_url

    @property
    def local_url(self) -> str:
        """The base URL by the address of the server itself.

        Raises:
            RuntimeError: The simulator is not running.
        """
        if self._runner is None:
            raise RuntimeError("the simulator is not running")
        return self._account.links.base_url

    def _is_link(self, path: str) -> bool:
        return self._account.links.owns(path) or object_storage.owns(path) or images.owns(path)

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        for_wechat = self._listeners.for_wechat
        reason = reason_to_reject(http, any_host=self._any_host, public=self._public, for_wechat=for_wechat)
        if reason is not None:
            return web.json_response({"error": reason}, status=403)
        address = origin(http)
        wechat = is_wechat(host_name(address))
        task: asyncio.Task[object] | None = asyncio.current_task()
        if task is not None:
            self._shared.active.add(task)
            task.add_done_callback(self._shared.active.discard)
        if http.path.startswith(PREFIX) and not wechat:
            return await self._control.serve(http)
        lead_to(asked_url(http))
        inner = inner_url(host_name(address), http.rel_url) if wechat else None
        return await Exchange(self._shared, http if inner is None else http.clone(rel_url=inner)).serve()
