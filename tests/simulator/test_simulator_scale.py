"""The simulator with a full library, under threads, and with requests that are none."""

import asyncio
import http.client
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from blockbuster import BlockBuster

from self_signed import self_signed
from simulated import ADD, COUNT, PNG, call, least_time, upload
from wxasset.simulator import Material, Simulator

LIST = "/cgi-bin/material/batchget_material"


def image(number: int, *, update_time: int | None = None) -> Material:
    """A material with a number as its id."""
    return Material(
        media_id=f"{number:064}", type="image", update_time=number if update_time is None else update_time, content=PNG
    )


def fill(sim: Simulator, count: int) -> None:
    """Put so many images into the library."""
    for number in range(count):
        sim.materials[f"{number:064}"] = image(number)


async def test_counts_and_lists_cost_the_same_with_a_full_library(sim: Simulator) -> None:
    """The processor time with 99,000 materials is that with 100; reading all of them took a hundred times as much."""
    token = sim.push_cloudbase_token()
    pages = [{"type": "image", "offset": offset, "count": 20} for offset in (0, 40, 98_980)]

    async def costs() -> list[float]:
        asked = [(COUNT, None), *((LIST, page) for page in pages)]
        return [await least_time(sim, path, page, cloudbase_access_token=token) for path, page in asked]

    fill(sim, 100)
    few = await costs()
    fill(sim, 99_000)
    assert all(now < 4 * before for now, before in zip(await costs(), [few[0], few[1], few[1], few[1]], strict=True))
    page = await call(sim, LIST, pages[2], query={"cloudbase_access_token": token})
    assert [item["media_id"] for item in page.document["item"]] == [f"{number:064}" for number in range(19, -1, -1)]
    assert page.document["total_count"] == 99_000


async def test_a_list_follows_every_change_of_the_library(sim: Simulator) -> None:
    """Materials set, replaced and removed by a test are listed by time, those of one time in the order they came."""
    token = sim.push_cloudbase_token()

    async def listed() -> list[int]:
        page = await call(sim, LIST, {"type": "image", "count": 20}, query={"cloudbase_access_token": token})
        assert page.document["total_count"] == len(sim.materials)
        return [int(item["media_id"]) for item in page.document["item"]]

    fill(sim, 5)
    assert await listed() == [4, 3, 2, 1, 0]
    sim.materials[f"{1:064}"] = image(1, update_time=9)
    assert await listed() == [1, 4, 3, 2, 0]
    sim.materials[f"{3:064}"] = image(3, update_time=9)
    assert await listed() == [3, 1, 4, 2, 0]
    del sim.materials[f"{4:064}"]
    assert sim.materials.pop(f"{0:064}").update_time == 0
    assert await listed() == [3, 1, 2]
    sim.materials.update({f"{7:064}": image(7)})
    assert sim.materials.popitem()[0]
    assert len(await listed()) == 3
    sim.materials.clear()
    assert await listed() == []


async def test_a_hidden_material_is_missing_for_its_time_only(sim: Simulator) -> None:
    """Lists skip it in the middle, and hold it in its place afterwards."""
    token = sim.push_cloudbase_token()
    fill(sim, 3)
    sim.fail("add_material", "hide-2s")
    await upload(sim, ADD, "image", "a.png", PNG)
    for seconds, count in ((0, 3), (3, 4)):
        sim.advance(seconds)
        page = await call(sim, LIST, {"type": "image", "count": 20}, query={"cloudbase_access_token": token})
        assert (page.document["total_count"], len(page.document["item"])) == (count, count)


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@contextmanager
def waiting_for_locks(watch: BlockBuster) -> Iterator[None]:
    """Let the loop wait for a lock: threads in tight loops hold each of them most of the time."""
    watch.functions["threading.Lock.acquire"].deactivate()
    try:
        yield
    finally:
        watch.functions["threading.Lock.acquire"].activate()


@pytest.mark.usefixtures("hasty", "unmeasured")  # a tracer of coverage has failed in a thread that began
def test_every_control_works_in_threads_while_requests_run(blockbuster: BlockBuster) -> None:
    """Eight threads use everything that is documented for threads, in tight loops, beside uploads and token calls."""
    with waiting_for_locks(blockbuster), Simulator() as sim:
        other, numbers, stopped = sim.add_account(), iter(range(10**6)), threading.Event()
        failures, made = list[BaseException](), list[str]()
        controls: tuple[tuple[Callable[[], object], ...], ...] = (
            (lambda: made.append(sim.add_article(title="t")),),
            (lambda: [one.update_time for one in sim.materials.values()], lambda: list(sim.materials.items())),
            (lambda: sim.add_cloud_file("e", f"p{next(numbers)}", b"x"), lambda: dict(sim.cloud_files)),
            (sim.revoke_tokens, sim.expire_tokens, other.revoke_tokens, sim.push_cloudbase_token),
            (lambda: sim.fail("uploadimg", "html"), lambda: (sim.faults, sim.unused_faults), sim.clear_faults),
            (lambda: sim.advance(1), lambda: sim.add_account(appid=f"wx{next(numbers)}"), lambda: list(sim.accounts)),
            (lambda: list(sim.journal), lambda: sim.journal.select(errcode=0), sim.journal.clear),
            (lambda: sim.add_jssdk_voice(b"x"), lambda: list(sim.temporary_media.values()), sim.platform.push_ticket),
        )

        def hammer(acts: tuple[Callable[[], object], ...]) -> None:
            try:
                while not stopped.is_set():
                    for act in acts:
                        act()
            except BaseException as error:  # noqa: BLE001 - told by the test
                failures.append(error)

        fill(sim, 2_000)  # so that an iteration takes longer than the turn of a thread
        threads = [threading.Thread(target=hammer, args=(one,)) for one in controls]
        for thread in threads:
            thread.start()
        try:
            answers = list(requests(sim, 4))
        finally:  # or they would hold up all tests after this one
            stopped.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert set(answers) == {200}
        assert len(set(made)) == len(made) > 0
        assert set(made) <= set(sim.materials)


def requests(sim: Simulator, times: int) -> Iterator[int]:
    """Ask for tokens, and upload temporary media and images with them; gives the statuses."""
    address = sim.url.removeprefix("http://")
    form = b'--b\r\nContent-Disposition: form-data; name="media"; filename="a.png"\r\n\r\n' + PNG + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        for number in range(times):
            token = sim.push_cloudbase_token()
            path = ("/cgi-bin/material/add_material", "/cgi-bin/media/upload")[number % 2]
            asked = f"/cgi-bin/token?grant_type=client_credential&appid={sim.appid}&secret={sim.secret}"
            connection.request("GET", asked)
            yield read(connection)
            connection.request("POST", f"{path}?type=image&cloudbase_access_token={token}", form, headers)
            yield read(connection)


def read(connection: http.client.HTTPConnection) -> int:
    """The status of a response, read to its end."""
    reply = connection.getresponse()
    reply.read()
    return reply.status


HEAD = b"POST /_sim/faults HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
MALFORMED = {
    "garbage": bytes(range(256)) * 10,
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\nabc\r\n",
    "cut chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\nabc",
    "cut body": HEAD + b"Content-Length: 1000\r\n\r\nabc",
    "cut upload": b"POST /cgi-bin/media/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nabc",
    "huge header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
    "huge path": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "bad path": b"GET /\xff\xfe?a=\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "bad URL": b"GET http://[::1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "bad length": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "bad host": b"GET / HTTP/1.1\r\nHost: [::\xff\r\n\r\n",
    "bad header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nnocolon\r\n\r\n",
    "rest of an upgrade": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nxx",
}


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_a_malformed_request_prints_no_traceback(
    secure: bool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever comes over a socket, nothing is logged above DEBUG or printed, and the next request is served."""
    async with Simulator(tls=self_signed() if secure else None) as sim:
        port = int(sim.url.rpartition(":")[2])
        for data in MALFORMED.values():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(data)
                if writer.can_write_eof():
                    writer.write_eof()
                async with asyncio.timeout(5):
                    await reader.read()
            except ConnectionError:
                pass  # what was not read is a reset
            finally:
                writer.close()
        if not secure:
            assert (await call(sim, COUNT)).status == 200
    said = [record for record in caplog.records if record.levelno > logging.DEBUG]
    assert [record.getMessage() for record in said] == []
    assert capfd.readouterr().err == ""
