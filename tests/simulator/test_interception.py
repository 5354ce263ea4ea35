"""Programs with WeChat's address built in reach the simulator, and nothing else."""

import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from wxasset.simulator import Simulator
from wxasset.simulator.interception.environment import environment
from wxasset.simulator.interception.hosts import is_wechat

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
TOKEN = "https://api.weixin.qq.com/cgi-bin/stable_token"


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """An intercepting simulator, in a thread of its own."""
    with Simulator(intercept=True) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def variables(sim: Simulator) -> Iterator[dict[str, str]]:
    """The environment of a program to intercept."""
    with sim.intercepted({}) as found:
        yield found


@pytest.fixture
def client(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[requests.Session]:
    """The client of requests, as its users create it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with requests.Session() as session:
        yield session


@pytest.fixture
def token(sim: Simulator, client: requests.Session) -> str:
    """A token, from WeChat's own address."""
    sent = {"grant_type": "client_credential", "appid": sim.appid, "secret": sim.secret}
    value: str = client.post(TOKEN, json=sent).json()["access_token"]
    return value


def test_requests_adds_gets_and_deletes(client: requests.Session, token: str) -> None:
    """A client with a built-in address does its round; an image is found at the address in the response."""
    api = "https://api2.weixin.qq.com/cgi-bin/material/{}_material"
    query = {"access_token": token}
    added = client.post(api.format("add"), params={**query, "type": "image"}, files={"media": ("a.png", PNG)}).json()
    assert added["url"].startswith("http://mmbiz.qpic.cn/")
    for address in (added["url"], added["url"].replace("http://", "https://")):
        image = client.get(address)
        assert (image.content, image.headers["Content-Type"]) == (PNG, "image/png")
    sent = {"media_id": added["media_id"]}
    assert client.post(api.format("get"), params=query, json=sent).content == PNG
    assert client.post(api.format("del"), params=query, json=sent).json()["errcode"] == 0
    assert client.get(added["url"]).status_code == 404


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_is_intercepted_and_reaches_nothing_else(sim: Simulator, variables: dict[str, str]) -> None:
    """The same with curl, over HTTPS and HTTP; other hosts are refused in one sentence."""
    token = f"{TOKEN.replace('stable_', '')}?grant_type=client_credential&appid={sim.appid}&secret={sim.secret}"
    sets = [token, token.replace("https:", "http:"), "http://example.com/", "https://example.com/"]
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--write-out", "\n", *sets],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    first, second, refused, *_ = done.stdout.splitlines()
    assert [json.loads(one)["expires_in"] for one in (first, second)] == [7200, 7200]
    assert json.loads(refused) == {
        "error": "example.com is not a host of WeChat; this proxy of the simulator answers for hosts of WeChat only"
    }
    assert "response 403" in done.stderr
    assert [entry.headers["Host"] for entry in sim.journal[-2:]] == ["api.weixin.qq.com"] * 2


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_fetch_of_any_node_is_intercepted(sim: Simulator, variables: dict[str, str]) -> None:
    """The fetch of Node ignores proxies in many versions; its connections lead to the simulator all the same."""
    sent = json.dumps({"grant_type": "client_credential", "appid": sim.appid, "secret": sim.secret})
    program = f"fetch({TOKEN!r}, {{method: 'POST', body: {sent!r}}}).then(r => r.text()).then(console.log)"
    labelled = program.replace("body:", "headers: {'Content-Type': 'application/json'}, body:")
    for unset in ({}, {"NODE_USE_ENV_PROXY": "0"}):
        done = subprocess.run(
            ["node", "-e", labelled],
            env={"PATH": os.environ["PATH"], **variables, **unset},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout)["expires_in"] > 0


def ask(variables: dict[str, str], sent: bytes) -> bytes:
    """Send bytes to the proxy, and return all that it answers."""
    proxy = urlsplit(variables["HTTPS_PROXY"])
    with socket.create_connection((proxy.hostname, proxy.port), timeout=5) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("example.com:443", "example.com is not a host of WeChat"),
        ("api.weixin.qq.com.example.com:443", "api.weixin.qq.com.example.com is not a host of WeChat"),
        ("127.0.0.1:22", "127.0.0.1 is not a host of WeChat"),
        ("api.weixin.qq.com:22", "port 22 of api.weixin.qq.com is not served; use port 443"),
        ("api.weixin.qq.com", "port None of api.weixin.qq.com is not served"),
        ("[::1:443", "[::1:443 is not a host of WeChat"),
        (":443", ":443 is not a host of WeChat"),
    ],
)
def test_connect_elsewhere_is_refused(variables: dict[str, str], target: str, reason: str) -> None:
    """The proxy answers 403 with one sentence, and connects to no server."""
    answered = ask(variables, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head, _, body = answered.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 403 Forbidden\r\n")
    assert body.startswith(reason)
    assert body.count("\n") == 1


def test_a_long_header_of_connect_is_refused(variables: dict[str, str]) -> None:
    """An endless header is not kept in memory."""
    assert ask(variables, b"CONNECT " + b"a" * 9000).startswith(b"HTTP/1.1 431 ")


def test_links_lead_back_under_the_name_that_the_client_used(
    sim: Simulator, client: requests.Session, token: str
) -> None:
    """A file is sent to cloud storage, and a video fetched, at the addresses in the responses."""
    query = {"access_token": token}
    base = "https://sz.api.weixin.qq.com"
    permit = client.post(f"{base}/tcb/uploadfile", params=query, json={"env": "e-1", "path": "a.png"}).json()
    form = {
        "key": "a.png",
        "Signature": permit["authorization"],
        "x-cos-security-token": permit["token"],
        "x-cos-meta-fileid": permit["cos_file_id"],
    }
    assert permit["url"].startswith(f"{base}/")
    assert client.post(permit["url"], data=form, files={"file": PNG}).status_code == 204
    files: dict[str, Any] = {"env": "e-1", "file_list": [{"fileid": permit["file_id"], "max_age": 60}]}
    (found,) = client.post(f"{base}/tcb/batchdownloadfile", params=query, json=files).json()["file_list"]
    assert found["download_url"].startswith(f"{base}/")
    assert client.get(found["download_url"]).content == PNG
    direct = sim.url.replace("127.0.0.1", "localhost")
    link = requests.post(f"{direct}/tcb/batchdownloadfile", params=query, json=files, timeout=5).json()
    assert link["file_list"][0]["download_url"].startswith(f"{direct}/")


def test_a_cos_host_leads_to_object_storage(client: requests.Session) -> None:
    """Hosts of files answer for themselves: an invalid form is refused in the words of COS."""
    answered = client.post("https://cos.ap-shanghai.myqcloud.com/7465-e-1-1258717764/a.png", data={"key": "a"})
    assert (answered.status_code, b"<Code>MalformedPOSTRequest</Code>" in answered.content) == (400, True)


def test_a_host_of_wechat_has_no_control_api(sim: Simulator, client: requests.Session) -> None:
    """Under WeChat's name there is the API of WeChat alone; the simulator's own address has the control API."""
    assert client.get("https://api.weixin.qq.com/_sim/state").json()["errcode"] == 40066
    assert "counts" in client.get(f"{sim.url}/_sim/state").json()


def test_no_key_is_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The files for clients have certificates alone, and are removed at the end."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen: list[bytes] = []
    load = ssl.SSLContext.load_cert_chain

    def looking(context: ssl.SSLContext, *arguments: str) -> None:
        load(context, *arguments)
        seen.extend(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", looking)
    with Simulator(intercept=True) as sim, sim.intercepted() as found:
        assert requests.get(sim.url, timeout=5, proxies={"http": ""}).status_code == 200
        bundle = Path(found["SSL_CERT_FILE"])
        assert sim.certificate in bundle.read_text("ascii")
        seen.extend(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert len(seen) >= 3
    assert not [one for one in seen if b"PRIVATE KEY" in one]
    assert list(tmp_path.iterdir()) == []


async def test_tls_alone_serves_each_host_with_its_certificate() -> None:
    """With a line in the hosts file, a client meets the certificate of the host it asks for; of WeChat's hosts only."""
    async with Simulator(tls=True) as sim:
        trusting = ssl.create_default_context(cadata=sim.certificate)
        port = urlsplit(sim.url).port
        for name in ("api.weixin.qq.com", "hk.api.weixin.qq.com", "localhost"):
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
            writer.close()
            await writer.wait_closed()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="example.com")
        assert sim.hosts_line.startswith("127.0.0.1 api.weixin.qq.com api2.weixin.qq.com sh.api.weixin.qq.com ")
        with pytest.raises(RuntimeError, match="intercepts nothing"):
            sim.intercepted()


async def test_a_client_without_trust_leaves_no_connection(variables: dict[str, str]) -> None:
    """A client that rejects the certificate, or breaks off, is let go."""
    proxy = urlsplit(variables["HTTPS_PROXY"])
    reader, writer = await asyncio.open_connection(proxy.hostname, proxy.port)
    writer.write(b"CONNECT api.weixin.qq.com:443 HTTP/1.1\r\n\r\n")
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"no TLS at all")
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("API.weixin.qq.com", True),
        ("hk.api.weixin.qq.com", True),
        ("7465-e-1-125.cos.ap-guangzhou.myqcloud.com", True),
        ("7465-e-1-125.tcb.qcloud.la", True),
        ("pay.weixin.qq.com", False),
        ("myqcloud.com", False),
        ("apixweixin.qq.com", False),
        ("mmbiz.qpic.cn.example", False),
        ("", False),
    ],
)
def test_hosts_of_wechat_are_known_as_a_whole(host: str, *, known: bool) -> None:
    """A name that contains or resembles one is another host."""
    assert is_wechat(host) is known


def test_variables_keep_what_the_program_has(sim: Simulator, tmp_path: Path) -> None:
    """Options of Node, hosts without a proxy and trusted certificates stay; WeChat's hosts are never without one."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_text("# a certificate of the company\n")
    has = {"NODE_OPTIONS": "--no-deprecation", "JAVA_TOOL_OPTIONS": "-Xmx1g"}
    has |= {"NO_PROXY": "db.internal, .qq.com,*", "SSL_CERT_FILE": str(trusted)}
    with environment(sim._listeners.addresses, sim.certificate, has) as found:
        assert found["NODE_OPTIONS"].startswith("--no-deprecation --require=")
        assert found["PHP_INI_SCAN_DIR"].startswith(":")  # the settings of the installation are read too
        assert found["JAVA_TOOL_OPTIONS"].startswith("-Xmx1g -Dhttp.proxyHost=127.0.0.1 ")
        assert found["NO_PROXY"] == "127.0.0.1,localhost,::1,db.internal"
        assert Path(found["SSL_CERT_FILE"]).read_text("ascii").endswith(trusted.read_text())


def test_without_trustme_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package that issues certificates is optional."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(
        ImportError, match=r"issued by trustme; to enable them, run: pip install 'wxasset\[intercept\]'"
    ):
        Simulator(intercept=True)
    import_module("wxasset.simulator")
