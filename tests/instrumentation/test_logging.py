"""The log: silent until it is set up, then what happened in words and in attributes, and never a secret."""

import logging
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from canaries import FAULTS, SECRET, token_reply
from policies import PATIENT
from raw_server import RawServer, reply
from wxasset import ClassicToken, NoToken, RetryPolicy, Timeouts, UploadOutcomeUnknown, UploadPolicy, Video, WxSession
from wxasset.errors import CredentialError, WxAssetError
from wxasset.simulator import Simulator

PHOTO = b"\xff\xd8\xff\xe0" + bytes(1000)
PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
PROGRAM = """
import asyncio, logging, sys
from wxasset import RetryPolicy, StaticToken, UploadOutcomeUnknown, UploadPolicy, WxSession
from wxasset.simulator import Simulator

async def main():
    async with Simulator() as sim:
        async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=RetryPolicy(wait_initial=0)) as wx:
            sim.fail("get_materialcount", "status:503")
            await wx.count_materials()
            sim.revoke_tokens()
            await wx.count_materials()
            sim.fail("add_material", "reset-before-commit")
            try:
                await wx.with_options(uploads=UploadPolicy(visibility=0)).add_material("image", b"\\xff\\xd8\\xff\\xe0")
            except UploadOutcomeUnknown:
                print("done")

asyncio.run(main())
"""


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """What a record has besides what each has."""
    return {name: value for name, value in vars(record).items() if name not in PLAIN}


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The logger, and the level, of each of our records."""
    return [(one.name, one.levelname) for one in caplog.records if one.name.startswith("wxasset")]


def test_the_log_is_silent_by_default() -> None:
    """A program that sets up no logging sees nothing of retries, refused tokens and lost replies, on neither stream."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_program_that_wants_the_log_gets_it() -> None:
    """The same program with `logging.basicConfig()` gets the warnings: it is silence by default, and no deafness."""
    program = PROGRAM.replace("asyncio.run", "logging.basicConfig(); asyncio.run")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    lines = done.stderr.splitlines()
    assert [one.split(":")[:2] for one in lines] == [
        ["WARNING", "wxasset.tokens"],
        ["WARNING", "wxasset.engine"],
        ["WARNING", "wxasset.engine"],
    ]


async def test_attempts_and_fetches_are_logged(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """Each attempt is a line of DEBUG with its numbers, a fetch of a token one of INFO with its life."""
    caplog.set_level(logging.DEBUG, "wxasset")
    async with WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
        await wx.count_materials()
    assert told(caplog) == [("wxasset.engine", "DEBUG"), ("wxasset.tokens", "INFO"), ("wxasset.engine", "DEBUG")]
    _, fetched, attempt = map(extras, caplog.records)
    assert fetched.pop("wx_duration") > 0
    assert fetched == {"wx_source": "StableToken", "wx_expires_in": 7200, "wx_shared": False}
    assert attempt.pop("wx_duration") > 0
    assert attempt.pop("wx_received") > 0
    assert attempt == {
        "wx_operation": "CountMaterials",
        "wx_path": "/cgi-bin/material/get_materialcount",
        "wx_attempt": 1,
        "wx_outcome": "ok",
        "wx_status": 200,
        "wx_sent": 0,
    }
    assert caplog.records[-1].getMessage().startswith("/cgi-bin/material/get_materialcount attempt 1 ok after 0.")


async def test_a_retry_is_logged(wx: WxSession, sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """Another attempt is a line of INFO that says why, and how long it waits."""
    await wx.count_materials()
    caplog.set_level(logging.INFO, "wxasset")
    sim.fail("get_materialcount", "errcode:-1")
    await wx.with_options(retry=RetryPolicy(wait_initial=0.01, wait_jitter=0)).count_materials()
    assert told(caplog) == [("wxasset.engine", "INFO")]
    (record,) = caplog.records
    more = extras(record)
    assert (more["wx_attempt"], more["wx_wait"], more["wx_reason"]) == (1, 0.01, "busy")
    assert (more["wx_error"], more["wx_errcode"]) == ("BusyError", -1)
    assert more["wx_rid"] in record.getMessage()


async def test_a_refused_token_is_logged(wx: WxSession, sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """A refused token is a warning, with WeChat's code and its request id."""
    await wx.count_materials()
    caplog.set_level(logging.WARNING, "wxasset")
    sim.revoke_tokens()
    await wx.count_materials()
    assert told(caplog) == [("wxasset.tokens", "WARNING")]
    more = extras(caplog.records[0])
    assert (more["wx_errcode"], more["wx_error"], bool(more["wx_rid"])) == (40001, "TokenRejectedError", True)


async def test_a_fetch_that_fails_is_logged(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """That no token could be had is said by the error, so it is no more than INFO in the log."""
    caplog.set_level(logging.INFO, "wxasset")
    async with WxSession(sim.appid, SECRET, base_url=sim.url) as wx:
        with pytest.raises(CredentialError):
            await wx.count_materials()
    assert told(caplog) == [("wxasset.tokens", "INFO")]
    assert extras(caplog.records[0])["wx_errcode"] == 40125


@pytest.mark.parametrize(
    ("fault", "levels", "finding"),
    [
        ("reset-after-commit", ["WARNING", "INFO"], "found"),
        ("reset-before-commit", ["WARNING", "WARNING"], "missing"),
    ],
)
async def test_a_lost_reply_is_logged(
    wx: WxSession, sim: Simulator, caplog: pytest.LogCaptureFixture, fault: str, levels: list[str], finding: str
) -> None:
    """A lost reply is a warning; that the upload was found is good news, and that it was not another warning."""
    await wx.count_materials()
    caplog.set_level(logging.INFO, "wxasset")
    sim.fail("add_material", fault)
    with suppress(UploadOutcomeUnknown):
        await wx.with_options(uploads=UploadPolicy(visibility=0)).add_material("image", PHOTO)
    assert told(caplog) == [("wxasset.engine", level) for level in levels]
    assert extras(caplog.records[-1])["wx_finding"] == finding


async def test_what_nobody_reads_is_not_put_together(
    wx: WxSession, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Above DEBUG there is no line for an attempt, and above INFO none for a retry."""
    await wx.count_materials()
    for level, lines in ((logging.DEBUG, 3), (logging.INFO, 1), (logging.WARNING, 0)):
        caplog.clear()
        caplog.set_level(level, "wxasset")
        sim.fail("get_materialcount", "status:503")
        await wx.count_materials()
        assert len(told(caplog)) == lines


async def test_what_a_server_says_stays_in_its_line(server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    """Line ends and escapes in WeChat's text cannot begin another line of the log."""
    caplog.set_level(logging.INFO, "wxasset")
    server.script = [reply({"errcode": -1, "errmsg": "busy\r\nCRITICAL forged \x1b[31m"})]
    async with WxSession(tokens=NoToken(), base_url=server.url, retry=PATIENT) as wx:
        with pytest.raises(WxAssetError):
            await wx.count_materials()
    messages = [one.getMessage() for one in caplog.records if one.name == "wxasset.engine"]
    assert len(messages) == 2
    assert all(one.isprintable() for one in messages)


HOSTILE = "no\r\nCRITICAL forged \x1b[31m\u202e\u2028\x85"
SAYING: dict[str, bytes] = {
    "errmsg": reply({"errcode": 40013, "errmsg": HOSTILE}),
    "errmsg of a throttled call": reply({"errcode": -1, "errmsg": HOSTILE}),
    "page": reply(HOSTILE.encode(), status="502 Bad Gateway"),
    "no JSON": reply(f"<html>{HOSTILE}".encode()),
    "half an error": reply(b'{"errcode":40013,"errmsg":"no\n\x1b[31m'),
    "storage": reply(b"<Error><Code>No&#27;[31m</Code><Message>&#10;&#x202e;</Message></Error>", status="403 No"),
    "reason": reply(b"", status="502 \x1b[31m"),
    "header": b"HTTP/1.1 200 OK\r\nX: \x1b[31m\x00\r\n\r\n",
    "key": reply(b'{"\\u001b[31m\\n":1}'),
    "value": reply({"voice_count": HOSTILE}),
}


@pytest.mark.parametrize("saying", SAYING)
@pytest.mark.parametrize("at", ["token", "call"])
async def test_no_text_from_outside_leaves_its_line(
    server: RawServer, caplog: pytest.LogCaptureFixture, tmp_path: Path, saying: str, at: str
) -> None:
    """Line ends, escapes and controls of direction are in no error, in none of its texts, and in no record."""
    caplog.set_level(logging.DEBUG, "wxasset")
    if at == "token":
        server.token_script = [SAYING[saying]]
    server.script = [SAYING[saying]]
    async with WxSession("wx1", SECRET, base_url=server.url, retry=PATIENT) as wx:
        for call in (
            wx.count_materials(),
            wx.add_material("image", PHOTO),
            wx.get_material("M", to=tmp_path),
            wx.download_video(Video(down_url=f"{server.url}/a\u202e"), tmp_path / "b"),
        ):
            with pytest.raises(WxAssetError) as caught:
                await call
            texts = [value for value in vars(caught.value).values() if isinstance(value, str)]
            assert all(one.isprintable() for one in (str(caught.value), repr(caught.value), *texts))
    ours = [one for one in caplog.records if one.name.startswith("wxasset")]
    assert ours
    assert all(text.isprintable() for one in ours for text in (one.getMessage(), *map(str, extras(one).values())))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", ["token", "call"])
async def test_no_line_has_a_secret(server: RawServer, caplog: pytest.LogCaptureFixture, fault: Any, at: str) -> None:
    """Whatever a peer does: neither text nor attributes show secret, token or query; none is a record's own."""
    caplog.set_level(logging.DEBUG, "wxasset")
    server.token_script = [fault if at == "token" else token_reply()]
    server.script = [fault]
    source, quick = ClassicToken("wx1", SECRET), Timeouts(stall=0.05)
    async with WxSession(tokens=source, base_url=server.url, retry=PATIENT, timeouts=quick) as wx:
        for call in (wx.count_materials(), wx.add_material("image", PHOTO), wx.del_material("M")):
            with suppress(WxAssetError):
                await call
    assert len(told(caplog)) >= 2
    shown = caplog.text + "".join(repr(vars(one)) for one in caplog.records)
    assert "CANARY" not in shown
    assert "access_token=" not in shown.replace("access_token=***", ""), "a peer may say so, without the token"
    assert all(name.startswith("wx_") for one in caplog.records for name in extras(one))
