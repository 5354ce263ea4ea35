"""A server of plain sockets in a process of its own: it discards uploads and answers with fixed bytes."""

import asyncio
import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

MEDIA = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40_960  # 10 MiB that begin as a JPEG

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)


def _reply(body: bytes, kind: bytes = b"application/json") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(body), body)


_REPLIES = {
    b"/cgi-bin/stable_token": _reply(b'{"access_token":"token","expires_in":7200}'),
    b"/cgi-bin/token": _reply(b'{"access_token":"token","expires_in":7200}'),
    b"/cgi-bin/material/add_material": _reply(b'{"media_id":"M","url":"http:\\/\\/h\\/0"}'),
    b"/cgi-bin/material/get_material": _reply(MEDIA, b"image/jpeg"),
    b"/cgi-bin/material/get_materialcount": _reply(b'{"voice_count":1,"video_count":2,"image_count":3,"news_count":4}'),
}


class _Protocol(asyncio.Protocol):
    """Reads one request after the other, and counts the bytes of bodies instead of keeping them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._head = b""
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        while data:
            if not self._missing:
                self._head += data
                head, end, data = self._head.partition(b"\r\n\r\n")
                if not end:
                    return
                found = _LENGTH.search(head)
                self._head, self._missing = head, int(found[1]) if found else 0
            taken = min(self._missing, len(data))
            self._missing -= taken
            data = data[taken:]
            if not self._missing:
                self._answer()

    def _answer(self) -> None:
        path = self._head.split(b" ", 2)[1].split(b"?")[0]
        self._head = b""
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._transport.write(_REPLIES[path])


def _serve(ready: Connection) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Protocol, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def running() -> Iterator[str]:
    """Run the server; gives its address."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(send,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receive.recv()}"
    finally:
        process.terminate()
        process.join()
