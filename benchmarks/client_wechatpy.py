"""wechatpy 1.8.18, with one thread per concurrent item."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from requests.adapters import HTTPAdapter
from wechatpy import WeChatClient

from jobs import TOKEN, Job, check


class Client:
    """Use one connection per thread."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._threads = min(job.concurrency, job.threads, job.count)

    async def run(self) -> list[str]:
        """Do the job and return the errors, one string per failed item."""
        return await asyncio.to_thread(self._run)

    def _run(self) -> list[str]:
        client = type("Client", (WeChatClient,), {"API_BASE_URL": f"{self.job.url}/cgi-bin/"})
        peer = client("wx1", "s", access_token=TOKEN)
        # The default pool of 10 connections would cause frequent reconnects with more threads.
        peer._http.mount(self.job.url, HTTPAdapter(pool_maxsize=self._threads))  # noqa: SLF001 - no public way
        errors: list[str] = []
        item = self._item(peer)
        with peer._http, ThreadPoolExecutor(self._threads) as pool:  # noqa: SLF001 - the same
            for done in [pool.submit(item, number) for number in range(self.job.count)]:
                error = done.exception()
                if error is not None:
                    errors.append(f"{type(error).__name__}: {error}")
        return errors

    def _item(self, peer: WeChatClient) -> Callable[[int], None]:
        job = self.job

        def upload(_: int) -> None:
            with job.source.open("rb") as file:
                check(peer.material.add("image", file)["media_id"], "M")

        def download(number: int) -> None:
            job.target(number).write_bytes(peer.material.get("M").content)

        def count(_: int) -> None:
            check(peer.material.get_count()["image_count"], 3)

        return {"upload": upload, "download": download, "count": count}[job.work]


def make(name: str, job: Job) -> Client:
    """Create the client."""
    del name
    return Client(job)
