"""Media in every form that an upload takes, and the parts of the body that is sent."""

import io
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
from fastapi import UploadFile
from starlette.datastructures import Headers

from raw_server import RawRequest, reply
from wxasset import Limits

ADDED = reply({"media_id": "M"})
UNLIMITED = Limits(check_size=False)
HUGE = 40_000_000  # bytes: more than the socket buffers of both ends hold
LARGE = 700_000  # bytes: more than two chunks


def jpeg(size: int) -> bytes:
    """A JPEG's first bytes, and then noise up to a size."""
    return (b"\xff\xd8\xff\xe0" + os.urandom(size))[:size]


def parts(request: RawRequest) -> list[tuple[bytes, bytes]]:
    """Cut a multipart body into its parts: the head and the content of each."""
    found = re.fullmatch(r"multipart/form-data; boundary=([0-9a-f]{32})", request.header("Content-Type") or "")
    assert found, "the boundary is not quoted"
    mark = b"--" + found[1].encode()
    assert request.body.startswith(mark + b"\r\n")
    assert request.body.endswith(b"\r\n" + mark + b"--\r\n")
    pieces = (b"\r\n" + request.body).split(b"\r\n" + mark)[1:-1]
    return [
        (head, content) for head, _, content in (piece.removeprefix(b"\r\n").partition(b"\r\n\r\n") for piece in pieces)
    ]


async def chunks_of(data: bytes, step: int = 10_000) -> AsyncIterator[bytes]:
    """Give bytes as an async iterator, with an empty chunk among them."""
    yield b""
    for start in range(0, len(data), step):
        yield data[start : start + step]


def _path(file: Path) -> Any:
    return str(file)


def _anyio_path(file: Path) -> Any:
    return anyio.Path(file)


def _handle(file: Path) -> Any:
    return file.open("rb")


def _raw_handle(file: Path) -> Any:
    return file.open("rb", buffering=0)


def _updated_file(file: Path) -> Any:
    handle = file.open("r+b")
    handle.seek(1)
    handle.write(file.read_bytes()[1:])  # some of it is not on disk yet
    handle.seek(0)
    return handle


def _named_temporary_file(file: Path) -> Any:
    named = tempfile.NamedTemporaryFile(suffix=".jpg")
    named.write(file.read_bytes())
    named.seek(0)
    return named


class _Reversible(io.FileIO):
    """A file whose bytes are not those on disk: its own `read` has to be used."""

    def read(self, count: int | None = -1, /) -> bytes:
        """Read, and turn each byte over."""
        return bytes(255 - byte for byte in super().read(count))


def _reversible(file: Path) -> Any:
    file.with_name("reversed").write_bytes(bytes(255 - byte for byte in file.read_bytes()))
    return _Reversible(file.with_name("reversed"))


def _bytes_io(file: Path) -> Any:
    return io.BytesIO(file.read_bytes())


def _upload_file(file: Path) -> Any:
    spooled = tempfile.SpooledTemporaryFile(max_size=1024)
    spooled.write(file.read_bytes())
    spooled.seek(0)
    return UploadFile(spooled, filename=file.name, headers=Headers())  # type: ignore[arg-type]  # what Starlette itself makes


def _small_upload_file(file: Path) -> Any:
    spooled = tempfile.SpooledTemporaryFile(max_size=10_000_000)
    spooled.write(file.read_bytes())
    spooled.seek(0)
    return UploadFile(spooled, filename=file.name, headers=Headers())  # type: ignore[arg-type]  # as above


SOURCES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "path": (_path, "file.jpg"),
    "pathlib": (lambda file: file, "file.jpg"),
    "anyio path": (_anyio_path, "file.jpg"),
    "bytes": (Path.read_bytes, "media-MARK.jpg"),
    "bytearray": (lambda file: bytearray(file.read_bytes()), "media-MARK.jpg"),
    "memoryview": (lambda file: memoryview(file.read_bytes()), "media-MARK.jpg"),
    "open file": (_handle, "file.jpg"),
    "raw file": (_raw_handle, "file.jpg"),
    "file opened for update": (_updated_file, "file.jpg"),
    "NamedTemporaryFile": (_named_temporary_file, ".jpg"),
    "file of a class of its own": (_reversible, "reversed.jpg"),
    "BytesIO": (_bytes_io, "media-MARK.jpg"),
    "UploadFile on disk": (_upload_file, "file.jpg"),
    "UploadFile in memory": (_small_upload_file, "file.jpg"),
    "async iterator": (lambda file: chunks_of(file.read_bytes()), "media-MARK.jpg"),
}
