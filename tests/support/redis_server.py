"""A real redis-server, which tests can pause, kill, restart and flush."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

__all__ = ["RedisServer", "redis_server"]

PASSWORD: Final = "CANARYPASSWORD0123456789"


class RedisServer:
    """One redis-server on a free port of the loopback interface; it keeps nothing on disk.

    Attributes:
        port: Where it listens, also after a restart.
        url: The address, password included.
    """

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it; return when it accepts connections."""
        options = {
            "--port": str(self.port),
            "--bind": "127.0.0.1",
            "--requirepass": PASSWORD,
            "--save": "",
            "--appendonly": "no",
            "--dir": str(self._directory),
        }
        command = ["redis-server", *(word for pair in options.items() for word in pair)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "Ready to accept connections" in line:
                return
        raise RuntimeError(f"redis-server did not start: {''.join(said)}")

    def pause(self) -> None:
        """Stop it in the middle of everything: connections are accepted by the system, and nobody answers."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)

    def resume(self) -> None:
        """Let it go on."""
        self._running().send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, with everything that it holds."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def restart(self) -> None:
        """Start it again, empty, on the same port."""
        self.kill()
        self.start()

    def flush(self) -> None:
        """Delete everything."""
        assert self.command("FLUSHALL").startswith(b"+OK")

    def command(self, *words: str) -> bytes:
        """Send one command over a connection of its own; return the raw answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(_encoded("AUTH", PASSWORD) + _encoded(*words) + _encoded("QUIT"))
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return answer.removeprefix(b"+OK\r\n").removesuffix(b"+OK\r\n")

    def _running(self) -> "subprocess.Popen[str]":
        assert self._process is not None, "redis-server is not running"
        return self._process


def _encoded(*words: str) -> bytes:
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A redis-server for the tests of one module."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    try:
        yield server
    finally:
        server.kill()
