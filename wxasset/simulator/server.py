"""The simulator itself: its lifetime, what tests may look at, and the way of a request through it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

from wxasset.simulator import storage
from wxasset.simulator.backstage import Backstage
from wxasset.simulator.clock import Clock
from wxasset.simulator.endpoints import answer, extra_headers, is_token_endpoint
from wxasset.simulator.identifiers import Identifiers
from wxasset.simulator.links import LinkTable
from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.replies import ApiError, RawReply, ReplyWriter, with_headers
from wxasset.simulator.requests import ApiRequest, hide_secret_headers, hide_secrets
from wxasset.simulator.state import Account, Article, JournalEntry, Material, TemporaryMedia
from wxasset.simulator.tokens import TokenOffice

_BODY_CAP = 32 * 1024 * 1024  # three times the largest upload the service takes
# A request still waiting for the rest of its body is what can be under way at the end; it waits in vain.
_SHUTDOWN_SECONDS = 0.05


class Simulator(Backstage):
    """A strict double of api.weixin.qq.com on a free port of the loopback interface.

    Used as `async with Simulator() as simulator:`, or with `start()` and `close()`. It listens on another interface
    only if `host` says so. What it holds survives `close()`.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        appid: The appid it knows; None draws one from the seed.
        secret: The secret that goes with it; None draws one from the seed.
        seed: Where media ids, tokens, links, request ids and hints come from, so that runs repeat.
        expires_in: Life of a token in seconds (wire reference 1.1).
        clock: Returns the time in unix seconds; None is the system's clock.
        options: Switches of the service's behaviour; None takes every default. Can be replaced at any time.
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
    ) -> None:
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._writer = ReplyWriter()
        identifiers = Identifiers(seed)
        own_clock = Clock(clock or time.time)
        self._account = Account(
            appid=appid or identifiers.appid,
            secret=secret or identifiers.secret,
            options=options or SimulatorOptions(),
            clock=own_clock,
            identifiers=identifiers,
            tokens=TokenOffice(own_clock, identifiers.access_token, expires_in),
            links=LinkTable(own_clock, identifiers),
        )
        self.journal: list[JournalEntry] = []
        self.token_calls: int = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            RuntimeError: It is running already.
            OSError: The port is taken.
        """
        if self._runner is not None:
            raise RuntimeError("the simulator is running already")
        # One byte more than the cap, so that what is refused here is refused by its announced length alone.
        application = web.Application(client_max_size=_BODY_CAP + 1)
        application.router.add_route("*", "/{path:.*}", self._serve)
        # Bodies are judged as they came: one that is compressed is not unpacked.
        self._runner = web.AppRunner(
            application, access_log=None, auto_decompress=False, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, self._host, self._port).start()
        except BaseException:
            await self.close()
            raise
        port = self._runner.addresses[0][1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._account.links.base_url = f"http://{host}:{port}"

    async def close(self) -> None:
        """Stop listening and drop every connection; does nothing if it is not running."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            # Transports tell their sockets to close in the next turn of the loop.
            await asyncio.sleep(0)

    @property
    def url(self) -> str:
        """The address to use as base URL, for example `http://127.0.0.1:49152`.

        Raises:
            RuntimeError: The simulator is not running.
        """
        if self._runner is None:
            raise RuntimeError("the simulator is not running")
        return self._account.links.base_url

    @property
    def appid(self) -> str:
        """The appid it knows."""
        return self._account.appid

    @property
    def secret(self) -> str:
        """The secret that goes with the appid."""
        return self._account.secret

    @property
    def options(self) -> SimulatorOptions:
        """The switches in force."""
        return self._account.options

    @options.setter
    def options(self, options: SimulatorOptions) -> None:
        self._account.options = options

    @property
    def materials(self) -> dict[str, Material]:
        """The library by media_id, oldest first; tests may change it."""
        return self._account.materials

    @property
    def temporary_media(self) -> dict[str, TemporaryMedia]:
        """Temporary media by media_id, those that have timed out included."""
        return self._account.temporary_media

    @property
    def cloud_files(self) -> dict[str, bytes]:
        """Files in cloud storage by file id."""
        return self._account.cloud_files

    @property
    def article_images(self) -> dict[str, bytes]:
        """What was sent to uploadimg, by the address it got."""
        return self._account.article_images

    def add_article(self, *, title: str, author: str = "", digest: str = "", content: str = "", url: str = "") -> str:
        """Put a news material with one article in the library and return its media_id."""
        return self.add_news(Article(title=title, author=author, digest=digest, content=content, url=url))

    def add_news(self, *articles: Article) -> str:
        """Put a news material with these articles in the library and return its media_id."""
        return self._account.add_news(articles)

    def add_cloud_file(self, env: str, path: str, content: bytes) -> str:
        """Put a file in cloud storage and return its file id, `cloud://ENV.7465-ENV-1258717764/path`."""
        return self._account.add_cloud_file(env, path, content)

    def revoke_tokens(self) -> None:
        """Let every token issued so far be refused with 40001 from now on, without any overlap."""
        self._account.tokens.condemn(40001)

    def expire_tokens(self) -> None:
        """Let every token issued so far be refused with 42001 from now on."""
        self._account.tokens.condemn(42001)

    def advance(self, seconds: float) -> None:
        """Move the simulator's clock forward: lives of tokens, media and links, request ids, times of materials.

        Raises:
            ValueError: `seconds` is negative.
        """
        self._account.clock.advance(seconds)

    async def _serve(self, http: web.Request) -> web.Response:
        """Take one request in, answer it, and enter it in the journal however it ends."""
        size, status, errcode = 0, None, None
        try:
            if storage.owns(http.path):
                reply, size = await storage.receive(self._account, http)
            elif (refusal := _refuse_transport(http)) is not None:
                reply = refusal
            else:
                # A body shorter than announced keeps this waiting: no answer, as from the service (4.1).
                body = await http.read()
                size = len(body)
                reply, errcode = self._answer(_api_request(http, body))
            status = reply.status
        except ConnectionError:
            reply = RawReply(close=True)  # nobody is there to read it
        finally:
            self._record(http, size, status, errcode)
        return _http_response(reply)

    def _record(self, http: web.Request, body_size: int, status: int | None, errcode: int | None) -> None:
        entry = JournalEntry(
            method=http.method,
            path=http.path,
            query=hide_secrets(_first_values(http.query)),
            headers=hide_secret_headers(_first_values(http.headers)),
            body_size=body_size,
            status=status,
            errcode=errcode,
            token=self._account.token_number(http.query),
            at=self._account.clock.now(),
        )
        self.journal.append(entry)

    def _answer(self, request: ApiRequest) -> tuple[RawReply, int | None]:
        """The reply to a complete request, and the code in it if it is JSON."""
        self.token_calls += is_token_endpoint(request.path)
        errcode: int | None = 0
        try:
            answered = answer(self._account, request)
        except ApiError as error:
            answered, errcode = self._account.refuse(error, request), error.errcode
        if isinstance(answered, RawReply):
            reply, errcode = answered, None
        else:
            reply = self._writer.document(answered)
        return with_headers(reply, extra_headers(self._account, request)), errcode


def _api_request(http: web.Request, body: bytes) -> ApiRequest:
    return ApiRequest(http.method, http.path, _first_values(http.query), http.headers, body, http.remote or "")


def _refuse_transport(http: web.Request) -> RawReply | None:
    """412 for a body without a length (wire reference 4.1), 413 for one of more than 32 MiB; both without a text."""
    if "chunked" in http.headers.get("Transfer-Encoding", "").lower():
        return RawReply(status=412, close=True)
    if (http.content_length or 0) > _BODY_CAP:
        return RawReply(status=413, close=True)
    return None


def _http_response(reply: RawReply) -> web.Response:
    response = web.Response(status=reply.status, headers=reply.headers, body=reply.body)
    if reply.close:
        response.force_close()
    return response


def _first_values(pairs: Mapping[str, str]) -> dict[str, str]:
    """A plain dict of a multidict; of a name given twice it keeps the first value."""
    return {name: pairs[name] for name in pairs}
