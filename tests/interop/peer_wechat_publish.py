"""The publishing of wechat-publish, as its users write it."""

import os
from contextlib import redirect_stdout
from pathlib import Path
from sys import stderr

import wechat_publish.core as wechat

from telling import ARTICLE, asked

appid, secret = os.environ["PEER_APPID"], os.environ["PEER_SECRET"]
token = asked("token", lambda: {"access_token": wechat.get_access_token(appid, secret)})["access_token"]
asked("add image", lambda: {"media_id": wechat.upload_cover(token, "海报.png"), "url": None})
page = Path("article.html")
page.write_text(f'{ARTICLE["content"]}<img src="海报.png">', "utf-8")


def article_image() -> dict[str, str]:
    """Upload the image of the page."""
    with redirect_stdout(stderr):
        return {"url": wechat.upload_content_images(token, page.read_text("utf-8")).partition('<img src="')[2][:-2]}


def push() -> dict[str, str]:
    """Push the page as a draft."""
    article = {"html_path": str(page), "title": ARTICLE["title"], "cover_path": "海报.png", "digest": ARTICLE["digest"]}
    with redirect_stdout(stderr):
        return {"media_id": wechat.push_articles(appid, secret, [article], author=ARTICLE["author"])}


asked("article image", article_image)
draft = asked("add draft", push).get("media_id", "")
asked("publish", lambda: wechat.publish(token, draft))
