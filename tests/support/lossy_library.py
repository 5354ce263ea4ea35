"""A library whose responses to uploads get lost."""

import asyncio
import json
import re
import time
from email.utils import formatdate
from typing import Any

from attrs import define, field

from raw_server import Connection, RawRequest, reply
from wxasset import UploadPolicy

__all__ = ["PHOTO", "QUICK", "Library"]

PHOTO = b"\xff\xd8\xff\xe0" + bytes(1000)
QUICK = UploadPolicy(visibility=0.05)


@define
class Library:
    """A library whose replies to uploads get lost, with a clock of its own.

    Attributes:
        ahead: Seconds by which its clock is ahead.
        dated: Whether its replies have a Date.
        commits: Whether an upload is carried out, for each in turn; the last one holds on.
        answers: Whether it is answered, the same.
        hidden: How many lists do not show yet what is there.
        items: What it holds, the newest first.
        contents: The bytes of each.
        lists: How many lists were asked for.
        gate: What a reply to an upload waits for.
        added: Set when an upload has been carried out, or not.
    """

    ahead: float = 0.0
    dated: bool = True
    commits: list[bool] = field(factory=lambda: [True])
    answers: list[bool] = field(factory=lambda: [False])
    hidden: int = 0
    items: list[dict[str, Any]] = field(factory=list)
    contents: dict[str, bytes] = field(factory=dict)
    adds: int = 0
    lists: int = 0
    gate: asyncio.Event | None = None
    added: asyncio.Event = field(factory=asyncio.Event)

    def put(self, name: str, *, age: float = 0.0, content: bytes = PHOTO) -> str:
        """Put a material into the library that was made `age` seconds ago, and return its id."""
        media_id = f"MEDIA{len(self.items)}"
        self.contents[media_id] = content
        made = int(time.time() + self.ahead - age)
        self.items.insert(0, {"media_id": media_id, "name": name, "update_time": made, "url": f"http://x/{media_id}"})
        return media_id

    async def __call__(self, request: RawRequest, connection: Connection) -> None:
        """Answer one request."""
        if request.path.endswith("/add_material"):
            await self._add(request, connection)
            return
        asked = json.loads(request.body)
        if request.path.endswith("/get_material"):
            content = self.contents[asked["media_id"]]
            await connection.send(reply(content, "image/jpeg", disposition=b'attachment; filename="a.jpg"'))
            return
        self.lists += 1
        assert asked["type"] == "image"
        shown = self.items if self.lists > self.hidden else []
        page = shown[asked["offset"] : asked["offset"] + asked["count"]]
        await connection.send(self._reply({"item": page, "total_count": len(shown), "item_count": len(page)}))

    async def _add(self, request: RawRequest, connection: Connection) -> None:
        self.adds += 1
        commit = self.commits.pop(0) if len(self.commits) > 1 else self.commits[0]
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        name = re.search(rb'filename="([^"]*)"', request.body)
        assert name is not None
        content = request.body.split(b"\r\n\r\n", 1)[1].rpartition(b"\r\n--")[0]
        media_id = self.put(name[1].decode(), content=content) if commit else None
        self.added.set()
        if answer and self.gate is not None:
            await self.gate.wait()
        if answer:
            await connection.send(self._reply({"media_id": media_id}))
        else:
            connection.reset()

    def _reply(self, document: dict[str, Any]) -> bytes:
        head, _, body = reply(document).partition(b"\r\n\r\n")
        date = f"\r\nDate: {formatdate(time.time() + self.ahead, usegmt=True)}".encode() if self.dated else b""
        return head + date + b"\r\n\r\n" + body
