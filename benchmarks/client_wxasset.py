"""wxasset: uploads by path or from a handle, downloads to a path."""

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext

import aiohttp

from jobs import Item, Job, check
from tasks import TaskClient
from wxasset import Limits, SavedMaterial, WxSession
from wxasset.transfer.uploads.media import Media

_POOL = 100  # aiohttp's default number of connections
_LIMITS = Limits(check_size=False, check_format=False, max_download=2**40)


class Client(TaskClient):
    """Uploads by path."""

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Item]:
        async with self.session() as wx:
            yield self.item(wx)

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[WxSession]:
        """Open a session with enough connections."""
        async with AsyncExitStack() as stack:
            http = None
            if self.job.concurrency > _POOL:
                connector = aiohttp.TCPConnector(limit=0)
                http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            session = WxSession("wx1", "s", base_url=self.job.url, http=http, limits=_LIMITS)
            yield await stack.enter_async_context(session)

    def item(self, wx: WxSession) -> Item:
        """Return the function for one item."""
        job = self.job

        async def upload(_: int) -> None:
            with self.media() as media:
                check((await wx.add_material("image", media)).media_id, "M")

        async def download(number: int) -> None:
            saved = await wx.get_material("M", to=job.target(number))
            check(saved.size if isinstance(saved, SavedMaterial) else saved, job.size)

        async def count(_: int) -> None:
            check((await wx.count_materials()).image, 3)

        return {"upload": upload, "download": download, "count": count}[job.work]

    def media(self) -> AbstractContextManager[Media]:
        """Return the source of one upload."""
        return nullcontext(self.job.source)


class HandleClient(Client):
    """Uploads from an open file."""

    def media(self) -> AbstractContextManager[Media]:
        return self.job.source.open("rb")


def make(name: str, job: Job) -> TaskClient:
    """Create the client of this name."""
    return HandleClient(job) if name.endswith("handle") else Client(job)
