"""Typical code with plain httpx."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from jobs import TOKEN, Item, Job, check
from tasks import TaskClient


class Client(TaskClient):
    """Upload an open file with `files=`; stream a download into a file."""

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Item]:
        # The default limits of 100 connections with 20 kept alive would cause frequent reconnects.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=60) as http:
            yield self.item(http)

    def item(self, http: httpx.AsyncClient) -> Item:
        """Return the function for one item."""
        job, params = self.job, {"access_token": TOKEN}
        library = f"{job.url}/cgi-bin/material"

        async def upload(_: int) -> None:
            with job.source.open("rb") as file:
                query = params | {"type": "image"}
                reply = await http.post(f"{library}/add_material", params=query, files={"media": file})
            check(reply.raise_for_status().json()["media_id"], "M")

        async def download(number: int) -> None:
            asked = http.stream("POST", f"{library}/get_material", params=params, json={"media_id": "M"})
            async with asked as reply:
                with job.target(number).open("wb") as file:
                    async for chunk in reply.raise_for_status().aiter_bytes():
                        file.write(chunk)

        async def count(_: int) -> None:
            reply = await http.get(f"{library}/get_materialcount", params=params)
            check(reply.raise_for_status().json()["image_count"], 3)

        return {"upload": upload, "download": download, "count": count}[job.work]


def make(name: str, job: Job) -> TaskClient:
    """Create the client."""
    del name
    return Client(job)
