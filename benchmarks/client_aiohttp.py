"""Typical code with plain aiohttp."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp

from jobs import TOKEN, Item, Job, check
from tasks import TaskClient


class Client(TaskClient):
    """Upload a form with an open file; read a download and then write it."""

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Item]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            yield self.item(http)

    def item(self, http: aiohttp.ClientSession) -> Item:
        """Return the function for one item."""
        job, params = self.job, {"access_token": TOKEN}
        library = f"{job.url}/cgi-bin/material"

        async def upload(_: int) -> None:
            with job.source.open("rb") as file:
                form = aiohttp.FormData()
                form.add_field("media", file, filename=job.source.name)
                query = params | {"type": "image"}
                async with http.post(f"{library}/add_material", params=query, data=form) as reply:
                    check((await reply.json())["media_id"], "M")

        async def download(number: int) -> None:
            async with http.post(f"{library}/get_material", params=params, json={"media_id": "M"}) as reply:
                job.target(number).write_bytes(await reply.read())

        async def count(_: int) -> None:
            async with http.get(f"{library}/get_materialcount", params=params) as reply:
                check((await reply.json())["image_count"], 3)

        return {"upload": upload, "download": download, "count": count}[job.work]


def make(name: str, job: Job) -> TaskClient:
    """Create the client."""
    del name
    return Client(job)
