"""nginx in a separate process: it reads uploads completely, returns fixed bytes, and logs each request."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path

import trustme
from attrs import define, field, frozen

from jobs import TOKEN

_READY = 10.0  # timeout for the start of nginx in seconds
_LOGGED = 3.0  # timeout for the last lines of the log after their responses in seconds
_STARTS = 3  # attempts; a free port may be taken before nginx binds it
_ROOM = 4 * 2**30  # bytes of bodies kept in memory, if available


class Kind(StrEnum):
    """Handling of bodies by the server."""

    FAST = "fast"  # keeps them in memory until the response
    VERIFY = "verify"  # stores each as a file, read and deleted by `rounds`
    GROWTH = "growth"  # writes all but the smallest to files, for the same time per byte at every size


_BODIES = {
    Kind.FAST: "client_body_buffer_size 11m;",
    Kind.VERIFY: "client_body_in_file_only on;",
    Kind.GROWTH: "client_body_buffer_size 128k;",
}

_MAIN = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr warn;
events {{ worker_connections 1000; }}
http {{
    log_format run '$connection\t$status\t$request_length\t$bytes_sent\t$request_time\t$msec\t$request_body_file\t$uri';
    access_log {directory}/access.log run;
    client_body_temp_path {bodies}; proxy_temp_path {directory}/unused; fastcgi_temp_path {directory}/unused;
    uwsgi_temp_path {directory}/unused; scgi_temp_path {directory}/unused;
    client_max_body_size 0; client_header_timeout 1h; client_body_timeout 1h; send_timeout 1h;
    keepalive_requests 1000000; keepalive_timeout 1h;
    sendfile on; tcp_nodelay on; default_type application/json;
    ssl_certificate {directory}/server.pem; ssl_certificate_key {directory}/server.pem;
    # One cipher, so that no client is quicker for having chosen another.
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;
    {servers}
}}
"""

# `return` alone would respond before the body is received. The mirror module reads all of it first; then a POST to the
# file /empty is rejected, and error_page turns this rejection into the response.
_SERVER = """
    server {{
        listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
        {bodies}
        location ~ ^/[0-9]+/cgi-bin/(stable_token|token)$ {{
            return 200 '{{"access_token":"{token}","expires_in":7200}}';
        }}
        location ~ ^/[0-9]+/cgi-bin/material/get_materialcount$ {{
            return 200 '{{"voice_count":1,"video_count":2,"image_count":3,"news_count":4}}';
        }}
        location ~ ^/[0-9]+/cgi-bin/material/add_material$ {{
            mirror /discard; mirror_request_body on;
            root {files}; try_files /empty =404; error_page 405 =200 @added;
        }}
        location @added {{ return 200 '{{"media_id":"M","url":"http:\\/\\/h\\/0"}}'; }}
        location = /discard {{ internal; return 204; }}
        location ~ ^/(?<size>[0-9]+)/cgi-bin/material/get_material$ {{
            root {files}; try_files /$size.jpg =404; error_page 405 =200 /files/$size.jpg;
        }}
        location /files/ {{
            internal; alias {files}/; types {{}} default_type image/jpeg;
            add_header Content-Disposition 'attachment; filename="m.jpg"';
        }}
    }}
"""


@frozen
class Request:
    """A completed request from the log."""

    connection: int
    status: int
    received: int
    sent: int
    started: float
    ended: float
    body: Path
    path: str

    @property
    def for_token(self) -> bool:
        """True for a request of an access token."""
        return "/cgi-bin/material/" not in self.path and not self.path.startswith(("/files/", "/empty"))


def _parse(line: str) -> Request:
    connection, status, received, sent, took, ended, body, path = line.rstrip("\n").split("\t")
    return Request(
        connection=int(connection),
        status=int(status),
        received=int(received),
        sent=int(sent),
        started=float(ended) - float(took),
        ended=float(ended),
        body=Path(body),
        path=path,
    )


@define
class Server:
    """The running server."""

    certificate: Path
    _process: subprocess.Popen[bytes]
    _log: Path
    _ports: dict[Kind, tuple[int, int]]
    _offset: int = field(default=0, init=False)

    def url(self, kind: Kind = Kind.FAST, *, tls: bool, size: int = 0) -> str:
        """Return the base URL for downloads of this size in bytes."""
        port = self._ports[kind][tls]
        return f"http{'s' if tls else ''}://127.0.0.1:{port}/{size}"

    def busy(self) -> float:
        """Return the processor time of the server in seconds."""
        return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[0]) / 1e9

    def mark(self) -> None:
        """Exclude the log so far from `requests`."""
        self._offset = self._log.stat().st_size

    def requests(self, *, items: int = 0, tokens: int = 0) -> list[Request]:
        """Return the requests since `mark`; wait for the expected number, because nginx logs after the response."""
        deadline = time.monotonic() + _LOGGED
        while True:
            with self._log.open() as log:
                log.seek(self._offset)
                requests = [_parse(line) for line in log if line.endswith("\n")]
            asked = sum(request.for_token for request in requests)
            if (asked >= tokens and len(requests) - asked >= items) or time.monotonic() > deadline:
                return requests
            time.sleep(0.01)

    def check_patience(self) -> None:
        """Check that uploads get no response before their last byte; otherwise comparisons are not valid."""
        for size in (1, 64 * 1024, 10 * 2**20):
            with socket.create_connection(("127.0.0.1", self._ports[Kind.FAST][False])) as client:
                head = f"POST /0/cgi-bin/material/add_material HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n"
                client.sendall(head.encode() + bytes(size - 1))
                client.settimeout(0.1)
                try:
                    early = client.recv(1)
                except TimeoutError:
                    early = b""
                client.settimeout(_READY)
                client.sendall(b"\0")
                if early or not client.recv(64).startswith(b"HTTP/1.1 200 "):
                    raise SystemExit(
                        "nginx responded too early or not with 200 to an upload; install nginx with the mirror module"
                    )


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _start(directory: Path, files: Path, bodies: Path) -> tuple[subprocess.Popen[bytes], dict[Kind, tuple[int, int]]]:
    free = iter(_free_ports(2 * len(Kind)))
    ports = {kind: (next(free), next(free)) for kind in Kind}
    servers = "".join(
        _SERVER.format(plain=plain, tls=tls, bodies=_BODIES[kind], token=TOKEN, files=files)
        for kind, (plain, tls) in ports.items()
    )
    (directory / "nginx.conf").write_text(_MAIN.format(directory=directory, bodies=bodies, servers=servers))
    # Memory of bodies is reused for later ones: allocating it again takes as long as decryption.
    settings = {"MALLOC_MMAP_THRESHOLD_": "67108864", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
    with (directory / "error.log").open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - the program is checked by `bench`
            [shutil.which("nginx") or "nginx", "-p", directory, "-c", directory / "nginx.conf"],
            env=os.environ | settings,
            stderr=errors,
        )
    return process, ports


def _bodies_in(stack: ExitStack, directory: Path) -> Path:
    """Choose the directory for bodies stored as files: in memory, if there is room."""
    memory = Path("/dev/shm")  # noqa: S108 - a directory of a random name is made in it
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= _ROOM:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wxasset-bodies-", dir=memory)))
    return directory / "bodies"


@contextmanager
def running(directory: Path, files: Path) -> Iterator[Server]:
    """Run the server.

    Args:
        directory: Directory for its own files.
        files: Directory with the files to serve, each named by its size.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "authority.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
    (files / "empty").touch()
    with ExitStack() as stack:
        bodies = _bodies_in(stack, directory)
        for _ in range(_STARTS):
            process, ports = _start(directory, files, bodies)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            deadline = time.monotonic() + _READY
            while process.poll() is None and time.monotonic() < deadline:
                if all(_accepts(port) for pair in ports.values() for port in pair):
                    yield Server(directory / "authority.pem", process, directory / "access.log", ports)
                    return
                time.sleep(0.02)
        raise SystemExit(f"nginx did not start: {(directory / 'error.log').read_text().strip()[-500:]}")
