"""Numbers from outside have bounds: no integer of a reply or of a kept record breaks a call, or outlives it."""

import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args, get_origin

import attrs
import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st

import redis_server as support
from command_line import Command
from policies import PATIENT
from raw_server import RawServer, reply
from redis_server import RedisServer
from wxasset import (
    CallableToken,
    FileTokenStore,
    RedisTokenStore,
    RetryPolicy,
    StableToken,
    Token,
    TokenStore,
    WxSession,
)
from wxasset.calls import account, cloud, library, materials, media, object_storage, tokens
from wxasset.calls.base import Call
from wxasset.errors import TokenUnavailableError, WxAssetError
from wxasset.simulator import Simulator
from wxasset.tokens.lease import SharedToken
from wxasset.tokens.token import Exchange
from wxasset.wire.codec import decode, wire_name

redis_server = support.redis_server

LARGEST: Final = 2**53
PATH: Final = "/cgi-bin/any"
ABSURD: Final = [LARGEST + 1, -LARGEST - 1, 10**20, 2**63, 10**400, -(10**400), math.inf, -math.inf, math.nan]
NUMBERS: Final = st.sampled_from([*ABSURD, 10**5000, 1e300, "9" * 18, "9" * 400]) | st.integers() | st.floats()


@contextmanager
def long_integers() -> Iterator[None]:
    """Let Python write integers of more than 4,300 digits."""
    kept = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(kept)


def written(document: object) -> bytes:
    """JSON with numbers of any size."""
    with long_integers():
        return json.dumps(document).encode()


def members(kind: Any) -> list[Any]:
    """The classes that a type is made of, without None."""
    parts = get_args(kind) if get_origin(kind) is not tuple else get_args(kind)[:1]
    return [one for part in parts for one in members(part)] if parts else [kind] * (kind is not NoneType)


def samples(cls: Any) -> Iterator[dict[str, Any]]:
    """Documents of a class, each with a different integer field set to None."""
    attrs.resolve_types(cls)
    plain: dict[str, Any] = {}
    inner: dict[str, list[Any]] = {}
    numbers = []
    for field in attrs.fields(cls):
        (name, *_) = field.metadata.get("wxasset.wire", (field.name,)) or (None,)
        kind = next(iter(members(field.type)))
        if name is None:
            continue
        if attrs.has(kind):
            listed = "tuple" in str(field.type)
            inner[name] = [[one] if listed else one for one in samples(kind)]
            plain[name] = (inner[name] or [[] if listed else {}])[0]
        else:
            plain[name] = 1 if kind is int else "x"
            numbers += [name] if kind is int else []
    yield from ({**plain, name: None} for name in numbers)
    yield from ({**plain, name: one} for name, some in inner.items() for one in some)


def filled(document: Any, number: object) -> Any:
    """The document with its None replaced."""
    if isinstance(document, dict):
        return {name: filled(value, number) for name, value in document.items()}
    if isinstance(document, list):
        return [filled(one, number) for one in document]
    return number if document is None else document


REPLIES: Final = {
    part.__name__: part
    for module in (account, cloud, library, materials, media, object_storage, tokens)
    for call in vars(module).values()
    if isinstance(call, type) and issubclass(call, Call) and hasattr(call, "reply") and hasattr(call, "route")
    for part in members(call.reply)
    if attrs.has(part)
}
CASES: Final = [
    pytest.param(cls, one, id=f"{name}-{number}")
    for name, cls in REPLIES.items()
    for number, one in enumerate(samples(cls))
]


def integers(value: Any) -> Iterator[int]:
    """All integers of a reply."""
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from integers(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from integers(one)
    elif isinstance(value, int):
        yield value


@pytest.mark.parametrize(("cls", "sample"), CASES)
@given(number=NUMBERS)
def test_every_integer_of_a_reply_has_bounds(cls: type[Any], sample: dict[str, Any], number: object) -> None:
    """Whatever stands in an integer field, the reply has integers within 2**53, or there is a typed error."""
    try:
        result = decode(written({"errcode": 0, **filled(sample, number)}), cls, PATH)
    except WxAssetError:
        return
    assert all(abs(one) <= LARGEST for one in integers(result))


def test_every_reply_is_among_the_cases() -> None:
    """The fields are found in classes, in their parts, and in lists of parts."""
    tried = {str(case.id).partition("-")[0] for case in CASES}
    assert tried >= {"IssuedToken", "IssuedAuthorizerToken", "MaterialPage", "CallQuota", "TemporaryMedia", "News"}


@attrs.frozen(kw_only=True)
class Optional:
    """A reply with numbers that may be absent."""

    media_id: str
    count: int | None = None
    share: float = attrs.field(default=0.5, metadata=wire_name("ratio"))


@pytest.mark.parametrize("number", ABSURD)
def test_an_optional_number_beyond_the_bounds_counts_as_absent(number: float) -> None:
    """It must not fail a page of a list."""
    assert decode(written({"media_id": "M", "count": number}), Optional, PATH) == Optional(media_id="M")
    found = decode(written({"media_id": "M", "ratio": number}), Optional, PATH)
    assert math.isfinite(found.share)


@pytest.mark.parametrize("life", ABSURD)
async def test_a_token_with_an_absurd_lifetime_is_a_typed_error(server: RawServer, life: float) -> None:
    """It names the endpoint, and is no error of Python; a second call within the cooldown asks nobody."""
    server.token_script = [reply(written({"access_token": "T" * 40, "expires_in": life}), "application/json")]
    async with WxSession("wx1", "s3cret", base_url=server.url, retry=RetryPolicy(attempts=1)) as wx:
        for _ in range(2):
            with pytest.raises(WxAssetError, match="stable_token"):
                await wx.count_materials()
    assert len(server.token_requests) == 1


@pytest.mark.parametrize("life", [10**400, math.nan, -1, LARGEST + 1])
async def test_a_source_with_an_absurd_lifetime_gives_no_token(sim: Simulator, life: float) -> None:
    """A function of the user's is told what is wrong with its token."""

    async def token() -> Token:
        return Token(value="T" * 40, expires_in=life)

    async with WxSession(tokens=CallableToken(token), base_url=sim.url) as wx:
        with pytest.raises(TokenUnavailableError, match="no token"):
            await wx.count_materials()


@define
class Endless:
    """A source of one's own, with a lifetime that no float can hold."""

    value: str

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Return the token."""
        del exchange, previous, rejected
        return Token(value=self.value, expires_in=10**400)


async def test_a_lifetime_that_no_float_can_hold_is_a_long_one(server: RawServer) -> None:
    """A source of one's own may say so; its token serves."""
    server.script = [reply({"voice_count": 0, "video_count": 0, "image_count": 1, "news_count": 0})]
    async with WxSession(tokens=Endless("T" * 40), base_url=server.url, retry=PATIENT) as wx:
        assert (await wx.count_materials()).image == (await wx.count_materials()).image == 1


NOW: Final = time.time()
RECORD: Final = {"token": "K" * 40, "issued": NOW, "expires": NOW + 7200, "version": 3, "mode": "stable"}
RECORDS: Final = [
    *({**RECORD, name: number} for name in ("issued", "expires", "version") for number in [*ABSURD, 10**5000]),
    *({**RECORD, "token": token} for token in ("null", "a b", "<html>", "x" * 3000)),
    {**RECORD, "expires": NOW + 10**9},
]


@pytest.mark.parametrize("kind", ["file", "redis"])
async def test_an_absurd_record_is_replaced(
    sim: Simulator, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """No record of a store stops a session: it fetches a token, and the next process uses that one."""
    key = SharedToken(FileTokenStore("unused"), StableToken(sim.appid, sim.secret).account, supersedes=False).key
    redis: RedisServer | None = request.getfixturevalue("redis_server") if kind == "redis" else None
    path = tmp_path / "tokens.json"
    for record in RECORDS:
        if redis is not None:
            redis.flush()
            redis.command("SET", f"wxasset:token:{key}", written(record).decode())
        else:
            (file := tmp_path / "tokens.json.d" / f"{key}.json").parent.mkdir(0o700, exist_ok=True)
            file.write_bytes(written({key: record}))
            file.chmod(0o600)
        asked = len(sim.journal)
        for _ in range(2):
            store: TokenStore = FileTokenStore(path) if redis is None else RedisTokenStore(redis.url, timeout=5)
            async with WxSession(sim.appid, sim.secret, base_url=sim.url, store=store, retry=PATIENT) as wx:
                await wx.count_materials()
            await store.aclose()
        assert [entry.path for entry in sim.journal[asked:]].count("/cgi-bin/stable_token") == 1, record


@pytest.mark.parametrize("moment", [LARGEST, -LARGEST, 10**20, 10**400])
def test_ls_lists_a_material_of_any_time(service: Simulator, wxasset: Command, moment: int) -> None:
    """A time outside of the calendar is shown as none."""
    added = service.add_article(title="t")
    service.materials[added] = attrs.evolve(service.materials[added], update_time=moment)
    listed = wxasset("ls", "news", "--json")
    assert listed.status == 0, listed.err
    (record,) = listed.records
    assert record["time"] == ("1970-01-01T00:00:00Z" if abs(moment) > LARGEST else None)
    assert wxasset("ls", "news").status == 0
