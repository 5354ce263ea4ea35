"""Token stores: the newest token wins, one process fetches, what fails says so, and nobody else reads along."""

import asyncio
import errno
import fcntl
import gc
import json
import logging
import os
import pickle
import random
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias, cast

import anyio
import anyio.lowlevel
import pytest
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

import redis_server as support
from canaries import chain
from clocks import Clock
from redis_server import PASSWORD, RedisServer
from wxasset import ClassicToken, StableToken, TokenCache, WxSession
from wxasset.errors import TokenStoreError, UsageError
from wxasset.simulator import Simulator
from wxasset.tokens.file_store import FileTokenStore
from wxasset.tokens.records import TokenRecord, parse_document
from wxasset.tokens.redis_source import RedisToken
from wxasset.tokens.redis_store import RedisTokenStore
from wxasset.tokens.store import MemoryTokenStore, TokenStore, run_shielded
from wxasset.transfer.file_lock import FileLock

Shared: TypeAlias = FileTokenStore | RedisTokenStore

redis_server = support.redis_server

KEY = "0123456789abcdef"
TOKEN = "CANARYTOKEN" + "x" * 100
PROCESSES = 8

# Answers each line of JSON on its input, a piece of work, with a line of JSON.
CHILD = """
import asyncio, json, os, random, sys, time
from wxasset.tokens.file_store import FileTokenStore
from wxasset.tokens.redis_store import RedisTokenStore
from wxasset.tokens.records import TokenRecord, parse_document

def record(version):
    return TokenRecord(token=f"T{version}", issued=0.0, expires=time.time() + 7200, version=version, mode="stable")

async def save(store, versions):
    return [version for version in versions if await store.save("k", record(version))]

async def lease(store, marker, count):
    overlaps = 0
    for _ in range(count):
        async with store.lease("k"):
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                overlaps += 1
            await asyncio.sleep(0.002)
            if os.path.exists(marker):
                os.unlink(marker)
    return overlaps

async def hold(store):
    async with store.lease("k"):
        print("READY", flush=True)
        await asyncio.sleep(60)

async def load(store):
    found = await store.load("k")
    return found and found.version

async def do(work):
    kind, address, options = work["store"]
    store = (FileTokenStore if kind == "file" else RedisTokenStore)(address, **options)
    try:
        return await globals()[work["do"]](store, *work["with"])
    finally:
        await store.aclose()

print("READY", flush=True)
for line in sys.stdin:
    print(json.dumps(asyncio.run(do(json.loads(line)))), flush=True)
"""


def record(version: int, *, token: str = TOKEN, refresh_token: str | None = None, life: float = 7200.0) -> TokenRecord:
    """A token of a version."""
    now = time.time()
    return TokenRecord(
        token=token, issued=now, expires=now + life, version=version, mode="stable", refresh_token=refresh_token
    )


def figure(text: str) -> None:
    """Print what was measured."""
    print(text)  # noqa: T201 - shown by pytest -s or -rP


class Child:
    """A process that does pieces of work with a store."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self, do: str, kind: str, address: str, *arguments: Any, **options: Any) -> None:
        """Tell it what to do."""
        assert self.process.stdin is not None
        if kind == "redis":
            options |= {"timeout": 5.0}  # as in `open_store`: eight processes share a busy machine
        work = {"do": do, "store": [kind, address, options], "with": arguments}
        self.process.stdin.write(json.dumps(work) + "\n")
        self.process.stdin.flush()

    def said(self) -> str:
        """Wait for its next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self.process.kill()
        self.process.communicate()

    def end(self) -> None:
        """Let it end."""
        self.process.communicate()


@pytest.fixture(scope="module")
def children() -> Iterator[list[Child]]:
    """Processes that wait for work."""
    started = [Child() for _ in range(PROCESSES)]
    assert {child.said() for child in started} == {"READY"}
    yield started
    for child in started:
        child.end()


def each(children: list[Child], do: str, kind: str, address: str, *arguments: list[Any]) -> list[Any]:
    """Have every process do its part at the same time; return what each answers."""
    for child, given in zip(children, arguments, strict=True):
        child.begin(do, kind, address, *given, wait=60.0)
    return [json.loads(child.said()) for child in children]


def open_store(kind: str, address: str, **options: Any) -> Shared:
    """Another store on the same file or server."""
    # Whether an answer comes in time is tested by itself; elsewhere a busy machine may take its own.
    return FileTokenStore(address, **options) if kind == "file" else RedisTokenStore(address, timeout=5.0, **options)


@pytest.fixture
def address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store of this kind keeps its tokens; nothing is there yet."""
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        server.flush()
        return server.url
    return str(tmp_path / "tokens.json")


@pytest.fixture
async def opener(kind: str, address: str) -> AsyncIterator[Callable[..., Shared]]:
    """Opens stores that share their tokens; they are closed after the test."""
    async with AsyncExitStack() as stack:

        def open_one(**options: Any) -> Shared:
            store = open_store(kind, address, **options)
            stack.push_async_callback(store.aclose)
            return store

        yield open_one


@pytest.fixture
async def stores(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[list[TokenStore]]:
    """Two views of one store; for the memory the same one."""
    if kind == "memory":
        memory = MemoryTokenStore()
        yield [memory, memory]
        await memory.aclose()
    else:
        where = request.getfixturevalue("address")
        both = [open_store(kind, where), open_store(kind, where)]
        yield [*both]
        for store in both:
            await store.aclose()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file of tokens may be."""
    return tmp_path / "tokens.json"


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[RedisServer]:
    """An empty redis-server, put right again after the test."""
    redis_server.flush()
    yield redis_server
    redis_server.restart()


def file_of(path: Path | str, suffix: str = "json", key: str = KEY) -> Path:
    """One of the files of an account."""
    return Path(f"{path}.d/{key}.{suffix}")


def planted(path: Path, content: bytes) -> Path:
    """The file of an account, with this content."""
    Path(f"{path}.d").mkdir(mode=0o700, exist_ok=True)
    (file := file_of(path)).write_bytes(content)
    file.chmod(0o600)
    return file


every = pytest.mark.parametrize("kind", ["memory", "file", "redis"])
shared = pytest.mark.parametrize("kind", ["file", "redis"])


# What every store does


@every
async def test_a_record_comes_back_as_it_was_saved(stores: list[TokenStore]) -> None:
    """What one saves another loads, whole, under its own key; where nothing was saved there is None."""
    one, other = stores
    assert await other.load(KEY) is None
    for key, saved in {KEY: record(1), "component": record(7, refresh_token="R"), "a/../b": record(2, life=-5)}.items():
        assert await one.save(key, saved)
        assert await other.load(key) == saved
    found = await other.load(KEY)
    assert found is not None
    assert found.version == 1


@every
async def test_an_older_or_equal_version_never_replaces_a_newer_one(stores: list[TokenStore]) -> None:
    """Only a higher version is kept, and each saver is told."""
    one, other = stores
    tries = [(5, True), (5, False), (4, False), (1, False), (6, True), (2**52, True), (2**52, False), (2**53, True)]
    for version, kept in tries:
        assert await one.save(KEY, record(version)) is kept
    found = await other.load(KEY)
    assert found is not None
    assert found.version == 2**53


@every
async def test_in_a_race_of_tasks_the_highest_version_wins(stores: list[TokenStore]) -> None:
    """40 tasks save at once, the newest token first: it stays, and no version is kept twice."""
    versions = [*range(40, 0, -1), *range(1, 41)]
    told: dict[int, list[bool]] = {version: [] for version in versions}

    async def save(number: int, version: int) -> None:
        told[version].append(await stores[number % 2].save(KEY, record(version)))

    async with asyncio.TaskGroup() as group:
        for number, version in enumerate(versions):
            group.create_task(save(number, version))
    found = await stores[0].load(KEY)
    assert found is not None
    assert found.version == 40
    assert max(sum(answers) for answers in told.values()) == 1
    assert sum(told[40]) == 1


@every
async def test_the_holder_of_a_lease_can_save(stores: list[TokenStore]) -> None:
    """Saving inside one's own lease, or without any, waits for nobody's lease."""
    one, other = stores
    async with one.lease(KEY):
        assert await one.save(KEY, record(1))
        assert await other.save(KEY, record(2))
        assert await one.save(KEY, record(3))
    async with other.lease(KEY):
        assert not await other.save(KEY, record(3))


@every
async def test_a_store_shows_no_token(stores: list[TokenStore], kind: str) -> None:
    """The `repr` of a store tells where it is, and neither token nor password."""
    await stores[0].save(KEY, record(1, refresh_token="CANARYREFRESH"))
    assert "CANARY" not in repr(stores[0])
    assert {"memory": "Memory", "file": "tokens.json", "redis": "127.0.0.1:"}[kind] in repr(stores[0])


# What stores that are shared between processes do


@shared
async def test_two_tasks_never_hold_one_lease(opener: Callable[..., Shared]) -> None:
    """20 tasks over 2 stores: one holder at a time; another key has another lease."""
    stores = [opener(wait=60.0), opener(wait=60.0)]
    holders = most = 0

    async def hold(store: Shared) -> None:
        nonlocal holders, most
        async with store.lease(KEY):
            holders += 1
            most = max(most, holders)
            await anyio.sleep(0.001)
            holders -= 1

    async with stores[0].lease("another"), asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(hold(stores[number % 2]))
    assert most == 1


@shared
async def test_a_lease_is_waited_for_no_longer_than_was_said(opener: Callable[..., Shared]) -> None:
    """After `wait` seconds in small steps the waiter is told, and leaves no trace."""
    clock = Clock()
    async with opener().lease(KEY):
        waiter = opener(wait=15.0, now=clock, sleep=clock.sleep)
        with pytest.raises(TokenStoreError, match="15 s"):
            async with waiter.lease(KEY):
                pytest.fail("there are two holders")
    assert 15.0 <= clock.time - 1000.0 < 15.5
    assert all(0.02 <= seconds <= 0.5 for seconds in clock.slept)
    assert max(clock.slept[:3]) <= 0.12
    async with waiter.lease(KEY):
        assert clock.time < 1015.5


@shared
async def test_a_look_takes_the_lease_of_a_record_that_nobody_replaced(opener: Callable[..., Shared]) -> None:
    """A new record is given without the lease, a known one with it, unless others hold it."""
    holder, waiter = opener(), opener()
    async with holder.attempt(KEY, None) as first:
        assert first.record is None
        assert first.save is not None
        async with waiter.attempt(KEY, None) as refused:
            assert (refused.record, refused.save) == (None, None)
        saved = record(1)
        await holder.save(KEY, saved)
        async with waiter.attempt(KEY, refused) as found:
            assert (found.record, found.save) == (saved, None)
        async with waiter.attempt(KEY, found) as again:
            assert again.state == found.state
            assert again.save is None
    async with waiter.attempt(KEY, again) as last:
        assert last.save is not None
        with pytest.raises(TokenStoreError):
            await opener(wait=0).lease(KEY).__aenter__()


@shared
async def test_a_save_under_a_lease_gives_it_back(opener: Callable[..., Shared]) -> None:
    """The step that saves ends the lease; where a newer record forbids it, the lease stays."""
    holder, other = opener(), opener(wait=0)
    async with holder.attempt(KEY, None) as claim:
        assert claim.save is not None
        await other.save(KEY, record(2))
        assert not await claim.save(record(2))
        with pytest.raises(TokenStoreError):
            await other.lease(KEY).__aenter__()
        assert await claim.save(record(3))
        async with other.lease(KEY):
            assert (await other.load(KEY) or record(0)).version == 3


@shared
@pytest.mark.parametrize("scope", [False, True])
async def test_a_cancelled_waiter_leaves_at_once(opener: Callable[..., Shared], *, scope: bool) -> None:
    """Cancelled while it waits, by its task or by a scope, it takes nothing with it."""
    holder, waiter = opener(), opener(wait=0)
    waiting = anyio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await anyio.sleep(60)

    patient = opener(sleep=sleep)

    async def wait() -> None:
        async with patient.lease(KEY):
            pytest.fail("there are two holders")

    async with holder.lease(KEY):
        if scope:
            async with anyio.create_task_group() as group:
                group.start_soon(wait)
                await waiting.wait()
                group.cancel_scope.cancel()
        else:
            task = asyncio.create_task(wait())
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        with pytest.raises(TokenStoreError):
            await waiter.lease(KEY).__aenter__()
    async with waiter.lease(KEY):
        pass


@shared
@pytest.mark.parametrize("scope", [False, True])
async def test_a_cancelled_holder_gives_its_lease_back(opener: Callable[..., Shared], *, scope: bool) -> None:
    """Cancelled while it fetches, even twice, it holds the lease no more when it is gone."""
    store, other = opener(), opener(wait=0)
    holding = anyio.Event()

    async def hold() -> None:
        async with store.lease(KEY):
            holding.set()
            await anyio.sleep(60)

    if scope:
        async with anyio.create_task_group() as group:
            group.start_soon(hold)
            await holding.wait()
            group.cancel_scope.cancel()
    else:
        task = asyncio.create_task(hold())
        await holding.wait()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
    async with other.lease(KEY):
        pass


@shared
async def test_cancelled_at_any_point_nothing_stays_behind(opener: Callable[..., Shared], tmp_path: Path) -> None:
    """Whenever a fetch is cancelled, the lease is free when it is gone, no temporary file is left, saving works."""
    store, other = opener(), opener(wait=0)
    finished = 0

    async def fetch(version: int) -> None:
        nonlocal finished
        async with store.lease(KEY):
            await store.load(KEY)
            await store.save(KEY, record(version))
        finished += 1

    for number in range(60):
        task = asyncio.create_task(fetch(number))
        if number % 2:
            await anyio.sleep(number * 0.0001)
        else:
            for _ in range(number):
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        async with other.lease(KEY):
            assert await other.save(f"{KEY}-{number}", record(1))
    assert finished < 60
    assert not list(tmp_path.rglob("*.tmp"))


@shared
def test_in_a_race_of_processes_the_highest_version_wins(kind: str, address: str, children: list[Child]) -> None:
    """8 processes save the same versions, in step and then at random: the highest stays, none is kept twice."""
    rising, rest = list(range(1, 41)), list(range(41, 121))
    parts = [[rising + random.Random(number).sample(rest, len(rest))] for number in range(PROCESSES)]  # noqa: S311
    begun = time.perf_counter()
    kept = each(children, "save", kind, address, *parts)
    seconds = time.perf_counter() - begun
    versions = [version for told in kept for version in told]
    winners = sum(bool(told) for told in kept)
    figure(f"{kind}: {PROCESSES} x 120 saves in {seconds:.2f} s, {len(versions)} kept, by {winners} processes")
    assert len(versions) == len(set(versions))
    assert max(versions) == 120
    children[0].begin("load", kind, address)
    assert json.loads(children[0].said()) == 120


@shared
def test_two_processes_never_hold_one_lease(kind: str, address: str, children: list[Child], tmp_path: Path) -> None:
    """8 processes take the lease 5 times each: nobody meets anybody inside."""
    begun = time.perf_counter()
    overlaps = each(children, "lease", kind, address, *[[str(tmp_path / "marker"), 5]] * PROCESSES)
    figure(f"{kind}: {PROCESSES} x 5 leases in {time.perf_counter() - begun:.2f} s, {sum(overlaps)} overlaps")
    assert sum(overlaps) == 0


@shared
async def test_a_killed_holder_loses_its_lease(kind: str, address: str, opener: Callable[..., Shared]) -> None:
    """After a SIGKILL the next one has the lease: at once from a file, after its time at most from Redis."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await anyio.sleep(seconds)

    options = {} if kind == "file" else {"lease_seconds": 1.0}
    child = Child()
    assert child.said() == "READY"
    child.begin("hold", kind, address, **options)
    assert child.said() == "READY"
    with pytest.raises(TokenStoreError):
        await opener(wait=0).lease("k").__aenter__()
    child.kill()
    async with opener(sleep=sleep).lease("k"):
        figure(f"{kind}: a killed holder's lease was had after {sum(slept):.2f} s of waiting")
    # What was waited for, and not what a busy machine adds: all pauses but the last are over while the lease lasts.
    assert sum(slept) < 0.01 if kind == "file" else sum(slept[:-1]) < 1.0


# Files


async def test_every_file_is_closed_to_others_from_the_beginning(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the umask, no file of a store is ever wider than 0600, the temporary one included."""
    opened: dict[str, set[int]] = {}
    real = os.open

    def spy(name: Any, flags: int, mode: int = 0o777) -> int:
        descriptor = real(name, flags, mode)
        if str(name).startswith(str(path)):
            opened.setdefault(str(name), set()).add(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "open", spy)
    before = os.umask(0)
    try:
        store = FileTokenStore(path)
        async with store.lease(KEY):
            assert await store.save(KEY, record(1))
        assert await store.save(KEY, record(2))
        assert await store.load(KEY)
    finally:
        os.umask(before)
    names = {str(file_of(path, suffix)) for suffix in ("json", "json.tmp", "lock", "lease")}
    assert opened == {name: {0o600} for name in names}
    (directory,) = path.parent.iterdir()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    left = {str(one): stat.S_IMODE(one.stat().st_mode) for one in directory.iterdir()}
    assert left == dict.fromkeys(names - {str(file_of(path, "json.tmp"))}, 0o600)


def store_uses(path: Path) -> list[tuple[str, Callable[[FileTokenStore], Any]]]:
    """The files of a store, each with what opens it."""
    return [
        (f"{path}", lambda store: store.load(KEY)),
        (f"{path}", lambda store: store.save(KEY, record(2))),
        (f"{file_of(path)}", lambda store: store.load(KEY)),
        (f"{file_of(path)}", lambda store: store.save(KEY, record(2))),
        (f"{file_of(path, 'lock')}", lambda store: store.save(KEY, record(2))),
        (f"{file_of(path, 'lease')}", lambda store: store.lease(KEY).__aenter__()),
    ]


@pytest.mark.parametrize("use", range(6))
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
async def test_a_file_that_others_can_open_is_refused(path: Path, use: int, mode: int) -> None:
    """A wider mode, of the file or of a lock beside it, is refused, and the error names the command that helps."""
    name, using = store_uses(path)[use]
    store = FileTokenStore(path)
    await store.save(KEY, record(1))
    Path(name).touch()
    Path(name).chmod(mode)
    with pytest.raises(TokenStoreError, match=f"chmod 600 {name}") as caught:
        await using(store)
    assert f"{mode:04o}" in caught.value.message
    assert "CANARY" not in shown(caught.value)


@pytest.mark.parametrize("use", range(6))
async def test_a_file_of_somebody_else_is_refused(path: Path, use: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another owner is refused, also by root, and the error tells who it is and what to do."""
    name, using = store_uses(path)[use]
    store = FileTokenStore(path)
    await store.save(KEY, record(1))
    Path(name).touch(mode=0o600)
    if os.geteuid() == 0:
        os.chown(name, 12345, 12345)
    else:  # nobody else can give a file away
        uid = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(TokenStoreError, match="belongs to user") as caught:
        await using(store)
    assert "chmod 600" in str(caught.value)


@pytest.mark.parametrize("use", range(6))
@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
async def test_what_is_no_file_is_refused(path: Path, use: int, kind: str) -> None:
    """A symbolic link, a directory, a pipe: none of them is opened, nor waited for."""
    name, using = store_uses(path)[use]
    target = path.parent / "elsewhere"
    target.write_text("{}")
    target.chmod(0o600)
    Path(f"{path}.d").mkdir(mode=0o700)
    if kind == "link":
        Path(name).symlink_to(target)
    elif kind == "directory":
        Path(name).mkdir(mode=0o700)
    else:
        os.mkfifo(name, 0o600)
    with pytest.raises(TokenStoreError, match="is not used"):
        await using(FileTokenStore(path))
    assert target.read_text() == "{}"


RECORD = '{"token":"CANARY","issued":1.5,"expires":7201.5,"version":1,"mode":"stable"}'
WHOLE = f'{{"{KEY}":{RECORD}}}'.encode()

FOREIGN = {
    "co-wechat-api": b'{"accessToken":"CANARY","expireTime":1700000000000}',
    "text": b"CANARY-token-of-another-program",
    "array": b"[1,2]",
    "null": b"null",
    "number": b"7",
    "objects": b'{"users":[{"name":"CANARY"}]}',
    "tokens by appid": b'{"wx0123456789abcdef":{"access_token":"CANARY","expires":1700000000}}',
    "text under the key": b'{"' + KEY.encode() + b'":"CANARY"}',
    "part of a record": b'{"' + KEY.encode() + b'":{"token":"CANARY","version":9}}',
    "cut": b'{"accessToken":"CANARY","expireTi',
    "cut in an array": b'{"users":[{"name":"CANARY"',
    "commented": b'{"prod":{"token":"CANARY", // of the console\n"appid":"wx1"}}',
    "nested": b'{"' + KEY.encode() + b'":' + b"[" * 900 + b"]" * 900 + b"}",
    "too deep": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe\x00",
    "UTF-16": '{"accessToken":"CANARY"}'.encode("utf-16"),
    "pickle": b"\x80\x04\x95CANARY.",
    "image": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "page": b"<html>CANARY</html>",
    "INI": b"[wechat]\ntoken = CANARY\n",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
async def test_a_file_of_another_program_is_refused_and_stays(path: Path, content: bytes) -> None:
    """A file that wxasset did not write is an error in both languages without its content, and stays as it is."""
    path.write_bytes(content)
    path.chmod(0o600)
    store = FileTokenStore(path)
    for use in (store.load(KEY), store.save(KEY, record(1))):
        with pytest.raises(TokenStoreError, match="not written by wxasset") as caught:
            await use
        assert str(path) in caught.value.message
        assert "another program" not in caught.value.message
        assert "wxasset 专用" in caught.value.hint.chinese
        assert "CANARY" not in shown(caught.value)
    assert path.read_bytes() == content


async def test_a_huge_file_is_refused_without_being_read(path: Path) -> None:
    """A file larger than any file of tokens, such as a video, does not fill the memory."""
    with path.open("wb") as file:
        file.truncate(1 << 40)
    path.chmod(0o600)
    with pytest.raises(TokenStoreError, match="not written by wxasset"):
        await FileTokenStore(path).load(KEY)


def older(path: Path, **records: TokenRecord) -> bytes:
    """Write the document of an earlier version, which held the records of all accounts; return its content."""
    path.write_text(json.dumps({key: json.loads(kept.dump()) for key, kept in records.items()}))
    path.chmod(0o600)
    return path.read_bytes()


async def test_the_document_of_an_earlier_version_is_read_on(path: Path) -> None:
    """Its refresh tokens count until a newer record is saved, for each account; the document stays as it is."""
    content = older(path, one=record(4, refresh_token="OLD"), two=record(7, refresh_token="KEPT"))
    store = FileTokenStore(path)
    assert (await store.load("one") or record(0)).refresh_token == "OLD"
    assert not await store.save("one", record(4, refresh_token="NEW"))
    assert await store.save("one", record(5, refresh_token="NEW"))
    assert (await store.load("one") or record(0)).refresh_token == "NEW"
    assert (await FileTokenStore(path).load("two") or record(0)).refresh_token == "KEPT"
    assert await store.load("three") is None
    assert path.read_bytes() == content


async def test_what_an_earlier_version_saves_later_counts_too(path: Path) -> None:
    """After a roll-back the newer record of the document is used, also by a store that had read it before."""
    older(path, one=record(1))
    store = FileTokenStore(path)
    assert await store.save("one", record(3, refresh_token="THREE"))
    older(path, one=record(9, refresh_token="NINE"))
    assert (await store.load("one") or record(0)).refresh_token == "NINE"
    assert not await store.save("one", record(9))
    assert await store.save("one", record(10))


async def test_a_large_document_is_parsed_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 accounts in the document of an earlier version cost one parse, and not one for each look."""
    older(path, **{f"k{number}": record(1) for number in range(1000)})
    parsed = 0

    def parse(data: bytes) -> object:
        nonlocal parsed
        parsed += len(data) > 100_000
        return parse_document(data)

    monkeypatch.setattr("wxasset.tokens.file_records.parse_document", parse)
    store = FileTokenStore(path)
    await store.load("k0")
    assert None not in await asyncio.gather(*[store.load(f"k{number}") for number in range(1000)])
    assert parsed == 1


@pytest.mark.parametrize("kind", ["open", "link", "file", "foreign"])
async def test_a_directory_that_is_not_ours_alone_is_refused(
    path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that others can open, a link or a file in its place: each use is refused, with the cure."""
    directory, elsewhere = Path(f"{path}.d"), path.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if kind == "link":
        directory.symlink_to(elsewhere)
    elif kind == "file":
        directory.touch(mode=0o600)
    else:
        directory.mkdir(mode=0o755 if kind == "open" else 0o700)
    if kind == "foreign":
        uid = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: uid)
    text = {"open": f"chmod 700 {directory}", "foreign": f"chmod 700 {directory}"}.get(kind, "directory")
    store = FileTokenStore(path)
    for using in (store.load(KEY), store.save(KEY, record(1)), store.lease(KEY).__aenter__()):
        with pytest.raises(TokenStoreError, match=text):
            await using
    assert not list(elsewhere.iterdir())


async def test_tasks_of_one_loop_wait_without_looking_at_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 tasks that want one lease try its file once each, when it is their turn."""
    tries = 0
    real = FileLock.take

    def take(lock: FileLock) -> bool:
        nonlocal tries
        tries += 1
        return real(lock)

    monkeypatch.setattr(FileLock, "take", take)
    store = FileTokenStore(path)

    async def hold() -> None:
        async with store.lease(KEY):
            await anyio.lowlevel.checkpoint()

    await asyncio.gather(*[hold() for _ in range(200)])
    assert tries == 200


async def test_a_task_waits_for_another_of_its_loop_no_longer_than_was_said(path: Path) -> None:
    """A lease that a task of the same store holds is an error after `wait` seconds."""
    store = FileTokenStore(path, wait=0.05)
    async with store.lease(KEY):
        with pytest.raises(TokenStoreError, match=r"for 0\.05 s"):
            await store.lease(KEY).__aenter__()
    async with store.lease(KEY):
        pass


@pytest.mark.parametrize("kind", [StableToken, ClassicToken])
async def test_a_session_leaves_the_file_of_another_program_alone(
    sim: Simulator, path: Path, caplog: pytest.LogCaptureFixture, kind: Callable[[str, str], StableToken | ClassicToken]
) -> None:
    """A stable token is used without the store, with a warning; a classic one is not fetched."""
    content = FOREIGN["co-wechat-api"]
    path.write_bytes(content)
    path.chmod(0o600)
    cache = TokenCache(kind(sim.appid, sim.secret), store=FileTokenStore(path))
    async with WxSession(tokens=cache, base_url=sim.url) as wx:
        if kind is StableToken:
            await wx.count_materials()
        else:
            with pytest.raises(TokenStoreError, match="not written by wxasset"):
                await wx.count_materials()
    assert "not written by wxasset" in (caplog.text if kind is StableToken else "not written by wxasset")
    assert path.read_bytes() == content
    assert sim.token_calls == (kind is StableToken)


@pytest.mark.parametrize("content", [b"", b"\n", b"{}", bytes(512)])
async def test_a_file_without_content_is_used(path: Path, content: bytes) -> None:
    """An empty file, created by an administrator or left by a power failure, holds nothing to lose."""
    path.write_bytes(content)
    path.chmod(0o600)
    store = FileTokenStore(path)
    assert await store.load(KEY) is None
    assert await store.save(KEY, record(1))


async def test_a_record_file_that_was_cut_off_is_replaced(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file of records that ends at any byte, or has other bytes at its end, is reported and replaced."""
    store = FileTokenStore(path)
    for data in (*(WHOLE[:end] for end in range(1, len(WHOLE))), WHOLE + bytes(100), WHOLE + WHOLE):
        caplog.clear()
        planted(path, data)
        assert await store.load(KEY) is None, data
        assert [(one.name, one.levelname) for one in caplog.records] == [("wxasset.tokens", "WARNING")]
        assert "CANARY" not in caplog.text
        assert await store.save(KEY, record(1))
        assert (await store.load(KEY) or record(0)).version == 1


async def test_a_record_that_cannot_be_read_harms_no_other(path: Path) -> None:
    """Saving one account's token keeps all else in the file, such as the records of a later version."""
    store = FileTokenStore(path)
    await store.save("other", record(3))
    kept = json.loads(file_of(path, key="other").read_bytes())["other"]
    document = {KEY: {"version": 9}, "later": {**kept, "news": 1}, "note": [1]}
    file = planted(path, json.dumps(document).encode())
    assert await store.load(KEY) is None
    assert await store.save(KEY, record(1))
    assert (await store.load("other") or record(0)).version == 3
    assert json.loads(file.read_bytes()) == {**document, KEY: json.loads(file.read_bytes())[KEY]}


async def test_a_directory_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """Missing, a file, or not writable: a typed error that names the path, and nothing is created."""
    (tmp_path / "file").touch()
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    for directory in ("missing", "file"):
        store = FileTokenStore(tmp_path / directory / "tokens.json")
        for using in (store.load(KEY), store.save(KEY, record(1)), store.lease(KEY).__aenter__()):
            with pytest.raises(TokenStoreError, match=str(tmp_path / directory)):
                await using
    closed = FileTokenStore((Path("/sys") if os.geteuid() == 0 else locked) / "tokens.json")  # root may write anywhere
    assert await closed.load(KEY) is None
    with pytest.raises(TokenStoreError, match=r"enied|not permitted|ead-only"):
        await closed.save(KEY, record(1))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "locked"]


@pytest.mark.parametrize("leftover", [False, True])
async def test_a_save_that_fails_leaves_the_old_token(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, leftover: bool
) -> None:
    """Where the disk is full the old record stays, no temporary file does, and the error shows no token."""
    store = FileTokenStore(path)
    await store.save(KEY, record(1))
    temporary = file_of(path, "json.tmp")
    if leftover:  # of a process that was killed
        temporary.write_text("half")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", str(temporary))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(TokenStoreError, match="No space left on device") as caught:
            await store.save(KEY, record(2))
    assert "CANARY" not in shown(caught.value)
    assert not temporary.exists()
    assert (await store.load(KEY) or record(0)).version == 1
    assert await store.save(KEY, record(2))


async def test_a_reader_sees_the_old_record_or_the_new_one(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While one saves again and again, another who loads meanwhile never finds half a file, or none."""
    writer, reader = FileTokenStore(path), FileTokenStore(path)
    await writer.save(KEY, record(1))
    versions: list[int] = []

    async def read() -> None:
        while versions[-1:] != [60]:
            found = await reader.load(KEY)
            assert found is not None
            versions.append(found.version)

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        for version in range(2, 61):
            assert await writer.save(KEY, record(version, refresh_token="T" * 100_000))
    assert versions == sorted(versions)
    assert not caplog.records


async def test_a_refresh_token_that_was_replaced_is_on_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record before it is replaced, and the directory after it, are written through; other saves are not."""
    written: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        written.append(f"{name} {file_of(path).read_text().count('NEW')}")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store = FileTokenStore(path)
    for version, refresh_token in enumerate(["OLD", "OLD", "NEW", "NEW"]):
        assert await store.save(KEY, record(version, refresh_token=refresh_token))
    assert written == [f"{KEY}.json.tmp 0", f"{path.name}.d 1"]


async def test_a_save_waits_for_another_no_longer_than_was_said(path: Path) -> None:
    """A file that somebody keeps locked is an error after `wait` seconds."""
    clock = Clock()
    store = FileTokenStore(path, wait=2.0, now=clock, sleep=clock.sleep)
    await store.save(KEY, record(1))
    with file_of(path, "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TokenStoreError, match="for 2 s"):
            await store.save(KEY, record(2))
    assert await store.save(KEY, record(2))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
async def test_a_file_system_without_locks_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A file system that cannot lock files is named as the reason, and no file is left open."""

    def refuse(descriptor: int, operation: int) -> None:
        del operation
        tried.append(descriptor)
        raise OSError(code, "no")

    tried: list[int] = []
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(TokenStoreError, match="no locks"):
        await FileTokenStore(path).save(KEY, record(1))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(tried[0])


async def test_a_lock_that_cannot_be_given_back_is_left_to_the_system(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure at the very end loses nothing that was done under the lock."""

    def fail(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_UN:
            raise OSError(5, "Input/output error")
        real(descriptor, operation)

    real = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", fail)
    store = FileTokenStore(path)
    async with store.lease(KEY):
        assert await store.save(KEY, record(1))
    async with FileTokenStore(path, wait=0).lease(KEY):
        pass


async def test_a_lock_file_that_was_removed_is_not_held(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock file deleted between opening and locking is created again, so that others meet the same lock."""

    def remove_first(descriptor: int, operation: int) -> None:
        if operation != fcntl.LOCK_UN and not removed:
            removed.append(str(file_of(path, "lease")))
            Path(removed[0]).unlink()
        real(descriptor, operation)

    removed: list[str] = []
    real = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", remove_first)
    async with FileTokenStore(path).lease(KEY):
        assert Path(removed[0]).exists()
        with pytest.raises(TokenStoreError, match="held"):
            await FileTokenStore(path, wait=0).lease(KEY).__aenter__()


async def test_a_lock_file_with_content_stays_as_it_is(path: Path) -> None:
    """A file of another program under the name of a lock, such as poetry.lock, is locked and not truncated."""
    names = [file_of(path, "lock"), file_of(path, "lease")]
    names[0].parent.mkdir(mode=0o700)
    for name in names:
        name.write_bytes(b"content")
        name.chmod(0o600)
    store = FileTokenStore(path)
    async with store.lease(KEY):
        assert await store.save(KEY, record(1))
    assert [name.read_bytes() for name in names] == [b"content"] * 2


FORKS = """
import os, sys
from pathlib import Path
from wxasset.transfer.file_lock import FileLock

lock, other = FileLock(Path(sys.argv[1])), FileLock(Path(sys.argv[1]))
assert lock.take()
child = os.fork()
if not child:
    lock.free()
    os._exit(0)
os.waitpid(child, 0)
assert not other.take(), "released by a child"
awaited, let = os.pipe()
child = os.fork()
if not child:
    os.read(awaited, 1)
    os._exit(0)
lock.free()
assert other.take(), "kept by a child"
os.write(let, b"x")
os.waitpid(child, 0)
"""


def test_a_forked_child_neither_releases_nor_keeps_a_lock(path: Path) -> None:
    """A lock ends with its owner: not when a forked child drops its copy, and not later, although a child has one."""
    done = subprocess.run([sys.executable, "-c", FORKS, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_lock_without_an_owner_is_released(path: Path) -> None:
    """The lock of a task that was dropped with its event loop is free again."""
    lock, other = FileLock(path), FileLock(path)
    assert lock.take()
    del lock
    gc.collect()
    assert other.take()
    other.free()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without redis the error contains the command to install it."""
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(UsageError, match=r"pip install 'wxasset\[redis\]'"):
        RedisTokenStore("redis://127.0.0.1")


# Redis


async def test_redis_forgets_a_record_a_while_after_its_token(server: RedisServer) -> None:
    """A record lives an hour longer than its token; with a refresh token, or without an end, it stays."""
    store = RedisTokenStore(server.url, prefix="p:", timeout=5.0)
    lives = {"plain": record(1), "over": record(1, life=-50), "kept": record(1, refresh_token="R")}
    lives["endless"] = record(1, life=float("inf"))
    left = {}
    for key, saved in lives.items():
        assert await store.save(key, saved)
        left[key] = int(server.command("PTTL", f"p:{key}").strip(b":\r\n")) / 1000
    await store.aclose()
    assert left["plain"] == pytest.approx(7200 + 3600, abs=10)
    assert left["over"] == pytest.approx(3600, abs=10)
    assert left["kept"] == left["endless"] == -0.001


async def test_the_names_of_keys_share_a_slot_and_hold_no_more_than_the_key(server: RedisServer) -> None:
    """Record, lease and counter are named after prefix and key; braces of the user's own are left as they are."""
    for prefix, names in (
        ("p:", {"p:k", "{p:k}:lease", "{p:k}:fence"}),
        ("{q}:", {"{q}:k", "{q}:k:lease", "{q}:k:fence"}),
    ):
        store = RedisTokenStore(server.url, prefix=prefix, timeout=5.0)
        async with store.lease("k"):
            await store.save("k", record(1))
            found = server.command("KEYS", "*").decode().split("\r\n")[2::2]
        await store.aclose()
        assert set(found) == names
        server.flush()


async def test_after_its_lease_is_lost_nobody_saves_under_it(server: RedisServer) -> None:
    """A lease that has gone to somebody else makes a late save fail, and is not given back by the old holder."""
    late, quick = RedisTokenStore(server.url, lease_seconds=0.05, timeout=5.0), RedisTokenStore(server.url, timeout=5.0)
    idle = RedisTokenStore(server.url, wait=0, timeout=5.0)
    async with AsyncExitStack() as stack:
        for store in (late, quick, idle):
            stack.push_async_callback(store.aclose)
        async with late.lease(KEY):
            assert await late.save(KEY, record(1))
            async with quick.lease(KEY):
                assert not await late.save(KEY, record(9))
                assert await late.save("another", record(9))
                assert await quick.save(KEY, record(2))
        async with quick.lease(KEY):
            async with late.lease("another"):
                pass
            # A task of the same process without a lease has no fence.
            assert await late.save(KEY, record(3))
        late_holder = late.lease(KEY)
        await late_holder.__aenter__()
        async with quick.lease(KEY):
            await late_holder.__aexit__(None, None, None)
            with pytest.raises(TokenStoreError):
                await idle.lease(KEY).__aenter__()


@pytest.mark.parametrize(
    "value", ["", " ", RECORD.replace('"issued":1.5', '"issued":"x"'), RECORD.replace("}", ',"news":1}')]
)
@pytest.mark.parametrize("decoding", [False, True])
async def test_a_damaged_record_in_redis_counts_as_nothing(
    server: RedisServer, value: str, caplog: pytest.LogCaptureFixture, *, decoding: bool
) -> None:
    """An empty value, a damaged record or one of a later version is no record; the next save replaces it."""
    async with Redis(port=server.port, password=PASSWORD, decode_responses=decoding) as client:
        await client.set(f"wxasset:token:{KEY}", value)
        store = RedisTokenStore(client=client, timeout=5.0)
        assert await store.load(KEY) is None
        assert "cannot be read" in caplog.text
        assert "CANARY" not in caplog.text
        assert await store.save(KEY, record(2))
        assert (await store.load(KEY) or record(0)).version == 2


@pytest.mark.parametrize(
    "value",
    [
        *("CANARY", "null", "[1]", '{"version":9}', '{"token":"","version":9.5}', "[" * 5000, '"\udcff"'),
        *('{"token":"CANARY","version":1}', '{"accessToken":"CANARY"}', '{"token":"CANARY","version":1,"mode":"x"}'),
    ],
)
@pytest.mark.parametrize("decoding", [False, True])
async def test_a_redis_value_of_another_program_is_refused_and_stays(
    server: RedisServer, value: str, *, decoding: bool
) -> None:
    """A value that wxasset did not write is an error in both languages without its content, and stays as it is."""
    name, data = f"wxasset:token:{KEY}", value.encode("utf-8", "surrogateescape")
    client: Any
    async with Redis(port=server.port, password=PASSWORD, decode_responses=decoding) as client:
        await client.set(name, data)
        store = RedisTokenStore(client=client, timeout=5.0)
        for use in (store.save(KEY, record(9)), store.load(KEY)):
            with pytest.raises(TokenStoreError, match=f"key {name} exists, but was not written by wxasset") as caught:
                await use
            assert "prefix=" in caught.value.hint.chinese
            assert "CANARY" not in shown(caught.value)
        assert await store.save("another", record(1)), "Redis works; it is not left alone"
        assert await client.execute_command("GET", name, NEVER_DECODE=True) == data


async def test_a_redis_key_of_another_type_is_refused_and_stays(server: RedisServer) -> None:
    """A hash or a list under the key is no failure of Redis, and stays as it is."""
    name = f"wxasset:token:{KEY}"
    client: Any
    async with Redis(port=server.port, password=PASSWORD) as client:
        await client.execute_command("HSET", name, "access_token", "CANARY")
        store = RedisTokenStore(client=client, timeout=5.0)
        for use in (store.save(KEY, record(9)), store.load(KEY)):
            with pytest.raises(TokenStoreError, match="not written by wxasset"):
                await use
        assert await store.save("another", record(1))
        assert await client.execute_command("HGET", name, "access_token") == b"CANARY"


async def test_a_client_that_is_lent_is_not_closed(server: RedisServer) -> None:
    """A borrowed client goes on after the store is closed; an own one is closed and opened again if need be."""
    async with Redis(port=server.port, password=PASSWORD) as client:
        lent = RedisTokenStore(client=client)
        assert await lent.save(KEY, record(1))
        connection = await client.client_id()
        await lent.aclose()
        assert await client.client_id() == connection
        assert f"127.0.0.1:{server.port}" in repr(lent) or f"localhost:{server.port}" in repr(lent)
        own = RedisTokenStore(server.url, timeout=5.0)
        await own.aclose()
        for _ in range(2):
            assert await own.load(KEY)
            await own.aclose()
        assert len(await client.client_list()) == 1


@pytest.mark.parametrize("lent", [False, True])
async def test_no_command_passes_where_agents_record_it(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, *, lent: bool
) -> None:
    """Neither a record nor the key of other software goes through the methods that Sentry and OpenTelemetry wrap."""

    async def fail(*_: object, **__: object) -> object:
        pytest.fail("an agent would record this command")

    kept, nothing = record(1), cast("Any", None)
    async with Redis.from_url(server.url, decode_responses=True) as client:
        await client.set("easywechat:CANARYSECRET", "T" * 40)
        for wrapped in (Redis, Pipeline):
            for name in ("execute_command", "immediate_execute_command", "execute"):
                if hasattr(wrapped, name):
                    monkeypatch.setattr(wrapped, name, fail)
        how: dict[str, Any] = {"client": client} if lent else {"url": server.url}
        store, source = (
            RedisTokenStore(**how),
            RedisToken(how.get("url"), "easywechat:CANARYSECRET", client=how.get("client")),
        )
        async with store.lease(KEY):
            assert await store.save(KEY, kept)
        assert await store.load(KEY) == kept
        assert (await source.fetch(nothing, previous=None, rejected=False)).value == "T" * 40
        await store.aclose()
        await source.aclose()


def test_the_address_is_named_without_the_password() -> None:
    """Every way to say where Redis is has a name that can be shown."""

    class Cluster:
        pass

    unlike: Any = Cluster()
    named = {
        "redis://:CANARY@h:1234/3": "'h:1234'",
        "redis://": "'localhost:6379'",
        "rediss://u:CANARY@[::1]": "'::1:6379'",
        "unix://u:CANARY@/run/redis.sock?db=1": "'/run/redis.sock'",
    }
    for url, name in named.items():
        assert f"_place={name}" in repr(RedisTokenStore(url))
    assert "the given client" in repr(RedisTokenStore(client=unlike))
    assert "/run/r" in repr(RedisTokenStore(client=Redis(unix_socket_path="/run/r", password="CANARY")))


@pytest.mark.parametrize("url", [None, "", "CANARY", "http://:CANARY@h", "redis://:CANARY@h:port", 5])
def test_what_is_no_address_is_an_error_without_the_password(url: Any) -> None:
    """A URL that leads nowhere is refused where it is given, and not shown."""
    with pytest.raises(UsageError, match="redis://:password@host") as caught:
        RedisTokenStore(url)
    assert "CANARY" not in shown(caught.value)
    with pytest.raises(UsageError, match="timeout=") as caught:
        RedisTokenStore("redis://:CANARY@h", timeout=0)
    assert "CANARY" not in shown(caught.value)


async def answer_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as something does that is no Redis."""
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 20)
    await writer.drain()
    writer.close()


async def fails(store: RedisTokenStore, use: int, text: str) -> float:
    """Use a store, which fails with such a text and shows no secret; return the seconds that it took."""
    uses: list[Callable[[], Any]] = [
        lambda: store.save(KEY, record(1)),
        lambda: store.lease(KEY).__aenter__(),
        lambda: store.load(KEY),
    ]
    begun = time.perf_counter()
    with pytest.raises(TokenStoreError, match=text) as caught:
        await uses[use]()
    seconds = time.perf_counter() - begun
    assert store._place in caught.value.message
    assert "CANARY" not in shown(caught.value)
    return seconds


FAULTS: dict[str, tuple[str, Callable[[RedisServer], Any], Callable[[RedisServer], Any]]] = {
    "paused": ("no answer within 1 s", RedisServer.pause, RedisServer.resume),
    "killed": ("no connection", RedisServer.kill, RedisServer.restart),
    "read only": (
        "ReadOnlyError",
        lambda server: server.command("REPLICAOF", "127.0.0.1", "1"),
        lambda server: server.command("REPLICAOF", "NO", "ONE"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("use", range(3))
@pytest.mark.parametrize("connected", [False, True])
async def test_a_failing_redis_is_an_error_in_time_and_then_left_alone(
    server: RedisServer, fault: str, use: int, *, connected: bool
) -> None:
    """Each use fails with a typed error within `timeout`, and at once later, until the breaker's time is over."""
    text, begin, end = FAULTS[fault]
    clock = Clock()
    store = RedisTokenStore(server.url, timeout=1.0, now=clock)
    if connected:
        assert await store.load(KEY) is None
    begin(server)
    use = 0 if fault == "read only" else use  # reading goes on there
    failing = await fails(store, use, text)
    alone = max([await fails(store, each, r"is left alone for 1\.0 s") for each in range(3)])
    figure(f"redis {fault}: an error after {failing * 1000:.1f} ms, {alone * 1000:.2f} ms while left alone")
    assert failing < 5, "an answer is not waited for again and again"
    assert alone < 1, "and not once while it is left alone"
    end(server)
    clock.time += 5.1
    assert await store.save(KEY, record(2))  # what was sent to a paused one may have been done after all
    await store.aclose()


async def test_a_client_that_is_lent_waits_no_longer_either(server: RedisServer) -> None:
    """A borrowed client may have no timeouts and try again and again: the store's own limit holds."""
    async with Redis(port=server.port, password=PASSWORD, socket_timeout=60, socket_connect_timeout=60) as client:
        await client.ping()
        store = RedisTokenStore(client=client, timeout=0.2)
        server.pause()
        assert await fails(store, 2, "no answer within 0.2 s") < 3
        server.resume()


async def test_a_wrong_password_is_an_error_that_does_not_show_it(server: RedisServer) -> None:
    """So is a missing one; the error tells which Redis refuses it."""
    for url in (server.url.replace(PASSWORD, "CANARYWRONG"), f"redis://127.0.0.1:{server.port}"):
        store = RedisTokenStore(url, timeout=5.0)
        assert await fails(store, 0, "refuses the password") < 5, "no answer is waited for"
        await store.aclose()


@pytest.mark.parametrize("silent", [False, True])
async def test_what_is_no_redis_is_an_error_in_time(*, silent: bool) -> None:
    """Whoever answers there in another tongue, or not at all: a typed error within `timeout`."""
    handlers: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(writer)
        await reader.read(100)
        if not silent:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 20)
            await writer.drain()

    timeout = 0.2 if silent else 5.0
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        store = RedisTokenStore(f"redis://:CANARY@127.0.0.1:{port}", timeout=timeout)
        assert await fails(store, 2, "no answer within 0.2 s" if silent else "is not Redis") < 5
        await store.aclose()
        for writer in handlers:
            writer.close()


async def test_the_breaker_waits_longer_each_time_and_then_tries_once(server: RedisServer) -> None:
    """1, 2, 4 s, and up to 60 s: then one call tries while the others fail; a success ends it."""
    clock = Clock()
    store = RedisTokenStore(server.url, now=clock, timeout=5.0)
    server.kill()
    for pause in (1, 2, 4, 8, 16, 32, 60, 60):
        answers = await asyncio.gather(*[store.load(KEY) for _ in range(5)], return_exceptions=True)
        texts = [str(one) for one in answers]
        assert sum("no connection" in text for text in texts) == (5 if pause == 1 else 1), texts
        assert sum("while it is tried again" in text for text in texts) == (0 if pause == 1 else 4)
        clock.time += pause - 0.5
        with pytest.raises(TokenStoreError, match=r"is left alone for 0\.5 s"):
            await store.load(KEY)
        clock.time += 1
    server.restart()
    assert await store.load(KEY) is None
    assert await asyncio.gather(*[store.load(KEY) for _ in range(5)]) == [None] * 5
    server.kill()
    with pytest.raises(TokenStoreError, match="no connection"):
        await store.load(KEY)
    with pytest.raises(TokenStoreError, match=r"is left alone for 1\.0 s"):
        await store.load(KEY)
    await store.aclose()


async def test_what_ends_late_does_not_close_the_breaker(server: RedisServer) -> None:
    """An answer to what was asked before the last failure tells nothing about the time after it."""
    clock = Clock()
    store = RedisTokenStore(server.url, now=clock, timeout=5.0)
    await store.load(KEY)
    server.pause()
    slow = asyncio.create_task(store.load(KEY))
    await anyio.sleep(0.01)
    store._breaker.leave(0, worked=False)
    server.resume()
    assert await slow is None
    with pytest.raises(TokenStoreError, match="left alone"):
        await store.load(KEY)
    await store.aclose()


async def test_many_tasks_share_a_few_connections(server: RedisServer) -> None:
    """500 loads at once are answered over at most 16 connections."""
    store = RedisTokenStore(server.url, timeout=10.0)
    await store.save(KEY, record(1))
    found = await asyncio.gather(*[store.load(KEY) for _ in range(500)])
    assert {one.version for one in found if one is not None} == {1}
    clients = server.command("CLIENT", "LIST").count(b"addr=127.0.0.1:") // 2 - 1
    figure(f"redis: 500 loads at once over {clients} connections")
    assert clients <= 16
    await store.aclose()


async def test_flushed_it_begins_anew(server: RedisServer) -> None:
    """After a flush there is no record, and the next one is kept; a lease that was flushed away harms nobody."""
    one, other = RedisTokenStore(server.url, timeout=5.0), RedisTokenStore(server.url, wait=0, timeout=5.0)
    async with one.lease(KEY):
        assert await one.save(KEY, record(8))
        server.flush()
        assert await other.load(KEY) is None
        async with other.lease(KEY):
            assert await other.save(KEY, record(1))
    async with other.lease(KEY):
        assert await other.save(KEY, record(2))
    await one.aclose()
    await other.aclose()


@pytest.mark.parametrize("fault", ["pause", "kill"])
async def test_what_was_done_under_a_lease_is_not_lost_with_it(
    server: RedisServer, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where Redis fails before the lease is given back, nothing is raised."""
    caplog.set_level(logging.DEBUG, "wxasset")
    store = RedisTokenStore(server.url, timeout=5.0)
    async with store.lease(KEY):
        getattr(server, fault)()
        store._timeout = 0.1  # only now: to give the lease may take a busy machine longer
    assert "ends by itself within 8 s" in caplog.text
    await store.aclose()


async def test_the_end_of_the_loop_cancels_what_is_under_way(server: RedisServer) -> None:
    """When every task is cancelled, as a loop does at its end, nobody is kept and the breaker stays as it was."""
    clock = Clock()
    store = RedisTokenStore(server.url, timeout=5.0, now=clock)
    assert await store.load(KEY) is None
    store._breaker.leave(0, worked=False)
    clock.time += 5.1
    server.pause()
    before = asyncio.all_tasks()
    caller = asyncio.create_task(store.load(KEY))
    await anyio.sleep(0.01)
    for task in asyncio.all_tasks() - before:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    server.resume()
    assert await store.load(KEY) is None
    await store.aclose()


async def test_cancelled_work_goes_to_its_end() -> None:
    """`run_shielded` finishes what it was given, then raises the cancellation, whatever came of the work."""
    done: list[int] = []

    async def work(number: int) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        done.append(number)
        if number:
            raise ValueError(number)

    for number in (0, 1):
        task = asyncio.create_task(run_shielded(work(number)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == list(range(number + 1))
    with pytest.raises(ValueError, match="7"):
        await run_shielded(work(7))


# Secrets


def shown(error: BaseException) -> str:
    """All that a log, a crash reporter or a debugger's traceback would show of an error."""
    texts = []
    for one in chain(error):
        texts += [str(one), repr(one), repr(one.args), repr(vars(one)), repr(pickle.dumps(one))]
        frames = traceback.StackSummary.extract(traceback.walk_tb(one.__traceback__), capture_locals=True)
        # The test's own frames hold the canary on purpose.
        texts += [f"{frame} {frame.locals}" for frame in frames if "/tests/" not in frame.filename]
    return "\n".join(texts)


@shared
async def test_no_secret_is_shown_whatever_happens(
    kind: str, address: str, tmp_path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Token and password are in no error, log record at DEBUG or attribute, and in no file that others can open."""
    caplog.set_level(logging.DEBUG)
    store = open_store(kind, address, wait=0)
    assert await store.save(KEY, record(1, refresh_token="CANARYREFRESH"))
    async with store.lease(KEY):
        assert await store.load(KEY)
        assert not await store.save(KEY, record(1))
        if kind == "redis":
            request.getfixturevalue("server").kill()
        else:
            file_of(address, "lock").chmod(0o644)
        task = asyncio.create_task(store.save(KEY, record(2)))
        with pytest.raises(TokenStoreError) as caught:
            await task
        assert "CANARY" not in shown(caught.value) + repr(task)
    attributes = {name: repr(getattr(store, name)) for name in type(store).__slots__ if not name.startswith("__")}
    assert "CANARY" not in repr(attributes)
    assert "CANARY" not in caplog.text + repr([one.args for one in caplog.records])
    for file in (one for one in tmp_path.rglob("*") if one.is_file()):
        assert b"CANARY" not in file.read_bytes() or stat.S_IMODE(file.stat().st_mode) == 0o600
    await store.aclose()


def test_the_stores_import_nothing_that_was_not_asked_for() -> None:
    """Importing the modules does not need redis."""
    code = "import sys, wxasset.tokens.file_store, wxasset.tokens.redis_store; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"redis"} & set(done.stdout.split())
