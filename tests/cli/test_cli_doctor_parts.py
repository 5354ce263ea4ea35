"""Tests of the doctor's functions: certificates, proxies, clocks, versions, redaction."""

import errno
import fcntl
import os
import ssl
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import trustme
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import assume, given
from hypothesis import strategies as st

from wxasset.cli.commands.doctor import tally
from wxasset.cli.doctor import versions
from wxasset.cli.doctor.account import Trial, granted, judge_address, judge_permissions, judge_quota
from wxasset.cli.doctor.certificates import decode_certificate, parse_certificate
from wxasset.cli.doctor.credentials import password_of
from wxasset.cli.doctor.findings import LABELS, Finding, Status, document, ok, passed, redact
from wxasset.cli.doctor.network import judge_clock, judge_connection
from wxasset.cli.doctor.route import Route
from wxasset.cli.doctor.token_store import (
    SharedTrial,
    inspect_redis,
    inspect_token_file,
    judge_error,
    judge_redis,
    judge_shared,
)
from wxasset.cli.doctor.versions import inspect_versions, outdated
from wxasset.cli.runtime.output import json_line
from wxasset.cli.runtime.usage import Usage
from wxasset.errors import BusyError, Hint, IPNotAllowedError, PermissionDeniedError
from wxasset.wire.error_replies import api_error

TEXT: Final = st.text(max_size=40)


def der(authority: trustme.CA, *names: str, common_name: str | None = None) -> bytes:
    """A certificate in DER."""
    issued = authority.issue_cert(*names, common_name=common_name)
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


def refused(code: int, why: str) -> aiohttp.ClientConnectorCertificateError:
    """The error of a certificate that OpenSSL refused."""
    error = ssl.SSLCertVerificationError(1, why)
    error.verify_code, error.verify_message = code, why
    key = ConnectionKey("h", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)
    return aiohttp.ClientConnectorCertificateError(key, error)


AUTHORITY: Final = trustme.CA(organization_name="审查 Proxy")
ONE: Final = der(AUTHORITY, "api.weixin.qq.com", "*.qq.com", "127.0.0.1", "::1", common_name="weixin")


def test_a_certificate_is_read() -> None:
    """Issuer, validity and host names are decoded from DER."""
    read = decode_certificate(ONE)
    assert read is not None
    assert read.issuer == "审查 Proxy"
    assert set(read.names) == {"api.weixin.qq.com", "*.qq.com", "127.0.0.1", "::1"}
    assert read.begins < datetime.now(UTC).timestamp() < read.ends


def test_a_verified_certificate_is_read() -> None:
    """The standard library decodes a verified certificate; the fields are the same."""
    read = parse_certificate(
        {
            "subject": ((("organizationName", "Tencent"),), (("commonName", "weixin"),)),
            "issuer": ((("organizationName", "审查 Proxy"),),),
            "notBefore": "Jan  1 00:00:00 2026 GMT",
            "notAfter": "Jan  1 00:00:00 2051 GMT",
            "subjectAltName": (("DNS", "a.example"), ("IP Address", "127.0.0.1")),
        }
    )
    assert (read.issuer, read.names) == ("审查 Proxy", ("a.example", "127.0.0.1"))
    assert read.ends == datetime(2051, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("data", [b"", b"\x30\x80", ONE[:-1]], ids=["empty", "header", "cut"])
def test_bytes_that_are_no_certificate(data: bytes) -> None:
    """Invalid bytes from a server are not decoded."""
    assert decode_certificate(data) is None


def test_a_certificate_without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package a refused certificate is not shown, and OpenSSL's reason still is."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert decode_certificate(ONE) is None
    found = judge_connection(Route(host="h", error=refused(18, "self-signed certificate")))
    assert "self-signed certificate" in found.message.english


@given(TEXT, TEXT.filter(lambda text: len(text) >= 8), TEXT)
def test_secrets_are_taken_out(before: str, secret: str, after: str) -> None:
    """A secret is in no part of a finding, however it came there."""
    assume(secret not in "*** check ok message remedy")
    text = f"{before}{secret}{after}"
    finding = Finding(
        check="token",
        status=Status.WARNING,
        message=Hint(text, text),
        remedy=Hint(text, text),
        evidence={text: [text, {"a": (text,)}], "number": 5},
    )
    clean = redact(finding, [secret, ""])
    shown = [clean.message.english, clean.message.chinese, str(clean.remedy), *map(str, clean.evidence.values())]
    assert all(text.replace(secret, "***") in one or secret not in one for one in shown)
    assert clean.evidence["number"] == 5


def test_a_short_secret_does_not_blot_out_words() -> None:
    """A string too short for a secret is not redacted."""
    assert redact(ok("dns", Hint("a text", "文")), ["te"]).message.english == "a text"


@given(st.lists(st.sampled_from(Status), max_size=20))
def test_what_a_round_comes_to(statuses: list[Status]) -> None:
    """Warnings and skipped checks do not fail a round; the end counts all of them."""
    findings = [Finding(check="dns", status=status, message=Hint("a", "一")) for status in statuses]
    assert passed(findings) == (Status.FAILED not in statuses)
    assert tally(findings).english.startswith(f"{statuses.count(Status.FAILED)} failed")
    assert all("\n" not in json_line(document(finding)) for finding in findings)


# Versions


@pytest.mark.parametrize(
    ("requirements", "problems"),
    [
        (["anyio>=1", "attrs>=20.1; extra == 'x'"], []),
        (["anyio>=999"], [f"anyio {version('anyio')}, required: >=999"]),
        (["redis>=999; extra == 'redis'"], [f"redis {version('redis')}, required: >=999"]),
        (["no-such-distribution-of-wxasset>=1"], []),
    ],
)
def test_versions_are_compared_with_the_requirements(requirements: list[str], problems: list[str]) -> None:
    """A version out of range is named, also of an extra; a missing extra is not."""
    assert list(outdated(requirements)) == problems


def test_versions_without_packaging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package no version is compared."""
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    assert not list(outdated(["anyio>=999"]))


def test_a_version_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """The finding fails with the installed version and the required range."""
    monkeypatch.setattr(versions, "_requirements", lambda: ["aiohttp>=999"])
    found = inspect_versions()
    assert found.status is Status.FAILED
    assert f"aiohttp {version('aiohttp')}, required: >=999" in found.message.english


def test_an_extra_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing extra is mentioned and is not a failure."""
    monkeypatch.setattr(versions, "installed_version", lambda name: None if name == "redis" else "999")
    found = inspect_versions()
    assert found.status is Status.OK
    assert "without redis" in found.message.english


def test_the_versions_of_this_machine() -> None:
    """The development environment meets the requirements."""
    found = inspect_versions()
    assert found.status is Status.OK
    assert all(found.evidence[name] for name in ("aiohttp", "anyio", "attrs", "cattrs", "cyclopts", "rich"))


# The way


@given(st.floats(-1e6, 1e6), st.floats(1e9, 2e9))
def test_a_clock(ahead: float, date: float) -> None:
    """A clock is ok within a minute, fails beyond five, and is reported as ahead or behind."""
    assume(all(abs(abs(ahead) - bound) > 1 for bound in (0, 60, 300)))
    found = judge_clock(Route(host="h", status=200, date=date, now=date + 0.5 + ahead))
    expected = Status.OK if abs(ahead) < 60 else Status.WARNING if abs(ahead) < 300 else Status.FAILED
    assert found.status is expected
    if expected is not Status.OK:
        assert ("ahead of" in found.message.english) == (ahead > 0) == ("快" in found.message.chinese)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("101.91.34.103", Status.OK),
        ("2402:4e00::1", Status.OK),
        ("198.18.0.42", Status.WARNING),
        ("127.0.0.1", Status.WARNING),
        ("10.0.0.1", Status.WARNING),
        ("fe80::1%eth0", Status.WARNING),
    ],
)
def test_addresses_that_are_not_wechats(address: str, status: Status) -> None:
    """A local proxy's address for WeChat's host is a warning; for another host it is none."""
    found = {host: Route(host=host, errcode=41001, addresses=[address]) for host in ("api.weixin.qq.com", "sim")}
    assert judge_connection(found["api.weixin.qq.com"]).status is status
    assert judge_connection(found["sim"]).status is Status.OK


def test_an_address_that_fails_beside_one_that_works() -> None:
    """A host with one unreachable address is a warning."""
    found = judge_connection(Route(host="h", errcode=41001, addresses=["2402::1", "1.2.3.4"]))
    assert found.status is Status.WARNING
    assert "2402::1, 1.2.3.4" in found.message.english


def test_a_slow_answer() -> None:
    """A response after several seconds is a warning."""
    found = judge_connection(Route(host="h", status=200, errcode=41001, milliseconds=5000))
    assert found.status is Status.WARNING
    assert "5000 ms" in found.message.english


@pytest.mark.parametrize("code", range(80))
def test_every_reason_against_a_certificate_is_told(code: int) -> None:
    """Every verification code has a reason and a remedy, with and without a decoded certificate."""
    for certificate in (decode_certificate(ONE), None):
        found = judge_connection(Route(host="h", error=refused(code, "why"), certificate=certificate))
        assert found.status is Status.FAILED
        assert found.remedy is not None
        assert "why" in found.message.english or code in {9, 10, 62, 64}


# The account, and stores


def test_an_address_that_wechat_did_not_say() -> None:
    """Where the message names no address, it is pointed to."""
    found = judge_address([IPNotAllowedError(errcode=40164, errmsg="not in whitelist")], None)
    assert found.remedy is not None
    assert "an address that it does not name" in found.message.english
    assert "Add the outgoing address" in found.remedy.english


def test_an_address_that_an_api_refuses() -> None:
    """The address list holds for calls with a token too; 61004 names the address in other words."""
    error = api_error(61004, "access clientip is not registered requestIP: 203.0.113.9 rid: 1-2-3", path="/a")
    found = judge_address([None, error], "proxy:3128")
    assert found.status is Status.FAILED
    assert "WeChat sees 203.0.113.9 through the proxy proxy:3128" in found.message.english


@pytest.mark.parametrize(
    ("code", "verdict"), [(40007, True), (48001, False), (61007, False), (-1, None), (45009, None), (40001, None)]
)
def test_what_an_answer_says_of_a_right(code: int, verdict: bool | None) -> None:
    """An error about a missing media_id proves the permission; a busy error is inconclusive."""
    error = api_error(code, "said", path="/a")
    assert granted(Trial(path="/a", error=error)) is verdict


def test_another_refusal_keeps_its_own_cure() -> None:
    """A platform's missing permission set has the remedy of its code, not of the account's kind."""
    error = api_error(61007, "said", path="/cgi-bin/material/get_material")
    assert isinstance(error, PermissionDeniedError)
    assert judge_permissions([Trial(path=error.path, error=error)]).remedy == error.hint


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 1000)), max_size=8))
def test_the_days_calls(numbers: list[tuple[int, int]]) -> None:
    """A spent quota fails, a nearly spent one warns, and one without a limit does neither."""
    usages = [Usage(name=f"/{at}", used=used, limit=limit) for at, (used, limit) in enumerate(numbers)]
    shares = [usage.used / usage.limit for usage in usages if usage.limit]
    expected = Status.OK if usages else Status.SKIPPED
    if any(share >= 1 for share in shares):
        expected = Status.FAILED
    elif any(share >= 0.9 for share in shares):
        expected = Status.WARNING
    assert judge_quota(usages).status is expected


def test_a_shared_token_that_could_not_be_tried() -> None:
    """A nearly expired token, and one without a verdict from WeChat, are skipped."""
    busy = BusyError(errcode=-1, errmsg="system error")
    for trial in (SharedTrial(mode="stable", left=30), SharedTrial(mode="stable", left=3000, error=busy)):
        assert judge_shared((trial,)).status is Status.SKIPPED


@pytest.mark.parametrize(
    ("info", "status"),
    [
        ({}, Status.OK),
        ({"maxmemory_policy": "allkeys-lru"}, Status.OK),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 1}, Status.WARNING),
        ({"role": "slave"}, Status.FAILED),
    ],
)
def test_a_redis(info: Mapping[str, object], status: Status) -> None:
    """Redis is judged by role and eviction; a policy without a memory limit has no effect."""
    assert judge_redis("h:1", {"redis_version": "7.2.0", **info}, 1.0).status is status


@pytest.mark.parametrize(
    ("name", "words"),
    [("NoPermissionError", "lacks a permission"), ("InvalidResponse", "is not Redis"), ("OddError", "OddError")],
)
def test_a_redis_that_cannot_be_used(name: str, words: str) -> None:
    """Every exception has a reason and a remedy."""
    found = judge_error("h:1", name)
    assert found.status is Status.FAILED
    assert found.remedy is not None
    assert words in found.message.english


async def test_a_lock_file_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A lock file that the system does not open fails with the system's reason."""
    lock, opened = tmp_path / "token.json.d" / "key.lock", os.open
    lock.parent.mkdir(0o700)
    lock.touch(0o600)

    def refuse(path: Any, *arguments: Any, **options: Any) -> Any:
        if path == lock:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    found = await inspect_token_file(str(tmp_path / "token.json"))
    assert found.status is Status.FAILED
    assert f"{lock}: permission denied" in found.message.english


@pytest.mark.skipif(os.name != "posix", reason="modes of files say nothing elsewhere")
async def test_a_lock_file_that_is_open_to_others(tmp_path: Path) -> None:
    """Anybody who can open a lock file can hold it: it fails with the command that closes it."""
    lock = tmp_path / "token.json.d" / "key.lock"
    lock.parent.mkdir(0o700)
    lock.touch()
    lock.chmod(0o644)
    found = await inspect_token_file(str(tmp_path / "token.json"))
    assert found.status is Status.FAILED
    assert found.remedy is not None
    assert f"chmod 600 {lock}" in found.remedy.english
    assert f"chmod 600 {lock}" in found.remedy.chinese


async def test_a_file_system_without_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A place without locks fails."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    found = await inspect_token_file(str(tmp_path / "token.json"))
    assert found.status is Status.FAILED
    assert "file system has no locks" in found.message.english
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("redis://:pw@h:1/0", "pw"),
        ("rediss://user:pw@h", "pw"),
        ("unix:///run/redis.sock?db=1", ""),
        ("redis://[h", ""),
    ],
)
def test_the_password_of_redis(url: str, password: str) -> None:
    """The password of an address is known, to be redacted elsewhere."""
    assert password_of(url) == password


@pytest.mark.parametrize("url", ["redis://h:port", "redis://[h"])
async def test_an_address_of_redis_that_is_none(url: str) -> None:
    """An invalid address fails, and is not shown."""
    found = await inspect_redis(url)
    assert found.status is Status.FAILED
    assert "the address is invalid" in found.message.english
    assert url not in str(found)


def test_every_check_has_a_name_in_both_languages() -> None:
    """The names are there; the one of a product is the same in both."""
    assert all(label.english and label.chinese for label in LABELS.values())
