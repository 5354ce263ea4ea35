"""Content of articles: what the service removes from it, and its text (wire reference 4.11, 8.3)."""

import html
import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

_SCRIPT, _END_OF_SCRIPT = (re.compile(text, re.IGNORECASE) for text in (r"<script\b", r"</script\s*>"))
_TAG = re.compile(r"<[a-z/!][^<>]*>", re.IGNORECASE)  # without "<" inside: linear time for any content
_HANDLER = re.compile(r"""\son\w+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)
_SOURCE = re.compile(r"""\s(?:data-)?src\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_LINK = re.compile(r"<a\b[^<>]*\bhref\b", re.IGNORECASE)
_HOSTS = (".qpic.cn", ".qlogo.cn", ".mmecoa.com")  # those of images in captures and in wechat-publish (2.1, 2.6)
_DIGEST = 54


def without_scripts(content: str) -> str:
    """Remove JavaScript. Documented; chosen: script elements and event handlers."""
    return _TAG.sub(lambda tag: _HANDLER.sub("", tag[0]), _without_script_elements(content))


def without_foreign_images(content: str, known: Iterable[str]) -> str:
    """Remove the src of images of other hosts. Documented; chosen: the tag stays.

    Known URLs stay under any scheme and host: a simulator may be reached under another name.
    """

    def source(match: re.Match[str]) -> str:
        url = html.unescape(match[1] or match[2] or match[3] or "")
        return match[0] if _of_wechat(url) or any(url.endswith(_tail(one)) for one in known) else ""

    return _TAG.sub(_in_images(lambda tag: _SOURCE.sub(source, tag)), content)


def has_links(content: str) -> bool:
    """Return True for a content with hyperlinks."""
    return _LINK.search(content) is not None


def digest_of(content: str) -> str:
    """Return the beginning of the text of a content, the documented digest of an article without one."""
    return " ".join(html.unescape(_TAG.sub("", content)).split())[:_DIGEST]


def _without_script_elements(content: str) -> str:
    kept, position = [], 0
    while (start := _SCRIPT.search(content, position)) and (end := _END_OF_SCRIPT.search(content, start.end())):
        kept.append(content[position : start.start()])
        position = end.end()
    return "".join(kept) + content[position:]


def _in_images(change: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
    return lambda tag: change(tag[0]) if re.match(r"<img\b", tag[0], re.IGNORECASE) else tag[0]


def _tail(url: str) -> str:
    """Return a URL from its path on."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _of_wechat(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host.endswith(_HOSTS)
