"""What the doctor judges with: certificates, proxies, clocks, versions, and texts without secrets."""

import ssl
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
import trustme
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from wxasset.cli.doctor.account import Trial, granted, judge_address, judge_permissions, judge_quota
from wxasset.cli.doctor.findings import LABELS, Finding, Status, document, ok, passed, tally, without_secrets
from wxasset.cli.doctor.inspection import inspect_versions, password_of, place_of
from wxasset.cli.doctor.network import Answer, Attempt, Lookup, judge_answer, judge_attempts, judge_clock, judge_lookup
from wxasset.cli.doctor.programs import LEAST, OPTIONAL, Programs, judge_programs, older
from wxasset.cli.doctor.proxies import judge_proxies, proxies_of
from wxasset.cli.doctor.stores import FileStore, RedisStore, SharedTrial, judge_file, judge_redis, judge_shared
from wxasset.cli.doctor.tls import Handshake, judge_handshake, read_certificate
from wxasset.cli.runtime.output import json_line
from wxasset.cli.runtime.usage import Usage
from wxasset.errors import BusyError, Hint, IPNotAllowedError, PermissionDeniedError
from wxasset.wire.error_replies import api_error

TEXT: Final = st.text(max_size=40)
DAY: Final = timedelta(days=1)
PROJECT: Final = Path(__file__).parents[1] / "pyproject.toml"


def der(authority: trustme.CA, *names: str, common_name: str | None = None, ends: datetime | None = None) -> bytes:
    """A certificate in DER."""
    issued = authority.issue_cert(*names, common_name=common_name, not_after=ends)
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


AUTHORITY: Final = trustme.CA(organization_name="审查 Proxy")
ONE: Final = der(AUTHORITY, "api.weixin.qq.com", "*.qq.com", "127.0.0.1", "::1", common_name="weixin")


def test_a_certificate_is_read() -> None:
    """Who it is for, who made it, when it holds and for which hosts is read from its bytes."""
    read = read_certificate(ONE)
    assert (read.subject, read.issuer) == ("weixin", "审查 Proxy")
    assert set(read.names) == {"api.weixin.qq.com", "*.qq.com", "127.0.0.1", "0000:0000:0000:0000:0000:0000:0000:0001"}
    assert read.begins < datetime.now(UTC).timestamp() < read.ends


@settings(deadline=None)  # keys are made, on a machine that has other work
@given(st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - hypothesis wants them bare
def test_the_end_of_a_certificate_is_read(end: datetime) -> None:
    """Both forms in which a time is written, before and after 2050, are read to the second."""
    ends = end.replace(microsecond=0, tzinfo=UTC)
    assert read_certificate(der(AUTHORITY, "a.example", ends=ends)).ends == ends.timestamp()


@settings(deadline=None)
@given(st.data())
def test_a_certificate_that_is_none(data: st.DataObject) -> None:
    """Bytes that were changed or cut are read, or refused with a ValueError: a server can send anything."""
    damaged = bytearray(ONE[: data.draw(st.integers(0, len(ONE)))])
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_certificate(bytes(damaged))
    except ValueError:
        return


@given(st.binary(max_size=64))
@example(b"")
@example(b"\x30\x80")
@example(b"\x30\x84\xff\xff\xff\xff")
def test_bytes_that_are_no_certificate(data: bytes) -> None:
    """Nothing so short is a certificate."""
    with pytest.raises(ValueError):
        read_certificate(data)


@given(TEXT, TEXT.filter(lambda text: len(text) >= 4), TEXT)
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
    clean = without_secrets(finding, [secret, ""])
    shown = [clean.message.english, clean.message.chinese, str(clean.remedy), *map(str, clean.evidence.values())]
    assert all(text.replace(secret, "***") in one or secret not in one for one in shown)
    assert clean.evidence["number"] == 5


def test_a_short_secret_does_not_blot_out_words() -> None:
    """What is too short to be a secret is left, or every word with it would be hidden."""
    assert without_secrets(ok("dns", Hint("a text", "文")), ["te"]).message.english == "a text"


@given(st.lists(st.sampled_from(Status), max_size=20))
def test_what_a_round_comes_to(statuses: list[Status]) -> None:
    """Warnings and skipped checks do not fail a round; the end counts all of them."""
    findings = [Finding(check="dns", status=status, message=Hint("a", "一")) for status in statuses]
    assert passed(findings) == (Status.FAILED not in statuses)
    assert tally(findings).english.startswith(f"{statuses.count(Status.FAILED)} failed")
    assert all("\n" not in json_line(document(finding)) for finding in findings)


# Versions


def test_the_least_versions_are_those_of_the_project() -> None:
    """The versions that the doctor wants are those that pyproject.toml names."""
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for more in project["optional-dependencies"].values() for one in more)]
    named = dict(one.partition(";")[0].strip().split(">=") for one in wanted if ">=" in one)
    assert {name: named[name] for name in LEAST} == dict(LEAST)
    assert project["requires-python"] == ">=3.11"


@pytest.mark.parametrize(
    ("version", "least", "old"),
    [
        ("3.14.2", "3.14.3", True),
        ("3.14.3", "3.14.3", False),
        ("3.9", "3.14.3", True),
        ("4.0", "4", False),
        ("4", "4.0.0", False),
        ("25.10", "25.4", False),
        ("5.2.0rc1", "5.2", False),
        ("", "1", True),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, least: str, old: bool) -> None:
    """3.9 is older than 3.14, and 25.10 newer than 25.4."""
    assert older(version, least) is old


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({}, Status.OK, "without redis"),
        ({"aiohttp": "3.9.5"}, Status.FAILED, "aiohttp 3.9.5 < 3.14.3"),
        ({"cattrs": None}, Status.FAILED, "cattrs is missing"),
    ],
)
def test_programs(changes: Mapping[str, str | None], status: Status, words: str) -> None:
    """What is too old or missing fails; an extra that is not there is told, and no failure."""
    packages = {**LEAST, "redis": None, **changes}
    found = judge_programs(Programs(python="3.11.0", wxasset="1", packages=packages))
    assert found.status is status
    assert words in found.message.english


def test_the_programs_of_this_machine() -> None:
    """Here everything is new enough."""
    found = inspect_versions()
    assert judge_programs(found).status is Status.OK
    assert all(found.packages[name] for name in set(LEAST) - OPTIONAL)


# The way


@given(st.floats(-1e6, 1e6), st.floats(1e9, 2e9))
def test_a_clock(ahead: float, date: float) -> None:
    """It is ok within a minute, fails beyond five, and is said to be on the side that it is on."""
    assume(all(abs(abs(ahead) - bound) > 1 for bound in (0, 60, 300)))
    found = judge_clock(Answer(status=200, date=date, now=date + 0.5 + ahead))
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
    assert judge_lookup(Lookup(host="api.weixin.qq.com", addresses=(address,))).status is status
    assert judge_lookup(Lookup(host="sim", addresses=(address,))).status is Status.OK


def test_an_address_that_fails_beside_one_that_works() -> None:
    """A host of which one address cannot be reached is a warning."""
    attempts = (Attempt(address="2402::1", fault="network is unreachable"), Attempt(address="1.2.3.4", milliseconds=5))
    found = judge_attempts("h", 443, attempts)
    assert found.status is Status.WARNING
    assert "2402::1 network is unreachable" in found.message.english
    assert found.evidence["addresses"] == {"2402::1": "network is unreachable", "1.2.3.4": "5.0 ms"}


def test_a_slow_answer() -> None:
    """An answer that takes seconds is a warning."""
    found = judge_answer("h", Answer(status=200, errcode=41001, milliseconds=5000))
    assert found.status is Status.WARNING
    assert "5.0 s" in found.message.english


@pytest.mark.parametrize("code", range(80))
def test_every_reason_against_a_certificate_is_told(code: int) -> None:
    """Whatever OpenSSL says, and whether the certificate could be read or not, there is a reason and a cure."""
    for certificate in (read_certificate(ONE), None):
        found = judge_handshake("h", Handshake(code=code, fault="why", certificate=certificate))
        assert found.status is Status.FAILED
        assert found.remedy is not None
        assert "why" in found.message.english or code in {2, 9, 10, 18, 19, 20, 21, 62, 64}


# Proxies


PASSWORD: Final = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=20)


@given(PASSWORD, st.sampled_from(["http", "socks5", ""]), st.sampled_from(["HTTPS_PROXY", "https_proxy", "ALL_PROXY"]))
def test_a_proxys_password_is_not_shown(password: str, scheme: str, name: str) -> None:
    """Of a proxy's address nothing is kept but scheme, host and port."""
    assume(password not in "proxy.example:3128")
    address = f"{scheme}{'://' if scheme else ''}user:{quote(password)}@proxy.example:3128"
    found = proxies_of({name: address}, "https", "api.weixin.qq.com")
    assert found.applies == (name,)
    for reached in (True, False):
        judged = judge_proxies(found, reached=reached)
        assert password not in str(judged)
        assert "proxy.example:3128" in str(judged.evidence)


@pytest.mark.parametrize(
    ("value", "bypassed"),
    [
        ("api.weixin.qq.com", True),
        (".qq.com", True),
        ("*.qq.com", True),
        ("qq.com:443", True),
        ("*", True),
        ("localhost, API.weixin.qq.com", True),
        ("q.com", False),
        ("", False),
        (",", False),
    ],
)
def test_no_proxy(value: str, bypassed: bool) -> None:
    """A host is bypassed by its name, by a domain that it is in, and by a star."""
    environ = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": value}
    assert proxies_of(environ, "https", "api.weixin.qq.com").bypassed is bypassed


def test_a_proxy_for_another_scheme() -> None:
    """HTTP_PROXY is not for https."""
    assert not proxies_of({"HTTP_PROXY": "http://p:1"}, "https", "api.weixin.qq.com").applies


# The account, and stores


def test_an_address_that_wechat_did_not_say() -> None:
    """Where the message names no address, it is pointed to."""
    found = judge_address(IPNotAllowedError(errcode=40164, errmsg="not in whitelist"))
    assert found.remedy is not None
    assert "the address in the message" in found.remedy.english


@pytest.mark.parametrize(
    ("code", "verdict"), [(40007, True), (48001, False), (61007, False), (-1, None), (45009, None), (40001, None)]
)
def test_what_an_answer_says_of_a_right(code: int, verdict: bool | None) -> None:
    """That there is no such media shows the right to ask for it; being busy shows nothing."""
    error = api_error(code, "said", path="/a")
    assert granted(Trial(path="/a", error=error)) is verdict


def test_another_refusal_keeps_its_own_cure() -> None:
    """A platform's missing permission set has the cure of its code, and not that of an account's kind."""
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
    """A token at its end, and one of which WeChat said nothing, are not judged."""
    busy = BusyError(errcode=-1, errmsg="system error")
    for trial in (SharedTrial(mode="stable", left=30), SharedTrial(mode="stable", left=3000, error=busy)):
        assert judge_shared((trial,)).status is Status.SKIPPED


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"version": "7.2.0"}, Status.OK),
        ({"version": "2.6.11"}, Status.FAILED),
        ({"version": "7.2.0", "policy": "allkeys-lru"}, Status.OK),
        ({"version": "7.2.0", "policy": "allkeys-lru", "memory": 1}, Status.WARNING),
        ({"trouble": "the user may not run scripts", "kind": "script"}, Status.FAILED),
        ({"trouble": "redis is not installed", "kind": "package"}, Status.FAILED),
    ],
)
def test_a_redis(changes: Mapping[str, object], status: Status) -> None:
    """Redis is judged by age and eviction; a policy without a cap on memory evicts nothing."""
    assert judge_redis(RedisStore(place="h:1", **changes)).status is status  # type: ignore[arg-type]


@pytest.mark.parametrize(("filesystem", "status"), [("ext4", Status.OK), ("nfs4", Status.WARNING)])
def test_a_file_system(filesystem: str, status: Status) -> None:
    """The locks of a network's file system are not to be trusted."""
    assert judge_file(FileStore(path="/a/token.json", filesystem=filesystem)).status is status


def test_a_file_system_without_locks() -> None:
    """A place without locks fails."""
    assert judge_file(FileStore(path="/a", unlocked="no locks")).status is Status.FAILED


@pytest.mark.parametrize(
    ("url", "place", "password"),
    [
        ("redis://:pw@h:1/0", "h:1", "pw"),
        ("rediss://user:pw@h", "h:6379", "pw"),
        ("unix:///run/redis.sock?db=1", "/run/redis.sock", ""),
        ("redis://h:port", "?", ""),
        ("redis://[h", "?", ""),
    ],
)
def test_where_redis_is(url: str, place: str, password: str) -> None:
    """An address is shown without its password, and one that is none is not shown."""
    assert (place_of(url), password_of(url)) == (place, password)


def test_every_check_has_a_name_in_both_languages() -> None:
    """The names are there; the one of a product is the same in both."""
    assert all(label.english and label.chinese for label in LABELS.values())
