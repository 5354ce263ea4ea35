"""What each step of a peer's round must have brought."""

import hashlib
import re
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
Fetch = Callable[[str], bytes]
Check = Callable[[Answers, Mapping[str, str], Fetch], object]
_ID: Final = re.compile(r"[\w-]{43,64}")


def _succeeded(answers: Answers, *kinds: str) -> list[str]:
    """The kinds of materials that the peer has added."""
    return [kind for kind in kinds if answers.get(f"add {kind}", {}).get("media_id")]


def _added(kind: str) -> Check:
    def check(answers: Answers, _: Mapping[str, str], _fetch: Fetch) -> object:
        answer = answers[f"add {kind}"]
        # Only images have an address, and thumbs are images (wire reference 2.1); some peers return the id alone.
        address = str(answer.get("url", ""))
        right = re.match(r"https?://mmbiz\.qpic\.cn/", address) if kind in {"image", "thumb"} else not address
        return _ID.fullmatch(answer["media_id"]) and (right or answer.get("url", "") is None)

    return check


def _listed(kind: str, *kinds: str) -> Check:
    def check(answers: Answers, names: Mapping[str, str], _fetch: Fetch) -> object:
        answer = answers[f"list {kind}"]
        expected = {(answers[f"add {one}"]["media_id"], names[one]) for one in _succeeded(answers, *kinds)}
        found = {(item["media_id"], item["name"]) for item in answer["item"]}
        return found == expected and answer["total_count"] == answer["item_count"] == len(expected)

    return check


def _same_bytes(kind: str, step: str | None = None) -> Check:
    digest = hashlib.sha256(FILES[kind][1]).hexdigest()

    def check(answers: Answers, _: Mapping[str, str], _fetch: Fetch) -> object:
        answer = answers[step or f"get {kind}"]
        return answer == {"sha256": digest} or _complete_head(str(answer.get("head")), len(FILES[kind][1]))

    return check


def _complete_head(head: str, size: int) -> bool:
    """Judge the headers that the official sample asks for; those of the proxy come before them."""
    head = head.rstrip().rpartition("\r\n\r\n")[2] + "\r\n"
    return head.startswith("HTTP/1.1 200 OK") and f"content-length: {size}\r\n" in head.lower()


def _video(answers: Answers, names: Mapping[str, str], fetch: Fetch) -> object:
    answer = answers["get video"]
    if (answer["title"], answer["description"]) != (names["title"], names["introduction"]):
        return False
    return fetch(answer["down_url"]) == FILES["video"][1]


def _done(step: str) -> Check:
    return lambda answers, _, _fetch: answers[step]["errcode"] == 0


def _counted(answers: Answers, _: Mapping[str, str], _fetch: Fetch) -> object:
    kinds = {"voice": ("voice",), "video": ("video",), "image": ("image", "thumb"), "news": ()}
    return answers["count"] == {f"{kind}_count": len(_succeeded(answers, *of)) for kind, of in kinds.items()}


def _none_left(answers: Answers, _: Mapping[str, str], _fetch: Fetch) -> object:
    return set(answers["count after"].values()) == {0}


def _gone(answers: Answers, _: Mapping[str, str], _fetch: Fetch) -> object:
    return re.search("40007|invalid media_id", str(answers["get deleted"]))


def _image(answers: Answers, _: Mapping[str, str], fetch: Fetch) -> object:
    address = answers["article image"]["url"]
    return address.startswith("http://mmbiz.qpic.cn/") and fetch(address) == FILES["image"][1]


def _created(step: str) -> Check:
    return lambda answers, _, _fetch: _ID.fullmatch(answers[step]["media_id"])


def _draft(answers: Answers, _: Mapping[str, str], _fetch: Fetch) -> object:
    return answers["get draft"]["news_item"][0]["content"] == "<p>正文</p>"


def _drafts(answers: Answers, _: Mapping[str, str], _fetch: Fetch) -> object:
    return [one["media_id"] for one in answers["list drafts"]["item"]] == [answers["add draft"]["media_id"]]


STEPS: Final[Mapping[str, Check]] = {
    "token": lambda answers, _, _fetch: answers["token"]["access_token"],  # the steps after it show that it is right
    **{f"add {kind}": _added(kind) for kind in FILES},
    "count": _counted,
    "list image": _listed("image", "image", "thumb"),
    "list voice": _listed("voice", "voice"),
    "list video": _listed("video", "video"),
    **{f"get {kind}": _same_bytes(kind) for kind in ("image", "voice", "thumb")},
    "get video": _video,
    **{f"delete {kind}": _done(f"delete {kind}") for kind in FILES},
    "count after": _none_left,
    "get deleted": _gone,
    "add temporary": _created("add temporary"),
    "get temporary": _same_bytes("image", "get temporary"),
    "article image": _image,
    "add draft": _created("add draft"),
    "get draft": _draft,
    "count drafts": lambda answers, _, _fetch: answers["count drafts"]["total_count"] == 1,
    "list drafts": _drafts,
    "update draft": _done("update draft"),
    "add image post": _created("add image post"),
    "publish": lambda answers, _, _fetch: answers["publish"]["publish_id"],
    "get publish": lambda answers, _, _fetch: answers["get publish"]["publish_status"] in (0, 1),
    "delete draft": _done("delete draft"),
    "cloud permit": lambda answers, _, _fetch: answers["cloud permit"]["file_id"].startswith("cloud://"),
    "cloud upload": lambda answers, _, _fetch: answers["cloud upload"] == {"status": 204},
    "cloud link": lambda answers, _, _fetch: answers["cloud link"]["file_list"][0]["status"] == 0,
    "cloud get": _same_bytes("image", "cloud get"),
    "cloud delete": lambda answers, _, _fetch: answers["cloud delete"]["delete_list"][0]["status"] == 0,
}


def problem(step: str, answers: Answers, names: Mapping[str, str], fetch: Fetch) -> str | None:
    """Say what is wrong with a step, or None.

    Args:
        step: One of `STEPS`.
        answers: What the peer's library answered to each step.
        names: What the materials must be called in lists, and the title and introduction of the video.
        fetch: Fetches a URL from the simulator.
    """
    try:
        right = STEPS[step](answers, names, fetch)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OSError) as error:
        right = False
        reason = f" ({error!r})"
    else:
        reason = ""
    return None if right else f"answered {answers.get(step, 'nothing')}{reason}"
