"""How a peer's program tells what its library answered: one line of JSON for each step."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["ARTICLE", "asked", "go_round"]

MEDIA = {"image": "海报.png", "voice": "voice.mp3", "thumb": "thumb.jpg", "video": "片段.mp4"}
ARTICLE = {"title": "标题", "author": "作者", "digest": "摘要", "content": "<p>正文</p>"}


def asked(step: str, ask: Callable[[], Any]) -> dict[str, Any]:
    """Take one step and print its outcome; the next one is taken in any case."""
    try:
        answer = shown(ask())
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the outcome
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"step": step, "answer": answer}), flush=True)
    return answer


def shown(answer: Any) -> dict[str, Any]:
    """Turn what a library returned, a dictionary, bytes or a response of requests, into what JSON can hold."""
    if isinstance(answer, str):
        return {"value": answer}
    if isinstance(answer, dict):
        return answer
    content = answer if isinstance(answer, bytes) else answer.content
    if content.lstrip().startswith(b"{"):
        document: dict[str, Any] = json.loads(content.decode("utf-8"))
        return document
    return {"sha256": hashlib.sha256(content).hexdigest()}


def go_round(
    *,
    add: Callable[[str, Any], Any],
    count: Callable[[], Any],
    listed: Callable[[str], Any],
    get: Callable[[str], Any],
    delete: Callable[[str], Any],
    upload: Callable[[str, Any], Any],
    download: Callable[[str], Any],
    article_image: Callable[[Any], Any],
) -> None:
    """Go the round of materials, temporary media and images of articles, with the calls of a library."""
    ids: dict[str, str] = {}
    for kind, name in MEDIA.items():
        with Path(name).open("rb") as file:
            ids[kind] = asked(f"add {kind}", lambda: add(kind, file)).get("media_id", "")  # noqa: B023 - called now
    asked("count", count)
    for kind in ("image", "voice", "video"):
        asked(f"list {kind}", lambda: listed(kind))  # noqa: B023 - called now
    for step, act in (("get", get), ("delete", delete)):
        for kind, media_id in ids.items():
            if media_id:
                asked(f"{step} {kind}", lambda: act(media_id))  # noqa: B023 - called now
    asked("count after", count)
    asked("get deleted", lambda: get(ids["image"]))
    with Path(MEDIA["image"]).open("rb") as file:
        media_id = asked("add temporary", lambda: upload("image", file)).get("media_id", "")
    asked("get temporary", lambda: download(media_id))
    with Path(MEDIA["image"]).open("rb") as file:
        asked("article image", lambda: article_image(file))
