"""The table for those who come from wechatpy, held against both libraries."""

import importlib
import inspect
import io
import pkgutil
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import requests
import wechatpy.client
import wechatpy.exceptions
import wechatpy.session
from attrs import frozen
from wechatpy.client.api.base import BaseWeChatAPI

import wxasset
from readme import ROOT
from wxasset import DownloadPolicy, WxSession, errors
from wxasset.simulator import Simulator, SimulatorOptions

CLIENTS = (wechatpy.client.WeChatClient, wechatpy.client.WeChatComponentClient)
DOCUMENTS = ("docs/moving.md", "docs/zh/moving.md")
KINDS = ("material", "media", "cloud")


@frozen
class Row:
    """A row of the table: calls of wechatpy, what takes their place, and the differences."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    differences: str


def rows(text: str) -> list[Row]:
    """The rows of the table whose head begins with `wechatpy`."""
    table = re.search(r"^\| wechatpy \|.*?\n\|[-|]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    assert table is not None
    cells = [line.strip("|\n ").split(" | ") for line in table[1].splitlines()]
    return [Row(_code(old), _code(new), differences) for old, new, differences in cells]


def _code(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


TABLES = {document: rows((ROOT / document).read_text("utf-8")) for document in DOCUMENTS}
ROWS = TABLES["docs/moving.md"]


def _signature(function: Callable[..., Any]) -> str:
    """The parameters as printed, without `self`."""
    return str(inspect.signature(function)).replace("(self, ", "(").replace("(self)", "()")


def calls_of_wechatpy() -> Iterator[str]:
    """What wechatpy offers for media, as `inspect` finds it."""
    for client in CLIENTS:
        yield f"{client.__name__}{_signature(client)}"
        for name, member in inspect.getmembers(client):
            if not name.startswith("_") and not isinstance(member, BaseWeChatAPI | str):
                yield f"client.{name}{'' if isinstance(member, property) else _signature(member)}"
    for kind in KINDS:
        for name, member in inspect.getmembers(type(getattr(CLIENTS[0], kind)), inspect.isfunction):
            if not name.startswith("_"):
                yield f"{kind}.{name}{_signature(member)}"
    for module in pkgutil.iter_modules(wechatpy.session.__path__):
        for name, member in vars(importlib.import_module(f"wechatpy.session.{module.name}")).items():
            if inspect.isclass(member) and member is not wechatpy.session.SessionStorage:
                yield f"{name}{_signature(member)}"
    yield f"WeChatClientException{_signature(wechatpy.exceptions.WeChatClientException)}"


def test_every_call_of_wechatpy_is_in_the_table_and_none_is_invented() -> None:
    """The first column is what wechatpy has, each once, with its parameters and their defaults."""
    listed = [call for row in ROWS for call in row.old]
    assert sorted(listed) == sorted(set(calls_of_wechatpy()))


@pytest.mark.parametrize("call", [call for row in ROWS for call in row.new])
def test_every_call_of_wxasset_exists(call: str) -> None:
    """The second column is what wxasset has: each name is public, and each parameter goes where the table says."""
    name, _, parameters = call.partition("(")
    if not parameters:
        assert issubclass(getattr(errors, name), errors.WxAssetError)
        return
    owner, method = (WxSession, name.removeprefix("wx.")) if name.startswith("wx.") else (wxasset, name)
    assert owner is WxSession or name in vars(wxasset)["__all__"]
    signature = inspect.signature(getattr(owner, method))
    given = [one for one in ("self, " * (owner is WxSession) + parameters.rstrip(")")).split(", ") if one]
    by_position = [one for one in given if not one.endswith("=")]
    by_name = {one.rstrip("="): one for one in given if one.endswith("=")}
    signature.bind(*by_position, **by_name)
    known = list(signature.parameters)
    assert by_position == known[: len(by_position)], "each stands in its place"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_has_no_counterpart_says_why(document: str) -> None:
    """A row without a call of wxasset has a dash there and a reason beside it."""
    text = (ROOT / document).read_text("utf-8")
    for row in TABLES[document]:
        assert row.old
        assert row.differences
        assert row.new or f"`{row.old[-1]}` | — | {row.differences}" in text


def test_the_table_is_the_same_in_every_language() -> None:
    """Only the differences are translated."""
    for table in TABLES.values():
        assert [(row.old, row.new) for row in table] == [(row.old, row.new) for row in ROWS]


# Both libraries side by side


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A simulator that takes the description of a video where wechatpy puts it."""
    async with Simulator(options=SimulatorOptions(description_in_query=True)) as simulator:
        yield simulator


def wechatpy_on(sim: Simulator) -> Any:
    """A wechatpy client whose addresses are the simulator's and that is otherwise its own."""

    class Client(wechatpy.client.WeChatClient):  # type: ignore[misc]  # wechatpy carries no types
        API_BASE_URL = sim.url + "/cgi-bin/"

        def fetch_access_token(self) -> Any:
            asked = {"grant_type": "client_credential", "appid": self.appid, "secret": self.secret}
            return self._fetch_access_token(url=sim.url + "/cgi-bin/token", params=asked)

    client = Client(sim.appid, sim.secret)
    client.cloud.API_BASE_URL = sim.url + "/"
    return client


def named(path: Path) -> io.BytesIO:
    """An open file with a name, as wechatpy takes it."""
    file = io.BytesIO(path.read_bytes())
    file.name = path.name
    return file


@frozen
class Shelf:
    """What the calls are made with."""

    image: Path
    clip: Path
    material: str
    medium: str
    cloud_file: str


def upload_with_wechatpy(client: Any, on: Shelf) -> None:
    """It gets the leave; its form has the file first, which storage does not take (wire reference 3.1)."""
    with pytest.raises(requests.HTTPError):
        client.cloud.upload_file("env", on.image.name)


PAIRS: dict[str, tuple[Callable[[Any, Shelf], Any], Callable[[WxSession, Shelf], Any]]] = {
    "material.add": (
        lambda client, on: client.material.add("image", named(on.image)),
        lambda wx, on: wx.add_material("image", on.image),
    ),
    "material.add, a video": (
        lambda client, on: client.material.add("video", named(on.clip), "title", "introduction"),
        lambda wx, on: wx.add_material("video", on.clip, title="title", introduction="introduction"),
    ),
    "material.get": (
        lambda client, on: client.material.get(on.material),
        lambda wx, on: wx.get_material(on.material, on.image),
    ),
    "material.delete": (
        lambda client, on: client.material.delete(on.material),
        lambda wx, on: wx.del_material(on.material),
    ),
    "material.batchget": (
        lambda client, _: client.material.batchget("image", 0, 5),
        lambda wx, _: wx.list_materials("image", offset=0, count=5),
    ),
    "material.get_count": (lambda client, _: client.material.get_count(), lambda wx, _: wx.count_materials()),
    "media.upload": (
        lambda client, on: client.media.upload("image", named(on.image)),
        lambda wx, on: wx.upload_media("image", on.image),
    ),
    "media.download": (
        lambda client, on: client.media.download(on.medium),
        lambda wx, on: wx.get_media(on.medium, on.image),
    ),
    "media.upload_image": (
        lambda client, on: client.media.upload_image(named(on.image)),
        lambda wx, on: wx.upload_image(on.image),
    ),
    "cloud.upload_file": (
        upload_with_wechatpy,
        lambda wx, on: wx.upload_file("env", on.image.name, on.image),
    ),
    "cloud.download_files": (
        lambda client, on: client.cloud.download_files("env", [{"fileid": on.cloud_file, "max_age": 60}]),
        lambda wx, on: wx.file_urls("env", [on.cloud_file], max_age=60),
    ),
    "cloud.delete_files": (
        lambda client, on: client.cloud.delete_files("env", [on.cloud_file]),
        lambda wx, on: wx.batch_delete_file("env", [on.cloud_file]),
    ),
}


def test_every_call_with_a_counterpart_is_made_with_both() -> None:
    """The pairs below are the rows of the table that have a call of the session."""
    rows_with_both = {
        row.old[0].partition("(")[0] for row in ROWS if row.new and row.old[0].startswith(tuple(f"{k}." for k in KINDS))
    }
    assert rows_with_both == {name.partition(",")[0] for name in PAIRS}


@pytest.mark.filterwarnings("ignore:`_(get|post)` method of `WeChatClient` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", PAIRS)
async def test_both_ask_wechat_for_the_same(
    sim: Simulator, tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Method, path and query of the request are those of wechatpy, and WeChat answers both with the same."""
    monkeypatch.chdir(tmp_path)
    old, new = PAIRS[name]
    image, clip = Path("drawing.png"), Path("clip.mp4")
    for file in (image, clip):
        file.write_bytes((samples / file.name).read_bytes())
    policy = DownloadPolicy(allow_private_hosts=True)
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, downloads=policy) as wx:

        async def shelf() -> Shelf:
            material = (await wx.add_material("image", image)).media_id
            medium = (await wx.upload_media("image", image)).media_id
            return Shelf(image, clip, material, medium, sim.add_cloud_file("env", "a.png", b"content"))

        on = await shelf()
        client = wechatpy_on(sim)
        with client._http:
            await anyio.to_thread.run_sync(client.fetch_access_token)
            before = len(sim.journal)
            await anyio.to_thread.run_sync(old, client, on)
        by_wechatpy = sim.journal[before]
        on = await shelf()
        before = len(sim.journal)
        await new(wx, on)
        by_wxasset = sim.journal[before]
    asked = [(one.method, one.path, {*one.query} - {"description"}) for one in (by_wechatpy, by_wxasset)]
    assert asked[0] == asked[1]
    assert by_wechatpy.errcode == by_wxasset.errcode
    assert by_wxasset.status == 200
