"""The publishing of wewrite, as its users write it."""

import os

from wewrite.toolkit import publisher, wechat_api

from telling import ARTICLE, asked

appid, secret = os.environ["PEER_APPID"], os.environ["PEER_SECRET"]
token = asked("token", lambda: {"access_token": wechat_api.get_access_token(appid, secret)})["access_token"]
cover = asked("add image", lambda: {"media_id": wechat_api.upload_thumb(token, "海报.png"), "url": None})["media_id"]
asked("article image", lambda: {"url": wechat_api.upload_image(token, "海报.png")})
words = (ARTICLE["title"], ARTICLE["content"], ARTICLE["digest"])
draft = asked("add draft", lambda: {"media_id": publisher.create_draft(token, *words, cover).media_id})
asked("get draft", lambda: {"news_item": [{"content": publisher.get_draft(token, draft.get("media_id", ""))}]})
asked("add image post", lambda: {"media_id": publisher.create_image_post(token, "图", [cover], "文").media_id})
