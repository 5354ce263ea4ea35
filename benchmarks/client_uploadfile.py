"""wxasset with uploads of `UploadFile` objects of FastAPI and Starlette."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile

from starlette.datastructures import UploadFile

from client_wxasset import Client
from jobs import Job
from tasks import TaskClient
from wxasset.transfer.uploads.media import Media


class UploadFileClient(Client):
    """Upload one `UploadFile` per concurrent upload, on disk already as Starlette stores large ones."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._idle = [self._received() for _ in range(min(job.concurrency, job.count))]

    def _received(self) -> UploadFile:
        spooled = SpooledTemporaryFile[bytes]()  # used after this block; deleted with its last reference
        with self.job.source.open("rb") as file:
            shutil.copyfileobj(file, spooled)
        spooled.rollover()
        return UploadFile(spooled, size=self.job.size, filename="m.jpg")  # type: ignore[arg-type] # no BinaryIO by name

    @contextmanager
    def media(self) -> Iterator[Media]:
        upload = self._idle.pop()
        upload.file.seek(0)
        yield upload
        self._idle.append(upload)


def make(name: str, job: Job) -> TaskClient:
    """Create the client."""
    del name
    return UploadFileClient(job)
