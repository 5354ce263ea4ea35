"""The round of WeRoBot, as its users write it: no host is named, and nothing of it is replaced."""

import os
from pathlib import Path

from werobot.client import Client

from telling import asked

client = Client({"APP_ID": os.environ["PEER_APPID"], "APP_SECRET": os.environ["PEER_SECRET"]})
ids: dict[str, str] = {}

asked("token", lambda: {"access_token": client.get_access_token()})
for kind, name in (("image", "海报.png"), ("voice", "voice.mp3"), ("thumb", "thumb.jpg")):
    with Path(name).open("rb") as file:
        added = asked(f"add {kind}", lambda: client.upload_permanent_media(kind, file))  # noqa: B023 - called at once
    ids[kind] = added.get("media_id", "")
with Path("片段.mp4").open("rb") as file:
    ids["video"] = asked("add video", lambda: client.upload_permanent_video("标题", "简介", file)).get("media_id", "")
asked("count", client.get_media_count)
for kind in ("image", "voice", "video"):
    asked(f"list {kind}", lambda: client.get_media_list(kind, 0, 20))  # noqa: B023 - called at once
for kind, media_id in ids.items():
    asked(f"get {kind}", lambda: client.download_permanent_media(media_id))  # noqa: B023 - called at once
for kind, media_id in ids.items():
    asked(f"delete {kind}", lambda: client.delete_permanent_media(media_id))  # noqa: B023 - called at once
asked("count after", client.get_media_count)
asked("get deleted", lambda: client.download_permanent_media(ids["image"]))
