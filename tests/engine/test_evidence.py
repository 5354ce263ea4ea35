"""Absence is concluded only from a list that proves it; where it does not, nothing is sent a second time."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply
from wxasset import Ledger, MaterialItem, MaterialPage, RetryPolicy, UploadOutcomeUnknown, UploadPolicy, WxSession
from wxasset.engine.evidence import Evidence
from wxasset.engine.register import Pending, UploadRegister
from wxasset.engine.uploads import MARK_LETTERS, mark_in
from wxasset.engine.windows import Window
from wxasset.wire.filenames import marked_name

PHOTO: Final = b"\xff\xd8\xff\xe0" + bytes(1000)
UUID: Final = "550e8400-e29b-41d4-a716-446655444444.jpg"
AT_ONCE: Final = UploadPolicy(visibility=0, settle=0)
Item: TypeAlias = dict[str, Any]
Shape: TypeAlias = Callable[[list[Item], int], dict[str, Any]]


def page(items: list[Item], offset: int) -> dict[str, Any]:
    """Return a page as documented."""
    return {"item": items[offset : offset + 20], "total_count": len(items)}


def _renamed(items: list[Item], rename: Callable[[str], str]) -> list[Item]:
    return [item | {"name": rename(item["name"])} for item in items]


def _later(items: list[Item], seconds: float) -> list[Item]:
    return [item | {"update_time": int(item["update_time"] + seconds)} for item in items]


def _undated(items: list[Item]) -> list[Item]:
    return [{key: value for key, value in item.items() if key != "update_time"} for item in items]


def _moved(items: list[Item], place: int) -> list[Item]:
    return [*items[1 : place + 1], items[0], *items[place + 1 :]]


PROVES_NOTHING: Final[dict[str, Shape]] = {
    "oldest first": lambda items, offset: page(items[::-1], offset),
    "by name": lambda items, offset: page(sorted(items, key=lambda item: str(item["name"])[::-1]), offset),
    "an older one before it": lambda items, offset: page(_moved(items, 1), offset),
    "by last use": lambda items, offset: page(_moved(items, 25), offset),
    "by last use, far behind": lambda items, offset: page(_moved(items, 60), offset),
    "empty pages": lambda items, _: {"item": [], "total_count": len(items)},
    "no key item": lambda items, _: {"total_count": len(items)},
    "the newest is left out": lambda items, offset: page(items, offset) | {"item": items[1:][offset : offset + 20]},
    "one is left out of the first page": lambda items, offset: (
        page(items, offset) | {"item": items[offset + (not offset) : offset + 20]}
    ),
    "a total too small": lambda items, offset: page(items[1:], offset) | {"total_count": 5},
    "the same page again": lambda items, _: page(items[1:], 0),
    "no update_time": lambda items, offset: page(_undated(_moved(items, 25)), offset),
    "times in the future": lambda items, offset: page(_later(_renamed(items, lambda _: "x"), 5000), offset),
    "names cut": lambda items, offset: page(_renamed(items, lambda name: name[:3]), offset),
    "names cut inside of the mark": lambda items, offset: page(_renamed(items, lambda name: name[:10]), offset),
    "names left out": lambda items, offset: page(_renamed(items, lambda _: ""), offset),
    "names replaced": lambda items, offset: page(
        _renamed(items, lambda _: "550e8400-e29b-41d4-a716-446655444444"), offset
    ),
    "names replaced, clock behind": lambda items, offset: page(_later(_renamed(items, lambda _: "a"), -60), offset),
}
SHOWS_IT: Final[dict[str, Shape]] = {
    "as documented": page,
    "the clock of the list 5 s behind": lambda items, offset: page(_later(items, -5), offset),
    "names in capitals": lambda items, offset: page(_renamed(items, str.upper), offset),
    "names quoted": lambda items, offset: page(_renamed(items, lambda name: f"%22{name}%22"), offset),
    "extensions changed": lambda items, offset: page(_renamed(items, lambda name: name[:-4] + ".jpeg"), offset),
    "oldest first": PROVES_NOTHING["oldest first"],
    "no update_time": PROVES_NOTHING["no update_time"],
}


@define
class Shelf:
    """A library of 60 older materials whose list has a shape; it loses the response to each upload.

    Attributes:
        shape: The shape of its list.
        commits: Whether uploads are carried out.
        loses: Whether the response is lost.
        items: Its materials, the newest first.
        adds: Number of uploads.
        pages: Number of pages asked for.
        seconds: Time of a page.
        ahead: Seconds by which its clock is ahead.
        between: Called after each page.
    """

    shape: Shape = page
    commits: bool = True
    loses: bool = True
    items: list[Item] = field(factory=list)
    adds: int = 0
    pages: int = 0
    seconds: float = 0.0
    ahead: float = 0.0
    between: Callable[["Shelf"], None] | None = None

    def __attrs_post_init__(self) -> None:
        """Fill it."""
        self.items = [
            {"media_id": f"OLD{number}", "name": f"old{number:02}.jpg", "update_time": int(self.now()) - 5000 - number}
            for number in range(60)
        ]

    def now(self) -> float:
        """Return its unix time."""
        return time.time() + self.ahead

    def put(self, name: str) -> str:
        """Add a material."""
        media_id = f"NEW{self.adds}"
        self.items.insert(0, {"media_id": media_id, "name": name, "update_time": int(self.now())})
        return media_id

    async def __call__(self, request: RawRequest, connection: Connection) -> None:
        """Answer one request."""
        if request.path.endswith("/add_material"):
            self.adds += 1
            name = re.search(rb'filename="([^"]*)"', request.body)
            assert name is not None
            media_id = self.put(name[1].decode()) if self.commits else None
            if self.loses:
                connection.reset()
                return
            await self._answer(connection, {"media_id": media_id})
        elif request.path.endswith("/batchget_material"):
            self.pages += 1
            await asyncio.sleep(self.seconds)
            await self._answer(connection, self.shape(self.items, json.loads(request.body)["offset"]))
            if self.between is not None:
                self.between(self)
        else:
            await self._answer(connection, {"errcode": 48001, "errmsg": "api unauthorized"})

    async def _answer(self, connection: Connection, document: dict[str, Any]) -> None:
        date = f"\r\nDate: {formatdate(self.now(), usegmt=True)}\r\n\r\n".encode()
        await connection.send(reply(document).replace(b"\r\n\r\n", date, 1))


@pytest.fixture
def shelf(server: RawServer) -> Shelf:
    """A library behind the raw server."""
    made = Shelf()
    server.script = [made]
    return made


@pytest.fixture
async def lost(server: RawServer, shelf: Shelf) -> Any:
    """A session on that library which waits for nothing."""
    del shelf
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT, uploads=AT_ONCE) as session:
        yield session


async def _ensured(wx: WxSession, shelf: Shelf, path: Path, tries: int = 3) -> None:
    """Ensure a material whose first response is lost."""
    async with Ledger(path, adopt=False) as ledger:
        for _ in range(tries):
            try:
                await wx.ensure_material("image", PHOTO, filename="e.jpg", ledger=ledger)
            except UploadOutcomeUnknown:
                shelf.loses = False
            else:
                return


@pytest.mark.parametrize("shape", PROVES_NOTHING)
async def test_a_list_that_proves_nothing_leads_to_no_second_copy(
    lost: WxSession, shelf: Shelf, tmp_path: Path, shape: str
) -> None:
    """Whatever shape the list has, an upload that it may hide is neither called absent nor sent again."""
    shelf.shape = PROVES_NOTHING[shape]
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await lost.add_material("image", PHOTO, filename="a.jpg")
    with pytest.raises(UploadOutcomeUnknown, match="still in doubt"):
        await caught.value.resolve(lost)
    await _ensured(lost, shelf, tmp_path / "ledger.db")
    assert shelf.adds == 2


@pytest.mark.parametrize("shape", SHOWS_IT)
async def test_a_mark_is_found_in_any_order_and_name(lost: WxSession, shelf: Shelf, tmp_path: Path, shape: str) -> None:
    """A name that contains the mark is enough, wherever it is listed and when."""
    shelf.shape = SHOWS_IT[shape]
    added = await lost.add_material("image", PHOTO)
    assert (added.media_id, added.reconciled) == ("NEW1", True)
    async with Ledger(tmp_path / "ledger.db", adopt=False) as ledger:
        assert (await lost.ensure_material("image", PHOTO, ledger=ledger)).media_id == "NEW2"
    assert shelf.adds == 2


async def test_a_long_list_in_another_order_is_read_to_its_end(lost: WxSession, shelf: Shelf) -> None:
    """Where the list is not sorted, age is no reason to stop."""
    shelf.items += [item | {"media_id": f"{item['media_id']}-{n}"} for n in range(4) for item in shelf.items]
    shelf.shape = SHOWS_IT["oldest first"]
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await lost.add_material("image", PHOTO)
    found = await caught.value.resolve(lost)
    assert found is not None
    assert found.media_id == "NEW1"


async def test_what_a_sound_list_does_not_have_is_absent(lost: WxSession, shelf: Shelf, tmp_path: Path) -> None:
    """A list that contradicts nothing proves absence: `resolve` returns None, and a ledger sends again."""
    shelf.commits = False
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await lost.add_material("image", PHOTO, filename="a.jpg")
    assert await caught.value.resolve(lost) is None
    shelf.put("other-k7m2xq9d.jpg")  # another upload of this package
    assert await caught.value.resolve(lost) is None
    async with Ledger(tmp_path / "ledger.db", adopt=False) as ledger:
        with pytest.raises(UploadOutcomeUnknown):
            await lost.ensure_material("image", PHOTO, filename="e.jpg", ledger=ledger)
        shelf.commits, shelf.loses = True, False
        assert not (await lost.ensure_material("image", PHOTO, filename="e.jpg", ledger=ledger)).reconciled


def _grow(shelf: Shelf) -> None:
    """Add 25 materials of other processes after the first page."""
    names = [f"b-k7m2xq9{letter}.jpg" for letter in MARK_LETTERS[:25]] if shelf.pages == 1 else []
    shelf.items[:0] = [{"media_id": name, "name": name, "update_time": int(shelf.now())} for name in names]


async def test_a_library_that_grows_by_more_than_was_read_keeps_its_order(lost: WxSession, shelf: Shelf) -> None:
    """Materials that came since the first page, more than that page holds, say nothing about the order of the list."""
    shelf.commits = False
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await lost.add_material("image", PHOTO, filename="a.jpg")
    shelf.between, shelf.pages = _grow, 0
    assert await caught.value.resolve(lost) is None


async def test_a_material_of_unknown_origin_may_be_it(lost: WxSession, shelf: Shelf) -> None:
    """A material that nobody here made, of about that time, leaves the upload in doubt; the error names it."""
    shelf.commits = False
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await lost.add_material("image", PHOTO, filename="a.jpg")
    media_id = shelf.put("1795850000.jpg")
    with pytest.raises(UploadOutcomeUnknown, match=media_id):
        await caught.value.resolve(lost)


async def test_what_is_deleted_while_the_list_is_read_hides_nothing(lost: WxSession, shelf: Shelf) -> None:
    """Where the total falls between two pages the search steps back, and finds what has moved forward."""
    shelf.items = _later(shelf.items[:24], 5000)
    shelf.shape = lambda items, offset: page([*items[1:], items[0]], offset)

    def delete(shelf: Shelf) -> None:
        shelf.between = None
        del shelf.items[1:11]

    shelf.between = delete
    assert (await lost.add_material("image", PHOTO)).media_id == "NEW1"


async def test_the_search_ends_with_the_time_of_its_call(server: RawServer, shelf: Shelf) -> None:
    """A slow list is not read beyond `RetryPolicy.timeout`, neither by the call itself nor by `resolve`."""
    shelf.shape = lambda _, offset: {
        "item": [{"media_id": f"M{offset + n}", "name": "x", "update_time": int(time.time())} for n in range(20)],
        "total_count": 5000,
    }
    shelf.seconds = 0.3
    async with WxSession("wx1", "s", base_url=server.url, retry=RetryPolicy(timeout=0.5, attempts=1)) as wx:
        begun = time.monotonic()
        with pytest.raises(UploadOutcomeUnknown, match="no time left") as caught:
            await wx.add_material("image", PHOTO)
        assert time.monotonic() - begun < 0.9
        begun = time.monotonic()
        with pytest.raises(UploadOutcomeUnknown, match="no time left"):
            await caught.value.resolve(wx)
        assert time.monotonic() - begun < 0.9


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
async def test_a_clock_that_is_set_makes_nothing_older(
    lost: WxSession, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """Ages are those of the monotonic clock, and of WeChat's: a step of this machine's clock settles nothing."""
    wx = lost.with_options(uploads=UploadPolicy(visibility=0, settle=0.5, reconcile="raise"))
    own = time.time
    async with Ledger(tmp_path / "ledger.db", adopt=False) as ledger:
        with pytest.raises(UploadOutcomeUnknown) as caught:
            await wx.add_material("image", PHOTO)
        with pytest.raises(UploadOutcomeUnknown):
            await wx.ensure_material("image", PHOTO, filename="e.jpg", ledger=ledger)
        late = shelf.items.pop(0)
        shelf.ahead = -jump
        monkeypatch.setattr(time, "time", lambda: own() + jump)
        found = await caught.value.resolve(wx)
        assert found is not None
        shelf.pages = 0

        def show(shelf: Shelf) -> None:
            if shelf.pages == 1:  # the first look does not show it yet
                shelf.items.insert(0, late)

        shelf.between = show
        assert (await wx.ensure_material("image", PHOTO, filename="e.jpg", ledger=ledger)).reconciled
    assert shelf.adds == 2


# The pure part

TIMES = st.lists(st.integers(0, 4), min_size=1, max_size=70)


@given(TIMES)
def test_absence_needs_a_sorted_list(ages: list[int]) -> None:
    """Materials in any other order than the newest first prove nothing."""
    now, register = time.time(), UploadRegister()
    window = Window(begin=now - 2, end=now, now=now)
    items = tuple(
        MaterialItem(media_id=str(number), update_time=int(now) - 1000 * (age + 1), name="x")
        for number, age in enumerate(ages)
    )
    evidence = Evidence(Pending(listing="image", name="a"), register)
    while not evidence.thorough:
        offset = evidence.pager.offset
        evidence.take(MaterialPage(items=items[offset : offset + 20], total=len(items)), window)
    assert (evidence.doubt is None) == (ages == sorted(ages))


@given(st.text(max_size=20), st.text(MARK_LETTERS, min_size=8, max_size=8), st.sampled_from([".jpg", ".mp4", ""]))
def test_a_mark_is_read_from_its_name(stem: str, mark: str, extension: str) -> None:
    """The mark of a name is found again in it."""
    name = marked_name(stem.replace(".", "") + extension, mark)
    assert mark_in(name) in {mark, None if re.search("-[0-9a-f]{4}$", stem.replace(".", "")) else mark}
