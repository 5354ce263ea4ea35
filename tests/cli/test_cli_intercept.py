"""`wxasset simulate --intercept` and `--tls`: programs with WeChat's address built in run unchanged."""

import json
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import trustme

from command_line import HELD_UP, command, environment, needs_signals, piped
from wxasset.simulator import Simulator

PROGRAM = """
import json, os, urllib.request as request
address = "https://api.weixin.qq.com/cgi-bin/stable_token"
who = {"grant_type": "client_credential", "appid": os.environ["WXASSET_APPID"], "secret": os.environ["WXASSET_SECRET"]}
print(json.load(request.urlopen(request.Request(address, json.dumps(who).encode(), {"Content-Type": "text/json"}))))
try: request.urlopen("https://example.com")
except OSError as error: print(error)
print(*os.listdir(os.path.dirname(os.environ["SSL_CERT_FILE"])))
"""


def test_a_command_is_intercepted() -> None:
    """A program with a built-in address gets a token from the simulator, and reaches no other host."""
    done = piped("simulate", "--intercept", "--", sys.executable, "-c", PROGRAM)
    token, refused, files = done.stdout.splitlines()
    assert (done.returncode, done.stderr, "expires_in" in token) == (0, "", True)
    assert "403 Forbidden" in refused
    assert set(files.split()) == {"authority.pem", "bundle.pem", "php", "redirect.cjs", "truststore.p12"}


@needs_signals
def test_the_variables_can_be_evaluated_by_a_shell() -> None:
    """All that is printed is commands and comments; the files are gone after the signal that ends the simulator."""
    arguments = command("simulate", "--intercept", "--tls")
    with subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "_sim/journal" not in lines[-1]:  # the last one
            lines.append(process.stdout.readline())
        listing = 'ls "$SSL_CERT_FILE" "$REQUESTS_CA_BUNDLE" "$NODE_EXTRA_CA_CERTS"; echo "$HTTPS_PROXY"'
        script = "".join((*lines, listing))
        shown = subprocess.run(["sh", "-eu"], input=script, capture_output=True, encoding="utf-8", check=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(HELD_UP) == 0
    *files, proxy = shown.stdout.splitlines()
    assert len(files) == 3
    assert not [file for file in files if Path(file).exists()]
    assert urlsplit(proxy).hostname == "127.0.0.1"
    assert any(line.startswith("# 127.0.0.1 api.weixin.qq.com api2.weixin.qq.com ") for line in lines)
    assert any(line.startswith("export WXASSET_BASE_URL=https://127.0.0.1:") for line in lines)


def test_a_certificate_of_ones_own_is_served(tmp_path: Path) -> None:
    """With --tls and --certificate, HTTPS has this certificate."""
    authority = trustme.CA()
    file = tmp_path / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(file))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    arguments = command("simulate", "--tls", "--certificate", file, "--json")
    with subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["base_url"].replace("127.0.0.1", "localhost")
        with urlopen(f"{address}/cgi-bin/nothing", context=context, timeout=HELD_UP) as reply:  # noqa: S310 - ours
            assert json.load(reply)["errcode"] == 40066
        process.terminate()


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (None, ("--tls",), "The certificate in server.pem cannot be read: No such file or directory."),
        (b"no certificate", ("--tls",), "The certificate file server.pem must contain a certificate and its key"),
        (b"", (), "--certificate is for --tls"),
    ],
)
def test_an_unusable_certificate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, arguments: tuple[str, ...], words: str
) -> None:
    """The file is named in one sentence, and nothing listens."""
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("server.pem").write_bytes(content)
    done = piped("simulate", "--certificate", "server.pem", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr


@pytest.mark.parametrize("arguments", [("--intercept",), ("--tls",), ("--intercept", "--tls")])
def test_a_taken_port_leaves_nothing_running(arguments: tuple[str, ...]) -> None:
    """A port in use is told in one line, as without interception."""
    with Simulator() as other:
        done = piped("simulate", "--port", other.url.rpartition(":")[2], *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "is already in use" in done.stderr


def test_without_trustme_the_extra_is_named(tmp_path: Path) -> None:
    """The package that issues certificates is optional."""
    (tmp_path / "trustme.py").write_text("raise ModuleNotFoundError('trustme')")
    done = piped("simulate", "--intercept", env={"PYTHONPATH": f"{tmp_path}:{environment()['PYTHONPATH']}"})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "run: pip install 'wxasset[intercept]'." in done.stderr
