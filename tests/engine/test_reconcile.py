"""What becomes of an upload whose reply was lost: it is looked for in the library before anything is said."""

import asyncio
import io
import pickle
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from lossy_library import PHOTO, QUICK, Library
from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, forever, reply
from wxasset import (
    AddedMaterial,
    Effect,
    MaterialItem,
    MaterialPage,
    RetryPolicy,
    Route,
    Timeouts,
    Upload,
    UploadOutcomeUnknown,
    UploadPolicy,
    WxSession,
)
from wxasset.engine.pager import Pager
from wxasset.engine.register import Pending, UploadRegister
from wxasset.engine.uploads import polls
from wxasset.errors import APIError, UsageError
from wxasset.simulator import Simulator


@pytest.fixture
def library(server: RawServer) -> Library:
    """A library behind the raw server."""
    made = Library()
    server.script = [made]
    return made


@pytest.fixture
async def lost(server: RawServer, library: Library) -> AsyncIterator[WxSession]:
    """A session on that library which does not search for long."""
    del library
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT, uploads=QUICK) as session:
        yield session


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -86400.0])
@pytest.mark.parametrize("dated", [True, False])
async def test_an_upload_whose_reply_was_lost_is_found(
    lost: WxSession, library: Library, ahead: float, *, dated: bool
) -> None:
    """The one new material of its name is its own, however WeChat's clock goes, if that is known."""
    library.ahead, library.dated = ahead, dated
    library.put("poster.jpg", age=7200)
    library.put("other.jpg")
    if ahead and not dated:
        with pytest.raises(UploadOutcomeUnknown):
            await lost.add_material("image", PHOTO, filename="poster.jpg")
    else:
        added = await lost.add_material("image", PHOTO, filename="poster.jpg")
        assert added == AddedMaterial(media_id="MEDIA2", url="http://x/MEDIA2", reconciled=True)
    assert library.adds == 1


async def test_an_answered_upload_was_not_reconciled(lost: WxSession, library: Library) -> None:
    """A reply that came says so itself; nothing is listed."""
    library.answers = [True]
    added = await lost.add_material("image", PHOTO)
    assert (added.reconciled, library.lists) == (False, 0)


async def test_the_server_cannot_say_that_it_was_reconciled(lost: WxSession, server: RawServer) -> None:
    """`reconciled` is ours; a reply that has such a field is read without it."""
    server.script = [reply({"media_id": "M", "reconciled": True})]
    assert await lost.add_material("image", PHOTO) == AddedMaterial(media_id="M")


@pytest.mark.parametrize("name", ['a "b".jpg', "海报.jpg", "a%20b.jpg", "tab\there.jpg"])
async def test_it_is_found_under_the_name_that_went_out(lost: WxSession, library: Library, name: str) -> None:
    """Names are compared as they were sent, quotes and control characters escaped."""
    assert (await lost.add_material("image", PHOTO, filename=name)).reconciled
    assert library.adds == 1


async def test_a_thumb_is_looked_for_among_the_images(lost: WxSession) -> None:
    """WeChat lists thumbs as images."""
    assert (await lost.add_material("thumb", PHOTO)).reconciled


async def test_what_is_not_listed_yet_is_waited_for(server: RawServer, library: Library) -> None:
    """A material may be listed a little after it was added: the search goes on for `visibility` seconds."""
    library.hidden = 3
    policy = UploadPolicy(visibility=0.2)
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT, uploads=policy) as wx:
        assert (await wx.add_material("image", PHOTO)).reconciled
    assert library.lists == 4


async def test_what_is_not_found_may_still_have_happened(lost: WxSession, library: Library) -> None:
    """An upload that the library does not list is not sent again; the error asks later, once and again."""
    library.commits = [False]
    with pytest.raises(UploadOutcomeUnknown, match="does not list it, so far") as caught:
        await lost.add_material("image", PHOTO, filename="poster.jpg")
    error: UploadOutcomeUnknown = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert (library.adds, library.lists, error.candidates) == (1, 4, ())
    assert "error.resolve(wx)" in str(error)
    assert await error.resolve(lost) is None
    media_id = library.put("poster.jpg")
    assert await error.resolve(lost) == AddedMaterial(media_id=media_id, url=f"http://x/{media_id}", reconciled=True)


async def test_another_process_can_find_out(lost: WxSession, library: Library, server: RawServer) -> None:
    """The pickled error is all that another session needs."""
    library.commits = [False]
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await lost.add_material("image", PHOTO, filename="poster.jpg")
    error: UploadOutcomeUnknown = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    media_id = library.put("poster.jpg")
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT) as other:
        found = await other.resolve_upload(error)
    assert found is not None
    assert found.media_id == media_id


async def test_several_candidates_are_named(lost: WxSession, library: Library) -> None:
    """Where two materials may be the one, neither is taken."""
    other = library.put("poster.jpg")
    with pytest.raises(UploadOutcomeUnknown, match=" or ") as caught:
        await lost.add_material("image", PHOTO, filename="poster.jpg")
    assert caught.value.candidates == ("MEDIA1", other)
    assert "error.candidates" in str(caught.value)
    with pytest.raises(UploadOutcomeUnknown, match="still in doubt") as again:
        await caught.value.resolve(lost)
    assert again.value.candidates == caught.value.candidates


async def test_what_another_call_owns_is_left_out(lost: WxSession, library: Library) -> None:
    """A material that was answered to another call of the session is not taken for this one's."""
    library.answers = [True, False]
    first = await lost.add_material("image", PHOTO, filename="poster.jpg")
    second = await lost.add_material("image", PHOTO, filename="poster.jpg")
    assert (first.media_id, second.media_id) == ("MEDIA0", "MEDIA1")
    assert (first.reconciled, second.reconciled) == (False, True)


async def test_what_was_found_is_owned_too(lost: WxSession, library: Library) -> None:
    """Two lost replies, one after the other, give two materials."""
    added = [await lost.add_material("image", PHOTO, filename="poster.jpg") for _ in range(2)]
    assert [one.media_id for one in added] == ["MEDIA0", "MEDIA1"]
    assert library.adds == 2


async def test_a_call_under_way_may_own_what_is_found(lost: WxSession, library: Library) -> None:
    """While another upload of the name has no answer yet, the one material may be that one's: nothing is taken."""
    library.gate = asyncio.Event()
    library.answers, library.commits = [True, False], [True, False]
    first = asyncio.create_task(lost.add_material("image", PHOTO, filename="poster.jpg"))
    await library.added.wait()
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await lost.add_material("image", PHOTO, filename="poster.jpg")
    assert caught.value.candidates == ("MEDIA0",)
    library.gate.set()
    assert (await first).media_id == "MEDIA0"
    assert await caught.value.resolve(lost) is None, "the other call owns it by now"


async def test_two_lost_at_once_are_not_mixed_up(lost: WxSession, library: Library) -> None:
    """Two uploads of one name that are both in doubt are both unknown, though the library holds but one."""
    library.commits = [True, False]
    results = await asyncio.gather(
        *(lost.add_material("image", PHOTO, filename="poster.jpg") for _ in range(2)), return_exceptions=True
    )
    assert [type(one) for one in results] == [UploadOutcomeUnknown] * 2
    assert library.adds == 2


async def test_a_cancelled_upload_casts_doubt(lost: WxSession, library: Library) -> None:
    """What a cancelled upload may have added is not taken for the next one's."""
    library.gate = asyncio.Event()
    library.answers, library.commits = [True, False], [True, False]
    task = asyncio.create_task(lost.add_material("image", PHOTO, filename="poster.jpg"))
    await library.added.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await lost.add_material("image", PHOTO, filename="poster.jpg")
    assert caught.value.candidates == ("MEDIA0",)


async def test_unique_names_make_the_search_exact(server: RawServer, library: Library) -> None:
    """With a mark in each name, many lost uploads of one name are all found at once."""
    policy = UploadPolicy(visibility=0.05, unique_names=True)
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT, uploads=policy) as wx:
        library.dated, library.ahead = False, 1e6
        added = await asyncio.gather(*(wx.add_material("image", PHOTO, filename="海报.jpg") for _ in range(5)))
    assert len({one.media_id for one in added}) == 5
    names = {item["name"] for item in library.items}
    assert len(names) == 5
    assert all(re.fullmatch("海报-[2-9a-hjkmnp-z]{8}\\.jpg", name) for name in names)


async def test_unique_names_are_for_the_library_alone(server: RawServer) -> None:
    """Where nothing is listed a mark would be of no use."""
    server.script = [reply({"url": "http://x"})]
    async with WxSession("wx1", "s", base_url=server.url, uploads=UploadPolicy(unique_names=True)) as wx:
        await wx.upload_image(PHOTO, filename="a.jpg")
    assert b'filename="a.jpg"' in server.requests[0].body


async def test_the_search_ends_where_the_upload_began(lost: WxSession, library: Library) -> None:
    """Pages are read back to the time of the attempt, and no further."""
    for _ in range(200):
        library.put("old.jpg", age=1000)
    for number in range(45):
        library.put(f"new{number}.jpg")
    library.commits = [False]
    with pytest.raises(UploadOutcomeUnknown):
        await lost.add_material("image", PHOTO, filename="poster.jpg")
    assert library.lists == 4 * 3


async def test_a_library_that_grows_too_fast_hides_it(lost: WxSession, library: Library) -> None:
    """After ten pages the search gives up; `resolve` has more patience."""
    library.commits = [False]
    media_id = library.put("poster.jpg")
    for number in range(300):
        library.put(f"new{number}.jpg")
    with pytest.raises(UploadOutcomeUnknown, match="200 newer materials hide it") as caught:
        await lost.add_material("image", PHOTO, filename="poster.jpg")
    assert library.lists == 10
    found = await caught.value.resolve(lost)
    assert found is not None
    assert found.media_id == media_id


async def test_a_search_that_fails_says_so(lost: WxSession, server: RawServer, library: Library) -> None:
    """Where the library cannot be listed the outcome is unknown, and `resolve` raises what failed."""
    refused = reply({"errcode": 48001, "errmsg": "api unauthorized"})
    server.script = [library, refused]
    with pytest.raises(UploadOutcomeUnknown, match=r"could not be looked up: listing failed with .* 48001") as caught:
        await lost.add_material("image", PHOTO)
    with pytest.raises(APIError) as again:
        await caught.value.resolve(lost)
    assert again.value.errcode == 48001


async def test_the_search_can_be_left_to_the_caller(server: RawServer, library: Library) -> None:
    """`reconcile="raise"` asks nothing; the error can be resolved later."""
    policy = UploadPolicy(reconcile="raise")
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT, uploads=policy) as wx:
        with pytest.raises(UploadOutcomeUnknown) as caught:
            await wx.add_material("image", PHOTO)
        assert library.lists == 0
        assert (await caught.value.resolve(wx)) is not None


async def test_the_search_stays_within_the_time_of_the_call(server: RawServer, library: Library) -> None:
    """When the call's time is over there is one look, and no waiting."""
    server.script = [forever, library]
    options: dict[str, Any] = {"timeouts": Timeouts(stall=0.3), "uploads": UploadPolicy(visibility=60)}
    async with WxSession("wx1", "s", base_url=server.url, retry=RetryPolicy(timeout=0.5), **options) as wx:
        with pytest.raises(UploadOutcomeUnknown):
            await wx.add_material("image", PHOTO)
    assert library.lists == 1


@pytest.mark.parametrize("call", ["upload_image", "upload_media"])
async def test_what_has_no_list_is_left_to_the_caller(lost: WxSession, server: RawServer, call: str) -> None:
    """Article images and temporary media are listed nowhere: by default the error says so, and cannot be resolved."""
    server.script = [_break]
    with pytest.raises(UploadOutcomeUnknown, match="unlisted='resend'") as caught:
        await getattr(lost, call)(*(() if call == "upload_image" else ("image",)), PHOTO)
    assert len(server.requests) == 1
    with pytest.raises(UsageError, match="no list"):
        await caught.value.resolve(lost)


async def test_what_has_no_list_is_sent_again_on_request(server: RawServer) -> None:
    """`unlisted="resend"` says that a second copy does no harm; materials of the library are not meant."""
    policy = UploadPolicy(unlisted="resend", reconcile="raise")
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT, uploads=policy) as wx:
        server.script = [_break, _break, reply({"url": "http://x"})]
        assert await wx.upload_image(PHOTO) == "http://x"
        assert len(server.requests) == 3
        server.script = [_break]
        with pytest.raises(UploadOutcomeUnknown):
            await wx.add_material("image", PHOTO)
        assert len(server.requests) == 4
        with pytest.raises(UploadOutcomeUnknown):  # after three attempts of which each may have been carried out
            await wx.upload_image(PHOTO)
        assert len(server.requests) == 7


async def test_options_of_a_single_call(lost: WxSession, library: Library) -> None:
    """`with_options` changes what is done about one upload, and shares what is known of all."""
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await lost.with_options(uploads=UploadPolicy(reconcile="raise")).add_material("image", PHOTO, filename="a.jpg")
    assert library.lists == 0
    found = await caught.value.resolve(lost)
    again = await lost.add_material("image", PHOTO, filename="a.jpg")
    assert found is not None
    assert (found.media_id, again.media_id) == ("MEDIA0", "MEDIA1")


async def test_a_source_of_any_kind_is_found(lost: WxSession, library: Library, tmp_path: Path) -> None:
    """By a mark a stream that is used up is found as well as a file; by its name only what can be read again is."""

    async def stream() -> AsyncIterator[bytes]:
        yield PHOTO

    path = tmp_path / "photo.jpg"
    path.write_bytes(PHOTO)
    sources: list[Any] = [path, io.BytesIO(PHOTO), stream()]
    for number, media in enumerate(sources):
        size, name = (len(PHOTO), None) if number == 2 else (None, f"{number}.jpg")
        assert (await lost.add_material("image", media, size=size, filename=name)).reconciled
    assert library.adds == 3
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await lost.add_material("image", stream(), size=len(PHOTO), filename="3.jpg")
    assert caught.value.candidates == ("MEDIA3",)


@frozen(kw_only=True)
class AddPoster(Upload[AddedMaterial]):
    """A user's own upload into the library."""

    route: ClassVar[Route] = Route(path="/cgi-bin/poster/add_material", effect=Effect.CREATE)

    @property
    def listing(self) -> str:
        """Listed as an image."""
        return "image"

    def recover(self, item: MaterialItem) -> AddedMaterial:
        """Take the id."""
        return AddedMaterial(media_id=item.media_id, reconciled=True)


async def test_an_endpoint_of_ones_own_can_be_searched_for(lost: WxSession, library: Library) -> None:
    """An upload that says where it is listed is found like the package's."""
    assert (await lost.call(AddPoster(), media=PHOTO)).media_id == "MEDIA0"
    assert library.adds == 1


async def _break(_: RawRequest, connection: Connection) -> None:
    connection.reset()


# The pure part


@given(st.floats(0, 600))
def test_looks_fill_the_visibility(visibility: float) -> None:
    """The first look is at once, the last one when `visibility` is over, and there are at most four."""
    waits = polls(visibility)
    assert waits[0] == 0
    assert len(waits) <= 4
    assert sum(waits) == pytest.approx(visibility)
    assert waits == sorted(waits)


def test_the_register_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads that ended leave nothing; one that was given up is a rival for ten minutes."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def begin(at: float) -> Pending:
        nonlocal now
        now = at
        upload = Pending(listing="image", name="a", begun=at, started_at=1e9 + at)
        register.begin(upload)
        return upload

    register = UploadRegister()
    first, second = begin(0.0), begin(1.0)
    assert register.has_rival(second)
    register.end(first)
    assert not register.has_rival(second)
    now = 10.0
    register.give_up(second)
    third = begin(600.0)
    assert register.has_rival(third)
    register.end(third)
    late = begin(610.0)
    assert not register.has_rival(late)
    register.give_up(late)
    assert register.given_up(late.owner) is late
    assert register.given_up(second.owner) is None


def test_ids_are_remembered_for_a_while() -> None:
    """The last 10,000 ids are known."""
    register = UploadRegister()
    for number in range(10_001):
        register.own(str(number))
    other = ("image", "a", 0.0)
    assert not register.is_anothers("0", other)
    assert register.is_anothers("1", other)


@pytest.mark.parametrize(
    ("name", "value"), [("reconcile", "never"), ("visibility", -1.0), ("visibility", 601.0), ("unlisted", "search")]
)
def test_a_policy_refuses_what_makes_no_sense(name: str, value: object) -> None:
    """The message names the argument."""
    with pytest.raises(ValueError, match=name):
        UploadPolicy(**{name: value})  # type: ignore[arg-type] # one of several names


def test_a_pager_steps_back_where_the_list_became_shorter() -> None:
    """Deleting materials between two pages hides none of the rest, and none comes twice."""
    names = [f"m{number}" for number in range(50)]

    def page(offset: int) -> MaterialPage:
        items = tuple(MaterialItem(media_id=name, update_time=0) for name in names[offset : offset + 20])
        return MaterialPage(items=items, total=len(names))

    pager: Pager[MaterialItem] = Pager()
    seen = [item.media_id for item in pager.take(page(0))]
    del names[:5]
    while not pager.ended:
        seen += [item.media_id for item in pager.take(page(pager.offset))]
    assert seen == [f"m{number}" for number in range(50)]


async def test_a_material_that_is_listed_late_is_not_absent(sim: Simulator) -> None:
    """`resolve` asked at once waits for `visibility` seconds before it concludes that the library does not have it."""
    policy = UploadPolicy(visibility=0.5, reconcile="raise")
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, uploads=policy) as wx:
        sim.fail("add_material", "hide-200ms,reset-after-commit")
        with pytest.raises(UploadOutcomeUnknown) as caught:
            await wx.add_material("image", PHOTO)
        found = await caught.value.resolve(wx)
    assert found is not None
    assert list(sim.materials) == [found.media_id]
