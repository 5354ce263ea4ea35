"""Wrong usage: each mistake is a UsageError at once, before anything is sent, and the message names the remedy."""

import copy
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raw_server import RawServer, reply
from wxasset import (
    DownloadPolicy,
    FileTokenStore,
    GetQuota,
    Ledger,
    Limits,
    RedisTokenStore,
    RetryPolicy,
    StableToken,
    Timeouts,
    UploadPolicy,
    WxSession,
)
from wxasset.errors import SourceError, UsageError, WxAssetError
from wxasset.simulator import Simulator

WRONG: tuple[Any, ...] = ("3", True, None, {}, [], -1, math.nan, object(), int)
NUMBERS: dict[type, tuple[str, ...]] = {
    RetryPolicy: ("attempts", "timeout", "wait_initial", "wait_max", "wait_jitter"),
    Timeouts: ("connect", "stall", "total", "min_rate"),
    Limits: ("max_spool", "max_reply", "max_download"),
    UploadPolicy: ("visibility", "settle"),
    DownloadPolicy: ("max_redirects",),
    RedisTokenStore: ("timeout", "lease_seconds", "wait"),
}
FLAGS: dict[type, tuple[str, ...]] = {
    Limits: ("check_size", "check_format"),
    UploadPolicy: ("unique_names",),
    DownloadPolicy: ("allow_private_hosts",),
}


@pytest.mark.parametrize("value", WRONG, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in NUMBERS.items() for name in names])
def test_numbers_are_numbers(kind: Callable[..., object], name: str, value: object) -> None:
    """A string, a flag, None, a container or a negative number is no number; the message shows the name."""
    with pytest.raises(UsageError, match=f"^{name}= must be a (whole )?number.*, not "):
        kind(**({"url": "redis://host"} if kind is RedisTokenStore else {}), **{name: value})


@pytest.mark.parametrize("value", ["yes", 1, None], ids=str)
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in FLAGS.items() for name in names])
def test_flags_are_true_or_false(kind: Callable[..., object], name: str, value: object) -> None:
    """A string, a number or None is no flag."""
    with pytest.raises(UsageError, match=f"^{name}= must be True or False, not "):
        kind(**{name: value})


def test_hosts_are_any_iterable_of_names() -> None:
    """A list or a set of hosts works like a tuple; a single string, a URL or a number does not."""
    expected = DownloadPolicy(hosts=("*.qq.com",))
    right: tuple[Any, ...] = (["*.qq.com"], {"*.qq.com"}, iter(["*.qq.com"]))
    for hosts in right:
        policy = DownloadPolicy(hosts=hosts)
        assert (policy, hash(policy)) == (expected, hash(expected))
    wrong: tuple[Any, ...] = ("*.qq.com", None, 3, [3], ["https://qq.com"], ["qq.com:80"], [""])
    for hosts in wrong:
        with pytest.raises(UsageError, match=r"^hosts= must"):
            DownloadPolicy(hosts=hosts)


async def _progress(done: int, total: int | None) -> None:
    raise AssertionError(f"{done} of {total} were told")


class _Progress:
    async def __call__(self, done: int, total: int | None) -> None:
        await _progress(done, total)


SESSIONS: dict[str, tuple[dict[str, Any], str]] = {
    "a store by its path": ({"store": "tokens.json"}, "store= must be a TokenStore.*not str"),
    "a class of stores": ({"store": FileTokenStore}, "store= must be a TokenStore.*not the class FileTokenStore"),
    "a token": ({"tokens": "secret" * 9}, "tokens= must be a token source.*not str"),
    "a class of tokens": ({"tokens": StableToken}, "tokens= must be a token source.*not the class StableToken"),
    "a dict of limits": ({"limits": {"max_spool": 1}}, "limits= is a Limits; not dict"),
    "a number of retries": ({"retry": 3}, "retry= is a RetryPolicy; not int"),
    "a timeout": ({"timeouts": 3.0}, "timeouts= is a Timeouts; not float"),
    "None as an option": ({"downloads": None}, "downloads= is a DownloadPolicy; not NoneType"),
    "another HTTP client": ({"http": object()}, "http= must be an aiohttp.ClientSession, not object"),
    "no URL": ({"base_url": None}, "base_url"),
    "a number as appid": ({"appid": 5}, "appid"),
    "a ledger by its path": ({"ledger": "ledger.db"}, "ledger= is a Ledger"),
    "a function as hooks": ({"hooks": print}, "hooks= is a Hooks"),
}


@pytest.mark.parametrize(("options", "match"), SESSIONS.values(), ids=SESSIONS)
def test_a_session_checks_its_options(options: dict[str, Any], match: str) -> None:
    """Each option of another kind is refused when the session is made, and no token is shown."""
    with pytest.raises(UsageError, match=match) as caught:
        WxSession(**{"appid": "wx1", "secret": "s", **options})
    assert "secretsecret" not in str(caught.value)


def test_paths_of_stores_are_paths() -> None:
    """A number is no path of a ledger or of a file of tokens."""
    wrong: Any = 3
    for kind in (Ledger, FileTokenStore):
        with pytest.raises(UsageError, match="path= must be the path of a file, not int"):
            kind(wrong)


async def _loop(values: Any) -> None:
    async for _ in values:
        pass


async def _await(value: Any) -> None:
    await value


async def _for(values: Any) -> None:
    for _ in values:
        pass


async def _read(material: Any) -> None:
    await material.read()


BATCH = "async with batch as outcomes"
OPEN = r"async with wx\.open_material"
USES: dict[str, tuple[Callable[[WxSession, Path], Any], str]] = {
    "a class as a call": (lambda wx, _: wx.call(GetQuota), r"pass an instance, GetQuota\(\.\.\.\)"),  # type: ignore[call-overload]
    "a string as a call": (lambda wx, _: wx.call("get_quota"), "instance of a Call class, not str"),  # type: ignore[call-overload]
    "async for over a batch": (lambda wx, _: _loop(wx.add_materials("image", [b"x"])), BATCH),
    "async for over downloads": (lambda wx, to: _loop(wx.get_materials(["M"], to)), BATCH),
    "for over a batch": (lambda wx, _: _for(wx.del_materials(["M"])), BATCH),
    "await of a batch": (lambda wx, _: _await(wx.del_materials(["M"])), BATCH),
    "read of an open material": (lambda wx, _: _read(wx.open_material("M")), OPEN),
    "async for over an open material": (lambda wx, _: _loop(wx.open_material("M")), OPEN),
    "await of an open material": (lambda wx, _: _await(wx.open_material("M")), OPEN),
    "progress of a coroutine": (lambda wx, _: wx.add_material("image", b"x", progress=_progress), "progress="),
    "progress of an object": (lambda wx, to: wx.get_material("M", to, progress=_Progress()), "progress="),
    "progress of no function": (lambda wx, to: wx.get_media("M", to, progress=3), "progress="),  # type: ignore[arg-type]
    "progress of a cloud file": (
        lambda wx, to: wx.download_file("env", "cloud://e.b/f", to, progress=_progress),
        "progress=",
    ),
    "progress of a cloud upload": (lambda wx, _: wx.upload_file("env", "p", b"x", progress=_progress), "progress="),
    "a number as filename": (lambda wx, _: wx.add_material("image", b"x", filename=3), "filename= must be a string"),  # type: ignore[arg-type]
    "a number as fsync": (lambda wx, to: wx.get_material("M", to, fsync=3), "fsync= must be True or False"),  # type: ignore[arg-type]
    "a string as max_age": (lambda wx, _: wx.file_urls("env", ["f"], max_age="9"), "max_age="),  # type: ignore[arg-type]
    "a negative offset": (lambda wx, _: _loop(wx.iter_materials("image", offset=-1)), "offset="),
}


@pytest.mark.parametrize(("use", "match"), USES.values(), ids=USES)
async def test_wrong_use_sends_nothing(
    raw: WxSession, server: RawServer, tmp_path: Path, use: Callable[[WxSession, Path], Any], match: str
) -> None:
    """The error says how it is done, and neither a call nor a token was requested."""
    plain = raw.with_options(limits=Limits(check_format=False))
    with pytest.raises(UsageError, match=match):
        await use(plain, tmp_path)
    assert server.requests == []
    assert server.token_requests == []


async def test_a_batch_checks_its_progress_at_once(raw: WxSession, tmp_path: Path) -> None:
    """An async progress of a batch is refused where the batch is made."""
    wrong: Any = _progress
    makes: tuple[Callable[[], object], ...] = (
        lambda: raw.add_materials("image", [], progress=wrong),
        lambda: raw.get_materials([], tmp_path, progress=wrong),
        lambda: raw.del_materials([], progress=wrong),
    )
    for make in makes:
        with pytest.raises(UsageError, match="progress= is an async function"):
            make()


async def test_a_type_that_cannot_be_hashed_is_no_media_type(raw: WxSession) -> None:
    """A list as the type of media is refused like any unknown type."""
    wrong: Any = ["image"]
    with pytest.raises(SourceError, match="There is no media type"):
        await raw.add_material(wrong, b"x")


async def test_a_list_is_iterated_from_an_offset(wx: WxSession, sim: Simulator) -> None:
    """`offset` passes over the newest materials, across pages."""
    del sim
    for number in range(45):
        await wx.add_material("image", b"\xff\xd8\xff" + bytes([number]) * 99)
    every = [item.media_id async for item in wx.iter_materials("image")]
    assert [item.media_id async for item in wx.iter_materials("image", offset=7)] == every[7:]
    assert [item async for item in wx.iter_materials("image", offset=99)] == []


async def test_the_error_of_an_iteration_says_where_to_continue(raw: WxSession, server: RawServer) -> None:
    """A page that cannot be listed ends the iteration; the error tells how many came before, and the next offset."""
    items = [{"media_id": f"M{number}", "name": "a", "update_time": 1} for number in range(20)]
    server.script = [
        reply({"item": items, "total_count": 60, "item_count": 20}),
        reply({"errcode": 45009, "errmsg": "reach max api daily quota limit"}),
    ]
    with pytest.raises(WxAssetError, match="20 materials came before; continue with offset=27"):
        await _loop(raw.iter_materials("image", offset=7))
    assert [dumped.body for dumped in server.requests] == [
        b'{"type":"image","offset":7,"count":20}',
        b'{"type":"image","offset":27,"count":20}',
    ]


def test_errors_keep_their_notes_and_classes() -> None:
    """Pickled and copied, an error has its notes; a subclass may have an __init__ of its own."""
    error = UsageError("message")
    error.add_note("note")
    mine = _Mine(3)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - our own bytes
        assert (str(again), again.__notes__) == (str(error), ["note"])
    for other in (pickle.loads(pickle.dumps(mine)), copy.copy(mine), copy.deepcopy(mine)):  # noqa: S301 - our own bytes
        assert (type(other), str(other), other.code) == (_Mine, str(mine), 3)


class _Mine(WxAssetError):
    def __init__(self, code: int) -> None:
        super().__init__(f"mine {code}")
        self.code = code
