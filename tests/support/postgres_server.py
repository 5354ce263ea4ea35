"""A real PostgreSQL in a private cluster, which tests can stop, kill and start again."""

import functools
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from redis_server import free_port

__all__ = ["PostgresServer", "postgres_server", "programs"]

PASSWORD: Final = "CANARYPASSWORD0123456789"
PATIENCE: Final = 60.0  # seconds for the start of a server, which takes some tenths of a second


@functools.cache
def programs() -> str | None:
    """The directory of the server's programs; Debian has it on nobody's PATH."""
    found = shutil.which("initdb")
    if found is not None:
        return str(Path(found).resolve().parent)
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return str(versions[-1].parent) if versions else None


class PostgresServer:
    """A cluster of its own, on a free port of the loopback interface.

    Attributes:
        port: Where it listens, also after a restart.
    """

    def __init__(self, directory: Path, *, fsync: bool = False) -> None:
        self.port = free_port()
        self._directory, self._fsync = directory, fsync
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()
        # It refuses to run as root.
        self._user = "nobody" if os.geteuid() == 0 else None
        self._environment = {**os.environ, "PATH": f"{programs()}{os.pathsep}{os.environ['PATH']}", "LC_ALL": "C"}

    def create(self) -> None:
        """Create the cluster, and start it."""
        word = self._directory / "password"
        word.write_text(PASSWORD)
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            for path in (self._directory, word):
                os.chown(path, account.pw_uid, account.pw_gid)
        options = ("-U", "wxasset", "-A", "password", f"--pwfile={word}", "-E", "UTF8", "--no-sync", "--no-locale")
        done = subprocess.run(
            ["initdb", "-D", str(self._data), *options],
            env=self._environment,
            user=self._user,
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.start()

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def start(self) -> None:
        """Start it; return when it accepts connections."""
        switches = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self._directory),
            "fsync": "on" if self._fsync else "off",
            "full_page_writes": "on" if self._fsync else "off",
            "shared_buffers": "16MB",
            "max_connections": "200",
            "autovacuum": "off",
        }
        command = ["postgres", "-D", str(self._data), "-p", str(self.port)]
        for name, value in switches.items():
            command += ["-c", f"{name}={value}"]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, user=self._user, cwd=self._directory, stdout=log, stderr=log
            )
        until = time.monotonic() + PATIENCE
        while self._ready().returncode != 0:
            assert self._process.poll() is None, (self._directory / "log").read_text()
            assert time.monotonic() < until, (self._directory / "log").read_text()
            time.sleep(0.02)

    def _ready(self) -> "subprocess.CompletedProcess[bytes]":
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-q")
        return subprocess.run(["pg_isready", *where], env=self._environment, check=False)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT breaks its connections, SIGQUIT is a crash."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(PATIENCE)

    def restart(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it, and start it again."""
        self.stop(number)
        self.start()

    def database(self) -> str:
        """Create an empty database; return its DSN."""
        name = f"uploads{next(self._numbers)}"
        self.query("postgres", f"CREATE DATABASE {name}")
        return self.dsn(name)

    def dsn(self, name: str) -> str:
        """The DSN of a database, with the password."""
        return f"postgresql://wxasset:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def query(self, database: str, statement: str) -> str:
        """Run a statement; return its rows."""
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "wxasset", "-d", database)
        done = subprocess.run(
            ["psql", *where, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement],
            env={**self._environment, "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests of a process; each takes a database of its own."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    directory = Path(tempfile.mkdtemp(prefix="wxasset-pg-"))
    server = PostgresServer(directory)
    try:
        server.create()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(directory, ignore_errors=True)
