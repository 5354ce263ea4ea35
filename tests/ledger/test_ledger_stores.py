"""A ledger in a file and one in PostgreSQL do the same; the second also between hosts."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve

import postgres_server
from pictures import make_pictures, picture
from policies import PATIENT
from postgres_server import PASSWORD, PostgresServer
from wxasset import (
    Added,
    Ledger,
    LedgerCounts,
    LedgerRow,
    LedgerStore,
    PostgresStore,
    RetryPolicy,
    SqliteStore,
    UploadPolicy,
    WxSession,
)
from wxasset.calls.materials import AddedMaterial, AddMaterial
from wxasset.cli.demo.plan import SAMPLES
from wxasset.errors import InvalidMediaError, LedgerError, QuotaExceededError, UploadOutcomeUnknown, UsageError
from wxasset.ledger.records import UploadKey
from wxasset.ledger.transitions import ClaimLostError, Step, beginning, claiming, ending
from wxasset.simulator import Simulator, SimulatorOptions

postgres = postgres_server.postgres_server

BOUND: Final = 30.0  # seconds in which anything here ends
LEASE: Final = 0.3  # seconds
CLIP, THUMB = (next(one.path.read_bytes() for one in SAMPLES if one.type == kind) for kind in ("video", "thumb"))
WORKER: Final = Path(__file__).parents[1] / "support" / "ledger_worker.py"
KEY: Final = UploadKey(appid="wx1", realm="weixin", type="image", sha256="ab" * 32)

Opener = Callable[[], Ledger]


@pytest.fixture(params=["sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Make ledgers of one place, as several processes have them; each has an index of files of its own."""
    if request.param == "sqlite":
        return lambda: Ledger(tmp_path / "uploads.db")
    dsn: str = request.getfixturevalue("postgres").database()
    numbers = iter(range(100))
    return lambda: Ledger(PostgresStore(dsn, lease=LEASE), index=tmp_path / f"index{next(numbers)}.db")


@pytest.fixture
def dsn(postgres: PostgresServer) -> str:
    """An empty database."""
    return postgres.database()


def session(sim: Simulator, ledger: Ledger, **policy: Any) -> WxSession:
    """A session with a ledger."""
    uploads = UploadPolicy(**({"visibility": 0, "settle": 0} | policy))
    return WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, uploads=uploads, ledger=ledger)


def sent(sim: Simulator) -> int:
    """How many uploads were answered."""
    return sum(entry.path.endswith("add_material") for entry in sim.journal)


async def abandon(ledger: Ledger) -> None:
    """Let the process of a ledger look as if it had been killed."""
    if isinstance(ledger.store, SqliteStore):
        assert ledger.store._database is not None
        await asyncio.to_thread(ledger.store._database._process_lock.end)
    elif isinstance(ledger.store, PostgresStore):
        renewal = ledger.store._link.get()._renewal
        assert renewal is not None
        renewal.cancel()


class TestStores:
    """What holds for every store."""

    async def test_what_many_ask_for_at_once_is_sent_once(self, opener: Opener, sim: Simulator) -> None:
        """Twelve tasks over three ledgers of one place make one upload."""
        sim.fail("add_material", "delay-50ms", times=None)
        async with opener() as a, opener() as b, opener() as c, session(sim, a) as wx:
            asked = [wx.ensure_material("image", picture(1), ledger=one) for one in (a, b, c) * 4]
            async with asyncio.timeout(BOUND):
                assert len({added.media_id for added in await asyncio.gather(*asked)}) == 1
            assert await b.counts() == LedgerCounts(done=1)
        assert sent(sim) == 1

    async def test_a_second_run_sends_what_is_new(self, opener: Opener, sim: Simulator, tmp_path: Path) -> None:
        """Unchanged files are neither read nor sent again, by the next process as well."""
        paths = make_pictures(tmp_path / "images", 40)
        for path in paths:
            os.utime(path, (1e9, 1e9))
        for known, uploads in ((30, 30), (40, 40), (40, 40)):
            async with (
                opener() as ledger,
                session(sim, ledger) as wx,
                wx.add_materials("image", paths[:known]) as outcomes,
            ):
                assert all([isinstance(one, Added) async for one in outcomes])
            assert sent(sim) == uploads

    async def test_find_knows_files_bytes_and_adopted_materials(
        self, opener: Opener, sim: Simulator, tmp_path: Path
    ) -> None:
        """One query by hash and marks; an adopted video is found by its title, by default the name of the file."""
        (clip := tmp_path / "autumn.mp4").write_bytes(CLIP)
        async with opener() as ledger, Ledger(tmp_path / "lost.db") as lost, session(sim, lost) as wx:
            image = await wx.ensure_material("image", picture(1))
            thumb = await wx.ensure_material("thumb", THUMB)
            video = await wx.ensure_material("video", clip, title="autumn")
            other = await wx.ensure_material("video", clip, title="Autumn", introduction="2026")
            assert await ledger.find(picture(1)) is None
            assert await ledger.adopt(wx) == 4
            sought = {"title": "Autumn", "introduction": "2026"}
            rows = [await ledger.find(picture(1)), await ledger.find(THUMB), await ledger.find(clip)]
            rows.append(await ledger.find(str(clip), **sought))
            assert [row and row.media_id for row in rows] == [one.media_id for one in (image, thumb, video, other)]
            assert await ledger.find(CLIP) is None
            assert await lost.find(CLIP) is not None

    async def test_a_person_decides_about_a_doubt(self, opener: Opener) -> None:
        """By the row, or by an id alone where one upload is in doubt; never about what is claimed or decided."""
        async with opener() as ledger:
            for number in (1, 2, 3):
                key = evolve(KEY, sha256=f"{number:064}")
                await ledger.claim(key, f"{number}.png", 9)
                await ledger.begin(key, time.time())
                with pytest.raises(LedgerError, match="another task or process"):
                    await ledger.resolve((await ledger.store.find([key]))[key], "ID")
                await ledger.end(key, "unknown")
            first, second, third = [row async for row in ledger.doubts()]
            with pytest.raises(UsageError, match="3 uploads are in doubt"):
                await ledger.resolve("ID")
            assert await ledger.resolve(first, "ID1")
            assert not await ledger.resolve(first, None)
            assert await ledger.resolve(second)
            assert await ledger.resolve("ID3")
            assert not await ledger.resolve("ID4")
            rows = [(row.state, row.media_id) async for row in ledger.rows()]
            assert rows == [("done", "ID1"), ("planned", None), ("done", "ID3")]
            assert (await ledger.claim(second.key, "2.png", 9)).step is Step.SEND
            assert (await ledger.claim(third.key, "3.png", 9)).step is Step.SKIP

    async def test_a_refused_file_costs_one_call_ever(self, opener: Opener, sim: Simulator, tmp_path: Path) -> None:
        """The next process raises the same refusal without a request; the quota of its day serves the other files."""
        paths = make_pictures(tmp_path / "images", 40)
        sim.fail("add_material", "errcode:40137", times=20)
        async with opener() as ledger, session(sim, ledger) as wx:
            report = await wx.add_materials("image", paths[:20]).report()
            assert sorted(one.item for one in report.failed) == paths[:20]
        add = AddMaterial.route.path
        sim.options = SimulatorOptions(daily_limits={add: 20})
        before = sent(sim)
        async with opener() as ledger, session(sim, ledger) as wx:
            report = await wx.add_materials("image", paths, concurrency=1).report()
            assert (report.done, len(report.failed), len(report.left)) == (20, 20, 0)
            assert {row.errcode async for row in ledger.rows(state="failed")} == {40137}
        assert sent(sim) == before + 20
        error = report.failed[0].error
        assert isinstance(error, InvalidMediaError)
        assert (error.errcode, error.path) == (40137, add)
        assert error.errmsg
        assert "(" not in error.errmsg
        assert "was not sent again" in error.message
        assert "retry_refused=True" in error.message

    async def test_a_refused_file_is_sent_again_where_that_is_asked_for(self, opener: Opener, sim: Simulator) -> None:
        """So it is under another name, or after a failure of another kind."""
        sim.fail("add_material", "errcode:40137")
        async with opener() as ledger, session(sim, ledger) as wx:
            for uploads in (1, 1):
                with pytest.raises(InvalidMediaError):
                    await wx.ensure_material("image", picture(1), filename="a.png")
                assert sent(sim) == uploads
            added = await wx.ensure_material("image", picture(1), filename="a.png", retry_refused=True)
            assert [(row.media_id, row.error, row.errcode) async for row in ledger.rows()] == [
                (added.media_id, None, None)
            ]
            sim.fail("add_material", "errcode:40137")
            with pytest.raises(InvalidMediaError):
                await wx.ensure_material("image", picture(2), filename="b.dat")
            await wx.ensure_material("image", picture(2), filename="b.png")
            sim.fail("add_material", "errcode:45009")
            with pytest.raises(QuotaExceededError):
                await wx.ensure_material("image", picture(3))
            report = await wx.add_materials("image", [picture(3)]).report()
            assert report.done == 1

    @pytest.mark.parametrize(("fault", "uploads"), [("reset-after-commit", 1), ("reset-before-commit", 2)])
    async def test_a_lost_answer_is_resolved_by_the_library(
        self, opener: Opener, sim: Simulator, fault: str, uploads: int
    ) -> None:
        """The next process finds what was added, and sends again only what is not there."""
        sim.fail("add_material", fault)
        async with opener() as ledger, session(sim, ledger, reconcile="raise") as wx:
            with pytest.raises(UploadOutcomeUnknown):
                await wx.ensure_material("image", picture(1))
            assert await ledger.counts() == LedgerCounts(unknown=1)
        async with opener() as ledger, session(sim, ledger) as wx:
            added = await wx.ensure_material("image", picture(1))
            assert [row.material async for row in ledger.rows()] == [added]
        assert list(sim.materials) == [added.media_id]
        assert sent(sim) == uploads

    async def test_an_upload_of_a_lost_process_settles_after_its_end(self, opener: Opener, sim: Simulator) -> None:
        """The first attempt was long ago, and the second one is carried out when its process is dead already."""
        sim.fail("add_material", "status:429,retry-after:1")
        sim.fail("add_material", "stall-700ms-before-commit")
        async with opener() as dead, opener() as ledger, session(sim, dead) as lost:
            task = asyncio.create_task(lost.with_options(retry=RetryPolicy()).ensure_material("image", picture(1)))
            async with asyncio.timeout(BOUND):
                while sent(sim) == 0:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.01)
                await asyncio.sleep(1.2)  # the second attempt is under way
                await abandon(dead)
                async with session(sim, ledger, settle=1.0) as wx:
                    added = await wx.ensure_material("image", picture(1))
            assert added.reconciled
            assert (await task).media_id == added.media_id  # it is alive after all
            assert await ledger.counts() == LedgerCounts(done=1)
        assert list(sim.materials) == [added.media_id]

    async def test_a_claim_that_was_lost_sends_nothing(self, opener: Opener) -> None:
        """Begin fails for a process that stalled until another one took over; what it writes later is not kept."""
        async with opener() as slow, opener() as quick:
            assert (await slow.claim(KEY, "a.png", 1)).step is Step.SEND
            assert (await quick.claim(KEY, "a.png", 1)).step is Step.WAIT
            await abandon(slow)
            async with asyncio.timeout(BOUND):
                while (await quick.claim(KEY, "a.png", 1)).step is not Step.SEND:  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.05)
            with pytest.raises(ClaimLostError, match="claim was lost; nothing was sent"):
                await slow.begin(KEY, 1.0)
            await slow.end(KEY, "failed", error="x")
            await quick.begin(KEY, 2.0)
            assert [(row.state, row.begun) async for row in quick.rows()] == [("in flight", 2.0)]

    async def test_a_claim_that_was_moved_away_leaves_the_others_of_its_group(self, opener: Opener) -> None:
        """Another process takes over a host's rows for a realm: their ends write nothing, and those beside them do."""
        other = evolve(KEY, realm="example.com:81")
        async with opener() as ledger, opener() as mover:
            await asyncio.gather(*(ledger.claim(key, "a.png", 1, begun=1.0) for key in (KEY, other)))
            await asyncio.gather(*(ledger.begin(key, 1.0) for key in (KEY, other)))
            await mover.store.move(other.realm, "moved")
            await asyncio.gather(*(ledger.end(key, "failed", error="x") for key in (KEY, other)))
            rows = [(row.realm, row.state, row.error) async for row in mover.rows()]
            assert sorted(rows) == [("moved", "in flight", None), ("weixin", "failed", "x")]

    @pytest.mark.parametrize("count", [8, 50])
    async def test_a_row_that_another_process_has_written_does_not_disturb_its_group(
        self, opener: Opener, count: int
    ) -> None:
        """Claims made at once expect no rows; where there is one, it counts, and the others are claimed."""
        keys = [evolve(KEY, sha256=f"{number:064x}") for number in range(count)]
        material = AddedMaterial(media_id="M1", url=None, reconciled=False)
        async with opener() as ledger, opener() as other:
            for key in keys[:2]:
                await other.claim(key, "a.png", 1)
            await other.done(keys[0], material)
            claims = await asyncio.gather(*(ledger.claim(key, "a.png", 1) for key in keys))
            assert [claim.step for claim in claims] == [Step.SKIP, Step.WAIT] + [Step.SEND] * (count - 2)
            assert await ledger.counts() == LedgerCounts(done=1, planned=count - 1)
            await asyncio.gather(*(ledger.done(key, material) for key in keys[2:]))
            assert await other.counts() == LedgerCounts(done=count - 1, planned=1)

    async def test_what_a_closed_ledger_leaves_is_free(self, opener: Opener) -> None:
        """Planned uploads are sent by the next one, those under way are looked for."""
        other = evolve(KEY, sha256="cd" * 32)
        async with opener() as ledger:
            for key in (KEY, other):
                await ledger.claim(key, "a.png", 1)
            await ledger.begin(other, 1.0)
        async with opener() as ledger:
            assert await ledger.counts() == LedgerCounts(planned=1, unknown=1)
            assert [(await ledger.claim(key, "a.png", 1)).step for key in (KEY, other)] == [Step.SEND, Step.LOOK]

    async def test_rows_are_found_paged_counted_and_forgotten(self, opener: Opener) -> None:
        """Many at once; each row comes once, over several pages."""
        keys = [evolve(KEY, sha256=f"{number:064x}") for number in range(600)]
        async with opener() as ledger:
            await asyncio.gather(*(ledger.claim(key, "a\udcff.png", 1) for key in keys))
            for key in keys[:2]:
                await ledger.begin(key, 1.0)
            await ledger.end(keys[0], "failed", error="\udcff\0")
            found = await ledger.store.find([*keys[:3], evolve(KEY, appid="other")])
            assert {key: row.state for key, row in found.items()} == dict(
                zip(keys[:3], ("failed", "in flight", "planned"), strict=True)
            )
            assert [row.sha256 async for row in ledger.rows(state="failed")] == [keys[0].sha256]
            assert sorted([row.sha256 async for row in ledger.rows()]) == [key.sha256 for key in keys]
            assert await ledger.counts() == LedgerCounts(failed=1, in_flight=1, planned=598)
            assert not await ledger.forget("M")

    async def test_rows_are_added_all_or_none_and_a_known_key_stays(self, opener: Opener) -> None:
        """Adopted rows hold no claim, and `holds` looks at account, realm and type."""
        row = LedgerRow(
            appid="wx1", realm="weixin", type="image", sha256="mark:k7", state="done", filename="a.png", size=1
        )
        rows = [evolve(row, sha256=f"mark:{number}", media_id=f"M{number}") for number in range(300)]
        async with opener() as ledger:
            store = ledger.store
            assert not await store.holds("wx1", "weixin", ["image", "thumb"])
            assert await store.add([]) == 0
            with pytest.raises((LedgerError, TypeError)):
                await store.add([*rows[:5], evolve(row, sha256=None)])  # type: ignore[arg-type]
            assert await ledger.counts() == LedgerCounts()
            assert await store.add(rows) == 300
            assert await store.add([evolve(rows[0], media_id="other"), row, row]) == 1
            assert [
                await store.holds("wx1", *where) for where in (("weixin", ["video", "image"]), ("own", ["image"]))
            ] == [
                True,
                False,
            ]
            assert not await store.holds("wx2", "weixin", ["image"])
            assert not await store.holds("wx1", "weixin", [])
            assert {one.media_id async for one in ledger.rows()} >= {"M0"}
            assert await ledger.counts() == LedgerCounts(done=301)
            assert await ledger.forget("M1")
        async with opener() as again:
            assert await again.counts() == LedgerCounts(done=300)

    async def test_the_rows_of_a_host_become_those_of_a_realm(self, opener: Opener) -> None:
        """A row that the realm has already stays."""
        async with opener() as ledger:
            for realm, digit, state in (("host:1", "a", "failed"), ("host:1", "b", "unknown"), ("own", "b", "planned")):
                key = evolve(KEY, realm=realm, sha256=digit)
                await ledger.claim(key, "a.png", 1)
                await ledger.end(key, state)  # type: ignore[arg-type]
            await ledger.store.move("host:1", "own")
            rows = {(row.realm, row.sha256, row.state) async for row in ledger.rows()}
        assert rows == {("own", "a", "failed"), ("host:1", "b", "unknown"), ("own", "b", "planned")}

    async def test_a_cancelled_write_is_written(self, opener: Opener) -> None:
        """The record of a result does not depend on its caller, and a cancelled claim holds nobody up."""
        async with opener() as ledger:
            await ledger.claim(KEY, "a.png", 1)
            task = asyncio.create_task(ledger.end(KEY, "failed", error="x"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await ledger.counts() == LedgerCounts(failed=1)
            claim = asyncio.create_task(ledger.claim(KEY, "a.png", 1))
            await asyncio.sleep(0)
            claim.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claim
            async with opener() as other:
                assert (await other.claim(KEY, "a.png", 1)).step is Step.SEND

    async def test_a_ledger_is_open_once(self, opener: Opener) -> None:
        """A second `async with` is told, and so is a use before and after; it can be opened again."""
        ledger = opener()
        for _ in range(2):
            with pytest.raises(UsageError, match="not open"):
                await ledger.counts()
            async with ledger:
                assert isinstance(ledger.store, LedgerStore)
                with pytest.raises(UsageError, match="open already"):
                    await ledger.__aenter__()
                with pytest.raises(UsageError, match="open already"):
                    await ledger.store.open()
                assert await ledger.counts() == LedgerCounts()

    def test_it_serves_successive_loops_and_one_at_a_time(self, opener: Opener) -> None:
        """A loop ends with the ledger open; the next one goes on with it; two at once are refused."""
        ledger = opener()

        async def enter() -> None:
            await ledger.__aenter__()
            await ledger.claim(KEY, "a.png", 1)
            await ledger.end(KEY, "failed")

        async def go_on() -> None:
            assert await ledger.counts() == LedgerCounts(failed=1)
            failures: list[BaseException] = []

            def other() -> None:
                try:
                    asyncio.run(_count())
                except UsageError as error:
                    failures.append(error)

            async def _count() -> None:
                await ledger.counts()

            await asyncio.to_thread(other)
            assert [type(one) for one in failures] == [UsageError]
            await ledger.__aexit__(None, None, None)

        asyncio.run(enter())
        asyncio.run(go_on())


# PostgreSQL alone


class Host:
    """A process with a directory of its own, which shares nothing but PostgreSQL."""

    def __init__(self, sim: Simulator, images: Path, dsn: str, directory: Path) -> None:
        directory.mkdir()
        self._arguments = (sim.url, sim.appid, sim.secret, str(images), dsn)
        self._environment = {**os.environ, "XDG_CACHE_HOME": str(directory), "HOME": str(directory)}

    async def start(self) -> asyncio.subprocess.Process:
        """Start the worker."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(WORKER),
            *self._arguments,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that has no event."""
    async with asyncio.timeout(BOUND):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


async def test_a_host_that_stalls_past_its_lease_sends_nothing(sim: Simulator, dsn: str, tmp_path: Path) -> None:
    """It is stopped before its first byte; another host takes over; it goes on, and takes the other one's result."""
    make_pictures(tmp_path / "images", 1)
    sim.fail("stable_token", "delay-300ms")
    process = await Host(sim, tmp_path / "images", dsn, tmp_path / "a").start()
    async with Ledger(PostgresStore(dsn, lease=LEASE), index=tmp_path / "index.db") as ledger:
        await until(lambda: bool(sim.journal) or sim.token_calls > 0)
        process.send_signal(signal.SIGSTOP)
        async with session(sim, ledger) as wx, asyncio.timeout(BOUND):
            added = await wx.ensure_material("image", picture(0))
        process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(BOUND):
            said, complained = await process.communicate()
    assert b'"skipped": 1' in said
    assert b"claim was lost; nothing was sent" in complained
    assert list(sim.materials) == [added.media_id]
    assert sent(sim) == 1


@pytest.mark.parametrize("wrong", ["password", "database", "port", "host"])
async def test_no_error_shows_the_dsn(
    postgres: PostgresServer, dsn: str, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the text of an error, nor its chain, nor a repr or a log has more than the host."""
    bad = {
        "password": dsn.replace(PASSWORD, f"{PASSWORD}x"),
        "database": dsn + "CANARYBASE",
        "port": dsn.replace(f":{postgres.port}/", ":1/"),
        "host": dsn.replace("127.0.0.1", "nowhere.invalid"),
    }[wrong]
    caplog.set_level(logging.DEBUG)
    store = PostgresStore(bad, timeout=0.2)
    with pytest.raises(LedgerError, match="PostgreSQL at") as caught:
        await store.open()
    error: BaseException | None = caught.value
    assert error is not None
    assert error.__context__ is error.__cause__ is None
    for text in (str(error), repr(error), repr(store), repr(Ledger(store)), caplog.text, repr(vars(store))):
        assert "CANARY" not in text


@pytest.mark.parametrize("bad", ["mysql://u:CANARY@h/d", "CANARY", "postgresql://u:CANARY@h:port/d", 7])
def test_a_dsn_that_is_none_is_told_without_it(bad: Any) -> None:
    """It may have a password."""
    with pytest.raises(UsageError, match="PostgresStore") as caught:
        PostgresStore(bad)
    assert "CANARY" not in str(caught.value)


def test_without_asyncpg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the command that installs it."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(UsageError, match=r"wxasset\[postgres\]"):
        PostgresStore("postgresql://h/d")


async def test_tables_of_a_later_version_are_refused(postgres: PostgresServer, dsn: str) -> None:
    """The error says to update."""
    async with Ledger(PostgresStore(dsn)):
        pass
    await asyncio.to_thread(postgres.query, dsn.rpartition("/")[2], "UPDATE wxasset_ledger SET version = 99")
    with pytest.raises(LedgerError, match="version 99") as caught:
        async with Ledger(PostgresStore(dsn)):
            raise AssertionError
    assert "Update wxasset" in caught.value.hint.english


async def test_tables_of_version_1_are_migrated(postgres: PostgresServer, dsn: str, sim: Simulator) -> None:
    """They get the codes of refused files, and keep their rows."""
    async with Ledger(PostgresStore(dsn)) as ledger, session(sim, ledger) as wx:
        added = await wx.ensure_material("image", picture(1))
    old = "ALTER TABLE wxasset_uploads DROP COLUMN errcode; UPDATE wxasset_ledger SET version = 1"
    await asyncio.to_thread(postgres.query, dsn.rpartition("/")[2], old)
    ledgers = [Ledger(PostgresStore(dsn)) for _ in range(3)]
    await asyncio.gather(*(one.__aenter__() for one in ledgers))
    assert [(row.media_id, row.errcode) async for row in ledgers[0].rows()] == [(added.media_id, None)]
    await asyncio.gather(*(one.__aexit__(None, None, None) for one in ledgers))


async def test_several_create_the_tables_at_once(dsn: str, tmp_path: Path) -> None:
    """One makes them, the others find them."""
    ledgers = [Ledger(PostgresStore(dsn), index=tmp_path / f"{number}.db") for number in range(6)]
    await asyncio.gather(*(one.__aenter__() for one in ledgers))
    assert [await one.counts() for one in ledgers] == [LedgerCounts()] * 6
    for one in ledgers:
        await one.__aexit__(None, None, None)


async def test_rows_that_two_processes_claim_at_once_go_to_one_of_them_each(dsn: str, tmp_path: Path) -> None:
    """Forty rows, in opposite order: claims that are written together are taken or left one by one."""
    keys = [evolve(KEY, sha256=f"{number:064x}") for number in range(40)]
    ledgers = [Ledger(PostgresStore(dsn), index=tmp_path / f"{number}.db") for number in range(2)]
    async with ledgers[0] as one, ledgers[1] as other:
        claims = await asyncio.gather(
            *(one.claim(key, "a.png", 1) for key in keys), *(other.claim(key, "a.png", 1) for key in reversed(keys))
        )
        for first, second in zip(claims[:40], reversed(claims[40:]), strict=True):
            assert {first.step, second.step} == {Step.SEND, Step.WAIT}
        assert await one.counts() == LedgerCounts(planned=40)


async def test_transitions_of_one_row_that_arrive_together_follow_each_other(dsn: str) -> None:
    """Claim, start and end of a row are asked for at once; each one sees what the one before it wrote."""
    store = PostgresStore(dsn)
    await store.open()
    try:
        material = AddedMaterial(media_id="M1\0", url=None, reconciled=False)
        changes = (claiming(KEY, "a.png", 1), beginning(1.0), ending("done", material=material), beginning(2.0))
        _, *steps = await asyncio.gather(*(store.change(KEY, change) for change in changes))
        assert steps == [True, True, False]
        row = (await store.find([KEY]))[KEY]
        assert (row.state, row.media_id) == ("done", "M1\\x00")
    finally:
        await store.close()


async def test_a_failed_sync_concerns_only_what_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that may be lost with the power is an error; an outcome in the same transaction is recorded."""
    other = evolve(KEY, sha256="cd" * 32)
    material = AddedMaterial(media_id="M1", url=None, reconciled=False)

    def fail(_: str) -> None:
        raise OSError(5, "Input/output error")

    async with Ledger(tmp_path / "l.db") as ledger:
        await asyncio.gather(*(ledger.claim(key, "a.png", 1) for key in (KEY, other)))
        await ledger.begin(other, 1.0)
        with monkeypatch.context() as patch:
            patch.setattr("wxasset.ledger.database.sync", fail)
            started, ended = await asyncio.gather(
                ledger.begin(KEY, 1.0), ledger.done(other, material), return_exceptions=True
            )
        assert (type(started), ended) == (LedgerError, None)
        assert await ledger.counts() == LedgerCounts(in_flight=1, done=1)


async def test_a_serving_task_cancelled_at_once_leaves_no_caller_waiting(tmp_path: Path) -> None:
    """Another task takes its place."""
    async with Ledger(tmp_path / "l.db") as ledger:
        before = asyncio.all_tasks()
        claiming_task = asyncio.create_task(ledger.claim(KEY, "a.png", 1))
        await asyncio.sleep(0)
        (serving,) = asyncio.all_tasks() - before - {claiming_task}
        serving.cancel()
        async with asyncio.timeout(BOUND):
            assert (await claiming_task).step is Step.SEND


async def test_a_server_that_stays_away_is_an_error(postgres: PostgresServer, dsn: str, tmp_path: Path) -> None:
    """After `timeout` the error names the host; the ledger works again when the server is back."""
    async with Ledger(PostgresStore(dsn, timeout=0.2), index=tmp_path / "index.db") as ledger:
        await ledger.claim(KEY, "a.png", 1)
        await asyncio.to_thread(postgres.stop)
        begun = time.monotonic()
        with pytest.raises(LedgerError, match="127"):
            await ledger.begin(KEY, 1.0)
        assert time.monotonic() - begun < 5
        await asyncio.to_thread(postgres.start)
        await ledger.begin(KEY, 1.0)
        assert await ledger.counts() == LedgerCounts(in_flight=1)


async def test_a_ledger_opened_while_the_server_restarts_waits_for_it(
    postgres: PostgresServer, dsn: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so; without `timeout` it fails at once."""
    await asyncio.to_thread(postgres.stop)
    with pytest.raises(LedgerError, match="no connection"):
        await PostgresStore(dsn, timeout=0).open()
    assert "trying again" not in caplog.text
    ledger = Ledger(PostgresStore(dsn), index=tmp_path / "index.db")
    opening = asyncio.create_task(ledger.__aenter__())
    await until(lambda: "trying again for up to 8 s" in caplog.text)
    await asyncio.to_thread(postgres.start)
    await opening
    assert await ledger.counts() == LedgerCounts()
    await ledger.__aexit__(None, None, None)
    assert PASSWORD not in caplog.text


async def test_what_is_cancelled_leaves_no_connection(postgres: PostgresServer, dsn: str, tmp_path: Path) -> None:
    """Neither a cancelled block nor a cancelled opening keeps one, and claims are released."""
    entered = asyncio.Event()

    async def hold() -> None:
        async with Ledger(PostgresStore(dsn), index=tmp_path / "index.db") as ledger:
            await ledger.claim(KEY, "a.png", 1)
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await asyncio.wait_for(entered.wait(), BOUND)
    opening = asyncio.create_task(PostgresStore(dsn).open())
    await asyncio.sleep(0)
    task.cancel()
    opening.cancel()
    for one in (task, opening):
        with pytest.raises(asyncio.CancelledError):
            await one
    name = dsn.rpartition("/")[2]
    sessions = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'wxasset'"
    )
    async with asyncio.timeout(BOUND):
        while await asyncio.to_thread(postgres.query, name, sessions) != "0":  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)
    assert await asyncio.to_thread(postgres.query, name, "SELECT holder IS NULL FROM wxasset_uploads") == "t"
