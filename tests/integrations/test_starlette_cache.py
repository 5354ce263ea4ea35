"""The cache of materials: one fetch for all visitors, who read at their own speed from the disk."""

import asyncio
import json
import os
import socket
import stat
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from attrs import evolve
from starlette.applications import Starlette
from starlette.routing import Route

from policies import PATIENT
from served import serving
from waiting import until
from web_apps import GET, put, shelf, talking_to
from wxasset import Deleted, StaticToken, WxSession
from wxasset import errors as e
from wxasset.integrations.starlette import MaterialCache, MaterialResponse
from wxasset.simulator import Simulator, SimulatorOptions

MIB = 1 << 20


def fetches(sim: Simulator) -> int:
    """How often a material was fetched."""
    return [one.path for one in sim.journal].count(GET)


async def add(sim: Simulator, wx: WxSession, photo: bytes, size: int = 1000) -> str:
    """Add a photo of a size to the library."""
    return await put(sim, wx, photo, content=photo[:40] + os.urandom(size - 40))


def names(directory: Path) -> list[str]:
    """The kinds of files in a cache."""
    return sorted(one.suffix for one in directory.iterdir())


async def read(cache: MaterialCache, wx: WxSession, media_id: str) -> bytes:
    """Read a material through a cache."""
    async with cache.open(wx, media_id) as file:
        return file.path.read_bytes()  # type: ignore[union-attr]  # no articles here


# One fetch


@asynccontextmanager
async def slow_readers(url: str, path: str, count: int) -> AsyncIterator[None]:
    """Clients that ask for something and read nothing."""
    port = int(url.rpartition(":")[2])
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)  # noqa: FBT003 - it takes no name
            await loop.sock_connect(client, ("127.0.0.1", port))
            await loop.sock_sendall(client, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        yield


@pytest.mark.parametrize("named", [False, True], ids=["the application's cache", "a cache of its own"])
async def test_a_hundred_slow_readers_block_nobody(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path, *, named: bool
) -> None:
    """While they do not read 10 MB, another visitor is served within a second, and the 10 MB were fetched once."""
    large, small = await add(sim, wx, photo, 10_000_000), await add(sim, wx, photo)
    options = {"cache": MaterialCache(tmp_path, 64 * MIB)} if named else {}
    async with (
        serving(shelf(wx, **options)) as url,
        httpx.AsyncClient(base_url=url) as client,
        slow_readers(url, f"/{large}", 100),
    ):
        await until(lambda: fetches(sim) == 1)
        start = time.monotonic()
        got = await client.get(f"/{small}")
        taken = time.monotonic() - start
        assert (got.status_code, fetches(sim)) == (200, 2)
        assert taken < 1
        whole = await client.get(f"/{large}")
        assert (len(whole.content), fetches(sim)) == (10_000_000, 2)


async def test_visitors_at_the_same_time_share_a_fetch(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """Twenty requests for one material make one call, and its failure is shared as well."""
    media_id = await add(sim, wx, photo, 200_000)
    sim.fail("get_material", "trickle-64K-every-20ms")
    async with talking_to(shelf(wx)) as client:
        got = await asyncio.gather(*(client.get(f"/{media_id}") for _ in range(20)))
        assert {one.content for one in got} == {sim.materials[media_id].content}
        assert fetches(sim) == 1
        missing = await asyncio.gather(*(client.get("/missing") for _ in range(20)))
        assert {one.status_code for one in missing} == {404}
        assert fetches(sim) == 2


async def test_an_error_of_the_application_reaches_all_visitors_as_it_is(sim: Simulator, tmp_path: Path) -> None:
    """Also one that cannot be copied; it is the same for all, and has the frames of one visitor."""

    class Vault(Exception):
        def __init__(self, *, code: int) -> None:
            super().__init__(f"the vault is closed ({code})")

    class Source:
        async def fetch(self, exchange: Any, *, previous: object, rejected: bool) -> Any:
            del exchange, previous, rejected
            raise Vault(code=7)

    cache = MaterialCache(tmp_path, MIB)
    async with WxSession(tokens=Source(), base_url=sim.url) as wx:
        visits = [read(cache, wx, "a") for _ in range(20)]
        failures = await asyncio.gather(*visits, return_exceptions=True)
    assert {str(one) for one in failures} == {"the vault is closed (7)"}
    visitors = [frame.name for frame in traceback.extract_tb(failures[-1].__traceback__) if frame.name == "read"]  # type: ignore[union-attr]  # they are errors
    assert len(visitors) == 1


async def test_a_visitor_who_leaves_ends_nothing_for_others(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path
) -> None:
    """The fetch that the first visitor began goes on for the second one."""
    media_id = await add(sim, wx, photo, 400_000)
    sim.fail("get_material", "trickle-64K-every-20ms")
    cache = MaterialCache(tmp_path, MIB)
    first, second = (asyncio.create_task(read(cache, wx, media_id)) for _ in range(2))
    await until(lambda: bool(list(tmp_path.glob("*.part"))))
    first.cancel()
    assert await second == sim.materials[media_id].content
    assert (fetches(sim), names(tmp_path)) == (1, [".bin", ".json"])


async def test_a_cancelled_fetch_leaves_nothing(sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path) -> None:
    """Wherever a visitor leaves, no part, no lock and no reader stays, and the next visitor is served."""
    media_id = await add(sim, wx, photo, 100_000)
    cache = MaterialCache(tmp_path, MIB)
    for steps in range(0, 120, 3):
        task = asyncio.create_task(read(cache, wx, media_id))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert set(names(tmp_path)) <= {".bin", ".json"}
        await cache.forget(wx, media_id)
    assert await read(cache, wx, media_id) == sim.materials[media_id].content
    assert cache._files._files == {}


async def test_a_reader_holds_no_connection(sim: Simulator, photo: bytes, tmp_path: Path) -> None:
    """With a single connection to WeChat, a reader inside the block holds nobody up."""
    cache = MaterialCache(tmp_path, MIB)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http,
        WxSession(sim.appid, sim.secret, base_url=sim.url, http=http) as wx,
    ):
        media_id = await add(sim, wx, photo, 400_000)
        async with cache.open(wx, media_id), asyncio.timeout(5):
            assert (await wx.count_materials()).image == 1


# Browsers


async def test_conditional_requests_cost_no_call(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """A browser that has the material is told so, with its headers and without WeChat."""
    media_id = await add(sim, wx, photo)
    async with talking_to(shelf(wx, headers={"Cache-Control": "max-age=60"})) as client:
        etag = (await client.get(f"/{media_id}")).headers["ETag"]
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            got = await client.get(f"/{media_id}", headers={"If-None-Match": known})
            assert (got.status_code, got.content, got.headers["ETag"]) == (304, b"", etag)
            assert got.headers["Cache-Control"] == "max-age=60"
        assert fetches(sim) == 1
        head = await client.head(f"/{media_id}", headers={"If-None-Match": etag})
        assert head.status_code == 304
        other = await client.get(f"/{media_id}", headers={"If-None-Match": '"other"'})
        assert (other.status_code, fetches(sim)) == (200, 1)


@pytest.mark.parametrize(
    ("asked", "status", "part", "told"),
    [
        ("bytes=0-0", 206, slice(0, 1), "bytes 0-0/1000"),
        ("bytes=100-199", 206, slice(100, 200), "bytes 100-199/1000"),
        ("bytes=990-", 206, slice(990, None), "bytes 990-999/1000"),
        ("bytes=-10", 206, slice(-10, None), "bytes 990-999/1000"),
        ("bytes=990-5000", 206, slice(990, None), "bytes 990-999/1000"),
        ("bytes=1000-", 416, slice(0), "bytes */1000"),
    ],
)
async def test_players_can_seek(
    sim: Simulator, wx: WxSession, photo: bytes, asked: str, status: int, part: slice, told: str
) -> None:
    """A range is answered with its bytes, and one behind the end with 416."""
    media_id = await add(sim, wx, photo)
    async with talking_to(shelf(wx)) as client:
        got = await client.get(f"/{media_id}", headers={"Range": asked})
        assert (got.status_code, got.headers["Content-Range"]) == (status, told)
        assert got.content == sim.materials[media_id].content[part]
        head = await client.head(f"/{media_id}", headers={"Range": asked})
        assert (head.status_code, head.content) == (status, b"")
    assert fetches(sim) == 1


async def test_a_range_of_another_version_is_the_whole(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """If-Range with the ETag is answered with the range, with another one with everything."""
    media_id = await add(sim, wx, photo)
    async with talking_to(shelf(wx)) as client:
        etag = (await client.get(f"/{media_id}")).headers["ETag"]
        for known, status in ((etag, 206), ('"other"', 200)):
            got = await client.get(f"/{media_id}", headers={"Range": "bytes=0-9", "If-Range": known})
            assert got.status_code == status


@pytest.mark.parametrize(("sample", "shown"), [("clip.mp4", "video/mp4"), ("voice.mp3", "audio/mpeg")])
async def test_videos_and_voices_can_be_played(
    sim: Simulator, samples: Path, monkeypatch: pytest.MonkeyPatch, sample: str, shown: str
) -> None:
    """The file itself is served, in parts too; a session of the environment follows the links of a simulator."""
    for name, value in {"APPID": sim.appid, "SECRET": sim.secret, "BASE_URL": sim.url}.items():
        monkeypatch.setenv(f"WXASSET_{name}", value)
    content = (samples / sample).read_bytes()
    async with WxSession.from_env() as wx:
        kind = "video" if shown.startswith("video") else "voice"
        title = "Clip" if kind == "video" else None
        media_id = (await wx.add_material(kind, samples / sample, title=title)).media_id  # type: ignore[arg-type]  # str
        async with talking_to(shelf(wx)) as client:
            got = await client.get(f"/{media_id}")
            part = await client.get(f"/{media_id}", headers={"Range": "bytes=100-199"})
    assert (got.content, got.headers["Content-Type"]) == (content, shown)
    assert (part.status_code, part.content) == (206, content[100:200])
    assert fetches(sim) == 1


async def test_a_video_on_a_page_is_a_failure(samples: Path) -> None:
    """Where WeChat gives the address of a page, visitors get neither the page nor its address."""
    async with (
        Simulator(options=SimulatorOptions(video_link="page")) as sim,
        WxSession(sim.appid, sim.secret, base_url=sim.url) as wx,
    ):
        media_id = (await wx.add_material("video", samples / "clip.mp4", title="Clip")).media_id
        async with talking_to(shelf(wx)) as client:
            got = await client.get(f"/{media_id}")
    assert (got.status_code, "127.0.0.1" in got.text, "vkey" in got.text) == (502, False, False)


async def test_without_a_lifespan_a_material_is_served_too(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response in another application has a cache for itself, of which nothing stays."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    media_id = await add(sim, wx, photo)
    app = Starlette(routes=[Route("/", lambda _: MaterialResponse(wx, media_id))])
    async with talking_to(app) as client:
        got = await client.get("/", headers={"Range": "bytes=0-9"})
    assert (got.status_code, got.content) == (206, sim.materials[media_id].content[:10])
    assert list(tmp_path.iterdir()) == []


async def test_the_cache_of_an_application_ends_with_it(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are private while it runs, and gone afterwards."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    media_id = await add(sim, wx, photo)
    async with talking_to(shelf(wx)) as client:
        await client.get(f"/{media_id}")
        (directory,) = tmp_path.iterdir()
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert names(directory) == [".bin", ".json"]
    assert list(tmp_path.iterdir()) == []


# The directory


async def test_a_cache_survives_a_restart(sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path) -> None:
    """Another object, as in the next process, finds the files with their names and types."""
    media_id = await put(sim, wx, photo, filename="海报.jpg")
    seen = []
    for _ in range(2):
        cache = MaterialCache(tmp_path / "made" / "here", MIB)
        async with talking_to(shelf(wx, cache=cache)) as client:
            seen.append(await client.get(f"/{media_id}"))
    assert seen[0].headers == seen[1].headers
    assert seen[0].content == seen[1].content == photo
    assert fetches(sim) == 1


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
async def test_files_are_private_and_have_safe_names(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path
) -> None:
    """Only this user can read them, whatever the umask; ids that look like paths stay inside."""
    directory = tmp_path / "cache"
    cache = MaterialCache(directory, MIB)
    media_id = await put(sim, wx, photo, filename="../../x.jpg")
    sim.materials["../../../etc/passwd"] = evolve(sim.materials[media_id], media_id="../../../etc/passwd")
    before = os.umask(0)
    try:
        for one in (media_id, "../../../etc/passwd"):
            assert await read(cache, wx, one) == photo
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in directory.iterdir()} == {0o600}
    assert len(names(directory)) == 4
    assert all(one.stem.isalnum() for one in directory.iterdir())
    assert list(tmp_path.iterdir()) == [directory]


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
async def test_a_directory_of_others_is_refused(sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path) -> None:
    """Where others could replace files, nothing is kept; the operator is told, and visitors are not."""
    directory = tmp_path / "shared"
    directory.mkdir()
    directory.chmod(0o777)
    media_id = await add(sim, wx, photo)
    async with talking_to(shelf(wx, cache=MaterialCache(directory, MIB))) as client:
        with pytest.raises(e.DestinationError, match="chmod 700"):
            await client.get(f"/{media_id}")
    assert (list(directory.iterdir()), fetches(sim)) == ([], 0)


async def test_the_least_recently_used_are_evicted(sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path) -> None:
    """No more bytes stay than allowed; what was asked for last stays."""
    cache = MaterialCache(tmp_path, 3000)
    ids = [await add(sim, wx, photo) for _ in range(4)]
    for media_id in (*ids[:3], ids[0], ids[3]):
        await read(cache, wx, media_id)
    assert sum(one.stat().st_size for one in tmp_path.glob("*.bin")) == 3000
    assert {one.stem for one in tmp_path.iterdir()} == {cache.key(wx, ids[number]) for number in (0, 2, 3)}
    assert fetches(sim) == 4
    await read(cache, wx, ids[0])
    assert fetches(sim) == 4
    await read(cache, wx, ids[1])
    assert fetches(sim) == 5


async def test_what_is_being_read_is_not_evicted(sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path) -> None:
    """A reader keeps its file, here and for another process; when it has read, the rest is evicted."""
    cache, other = MaterialCache(tmp_path, 1000), MaterialCache(tmp_path, 1000)
    first, second, third = [await add(sim, wx, photo) for _ in range(3)]
    async with cache.open(wx, first) as file:
        assert await read(cache, wx, second) == sim.materials[second].content
        assert await read(other, wx, third) == sim.materials[third].content
        assert file.path.read_bytes() == sim.materials[first].content  # type: ignore[union-attr]  # no articles here
        await read(other, wx, first)
        assert fetches(sim) == 3
    assert sum(one.stat().st_size for one in tmp_path.glob("*.bin")) <= 1000


async def test_a_material_larger_than_the_cache_evicts_no_other(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path
) -> None:
    """It is served, kept while it is read, and then goes first."""
    cache = MaterialCache(tmp_path, 2500)
    small, large = await add(sim, wx, photo), await add(sim, wx, photo, 5000)
    await read(cache, wx, small)
    async with cache.open(wx, large):
        assert await read(cache, wx, large) == sim.materials[large].content
    assert {one.stem for one in tmp_path.iterdir()} == {cache.key(wx, small)}
    assert fetches(sim) == 2


@pytest.mark.parametrize("by", ["del_material", "a batch", "other options", "forget"])
async def test_a_deleted_material_is_forgotten(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path, by: str
) -> None:
    """After a deletion it is a 404, also for a browser that has it; who is reading it reads to the end."""
    cache = MaterialCache(tmp_path, MIB)
    media_id = await add(sim, wx, photo)
    content = sim.materials[media_id].content
    async with talking_to(shelf(wx, cache=cache)) as client:
        etag = (await client.get(f"/{media_id}")).headers["ETag"]
        async with cache.open(wx, media_id) as file:
            with file.path.open("rb") as reading:  # type: ignore[union-attr]  # no articles here
                await _delete(sim, wx, cache, media_id, by)
                assert reading.read() == content
        for headers in ({}, {"If-None-Match": etag}, {"Range": "bytes=0-1"}):
            assert (await client.get(f"/{media_id}", headers=headers)).status_code == 404
    assert names(tmp_path) == []
    assert cache._files._files == {}


async def _delete(sim: Simulator, wx: WxSession, cache: MaterialCache, media_id: str, by: str) -> None:
    if by == "del_material":
        await wx.del_material(media_id)
    elif by == "a batch":
        async with wx.del_materials([media_id]) as outcomes:
            assert [type(one) async for one in outcomes] == [Deleted]
    elif by == "other options":
        await wx.with_options(retry=PATIENT).del_material(media_id)
    else:  # on the web console
        del sim.materials[media_id]
        await cache.forget(wx, media_id)


async def test_a_material_that_wechat_does_not_know_is_forgotten(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path
) -> None:
    """Whatever call finds out that a material is gone, its file goes too."""
    cache = MaterialCache(tmp_path, MIB)
    media_id = await add(sim, wx, photo)
    await read(cache, wx, media_id)
    del sim.materials[media_id]
    with pytest.raises(e.MediaNotFoundError):
        await wx.get_material(media_id, tmp_path / "out.jpg")
    assert names(tmp_path) == []


async def test_a_material_that_is_deleted_while_it_is_fetched_does_not_stay(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path
) -> None:
    """The visitor who waits for it gets a 404 as the next one does."""
    cache = MaterialCache(tmp_path, MIB)
    media_id = await add(sim, wx, photo, 400_000)
    sim.fail("get_material", "trickle-64K-every-20ms")
    reading = asyncio.create_task(read(cache, wx, media_id))
    await until(lambda: bool(list(tmp_path.glob("*.part"))))
    await wx.del_material(media_id)
    for asked in (reading, read(cache, wx, media_id)):
        with pytest.raises(e.MediaNotFoundError):
            await asked
    assert names(tmp_path) == []


async def test_broken_files_are_fetched_again(sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path) -> None:
    """Half of an entry, a file of another size and a description that cannot be read count as nothing."""
    cache = MaterialCache(tmp_path, MIB)
    media_id = await add(sim, wx, photo)
    await read(cache, wx, media_id)
    content, description = tmp_path / f"{cache.key(wx, media_id)}.bin", tmp_path / f"{cache.key(wx, media_id)}.json"

    def cut() -> None:
        content.write_bytes(b"cut")

    def spoil(text: str) -> None:
        description.write_text(text)

    breakages: tuple[Callable[[], object], ...] = (
        content.unlink,
        description.unlink,
        cut,
        lambda: spoil(""),
        lambda: spoil("{}"),
        lambda: spoil("[]"),
    )
    for number, breaking in enumerate(breakages):
        breaking()
        assert await read(cache, wx, media_id) == sim.materials[media_id].content
        assert fetches(sim) == number + 2


async def test_abandoned_files_are_deleted(sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path) -> None:
    """What a process that exited has left is deleted after an hour, and nothing sooner."""
    key = "a" * 64
    names = (f"{key}.{'b' * 12}.part", f"{key}.lock", f"{key}.json")
    for name in names:
        for directory, age in ((tmp_path, 4000), (tmp_path / "new", 3000)):
            directory.mkdir(exist_ok=True)
            (directory / name).write_bytes(b"x")
            os.utime(directory / name, (time.time() - age,) * 2)
    media_id = await add(sim, wx, photo)
    for directory in (tmp_path, tmp_path / "new"):
        await read(MaterialCache(directory, MIB), wx, media_id)
    assert not [one for one in names if (tmp_path / one).exists()]
    assert [one for one in names if (tmp_path / "new" / one).exists()] == list(names)


async def test_files_of_the_user_stay(sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path) -> None:
    """A cache in a directory with other files deletes none of them, however old and large they are."""
    names = ("firmware.bin", "notes.json", "a.lock", "film.mp4", "film.1.part", f"{'a' * 64}.txt")
    for name in names:
        (tmp_path / name).write_bytes(bytes(MIB))
        os.utime(tmp_path / name, (time.time() - 100_000,) * 2)
    await read(MaterialCache(tmp_path, MIB), wx, await add(sim, wx, photo))
    assert [one for one in names if (tmp_path / one).stat().st_size == MIB] == list(names)


PROCESS = """
import asyncio, sys
from wxasset import WxSession
from wxasset.starlette import MaterialCache

async def main():
    async with WxSession.from_env() as wx:
        cache = MaterialCache(sys.argv[1], 2500)
        for media_id in sys.argv[2:] * 5:
            async with cache.open(wx, media_id) as file:
                content = file.path.read_bytes()
            assert len(content) == 1000, content
asyncio.run(main())
"""


async def _process(sim: Simulator, *arguments: str) -> None:
    environment = {"WXASSET_APPID": sim.appid, "WXASSET_SECRET": sim.secret, "WXASSET_BASE_URL": sim.url}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", PROCESS, *arguments),
        env=os.environ | environment,
        stderr=asyncio.subprocess.PIPE,
    )
    told = (await process.communicate())[1]
    assert process.returncode == 0, told.decode()


async def test_processes_share_a_directory(sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path) -> None:
    """Two processes fetch a material once between them, and none evicts what the other reads."""
    ids = [await add(sim, wx, photo) for _ in range(4)]
    sim.fail("get_material", "delay-200ms", times=None)
    await asyncio.gather(*(_process(sim, str(tmp_path), *ids[:1]) for _ in range(2)))
    assert fetches(sim) == 1
    sim.clear_faults()
    await asyncio.gather(*(_process(sim, str(tmp_path), *order) for order in (ids, ids[::-1])))
    assert sum(one.stat().st_size for one in tmp_path.glob("*.bin")) <= 2500
    assert set(names(tmp_path)) == {".bin", ".json"}


async def test_sessions_without_an_appid_share_nothing(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path
) -> None:
    """Nobody can tell whose token it is: each such session has its own files, one with a name has the account's."""
    media_id = await add(sim, wx, photo)
    cache = MaterialCache(tmp_path, MIB)
    await wx.count_materials()
    form = {"grant_type": "client_credential", "appid": sim.appid, "secret": sim.secret}
    async with httpx.AsyncClient(base_url=sim.url) as client:
        token = StaticToken((await client.post("/cgi-bin/stable_token", json=form)).json()["access_token"])
    named = WxSession(tokens=token, appid=sim.appid, base_url=sim.url)
    nameless = [WxSession(tokens=token, base_url=sim.url) for _ in range(2)]
    for session, calls in ((wx, 1), (named, 1), (nameless[0], 2), (nameless[0], 2), (nameless[1], 3)):
        await read(cache, session, media_id)
        assert fetches(sim) == calls
    for session in (named, *nameless):
        await session.aclose()


def test_a_cache_serves_one_event_loop_after_the_other(tmp_path: Path, photo: bytes) -> None:
    """A cache of a module lives longer than an event loop, as in tests of an application."""
    cache = MaterialCache(tmp_path, MIB)

    async def use() -> int:
        async with Simulator() as sim, WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
            await read(cache, wx, await add(sim, wx, photo))
            return fetches(sim)

    assert [asyncio.run(use()) for _ in range(2)] == [1, 1]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "1"])
def test_a_cache_needs_a_size(wrong: Any) -> None:
    """A size that is no positive whole number is refused, and so is a directory that is none."""
    with pytest.raises(e.UsageError, match="max_bytes="):
        MaterialCache("x", wrong)
    with pytest.raises(e.UsageError, match="directory="):
        MaterialCache(b"x", 1)  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(e.UsageError, match="directory="):
        MaterialCache("", 1)


async def test_a_response_needs_a_cache(wx: WxSession) -> None:
    """Something else in its place is refused when the response is made."""
    with pytest.raises(e.UsageError, match="cache="):
        MaterialResponse(wx, "x", cache="previews")  # type: ignore[arg-type]  # the point of the test


def test_a_cache_says_where_it_is(tmp_path: Path) -> None:
    """Its text names directory and size."""
    assert repr(MaterialCache(tmp_path, 5)) == f"MaterialCache({str(tmp_path)!r}, max_bytes=5)"


async def test_the_description_holds_no_secret(sim: Simulator, wx: WxSession, samples: Path, tmp_path: Path) -> None:
    """What is written beside a file is its name, its type and its size; the link of a video is not."""
    media_id = (await wx.add_material("video", samples / "clip.mp4", title="Clip")).media_id
    await read(MaterialCache(tmp_path, MIB), wx, media_id)
    (description,) = tmp_path.glob("*.json")
    assert set(json.loads(description.read_text())) == {"filename", "content_type", "size"}
    assert sim.appid not in description.read_text()
