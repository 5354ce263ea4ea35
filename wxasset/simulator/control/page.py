"""The page at `/_sim/`: its files, and the control requests for its content.

The files hold no data and need no token. The page reads a token from `#token=` of its address, and sends it as
`Authorization: Bearer`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiohttp import web
from attrs import field, frozen
from attrs.validators import and_, ge, le

from wxasset.simulator.control.routes import ControlRequest, Nothing, Reply
from wxasset.simulator.control.settings import OfAccount
from wxasset.simulator.endpoints.table import ENDPOINTS
from wxasset.simulator.faults.language import EXAMPLES
from wxasset.simulator.shared_state import SharedState
from wxasset.simulator.state.account import Account, Material, TemporaryMedia
from wxasset.simulator.state.quotas import DAILY_LIMITS, daily_limit

__all__ = ["PAGE_FILES", "Listing", "show_choices", "show_file", "show_items", "show_overview"]

PAGE_FILES: dict[str, tuple[str, str]] = {
    "": ("index.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "server.js": ("server.js", "text/javascript"),
    "words.js": ("words.js", "text/javascript"),
    "style.css": ("style.css", "text/css"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_FOLDER = Path(__file__).parent.parent / "page"
_LISTED = ("image", "voice", "video", "news")
_TOKENS = 20  # shown, the latest ones
_TOKEN_BEGINNING = 6  # characters, as in the official sample of a request id's record: `50_Im7xxxx`


@frozen(kw_only=True)
class Listing:
    """A part of the items of a type, newest first."""

    appid: str | None = None
    type: str = "image"
    offset: int = field(default=0, validator=ge(0))
    count: int = field(default=12, validator=and_(ge(1), le(100)))


async def show_file(control: ControlRequest, _arguments: Nothing) -> Reply:
    """Return a file of the page."""
    file, content_type = PAGE_FILES[control.http.path.rpartition("/")[2]]
    content = await asyncio.to_thread((_FOLDER / file).read_bytes)
    return web.Response(body=content, content_type=content_type, charset="utf-8", headers=_HEADERS)


def show_choices(_control: ControlRequest, _arguments: Nothing) -> Reply:
    """Return the endpoints, and examples of the fault words."""
    return {"endpoints": sorted(ENDPOINTS), "faults": EXAMPLES}


def show_overview(control: ControlRequest, chosen: OfAccount) -> Reply:
    """Return the clock, the counts, the quotas of today and the latest tokens, cut."""
    with control.shared.lock:
        return _overview(control.shared, _account(control, chosen.appid))


def show_items(control: ControlRequest, wanted: Listing) -> Reply:
    """Return items of the library or of another store."""
    with control.shared.lock:
        items = _items(_account(control, wanted.appid), wanted.type)
    page = items[wanted.offset : wanted.offset + wanted.count]
    return {"total": len(items), "items": [_item(one) for one in page]}


def _account(control: ControlRequest, appid: str | None) -> Account:
    return control.shared.service.accounts[control.account(appid).appid]


def _overview(shared: SharedState, account: Account) -> Mapping[str, object]:
    registry, now = account.tokens.registry, account.clock.now()
    tokens = [
        {
            "number": token.number,
            "kind": token.kind,
            "owner": token.owner,
            "value": f"{token.value[:_TOKEN_BEGINNING]}…",
            "seconds_left": registry.seconds_left(token),
            "errcode": token.errcode(now),
        }
        for token in registry.latest(_TOKENS)
    ]
    used = account.quotas.used_today()
    quotas = [
        {"path": path, "used": used.get(path, 0), "limit": daily_limit(path, account.options)}
        for path in sorted({*used, *DAILY_LIMITS, *account.options.daily_limits})
    ]
    counts = {kind: len(account.listed(kind)) for kind in _LISTED}
    counts |= {"temporary": len(account.temporary_media), "article": len(account.article_images)}
    return {
        "now": now,
        "requests": shared.journal.total,
        "token_calls": shared.token_calls,
        "accounts": list(shared.service.accounts),
        "account": account.appid,
        "counts": {**counts, "cloud": len(account.cloud_files)},
        "quotas": quotas,
        "tokens": tokens,
    }


@frozen
class _CloudFile:
    media_id: str
    size: int


@frozen
class _ArticleImage:
    url: str
    content: bytes


_Stored = Material | TemporaryMedia | _CloudFile | _ArticleImage


def _items(account: Account, kind: str) -> Sequence[_Stored]:
    """Return the items of a kind, newest first."""
    if kind in _LISTED:
        return account.listed(kind)
    if kind == "temporary":
        return list(account.temporary_media.values())[::-1]
    if kind == "article":
        return [_ArticleImage(url, content) for url, content in account.article_images.items()][::-1]
    if kind == "cloud":
        return [_CloudFile(name, size) for name, size in account.cloud_files.sizes().items()][::-1]
    raise ValueError(f"unknown type {kind[:80]!r}; known are {', '.join((*_LISTED, 'temporary', 'article', 'cloud'))}")


def _item(one: _Stored) -> dict[str, object]:
    if isinstance(one, _CloudFile):
        return {"id": one.media_id, "type": "cloud", "name": _printable(one.media_id), "size": one.size}
    if isinstance(one, _ArticleImage):
        return {"id": one.url, "type": "image", "name": one.url, "size": len(one.content)}
    item = {"id": one.media_id, "type": one.type, "size": len(one.content)}
    if isinstance(one, TemporaryMedia):
        return {**item, "name": _printable(one.filename), "time": one.created_at}
    name = one.title or one.filename or ", ".join(article.title for article in one.articles)
    return {**item, "name": _printable(name), "time": one.update_time}


def _printable(text: str) -> str:
    """Replace bytes of a name outside UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
