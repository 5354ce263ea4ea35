"""Tests of the doctor against real faults: each finding names the fault and a remedy."""

import asyncio
import fcntl
import json
import os
import re
import signal
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import trustme
from anyio import to_thread
from attrs import frozen

import wxasset
from raw_server import Connection as RawConnection
from raw_server import RawRequest, RawServer, forever, reply
from redis_server import PASSWORD, RedisServer, free_port, redis_server
from wxasset import (
    ClassicToken,
    FileTokenStore,
    Ledger,
    StableToken,
    TokenCache,
    TokenSource,
    UploadOutcomeUnknown,
    UploadPolicy,
    WxSession,
)
from wxasset.cli.doctor import route
from wxasset.cli.doctor.checks import Context, run_checks
from wxasset.cli.doctor.findings import LABELS, Finding, Status
from wxasset.simulator import Simulator, SimulatorOptions

__all__ = ["redis_server"]

ROOT: Final = Path(wxasset.__file__).parent.parent
HELD_UP: Final = 60.0  # seconds; no command here takes as long, unless something hangs
COUNT: Final = "/cgi-bin/material/get_materialcount"
NO_TOKEN: Final = {"errcode": 41001, "errmsg": "access_token missing"}
READS: Final = {
    "/cgi-bin/get_api_domain_ip",
    "/cgi-bin/stable_token",
    COUNT,
    "/cgi-bin/material/batchget_material",
    "/cgi-bin/material/get_material",
    "/cgi-bin/media/get",
    "/cgi-bin/openapi/quota/get",
}
needs_modes = pytest.mark.skipif(sys.platform == "win32", reason="modes do not say there who may read")
CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


def variables(service: Simulator, **more: str) -> dict[str, str]:
    """Environment variables for a simulator."""
    own = {"WXASSET_APPID": service.appid, "WXASSET_SECRET": service.secret, "WXASSET_BASE_URL": service.url}
    return own | more


def for_raw(url: str, **more: str) -> dict[str, str]:
    """Environment variables for a raw server."""
    return {"WXASSET_APPID": "wx" + "1" * 16, "WXASSET_SECRET": "2" * 32, "WXASSET_BASE_URL": url} | more


async def examined(
    environ: Mapping[str, str], *, ledger: Path | None = None, env: str | None = None
) -> dict[str, Finding]:
    """Go the whole round; every check has one finding, and every text is in both languages."""
    nowhere = {"WXASSET_CREDENTIALS": "/nowhere/credentials.toml"}
    context = await to_thread.run_sync(lambda: Context.find(nowhere | dict(environ), ledger=ledger, env=env))
    found = {one.check: one async for one in run_checks(context)}
    assert set(found) == set(LABELS)
    for one in found.values():
        assert one.message.english
        assert one.message.chinese
        assert one.remedy is None or CHINESE.search(one.remedy.chinese)
        assert (one.remedy is not None) == (one.status in {Status.WARNING, Status.FAILED})
    return found


def failures(found: Mapping[str, Finding]) -> set[str]:
    """Names of failed checks."""
    return {name for name, one in found.items() if one.status is Status.FAILED}


def advice(found: Mapping[str, Finding], check: str) -> str:
    """Message and remedy of a check, in both languages."""
    one = found[check]
    return f"{one.message.english} {one.message.chinese} {one.remedy or ''}"


@frozen
class Answers:
    """Responses of a raw server by path; other paths return 41001 without a token, as WeChat does."""

    by_path: Mapping[str, object]

    async def __call__(self, request: RawRequest, connection: RawConnection) -> None:
        document = self.by_path.get(request.path, NO_TOKEN)
        assert isinstance(document, dict)
        await connection.send(reply(document))


# All is well


async def test_nothing_is_wrong(sim: Simulator) -> None:
    """Without faults no check fails or warns."""
    found = await examined(variables(sim))
    assert {one.status for one in found.values()} == {Status.OK, Status.SKIPPED}
    assert {name for name, one in found.items() if one.status is Status.SKIPPED} == {
        *("store", "redis", "shared_token", "ledger")
    }


async def test_the_round_only_reads(sim: Simulator, wx: WxSession) -> None:
    """The doctor makes reading calls, fetches one token without forcing it, and leaves the account's token valid."""
    await wx.count_materials()
    before = len(sim.journal)
    await examined(variables(sim))
    seen = sim.journal[before:]
    assert {entry.path for entry in seen} == READS
    assert sum(entry.path == "/cgi-bin/stable_token" for entry in seen) == 1
    assert {entry.token for entry in [*sim.journal[:before], *seen] if entry.token is not None} == {1}
    await wx.count_materials()


# Credentials


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"WXASSET_APPID": "", "WXASSET_SECRET": ""}, Status.FAILED, "WXASSET_APPID is not set"),
        ({"WXASSET_SECRET": ""}, Status.FAILED, "missing: WXASSET_SECRET"),
        ({"WXASSET_APPID": "gh_0123456789ab"}, Status.FAILED, "original id"),
        ({"WXASSET_APPID": "1" * 32, "WXASSET_SECRET": "wx" + "1" * 16}, Status.FAILED, "are swapped"),
        ({"WXASSET_SECRET": "\n" + "2" * 32}, Status.FAILED, "a blank or a line end"),
        ({"WXASSET_APPID": "my-app"}, Status.WARNING, "16 hexadecimal digits"),
        ({"WXASSET_SECRET": "changeme"}, Status.WARNING, "32 hexadecimal digits"),
    ],
)
async def test_the_shape_of_credentials(changes: dict[str, str], status: Status, words: str) -> None:
    """Missing or invalid values are reported before WeChat is called, with the place to copy them from."""
    found = await examined(for_raw(f"http://127.0.0.1:{free_port()}") | changes)
    assert found["credentials"].status is status
    assert words in advice(found, "credentials")


async def test_a_secret_in_the_place_of_the_appid() -> None:
    """With swapped values the AppSecret is not shown as an appid, even if a server repeats it."""
    secret = "2b" * 16
    refusal = reply({"errcode": 40013, "errmsg": f"invalid appid {secret}"})
    async with RawServer(script=[Answers({})], token_script=[refusal]) as server:
        changed = {"WXASSET_APPID": secret, "WXASSET_SECRET": "wx" + "1" * 16}
        found = await examined(for_raw(server.url) | changed)
    assert failures(found) == {"credentials", "token"}
    assert "***" in found["token"].message.english
    assert secret not in str(found)


@needs_modes
async def test_a_credentials_file_that_others_can_read(sim: Simulator, tmp_path: Path) -> None:
    """The file is not used, and the chmod command is named; the network is checked all the same."""
    file = tmp_path / "credentials.toml"
    file.write_text(f'[shop]\nappid = "{sim.appid}"\nsecret = "{sim.secret}"\nbase_url = "{sim.url}"\n')
    file.chmod(0o644)
    environ = {"WXASSET_CREDENTIALS": str(file), "WXASSET_BASE_URL": sim.url}
    found = await examined(environ)
    assert failures(found) == {"credentials"}
    assert f"chmod 600 {file}" in advice(found, "credentials")
    assert found["token"].status is Status.SKIPPED
    file.chmod(0o600)
    assert not failures(await examined(environ))


@pytest.mark.parametrize(
    ("appid", "secret", "refusal", "code", "words"),
    [
        ("wx" + "0" * 16, None, None, 40013, "appid"),
        (None, "0" * 32, None, 40125, "AppSecret"),
        (None, None, 40243, 40243, "冻结"),
        (None, None, 50004, 50004, "mp.weixin.qq.com"),
        (None, None, 50007, 50007, "restored"),
    ],
)
async def test_credentials_that_wechat_refuses(
    sim: Simulator, appid: str | None, secret: str | None, refusal: int | None, code: int, words: str
) -> None:
    """An unknown appid, a wrong or frozen AppSecret, a barred account: each is told by its code, with its cure."""
    sim.options = SimulatorOptions(token_refusal=refusal)
    given = {"WXASSET_APPID": appid or sim.appid, "WXASSET_SECRET": secret or sim.secret}
    found = await examined(variables(sim) | given)
    assert failures(found) == {"token"}
    assert found["token"].evidence["errcode"] == code
    assert words in advice(found, "token")
    assert found["permissions"].status is found["quota"].status is found["address"].status is Status.SKIPPED
    assert "WxSession(" not in advice(found, "token"), "a command has options and variables, and no Python"


async def test_an_address_that_is_not_listed() -> None:
    """40164 is reported with the address seen by WeChat and the place in the console."""
    said = "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 61250a39-612fed42-36740516"
    async with RawServer(script=[Answers({})], token_script=[reply({"errcode": 40164, "errmsg": said})]) as server:
        found = await examined(for_raw(server.url))
    assert failures(found) == {"address"}
    assert found["address"].evidence["ip"] == "203.0.113.7"
    assert re.search("Add 203.0.113.7 at 微信开发者平台 .* IP白名单; it takes CIDR", advice(found, "address"))
    assert "中添加 203.0.113.7" in advice(found, "address")
    assert found["token"].status is Status.SKIPPED


async def test_an_address_that_the_simulator_does_not_let_in(sim: Simulator) -> None:
    """The same with an enforced address list."""
    sim.options = SimulatorOptions(allowed_addresses=frozenset({"203.0.113.7"}))
    found = await examined(variables(sim))
    assert failures(found) == {"address"}
    assert "127.0.0.1" in advice(found, "address")


async def test_an_address_that_an_administrator_has_to_confirm(sim: Simulator) -> None:
    """89503 is about the address too, and has another cure."""
    sim.options = SimulatorOptions(token_refusal=89503)
    found = await examined(variables(sim))
    assert failures(found) == {"address"}
    assert "administrator" in advice(found, "address")


# Permissions, library, quota


async def test_a_mini_program_has_no_library(sim: Simulator) -> None:
    """48001 on the library's endpoints is reported with the required kind of account and the place in the console."""
    sim.options = SimulatorOptions(account_kind="mini_program")
    found = await examined(variables(sim))
    assert failures(found) == {"permissions"}
    assert found["permissions"].evidence == {
        COUNT: "48001",
        "/cgi-bin/material/batchget_material": "48001",
        "/cgi-bin/material/get_material": "ok",
        "/cgi-bin/media/get": "ok",
    }
    assert "接口权限" in advice(found, "permissions")
    assert "mini program" in advice(found, "permissions")
    assert found["library"].status is Status.SKIPPED


async def test_a_single_interface_that_is_missing(sim: Simulator) -> None:
    """A missing endpoint is named; the others are ok."""
    sim.options = SimulatorOptions(unauthorized_paths=frozenset({"/cgi-bin/media/get"}))
    found = await examined(variables(sim))
    assert failures(found) == {"permissions"}
    assert "may not call /cgi-bin/media/get (48001)" in advice(found, "permissions")


@pytest.mark.parametrize(("code", "status"), [(None, Status.OK), (-501008, Status.FAILED), (85088, Status.FAILED)])
async def test_a_cloud_environment(sim: Simulator, code: int | None, status: Status) -> None:
    """A given environment is queried for a missing file; a refusal names the endpoint."""
    if code is not None:
        sim.fail("/tcb/batchdownloadfile", f"errcode:{code}", times=None)
    found = await examined(variables(sim), env="prod-1")
    assert found["permissions"].status is status
    assert found["permissions"].evidence["/tcb/batchdownloadfile"] == ("ok" if code is None else str(code))


async def test_a_token_that_is_refused_at_once(sim: Simulator) -> None:
    """A stable token revoked immediately points to a program forcing the refresh."""
    sim.fail(COUNT, "revoke-token")
    found = await examined(variables(sim))
    assert "permissions" in failures(found)
    assert "force_refresh" in advice(found, "permissions")


async def test_an_endpoint_that_is_busy(sim: Simulator) -> None:
    """A response without information about the permission is a warning, not a failure."""
    sim.fail(COUNT, "errcode:-1", times=None)
    found = await examined(variables(sim))
    assert not failures(found)
    assert found["permissions"].status is Status.WARNING
    assert f"{COUNT} (-1)" in advice(found, "permissions")


@pytest.mark.parametrize(
    ("voices", "status", "words"),
    [(1, Status.OK, "voice 1 of 1,000"), (900, Status.WARNING, "nearly full"), (1000, Status.FAILED, "is full")],
)
async def test_a_library_near_its_cap(voices: int, status: Status, words: str) -> None:
    """A library is warned of at nine tenths; a full one fails."""
    count = {"voice_count": voices, "video_count": 0, "image_count": 0, "news_count": 0}
    async with RawServer(script=[Answers({COUNT: count})]) as server:
        found = await examined(for_raw(server.url))
    assert found["library"].status is status
    assert words in advice(found, "library")


@pytest.mark.parametrize(
    ("limit", "status", "words"),
    [(1, Status.FAILED, "No calls are left today for /cgi-bin/media/get"), (100, Status.OK, "5 of them")],
)
async def test_a_quota_that_is_spent(sim: Simulator, limit: int, status: Status, words: str) -> None:
    """An endpoint without calls left is named, and when the count starts again."""
    sim.options = SimulatorOptions(daily_limits={"/cgi-bin/media/get": limit, COUNT: 100})
    found = await examined(variables(sim))
    assert found["quota"].status is status
    assert words in advice(found, "quota")


async def test_a_quota_that_is_nearly_spent(sim: Simulator, wx: WxSession) -> None:
    """Nine tenths of a day's calls are a warning."""
    sim.options = SimulatorOptions(daily_limits={COUNT: 10})
    for _ in range(8):
        await wx.count_materials()
    found = await examined(variables(sim))
    assert found["quota"].status is Status.WARNING
    assert "北京时间零点" in advice(found, "quota")


# Clock


@pytest.mark.parametrize(
    ("seconds", "status", "words"),
    [
        (0, Status.OK, "agrees"),
        (50, Status.OK, "agrees"),
        (90, Status.WARNING, "behind WeChat's"),
        (-90, Status.WARNING, "ahead of WeChat's"),
        (3600, Status.FAILED, "NTP|ntp"),
        (-3600, Status.FAILED, "快 3,6"),
    ],
)
async def test_a_clock_that_is_wrong(seconds: float, status: Status, words: str) -> None:
    """The server's Date is compared with this clock: more than a minute is warned of, more than five fail."""
    async with Simulator(clock=lambda: time.time() + seconds) as sim:
        found = await examined(variables(sim))
    assert found["clock"].status is status
    assert re.search(words, advice(found, "clock"))


# The way to the host


async def test_a_name_that_leads_nowhere() -> None:
    """A host without an address fails with the resolver's reason; dependent checks are skipped."""
    found = await examined(for_raw("https://nowhere.invalid"))
    assert failures(found) == {"connection"}
    assert "nowhere.invalid cannot be resolved" in advice(found, "connection")
    assert {found[check].status for check in ("clock", "token")} == {Status.SKIPPED}


async def test_a_port_that_nobody_listens_on() -> None:
    """A refused connection is told with the system's reason."""
    found = await examined(for_raw(f"http://127.0.0.1:{free_port()}"))
    assert failures(found) == {"connection"}
    assert re.search("Cannot connect to .* refused", advice(found, "connection"))


async def test_a_host_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host accepting connections without responding is reported after a timeout."""
    monkeypatch.setattr(route, "PATIENCE", 1.0)
    async with RawServer(script=[forever]) as server:
        found = await examined(for_raw(server.url))
    assert failures(found) == {"connection"}
    assert "no response in time" in advice(found, "connection")


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"<html>Please log in</html>", "text/html"),
        reply(b"", status="302 Found"),
        reply(b"blocked", status="403 Forbidden"),
        b"220 smtp.example.com\r\n\r\n",
    ],
    ids=["portal", "redirect", "gateway", "no HTTP"],
)
async def test_somebody_else_answers(answer: bytes) -> None:
    """A captive portal or a gateway in the place of WeChat is found, and gets no secret."""
    async with RawServer(script=[answer]) as server:
        found = await examined(for_raw(server.url))
        assert not server.token_requests
    assert failures(found) == {"connection"}
    assert "not WeChat's API" in advice(found, "connection")


@pytest.mark.parametrize("url", ["ftp://api.weixin.qq.com", "http://api.example.com"])
async def test_a_base_url_that_sessions_refuse(url: str) -> None:
    """An address with another scheme, or without TLS, fails without a connection."""
    found = await examined(for_raw(url))
    assert failures(found) == {"connection"}
    assert "WXASSET_BASE_URL" in advice(found, "connection")
    assert found["token"].status is Status.SKIPPED


# TLS


def serving(
    authority: trustme.CA, name: str, *, begins: datetime | None = None, ends: datetime | None = None
) -> ssl.SSLContext:
    """TLS with a certificate of this authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_before=begins, not_after=ends).configure_cert(context)
    return context


NOW: Final = datetime.now(UTC)


@pytest.mark.parametrize(
    ("trusted", "name", "dates", "words"),
    [
        (False, "127.0.0.1", {}, "issued by 'Inspecting Proxy Inc', is not trusted here"),
        (True, "example.com", {}, "The certificate is for example.com, not for 127.0.0.1"),
        (True, "127.0.0.1", {"ends": NOW - timedelta(days=1)}, "is not valid now: "),
        (True, "127.0.0.1", {"begins": NOW + timedelta(days=1)}, "is not valid now: "),
    ],
    ids=["intercepted", "other host", "expired", "too early"],
)
async def test_tls_that_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    trusted: bool,
    name: str,
    dates: dict[str, datetime],
    words: str,
) -> None:
    """An untrusted, expired or early certificate, or one of another host, is reported with its fields."""
    authority = trustme.CA(organization_name="Inspecting Proxy Inc")
    if trusted:
        authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    async with RawServer(script=[Answers({})], tls=serving(authority, name, **dates)) as server:
        found = await examined(for_raw(server.url))
        assert server.requests == server.token_requests == []
    assert failures(found) == {"connection"}
    assert words in advice(found, "connection")
    assert found["connection"].evidence["issuer"] == "Inspecting Proxy Inc"
    assert found["clock"].status is found["token"].status is Status.SKIPPED


async def test_tls_that_is_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the authority in SSL_CERT_FILE all is well."""
    authority = trustme.CA(organization_name="My Company")
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    async with RawServer(script=[Answers({})], tls=serving(authority, "127.0.0.1")) as server:
        found = await examined({"WXASSET_BASE_URL": server.url})
    assert failures(found) == {"credentials"}
    assert found["connection"].status is Status.OK
    assert "certificate issued by My Company" in advice(found, "connection")


async def test_authorities_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing SSL_CERT_FILE is named; variables not read by wxasset are listed as ignored."""
    environ = {"SSL_CERT_FILE": "/nowhere/ca.pem", "REQUESTS_CA_BUNDLE": "/etc/ca.pem"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    async with RawServer(tls=serving(trustme.CA(), "127.0.0.1")) as server:
        found = await examined(for_raw(server.url, **environ))
    assert failures(found) == {"connection"}
    assert "/nowhere/ca.pem does not exist" in advice(found, "connection")
    assert found["connection"].evidence["ignored"] == ["REQUESTS_CA_BUNDLE"]


async def test_a_port_without_tls(sim: Simulator) -> None:
    """A port without TLS is reported for an https address."""
    found = await examined(variables(sim, WXASSET_BASE_URL=sim.url.replace("http:", "https:")))
    assert failures(found) == {"connection"}
    assert "does not speak TLS" in advice(found, "connection")


# Proxies


async def test_proxy_variables_are_not_for_an_address_without_https(
    monkeypatch: pytest.MonkeyPatch, sim: Simulator
) -> None:
    """The doctor connects directly, as wxasset does, since a proxy could read the secrets."""
    async with RawServer(script=[forever]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
        found = await examined(variables(sim))
        assert not proxy.connections
    assert not failures(found)
    assert "connected directly" in advice(found, "connection")


# Where tokens are shared


async def test_a_token_file_that_is_in_order(sim: Simulator, tmp_path: Path) -> None:
    """A writable directory with locks is ok, and the trial files are removed."""
    found = await examined(variables(sim, WXASSET_TOKEN_STORE=str(tmp_path / "token.json")))
    assert found["store"].status is Status.OK
    assert found["shared_token"].status is found["redis"].status is Status.SKIPPED
    assert "through a file" in found["redis"].message.english
    assert not os.listdir(tmp_path)


async def test_a_directory_that_is_missing(sim: Simulator, tmp_path: Path) -> None:
    """A missing directory fails with the mkdir command."""
    found = await examined(variables(sim, WXASSET_TOKEN_STORE=str(tmp_path / "no" / "token.json")))
    assert failures(found) == {"store"}
    assert f"mkdir -p -m 700 {tmp_path / 'no'}" in advice(found, "store")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a directory in which not even root can make files")
async def test_a_directory_that_cannot_be_written(sim: Simulator) -> None:
    """A directory refusing files even from root fails: permissions are tried, not derived from the mode."""
    found = await examined(variables(sim, WXASSET_TOKEN_STORE="/proc/token.json"))
    assert failures(found) == {"store"}
    assert "Files in /proc cannot be written, locked and replaced" in advice(found, "store")


@needs_modes
@pytest.mark.parametrize(("fault", "words"), [("open to others", "chmod 600"), ("a symbolic link", "symbolic link")])
async def test_a_token_file_that_must_not_be_used(sim: Simulator, tmp_path: Path, fault: str, words: str) -> None:
    """A file refused by the store is reported with the store's remedy."""
    file = tmp_path / "token.json"
    if fault == "a symbolic link":
        file.symlink_to(tmp_path / "other.json")
    else:
        file.write_text("{}")
        file.chmod(0o644)
    found = await examined(variables(sim, WXASSET_TOKEN_STORE=str(file)))
    assert failures(found) == {"store"}
    assert words in advice(found, "store")


async def test_a_lock_that_is_held(sim: Simulator, tmp_path: Path) -> None:
    """A lock held by another process is a warning with its path."""
    file = tmp_path / "token.json"
    lock = tmp_path / "token.json.d" / "key.lock"
    lock.parent.mkdir(0o700)
    lock.touch(0o600)
    with lock.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = await examined(variables(sim, WXASSET_TOKEN_STORE=str(file)))
    assert found["store"].status is Status.WARNING
    assert str(lock) in advice(found, "store")


async def kept(store: FileTokenStore, source: TokenSource, sim: Simulator) -> None:
    """Fetch a token and keep it in a store."""
    async with WxSession(tokens=TokenCache(source, store=store), base_url=sim.url) as wx:
        await wx.count_materials()


def contents(directory: Path) -> dict[Path, bytes]:
    """The files below a directory."""
    return {one: one.read_bytes() for one in directory.rglob("*") if one.is_file()}


async def test_a_shared_token_that_is_valid(sim: Simulator, tmp_path: Path) -> None:
    """Stored tokens are tried, and the store is not changed."""
    file = tmp_path / "token.json"
    await kept(FileTokenStore(file), StableToken(sim.appid, sim.secret), sim)
    await kept(FileTokenStore(file), ClassicToken(sim.appid, sim.secret), sim)
    before = contents(tmp_path)
    found = await examined(variables(sim, WXASSET_TOKEN_STORE=str(file)))
    assert found["shared_token"].status is Status.OK
    assert set(found["shared_token"].evidence) == {"stable", "classic"}
    assert contents(tmp_path) == before


async def test_another_program_ends_the_classic_token(sim: Simulator, tmp_path: Path) -> None:
    """A classic token rejected before its expiry points to another program, and to the stable token."""
    file = tmp_path / "token.json"
    await kept(FileTokenStore(file), ClassicToken(sim.appid, sim.secret), sim)
    async with WxSession(tokens=ClassicToken(sim.appid, sim.secret), base_url=sim.url) as other:
        await other.count_materials()
    sim.advance(301)  # both tokens live side by side for five minutes
    found = await examined(variables(sim, WXASSET_TOKEN_STORE=str(file)))
    assert failures(found) == {"shared_token", "clock"}  # the clock that was moved shows as well
    assert "Another program fetches /cgi-bin/token" in advice(found, "shared_token")
    assert "stable token" in advice(found, "shared_token")


async def test_a_redis_that_is_in_order(sim: Simulator, redis_server: RedisServer) -> None:
    """Redis is reported with its version and without its password; it stays empty."""
    redis_server.flush()
    found = await examined(variables(sim, WXASSET_TOKEN_STORE=redis_server.url))
    assert found["redis"].status is Status.OK
    assert "through Redis" in found["store"].message.english
    assert re.match(r"\d+\.\d+", str(found["redis"].evidence["version"]))
    assert redis_server.command("DBSIZE") == b":0\r\n"
    assert PASSWORD not in str(found)


async def test_a_redis_with_another_password(sim: Simulator, redis_server: RedisServer) -> None:
    """An incorrect password is reported as such and not shown."""
    found = await examined(variables(sim, WXASSET_TOKEN_STORE=redis_server.url.replace(PASSWORD, "WRONGCANARY")))
    assert failures(found) == {"redis"}
    assert "refuses the password" in advice(found, "redis")
    assert "WRONGCANARY" not in str(found)


async def test_a_redis_that_is_down(sim: Simulator) -> None:
    """A stopped Redis fails its check only."""
    found = await examined(variables(sim, WXASSET_TOKEN_STORE=f"redis://127.0.0.1:{free_port()}/0"))
    assert failures(found) == {"redis"}
    assert "no connection" in advice(found, "redis")
    assert found["shared_token"].status is Status.SKIPPED


async def test_something_else_in_the_place_of_redis(sim: Simulator) -> None:
    """A server other than Redis fails the check."""
    found = await examined(variables(sim, WXASSET_TOKEN_STORE=sim.url.replace("http:", "redis:")))
    assert failures(found) == {"redis"}


async def test_a_redis_that_throws_tokens_away(sim: Simulator, redis_server: RedisServer) -> None:
    """An eviction policy affecting tokens and leases is a warning."""
    redis_server.command("CONFIG", "SET", "maxmemory", "100mb")
    redis_server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        found = await examined(variables(sim, WXASSET_TOKEN_STORE=redis_server.url))
    finally:
        redis_server.restart()
    assert found["redis"].status is Status.WARNING
    assert "noeviction" in advice(found, "redis")


async def test_a_redis_that_is_a_replica(sim: Simulator, redis_server: RedisServer) -> None:
    """A replica cannot be written to, and fails."""
    redis_server.command("REPLICAOF", "127.0.0.1", str(free_port()))
    try:
        found = await examined(variables(sim, WXASSET_TOKEN_STORE=redis_server.url))
    finally:
        redis_server.restart()
    assert failures(found) == {"redis"}
    assert "replica" in advice(found, "redis")


async def test_a_token_store_of_no_kind(sim: Simulator) -> None:
    """An address with another scheme is refused, without its possible secrets."""
    found = await examined(variables(sim, WXASSET_TOKEN_STORE="mysql://root:CANARY@db/tokens"))
    assert failures(found) == {"store"}
    assert "CANARY" not in str(found)


# Ledger


async def test_a_ledger_that_is_whole(sim: Simulator, wx: WxSession, tmp_path: Path, photo: bytes) -> None:
    """A ledger is reported with the counts of its uploads, and no file is left next to it."""
    file = tmp_path / "uploads.db"
    async with Ledger(file) as ledger:
        await wx.ensure_material("image", photo, filename="a.jpg", ledger=ledger)
    found = await examined(variables(sim), ledger=file)
    assert found["ledger"].status is Status.OK
    assert found["ledger"].evidence["done"] == 1
    assert os.listdir(tmp_path) == ["uploads.db"]


async def test_an_upload_whose_outcome_is_not_known(sim: Simulator, tmp_path: Path, photo: bytes) -> None:
    """Uploads of unknown outcome are a warning with a remedy."""
    file = tmp_path / "uploads.db"
    sim.fail("add_material", "hide-600s,reset-after-commit")
    policy = UploadPolicy(reconcile="raise")
    async with Ledger(file) as ledger, WxSession(sim.appid, sim.secret, base_url=sim.url, uploads=policy) as wx:
        with pytest.raises(UploadOutcomeUnknown):
            await wx.ensure_material("image", photo, filename="a.jpg", ledger=ledger)
    found = await examined(variables(sim), ledger=file)
    assert found["ledger"].status is Status.WARNING
    assert "outcome of 1 uploads" in advice(found, "ledger")


def private_text(path: Path) -> None:
    """Write a text for this user alone."""
    path.touch(0o600)
    path.write_text('{"a": 1}\n')


def link_beside(path: Path) -> None:
    """Create a file, and a link in the place of SQLite's log."""
    path.touch(0o600)
    Path(f"{path}-wal").symlink_to("elsewhere")


def sound_database(path: Path) -> None:
    """Create a database of another application, for this user alone."""
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE done (name TEXT)")
        database.executemany("INSERT INTO done VALUES (?)", [("x" * 500,)] * 50)
        database.commit()


def broken_database(path: Path) -> None:
    """Make a database, and overwrite its second page."""
    sound_database(path)
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (private_text, "is damaged: file is not a database"),
        (broken_database, "is damaged"),
        (sound_database, "is a database of something else"),
        (lambda _: None, "no such file"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (lambda path: path.touch(0o640), "chmod 600"),
        (lambda path: path.symlink_to("elsewhere"), "no such file"),
        (link_beside, "-wal is a symbolic link"),
    ],
    ids=["text", "broken", "of another", "missing", "directory", "open to others", "link", "link beside it"],
)
async def test_what_is_no_ledger(sim: Simulator, tmp_path: Path, write: Callable[[Path], object], words: str) -> None:
    """A damaged, foreign or missing ledger fails; it is not changed, and none is created."""
    file = tmp_path / "ledger"
    write(file)
    before = file.read_bytes() if file.is_file() else None
    found = await examined(variables(sim), ledger=file)
    assert failures(found) == {"ledger"}
    assert words in advice(found, "ledger")
    assert before == (file.read_bytes() if file.is_file() else None)


# As a command


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a user with only `extra` set."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("WXASSET_")}
    return own | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"} | dict(extra)


async def run(environ: Mapping[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in a pipe, with every warning an error."""
    argv = [sys.executable, "-W", "error", "-m", "wxasset", *map(str, arguments)]
    return await to_thread.run_sync(
        lambda: subprocess.run(
            argv,
            env=environment(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=HELD_UP,
            check=False,
        )
    )


async def run_in_terminal(environ: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """Run the command on a terminal of 100 columns; return its exit status and output."""
    pty = pytest.importorskip("pty")
    argv = [sys.executable, "-W", "error", "-m", "wxasset", *arguments]
    seen = bytearray()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond, and nothing else runs here
        argv,
        env=environment({"TERM": "xterm", **environ}),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)

    def read_all() -> None:
        try:
            while data := os.read(ours, 65_536):
                seen.extend(data)
        except OSError:  # Linux says so where the other side is closed
            pass

    try:
        await to_thread.run_sync(read_all)
        status = await to_thread.run_sync(lambda: process.wait(HELD_UP))
    finally:
        process.kill()
        os.close(ours)
    return status, seen.decode()


async def test_the_command_in_a_pipe(sim: Simulator) -> None:
    """In a pipe there is the report of a terminal: each check in order, and their sum, without colour or blanks."""
    done = await run(variables(sim), "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    *checks, empty, last = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    pairs = [line.partition(":")[0].split(maxsplit=1) for line in checks]
    assert [label for _, label in pairs] == [label.english for label in LABELS.values()]
    assert {status for status, _ in pairs} == {"ok", "skipped"}
    assert (empty, last.startswith("0 failed, ")) == ("", True)
    assert "\x1b" not in done.stdout
    assert [line for line in done.stdout.splitlines() if line != line.rstrip()] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send SIGINT to one process")
async def test_the_command_is_stopped(tmp_path: Path) -> None:
    """Ctrl-C exits with 130 while waiting for an unresponsive host."""
    asked = asyncio.Event()

    async def stall(_: RawRequest, __: RawConnection) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with RawServer(script=[stall]) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "wxasset", "doctor"),
            env=environment(for_raw(server.url, WXASSET_TOKEN_STORE=str(tmp_path / "token.json"))),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        await asyncio.wait_for(asked.wait(), HELD_UP)
        process.send_signal(signal.SIGINT)
        output, errors = await asyncio.wait_for(process.communicate(), HELD_UP)
    assert process.returncode == 130
    assert output.split()[:2] == [b"ok", b"versions:"]  # the width of the column depends on the other findings
    assert b"Traceback" not in errors


async def test_tls_as_the_command_sees_it(tmp_path: Path) -> None:
    """With an event loop of another make and an authority of one's own the whole round goes over TLS."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    count = {"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0}
    async with RawServer(script=[Answers({COUNT: count})], tls=serving(authority, "127.0.0.1")) as server:
        done = await run(for_raw(server.url, SSL_CERT_FILE=str(tmp_path / "trusted.pem")), "doctor", "--json")
        untrusted = await run(for_raw(server.url), "doctor", "--json")
    by_check = {one["check"]: one["status"] for one in map(json.loads, done.stdout.splitlines())}
    assert (done.returncode, {by_check[name] for name in ("connection", "token", "library")}) == (0, {"ok"})
    by_check = {one["check"]: one["status"] for one in map(json.loads, untrusted.stdout.splitlines())}
    assert (untrusted.returncode, by_check["connection"], by_check["token"]) == (1, "failed", "skipped")


async def test_the_command_on_a_terminal(sim: Simulator) -> None:
    """On a terminal findings are coloured, advice and evidence stand below, and the end sums up."""
    sim.options = SimulatorOptions(token_refusal=40243)
    status, seen = await run_in_terminal(variables(sim), "doctor")
    assert status == 1
    assert "\x1b[1;31mfailed" in seen
    plain = re.sub(r"\x1b\[[0-9;]*m", "", seen)
    assert "-> The AppSecret is frozen." in plain
    assert '"errcode": 40243' in plain
    assert "1 failed, 0 warnings" in plain
    assert sim.secret not in plain


async def test_the_command_as_json(sim: Simulator) -> None:
    """With --json each line is one object with the same keys, and the status is 1 if a check failed."""
    sim.options = SimulatorOptions(allowed_addresses=frozenset())
    done = await run(variables(sim), "doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["check"] for one in documents] == list(LABELS)
    assert {tuple(one) for one in documents} == {
        ("check", "status", "message", "message_zh", "hint", "hint_zh", "evidence")
    }
    (failed,) = [one for one in documents if one["status"] == "failed"]
    assert (failed["check"], failed["evidence"]["ip"]) == ("address", "127.0.0.1")


async def test_the_command_shows_no_secret(tmp_path: Path) -> None:
    """Secret and token are not shown, even if a server repeats them."""
    environ = for_raw("", WXASSET_TOKEN_STORE=str(tmp_path / "token.json"))
    token = "TOKENCANARY" + "x" * 100
    said = {"errcode": 48001, "errmsg": f"api unauthorized {token} {environ['WXASSET_SECRET']}"}
    script = Answers({COUNT: said, "/cgi-bin/media/get": said})
    issued = reply({"access_token": token, "expires_in": 7200})
    async with RawServer(script=[script], token_script=[issued]) as server:
        environ["WXASSET_BASE_URL"] = server.url
        done = [await run(environ, "doctor", *more) for more in ([], ["--json"])]
    for one in done:
        assert one.returncode == 1
        assert "48001" in one.stdout
        assert environ["WXASSET_SECRET"] not in one.stdout + one.stderr
        assert "TOKENCANARY" not in one.stdout + one.stderr
