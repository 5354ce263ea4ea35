"""WeChat and object storage on one raw server."""

from abc import abstractmethod
from typing import ClassVar

import pytest
from attrs import define, field

from raw_server import Connection, Handler, RawRequest, RawServer, reply
from wxasset import WxSession

__all__ = ["CloudStorage", "wx"]


@define
class CloudStorage:
    """WeChat and COS on one raw server: each grant is another, and what COS answers comes from a script.

    Attributes:
        server: The server.
        answers: What COS answers, in order; the last one again and again.
        link: Where a grant leads, if not to the server.
        grants: The number of grants so far.
    """

    api: ClassVar[str]
    """The path of WeChat's API that grants access."""

    server: RawServer
    answers: list[bytes | Handler] = field(factory=list)
    link: str | None = None
    grants: int = 0

    def __attrs_post_init__(self) -> None:
        self.server.script = [self._answer]

    @abstractmethod
    def grant(self) -> dict[str, object]:
        """Return the next grant, as WeChat answers it."""

    async def _answer(self, request: RawRequest, connection: Connection) -> None:
        if request.path == self.api:
            self.grants += 1
            await connection.send(reply({"errcode": 0, "errmsg": "ok", **self.grant()}))
            return
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await (connection.send(answer) if isinstance(answer, bytes) else answer(request, connection))

    @property
    def requests(self) -> list[RawRequest]:
        """The requests to COS so far."""
        return [one for one in self.server.requests if one.path != self.api]


@pytest.fixture
def wx(storage: CloudStorage, raw_near: WxSession) -> WxSession:
    """A session on them."""
    del storage
    return raw_near
