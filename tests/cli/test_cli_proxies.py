"""The command line behind a company proxy, which alone can reach the API host."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from anyio import to_thread
from attrs import frozen

from command_line import piped, variables
from forward_proxy import ForwardProxy
from wxasset.cli.demo.plan import SAMPLES
from wxasset.cli.runtime.exit_codes import Exit
from wxasset.simulator import Simulator, SimulatorOptions

HOST = "api.company.invalid"
"""A host name without an address: only the proxy knows the way."""


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass bytes on to the end."""
    with suppress(ConnectionError, ssl.SSLError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


@asynccontextmanager
async def over_tls(sim: Simulator, authority: trustme.CA) -> AsyncIterator[int]:
    """Serve a simulator over TLS; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, away = await asyncio.open_connection("127.0.0.1", urlsplit(sim.url).port)
        try:
            await asyncio.gather(pump(reader, away), pump(there, writer))
        finally:
            away.transport.abort()
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@frozen
class Company:
    """A network with a proxy, and the variables of its users."""

    proxy: ForwardProxy
    environ: Mapping[str, str]

    async def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command in this network."""
        return await to_thread.run_sync(lambda: piped(*arguments, env={**self.environ, **more}))

    async def findings(self, *options: str, **more: str) -> dict[str, dict[str, object]]:
        """The findings of the doctor by check."""
        done = await self.run("doctor", "--json", *options, **more)
        found = {one["check"]: one for one in map(json.loads, done.stdout.splitlines())}
        assert done.returncode == any(one["status"] == "failed" for one in found.values())
        return found


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A simulator that serves any host name."""
    async with Simulator(control=True) as simulator:
        yield simulator


@pytest.fixture
async def company(sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    """A network in which only the proxy reaches the simulator."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)  # an empty one would switch the other off
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with over_tls(sim, authority) as port, ForwardProxy() as proxy:
        own = {"WXASSET_BASE_URL": f"https://{HOST}:{port}", "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        yield Company(proxy, variables(sim) | own | {"HTTPS_PROXY": proxy.url})


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_a_command_goes_through_the_proxy_of_the_environment(company: Company, name: str) -> None:
    """`wxasset count` works where only the proxy reaches the host, and fails without it."""
    done = await company.run("count", **{"HTTPS_PROXY": "", name: company.proxy.url})
    assert (done.returncode, done.stderr) == (0, "")
    assert company.proxy.lines
    assert all(line.startswith(f"CONNECT {HOST}:") for line in company.proxy.lines)
    assert (await company.run("count", HTTPS_PROXY="")).returncode != 0


async def test_an_option_names_the_proxy(company: Company) -> None:
    """--proxy takes precedence over the environment, for calls and for the doctor; none means no proxy."""
    done = await company.run("count", "--proxy", company.proxy.url, HTTPS_PROXY="http://127.0.0.1:1")
    assert (done.returncode, done.stderr) == (0, "")
    assert (await company.run("count", "--proxy", "none")).returncode != 0
    found = await company.findings("--proxy", company.proxy.url, HTTPS_PROXY="")
    assert {one["status"] for one in found.values()} == {"ok", "skipped"}
    for command in (["count"], ["web", "--port", "0"], ["demo", "--live", "--yes"]):
        wrong = await company.run(*command, "--proxy", "socks5://user:CANARY@host:1")
        assert wrong.returncode == Exit.USAGE
        assert "--proxy must be the URL of an HTTP proxy" in wrong.stderr
        assert "CANARY" not in wrong.stderr


async def test_the_demonstration_has_the_options_of_every_command(company: Company, tmp_path: Path) -> None:
    """`wxasset demo --live` takes an account of the file and a proxy, and says nothing but its result with -q."""
    file = tmp_path / "credentials.toml"
    names = {"appid": "APPID", "secret": "SECRET", "base_url": "BASE_URL"}
    lines = [f'{key} = "{company.environ[f"WXASSET_{name}"]}"' for key, name in names.items()]
    file.write_text("\n".join(["[shop]", *lines]))
    file.chmod(0o600)
    environ = {"WXASSET_CREDENTIALS": str(file), "WXASSET_APPID": "wx0000000000000000", "HTTPS_PROXY": ""}
    options = ["--live", "--yes", "-q", "--account", "shop", "--proxy", company.proxy.url]
    done = await company.run("demo", *options, str(SAMPLES[0].path), **environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert company.proxy.lines


@pytest.mark.parametrize("exception", [HOST, ".company.invalid", "*"])
async def test_a_command_obeys_the_exceptions_of_the_environment(company: Company, exception: str) -> None:
    """A host in NO_PROXY is connected directly, by calls and by the doctor alike."""
    done = await company.run("count", NO_PROXY=exception)
    assert f"No connection to {HOST}" in done.stderr
    found = await company.findings(NO_PROXY=exception)
    assert f"{HOST}" in str(found["connection"]["message"])
    assert "cannot be resolved" in str(found["connection"]["message"])
    assert company.proxy.lines == []


async def test_the_doctor_goes_through_the_proxy(company: Company) -> None:
    """Every check passes through the proxy, and WeChat's view of the address is told to be unknown."""
    found = await company.findings()
    assert {one["status"] for one in found.values()} == {"ok", "skipped"}
    assert f"connected through the proxy {company.proxy.place}" in str(found["connection"]["message"])
    assert all(found[name]["status"] == "ok" for name in ("clock", "token", "address", "permissions", "quota"))
    assert "WeChat names it only in a refusal" in str(found["address"]["message"])
    assert company.proxy.place in str(found["address"]["message"])


async def test_the_doctor_names_the_address_that_wechat_sees(company: Company, sim: Simulator) -> None:
    """A refused address is the one of WeChat's own message, and the proxy is named with it."""
    sim.options = SimulatorOptions(allowed_addresses=frozenset({"203.0.113.7"}))
    found = await company.findings()
    assert found["address"]["status"] == "failed"
    assert f"WeChat sees 127.0.0.1 through the proxy {company.proxy.place}" in str(found["address"]["message"])


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("http://127.0.0.1:1", "The proxy 127.0.0.1:1 does not connect to"),
        ("socks5://user:CANARY@127.0.0.1:1", "is not an HTTP proxy"),
        ("", "cannot be resolved"),
    ],
    ids=["nobody listens", "SOCKS", "none"],
)
async def test_a_proxy_that_does_not_serve(company: Company, proxy: str, words: str) -> None:
    """A dead proxy, one of another kind, and none at all: each has a remedy that names HTTPS_PROXY."""
    found = await company.findings(HTTPS_PROXY=proxy)
    assert found["connection"]["status"] == "failed"
    assert words in str(found["connection"]["message"])
    assert "HTTPS_PROXY" in str(found["connection"]["hint"])
    assert "HTTPS_PROXY" in str(found["connection"]["hint_zh"])
    assert "CANARY" not in str(found)
    assert found["token"]["status"] == "skipped"


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses(company: Company, status: int) -> None:
    """The status of a refusal is told; user and password of the proxy are not."""
    company.proxy.refuse = [status] * 9
    found = await company.findings(HTTPS_PROXY=company.proxy.url.replace("//", "//user:CANARY@"))
    assert found["connection"]["status"] == "failed"
    assert f"does not connect to {HOST}" in str(found["connection"]["message"])
    assert f"HTTP status {status}" in str(found["connection"]["message"])
    assert "CANARY" not in str(found)


async def test_a_proxy_that_inspects_tls(company: Company) -> None:
    """A certificate of another authority is shown with its issuer, also behind a proxy."""
    found = await company.findings(SSL_CERT_FILE="")
    assert found["connection"]["status"] == "failed"
    assert "is not trusted here" in str(found["connection"]["message"])
    assert "trustme" in str(found["connection"]["evidence"])
