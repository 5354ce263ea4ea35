"""What each step of a peer's round must have brought."""

import hashlib
import re
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["FILES", "STEPS", "problem"]

_BODY: Final = bytes(range(256)) * 200  # 50 KB, with every byte in it: below the 64 KB that a thumb may have
FILES: Final = {
    "image": ("海报.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + _BODY),
    "voice": ("voice.mp3", b"\xff\xfb\x90\x64" + _BODY),
    "thumb": ("thumb.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + _BODY),
    "video": ("片段.mp4", b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00" + _BODY),
}

Answers = Mapping[str, Mapping[str, Any]]
Check = Callable[[Answers, Mapping[str, str]], object]


def _added(kind: str) -> Check:
    def check(answers: Answers, _: Mapping[str, str]) -> object:
        answer = answers[f"add {kind}"]
        # Only images have an address, and thumbs are images (wire reference 2.1).
        addressed = str(answer.get("url", "")).startswith("http://mmbiz.qpic.cn/")
        return re.fullmatch(r"[\w-]{43,64}", answer["media_id"]) and addressed is (kind in {"image", "thumb"})

    return check


def _listed(kind: str, *kinds: str) -> Check:
    def check(answers: Answers, names: Mapping[str, str]) -> object:
        answer = answers[f"list {kind}"]
        expected = {(answers[f"add {one}"]["media_id"], names[one]) for one in kinds}
        found = {(item["media_id"], item["name"]) for item in answer["item"]}
        return found == expected and answer["total_count"] == answer["item_count"] == len(kinds)

    return check


def _same_bytes(kind: str) -> Check:
    digest = hashlib.sha256(FILES[kind][1]).hexdigest()
    return lambda answers, _: answers[f"get {kind}"] == {"sha256": digest}


def _video(answers: Answers, names: Mapping[str, str]) -> object:
    answer = answers["get video"]
    if (answer["title"], answer["description"]) != (names["title"], names["introduction"]):
        return False
    with urllib.request.urlopen(answer["down_url"], timeout=10) as reply:  # noqa: S310 - of the simulator
        return reply.read() == FILES["video"][1]


def _deleted(kind: str) -> Check:
    return lambda answers, _: answers[f"delete {kind}"]["errcode"] == 0


def _counted(step: str, expected: tuple[int, int, int, int]) -> Check:
    keys = ("voice_count", "video_count", "image_count", "news_count")
    return lambda answers, _: answers[step] == dict(zip(keys, expected, strict=True))


def _gone(answers: Answers, _: Mapping[str, str]) -> object:
    return "40007" in str(answers["get deleted"])


STEPS: Final[Mapping[str, Check]] = {
    "token": lambda answers, _: answers["token"]["access_token"],  # the steps after it show that it is right
    **{f"add {kind}": _added(kind) for kind in FILES},
    "count": _counted("count", (1, 1, 2, 0)),
    "list image": _listed("image", "image", "thumb"),
    "list voice": _listed("voice", "voice"),
    "list video": _listed("video", "video"),
    **{f"get {kind}": _same_bytes(kind) for kind in ("image", "voice", "thumb")},
    "get video": _video,
    **{f"delete {kind}": _deleted(kind) for kind in FILES},
    "count after": _counted("count after", (0, 0, 0, 0)),
    "get deleted": _gone,
}


def problem(step: str, answers: Answers, names: Mapping[str, str]) -> str | None:
    """Say what is wrong with a step, or None.

    Args:
        step: One of `STEPS`.
        answers: What the peer's library answered to each step.
        names: What the materials must be called in lists, and the title and introduction of the video.
    """
    try:
        right = STEPS[step](answers, names)
    except (KeyError, TypeError, OSError) as error:
        right = False
        reason = f" ({error!r})"
    else:
        reason = ""
    return None if right else f"answered {answers.get(step, 'nothing')}{reason}"
