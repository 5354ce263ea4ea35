"""Accounts of an application: each request is answered by its own, or by an error that says what is missing."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute

from web_apps import Wx, talking_to, websocket
from wxasset import WxSession
from wxasset import errors as e
from wxasset.integrations.starlette import Account, MaterialResponse, lifespan, session
from wxasset.simulator import Simulator

Make = Callable[[], WxSession]


@pytest.fixture
async def shops(photo: bytes) -> AsyncIterator[tuple[Make, Make]]:
    """Functions that make sessions of two accounts; the first has one image, the second has two."""
    async with Simulator() as one, Simulator() as two:
        for sim, count in ((one, 1), (two, 2)):
            async with WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
                for _ in range(count):
                    await wx.add_material("image", photo)
        yield (
            lambda: WxSession(one.appid, one.secret, base_url=one.url),
            lambda: WxSession(two.appid, two.secret, base_url=two.url),
        )


def counting(dependency: Any = session, **options: Any) -> FastAPI:
    """An application that says how many images its account has."""
    app = FastAPI(**options)

    @app.get("/")
    async def count(wx: Annotated[WxSession, Depends(dependency)]) -> int:
        return (await wx.count_materials()).image

    return app


async def by_state(request: Request) -> PlainTextResponse:
    """An endpoint of Starlette's that takes the session from the state."""
    return PlainTextResponse(str((await request.state.wx.count_materials()).image))


async def answers(app: Any, *paths: str) -> list[Any]:
    """What an application answers at some paths."""
    async with talking_to(app) as client:
        return [(await client.get(path)).json() for path in paths]


async def refusal(app: Any, path: str, match: str) -> None:
    """Check that a request raises a `UsageError`."""
    async with talking_to(app) as client:
        with pytest.raises(e.UsageError, match=match):
            await client.get(path)


# Several accounts


async def test_two_accounts_answer_in_one_application(shops: tuple[Make, Make]) -> None:
    """Each dependency is the session of its own account."""
    first, second = (Account(session=make) for make in shops)
    app = counting(first.session, lifespan=first.lifespan(inner=second.lifespan()))

    @app.get("/second")
    async def other(wx: Annotated[WxSession, Depends(second.session)]) -> int:
        return (await wx.count_materials()).image

    assert await answers(app, "/", "/second") == [1, 2]


async def test_mounted_applications_answer_for_their_accounts(shops: tuple[Make, Make]) -> None:
    """The same application, mounted for two accounts, answers for each, by dependency and by state."""
    first, second = (Account(session=make) for make in shops)

    def part() -> FastAPI:
        app = counting()
        app.mount("/below", Starlette(routes=[Route("/", by_state)]))
        return app

    app = FastAPI(lifespan=first.lifespan(inner=second.lifespan()))
    app.mount("/first", first.mount(part()))
    app.mount("/second", second.mount(part()))
    assert await answers(app, "/first/", "/second/", "/first/below/", "/second/below/") == [1, 2, 1, 2]


async def test_mounted_applications_name_their_account_themselves(shops: tuple[Make, Make]) -> None:
    """With a dependency of its own, or a lifespan that says whose it is, plain mounting does."""
    first, second = (Account(session=make) for make in shops)
    app = counting(lifespan=first.lifespan(inner=second.lifespan()))
    app.mount("/first", counting(lifespan=first.lifespan()))
    app.mount("/second", counting(second.session))
    assert await answers(app, "/first/", "/second/") == [1, 2]


async def test_a_mounted_application_shares_the_only_account(shops: tuple[Make, Make]) -> None:
    """A mounted application without a lifespan has the account of the application around it."""
    app = counting(lifespan=lifespan(session=shops[0]))
    app.mount("/part", counting())
    assert await answers(app, "/", "/part/") == [1, 1]


async def test_equal_accounts_are_one(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application with the account of the environment can be mounted in another one with the same."""
    for name, value in {"APPID": sim.appid, "SECRET": sim.secret, "BASE_URL": sim.url}.items():
        monkeypatch.setenv(f"WXASSET_{name}", value)
    app = counting(lifespan=lifespan())
    app.mount("/part", counting(lifespan=lifespan()))
    assert await answers(app, "/", "/part/") == [0, 0]


async def test_a_session_for_each_start(shops: tuple[Make, Make]) -> None:
    """One account in two running applications has two sessions, and the end of one leaves the other open."""
    account = Account(session=shops[0])
    first, second = (counting(account.session, lifespan=account.lifespan()) for _ in range(2))
    async with talking_to(first) as client:
        async with talking_to(second) as other:
            assert (await other.get("/")).json() == 1
        assert (await client.get("/")).json() == 1


async def test_a_websocket_has_the_account_too(shops: tuple[Make, Make]) -> None:
    """A websocket under a mount gets the session of the mounted account."""
    first, second = (Account(session=make) for make in shops)

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(str((await (await session(socket)).count_materials()).image))
        await socket.close()

    part = Starlette(routes=[WebSocketRoute("/ws", talk)])
    app = Starlette(routes=[Mount("/second", second.mount(part))], lifespan=first.lifespan(inner=second.lifespan()))
    async with app.router.lifespan_context(app) as state:
        sent = await websocket(app, "/second/ws", state=dict(state or {}))
    assert sent[1]["text"] == "2"


# Mistakes


async def test_two_accounts_without_a_name_are_refused(shops: tuple[Make, Make]) -> None:
    """Where `session` could mean either account it says so, and the state does as well."""
    first, second = shops
    app = counting(lifespan=lifespan(session=first, inner=lifespan(session=second)))
    app.router.routes.append(Route("/state", by_state))
    await refusal(app, "/", r"several accounts: use Depends\(account\.session\)")
    await refusal(app, "/state", "several accounts")


async def test_a_router_with_another_account_is_refused(shops: tuple[Make, Make]) -> None:
    """The lifespan that FastAPI merges in from a router counts as one more account."""
    router = APIRouter(lifespan=lifespan(session=shops[1]))
    app = counting(lifespan=lifespan(session=shops[0]))
    app.include_router(router)
    await refusal(app, "/", "several accounts")


@pytest.mark.parametrize("routers", [0, 1])
async def test_a_mounted_lifespan_is_not_taken_for_started(shops: tuple[Make, Make], routers: int) -> None:
    """Starlette starts no lifespan of a mounted application: its account is missing, and no other one answers."""
    part = counting(lifespan=lifespan(session=shops[1]))
    for _ in range(routers):
        part.include_router(APIRouter())
    app = counting(lifespan=lifespan(session=shops[0]))
    app.mount("/part", part)
    assert await answers(app, "/") == [1]
    await refusal(app, "/part/", "was not opened. Starlette starts the lifespan of the outermost")


async def test_a_mounted_lifespan_of_its_author_is_not_taken_for_started(shops: tuple[Make, Make]) -> None:
    """Nobody can tell which account a function opens that was never called; mounting says it."""

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncGenerator[Any, None]:
        async with lifespan(session=shops[1])(app) as state:
            yield state

    part = counting(lifespan=own)
    account = Account(session=shops[0])
    app = counting(lifespan=account.lifespan())
    app.mount("/part", part)
    app.mount("/mounted", account.mount(part))
    assert await answers(part, "/") == [2]
    assert await answers(app, "/", "/mounted/") == [1, 1]
    await refusal(app, "/part/", r"lifespan of its own.*account\.mount\(app\)")


@pytest.mark.parametrize("by", ["mount", "host", "middleware"])
async def test_the_state_of_a_mounted_application_is_never_the_outer_account(shops: tuple[Make, Make], by: str) -> None:
    """`request.state.wx` is a refusal where the mounted lifespan was not started, and else the account's own."""
    first, second = (Account(session=make) for make in shops)

    @asynccontextmanager
    async def authored(app: Any) -> AsyncGenerator[Any, None]:
        async with second.lifespan()(app) as state:
            yield state

    def outer(part: Starlette, lifespan: Any) -> Starlette:
        through = [Middleware(GZipMiddleware)] if by == "middleware" else None
        route = Host("app", part) if by == "host" else Mount("/part", part, middleware=through)
        return Starlette(routes=[route], lifespan=lifespan)

    path = "/" if by == "host" else "/part/"
    for own in (second.lifespan(), authored):
        part = Starlette(routes=[Route("/", by_state)], lifespan=own)
        app = outer(part, first.lifespan())
        for _ in range(2):  # also when it starts again
            await refusal(app, path, "was not opened" if own is not authored else "lifespan of its own")
    part = Starlette(routes=[Route("/", by_state)], lifespan=second.lifespan())
    assert await answers(outer(part, first.lifespan(inner=second.lifespan())), path) == [2]
    part = Starlette(routes=[Route("/", by_state)])
    assert await answers(outer(part, first.lifespan()), path) == [1]


async def test_a_mounted_lifespan_that_is_started_by_hand_answers(shops: tuple[Make, Make]) -> None:
    """An outer application may start the lifespans of mounted ones itself; each answers for its own account."""
    part = counting(lifespan=lifespan(session=shops[1]))
    app = counting(lifespan=lifespan(session=shops[0], inner=lambda _: part.router.lifespan_context(part)))
    app.mount("/part", part)
    assert await answers(app, "/", "/part/") == [1, 2]


async def test_an_account_that_is_not_open_is_refused(shops: tuple[Make, Make]) -> None:
    """A dependency, or a mount, of an account that the lifespan does not open never gets another account."""
    first, second = (Account(session=make) for make in shops)
    app = counting(second.session, lifespan=first.lifespan())
    app.mount("/part", second.mount(counting()))
    await refusal(app, "/", r"Account\(session=.*\) was not opened")
    await refusal(app, "/part/", "was not opened")


async def test_an_application_is_not_mounted_for_two_accounts(shops: tuple[Make, Make]) -> None:
    """An application that has an account of its own cannot be mounted for another one."""
    first, second = (Account(session=make) for make in shops)
    with pytest.raises(e.UsageError, match="lifespan of its own"):
        first.mount(counting(lifespan=second.lifespan()))
    first.mount(counting(lifespan=first.lifespan()))


@pytest.mark.parametrize("by", ["session", "account"])
async def test_a_request_before_the_start_says_so(shops: tuple[Make, Make], by: str) -> None:
    """A request to an application whose lifespan has not been started names what to do, in tests too."""
    account = Account(session=shops[0])
    app = counting(session if by == "session" else account.session, lifespan=account.lifespan())
    app.mount("/part", account.mount(counting()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        for path in ("/", "/part/"):
            with pytest.raises(e.UsageError, match=r"lifespan=wxasset\.starlette\.lifespan.*with TestClient\(app\)"):
                await client.get(path)


# Tests of applications


@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize("by", ["session", "account"])
async def test_an_overridden_dependency_needs_no_credentials(
    shops: tuple[Make, Make], monkeypatch: pytest.MonkeyPatch, by: str, *, started: bool
) -> None:
    """With dependency_overrides the application starts without an account, or is not started at all."""
    for name in ("WXASSET_APPID", "WXASSET_SECRET"):
        monkeypatch.delenv(name, raising=False)
    account = Account()
    dependency = session if by == "session" else account.session
    app = counting(dependency, lifespan=account.lifespan())
    async with shops[0]() as wx:
        app.dependency_overrides[dependency] = lambda: wx
        if started:
            assert await answers(app, "/") == [1]
        else:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
                assert (await client.get("/")).json() == 1
        app.dependency_overrides.clear()
        with pytest.raises(e.UsageError, match="appid"):
            await answers(app, "/")


def test_an_account_shows_no_secret() -> None:
    """Its text names the appid at most."""
    assert repr(Account("wx0123456789abcdef", "s3cret")) == "Account('wx0123456789abcdef', ...)"
    assert repr(Account()) == "Account()"
    assert repr(Account(session=WxSession.from_env)) == "Account(session=from_env)"
    assert Account("wx0123456789abcdef", "s3cret") == Account("wx0123456789abcdef", "s3cret")
    assert Account() != Account(session=WxSession.from_env)
    with pytest.raises(e.UsageError, match="session="):
        Account("wx0123456789abcdef", session=WxSession.from_env)


async def test_materials_of_two_accounts_are_not_mixed_up(shops: tuple[Make, Make]) -> None:
    """A material in the cache of the application is shown for its own account only."""
    first, second = (Account(session=make) for make in shops)
    app = FastAPI(lifespan=first.lifespan(inner=second.lifespan()))
    part = FastAPI()

    @part.get("/{media_id}")
    async def show(wx: Wx, media_id: str) -> MaterialResponse:
        return MaterialResponse(wx, media_id)

    app.mount("/first", first.mount(part))
    app.mount("/second", second.mount(part))
    async with shops[1]() as wx:  # the first one has no such id
        media_id = (await wx.list_materials("image")).items[0].media_id
    async with talking_to(app) as client:
        assert (await client.get(f"/second/{media_id}")).status_code == 200
        assert (await client.get(f"/first/{media_id}")).status_code == 404
