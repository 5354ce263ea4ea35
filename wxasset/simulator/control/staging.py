"""Content staged over HTTP without an upload, as tests in Python add it to the account."""

import base64
import binascii
import re
from typing import Literal

from aiohttp import web
from attrs import field, frozen
from attrs.validators import max_len, min_len

from wxasset.simulator.control.routes import ControlError, ControlRequest, Reply
from wxasset.simulator.controls import AccountControls
from wxasset.simulator.state.account import Article

__all__ = [
    "AddArticles",
    "AddCloudFile",
    "AddMaterial",
    "AddMedium",
    "AddVoice",
    "OneId",
    "SetInUse",
    "add_articles",
    "add_cloud_file",
    "add_material",
    "add_medium",
    "add_voice",
    "read_bytes",
    "remove",
    "set_in_use",
]

_MOST_ARTICLES = 8  # documented for a news material (2.5)


@frozen(kw_only=True)
class AddArticles:
    """A news material with these articles."""

    articles: list[Article] = field(validator=[min_len(1), max_len(_MOST_ARTICLES)])
    appid: str | None = None


@frozen(kw_only=True)
class AddMaterial:
    """A permanent material; its bytes are in base64 and are not examined."""

    type: Literal["image", "voice", "video", "thumb"]
    content: str = field(repr=False)
    filename: str
    title: str = ""
    introduction: str = ""
    appid: str | None = None


@frozen(kw_only=True)
class AddMedium:
    """A temporary medium; its bytes are in base64 and are not examined."""

    type: Literal["image", "voice", "video", "thumb"]
    content: str = field(repr=False)
    filename: str
    appid: str | None = None


@frozen(kw_only=True)
class AddVoice:
    """A voice recorded by a web page; its bytes are in base64."""

    content: str = field(repr=False)
    appid: str | None = None


@frozen(kw_only=True)
class AddCloudFile:
    """A file in cloud storage; its bytes are in base64."""

    env: str = field(validator=min_len(1))
    path: str = field(validator=min_len(1))
    content: str = field(repr=False)
    appid: str | None = None


@frozen(kw_only=True)
class SetInUse:
    """A material in use: del_material fails with the error code; null ends this."""

    media_id: str
    errcode: Literal[48005, 45060] | None = 48005
    appid: str | None = None


@frozen(kw_only=True)
class OneId:
    """An item by media_id, file id or URL, in the library of any account unless one is named."""

    id: str
    appid: str | None = None


def add_articles(control: ControlRequest, new: AddArticles) -> Reply:
    """Add a news material."""
    return {"media_id": control.account(new.appid).add_news(*new.articles)}


def add_material(control: ControlRequest, new: AddMaterial) -> Reply:
    """Add a permanent material."""
    account = control.account(new.appid)
    added = account.add_material(
        new.type, _content(new.content), filename=new.filename, title=new.title, introduction=new.introduction
    )
    return {"media_id": added}


def add_medium(control: ControlRequest, new: AddMedium) -> Reply:
    """Add a temporary medium."""
    account = control.account(new.appid)
    return {"media_id": account.add_temporary_media(new.type, _content(new.content), filename=new.filename)}


def add_voice(control: ControlRequest, new: AddVoice) -> Reply:
    """Add a voice of a web page."""
    return {"media_id": control.account(new.appid).add_jssdk_voice(_content(new.content))}


def add_cloud_file(control: ControlRequest, new: AddCloudFile) -> Reply:
    """Add a file to cloud storage."""
    return {"fileid": control.account(new.appid).add_cloud_file(new.env, new.path, _content(new.content))}


def set_in_use(control: ControlRequest, new: SetInUse) -> Reply:
    """Mark a material as used by an article."""
    account = control.account(new.appid)
    if new.media_id not in account.materials:
        raise ControlError(404, f"no material {new.media_id[:80]!r} in the library of {account.appid}")
    if new.errcode is None:
        account.materials_in_use.pop(new.media_id, None)
    else:
        account.materials_in_use[new.media_id] = new.errcode
    return {}


def read_bytes(control: ControlRequest, wanted: OneId) -> Reply:
    """Return the stored bytes of an item.

    The type is fixed, so that a browser runs no page stored here as one of the simulator's own.
    """
    for account in _searched(control, wanted):
        found = _find(account, wanted.id)
        if found is not None:
            content, kind = found
            safe = kind if re.fullmatch(r"(image/(png|jpeg|gif|bmp|webp)|audio/[\w.+-]+|video/[\w.+-]+)", kind) else ""
            headers = {"X-Content-Type-Options": "nosniff"}
            return web.Response(body=content, content_type=safe or "application/octet-stream", headers=headers)
    raise ControlError(404, f"no stored bytes for the id {wanted.id[:80]!r}")


def remove(control: ControlRequest, wanted: OneId) -> Reply:
    """Remove an item, whatever uses it."""
    for account in _searched(control, wanted):
        for store in (account.materials, account.temporary_media, account.cloud_files, account.article_images):
            if wanted.id in store:
                del store[wanted.id]
                return {}
    raise ControlError(404, f"no item with the id {wanted.id[:80]!r}")


def _searched(control: ControlRequest, wanted: OneId) -> list[AccountControls]:
    return list(control.simulator.accounts.values()) if wanted.appid is None else [control.account(wanted.appid)]


def _find(account: AccountControls, name: str) -> tuple[bytes, str] | None:
    """Return the bytes of an item with their MIME type."""
    stored = account.materials.get(name) or account.temporary_media.get(name)
    if stored is not None:
        return stored.content, stored.content_type
    if name in account.article_images:
        return account.article_images[name], "image/jpeg"
    url = next((one for one in list(account.materials.values()) if one.url == name), None)
    if url is not None:
        return url.content, url.content_type
    return (account.cloud_files[name], "") if name in account.cloud_files else None


def _content(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("content must be the bytes in base64, with its padding") from None
