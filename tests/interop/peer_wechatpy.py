"""The rounds of wechatpy 1.8.18 and 2.0.0a26, as their users write them; the newer one has drafts as well."""

import os

from wechatpy import WeChatClient

from telling import ARTICLE, asked, go_round

client = WeChatClient(os.environ["PEER_APPID"], os.environ["PEER_SECRET"])
material, media = client.material, client.media

asked("token", lambda: {"access_token": client.access_token})
go_round(
    add=lambda kind, file: material.add(kind, file, *(("标题", "简介") if kind == "video" else ())),
    count=material.get_count,
    listed=lambda kind: material.batchget(kind, 0, 20),
    get=material.get,
    delete=material.delete,
    upload=media.upload,
    download=media.download,
    article_image=lambda file: {"url": media.upload_image(file)},
)
if hasattr(client, "draft"):
    with open("海报.png", "rb") as cover:
        article = {**ARTICLE, "thumb_media_id": material.add("image", cover)["media_id"]}
    drafts = client.draft
    draft = asked("add draft", lambda: drafts.add([article])).get("media_id", "")
    asked("get draft", lambda: drafts.get(draft))
    asked("count drafts", drafts.count)
    asked("list drafts", lambda: drafts.batchget(0, 20))
    asked("update draft", lambda: drafts.update(draft, 0, {**article, "title": "新标题"}))
    published = asked("publish", lambda: client.freepublish.submit(draft)).get("publish_id", "")
    asked("get publish", lambda: client.freepublish.get(published))
    other = drafts.add([article]).get("media_id", "")
    asked("delete draft", lambda: drafts.delete(other))
