"""The round of wechatpy 1.8.18, as its users write it: no host is named, and nothing of it is replaced."""

import os
from pathlib import Path

from wechatpy import WeChatClient

from telling import asked

client = WeChatClient(os.environ["PEER_APPID"], os.environ["PEER_SECRET"])
material = client.material
ids: dict[str, str] = {}

asked("token", lambda: {"access_token": client.access_token})
for kind, name in (("image", "海报.png"), ("voice", "voice.mp3"), ("thumb", "thumb.jpg"), ("video", "片段.mp4")):
    with Path(name).open("rb") as file:
        words = ("标题", "简介") if kind == "video" else ()
        added = asked(f"add {kind}", lambda: material.add(kind, file, *words))  # noqa: B023 - called at once
    ids[kind] = added.get("media_id", "")
asked("count", material.get_count)
for kind in ("image", "voice", "video"):
    asked(f"list {kind}", lambda: material.batchget(kind, 0, 20))  # noqa: B023 - called at once
for kind, media_id in ids.items():
    asked(f"get {kind}", lambda: material.get(media_id))  # noqa: B023 - called at once
for kind, media_id in ids.items():
    asked(f"delete {kind}", lambda: material.delete(media_id))  # noqa: B023 - called at once
asked("count after", material.get_count)
asked("get deleted", lambda: material.get(ids["image"]))
