"""An independent client, wechatpy 1.8.18, works against the simulator without a change to it."""

import io
from collections.abc import AsyncIterator
from typing import Any

import anyio.to_thread
import pytest
from wechatpy import WeChatClient
from wechatpy.exceptions import WeChatClientException

from wxasset.simulator import Simulator, SimulatorOptions

# wechatpy warns about its own `_get` and `_post`, which it calls itself.
pytestmark = pytest.mark.filterwarnings(
    "ignore:`_(get|post)` method of `WeChatClient` is deprecated:DeprecationWarning"
)

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """A running simulator."""
    async with Simulator() as running:
        yield running


def client_of(simulator: Simulator) -> Any:
    """A wechatpy client whose addresses are the simulator's and that is otherwise its own."""

    class Client(WeChatClient):  # type: ignore[misc]  # wechatpy carries no types
        API_BASE_URL = simulator.url + "/cgi-bin/"

        def fetch_access_token(self) -> Any:
            asked = {"grant_type": "client_credential", "appid": self.appid, "secret": self.secret}
            return self._fetch_access_token(url=simulator.url + "/cgi-bin/token", params=asked)

    return Client(simulator.appid, simulator.secret)


def named(content: bytes, name: str) -> io.BytesIO:
    """An open file with a name."""
    file = io.BytesIO(content)
    file.name = name
    return file


async def test_an_image_from_upload_to_deletion(simulator: Simulator) -> None:
    """The client wechatpy fetches a token, adds an image, gets it, counts it, lists it and deletes it."""

    def use() -> tuple[Any, ...]:
        client = client_of(simulator)
        with client._http:
            added = client.material.add("image", named(PNG, "poster.png"))
            content = client.material.get(added["media_id"]).content
            counts = client.material.get_count()
            listed = client.material.batchget("image")
            deleted = client.material.delete(added["media_id"])
            return added, content, counts, listed, deleted

    added, content, counts, listed, deleted = await anyio.to_thread.run_sync(use)
    assert added["url"].startswith("http://mmbiz.qpic.cn/mmbiz_png/")
    assert content == PNG
    assert counts["image_count"] == 1
    assert [(item["media_id"], item["name"]) for item in listed["item"]] == [(added["media_id"], "poster.png")]
    assert deleted["errcode"] == 0
    assert not simulator.materials
    assert simulator.token_calls == 1


async def test_a_dead_token_is_replaced(simulator: Simulator) -> None:
    """Its refresh on and 42001 works as with the service."""

    def use(client: Any) -> Any:
        return client.material.get_count()

    client = client_of(simulator)
    with client._http:
        await anyio.to_thread.run_sync(use, client)
        for end in (simulator.revoke_tokens, simulator.expire_tokens):
            end()
            assert (await anyio.to_thread.run_sync(use, client))["image_count"] == 0
    calls = [entry.errcode for entry in simulator.journal if entry.path.endswith("get_materialcount")]
    assert calls == [0, 40001, 0, 42001, 0]
    assert simulator.token_calls == 3


async def test_a_description_in_the_query_does_not_count(simulator: Simulator) -> None:
    """A video whose description wechatpy puts in the query is refused, unless a switch allows it."""

    def add() -> Any:
        client = client_of(simulator)
        with client._http:
            return client.material.add("video", named(MP4, "v.mp4"), "标题", "简介")

    with pytest.raises(WeChatClientException) as caught:
        await anyio.to_thread.run_sync(add)
    assert caught.value.errcode == 41005
    simulator.options = SimulatorOptions(description_in_query=True)
    assert list(await anyio.to_thread.run_sync(add)) == ["media_id"]
    # Its escapes stay what they are.
    assert [material.title for material in simulator.materials.values()] == ["\\u6807\\u9898"]
