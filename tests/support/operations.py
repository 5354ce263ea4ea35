"""Every operation of a session, and every fault with the outcome that a caller sees of it.

A fault comes once, when the operation's own request is answered. The columns say what a caller sees of it:

* READ, DELETE: `ok`, the operation was repeated and did what was asked for; or the error.
* ADD: `ok`; `found`, the reply was lost and the material found in the library; `unknown`, it is not there, so far.
* COPY (article images and temporary media, which nothing lists): `ok`, `unknown`, or the error.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from wxasset import SavedMaterial, Video, WxSession
from wxasset.simulator import Simulator

OK, FOUND, UNKNOWN = "ok", "found", "unknown"
READ, DELETE, ADD, COPY = range(4)

# The body of an upload is small: by the time a server breaks off, all of it may have been handed over.
EITHER = "ok or unknown"

FAULTS: dict[str, tuple[str, str, str, str]] = {
    # fault: READ, DELETE, ADD, COPY
    "errcode:-1": (OK, OK, UNKNOWN, UNKNOWN),
    "errcode-after-commit:-1": (OK, OK, FOUND, UNKNOWN),
    "errcode:45009": ("QuotaExceededError",) * 4,
    "errcode:45011": (OK, OK, OK, OK),
    "errcode:48001": ("PermissionDeniedError",) * 4,
    "errcode:40164": ("IPNotAllowedError",) * 4,
    "errcode:99999": ("APIError",) * 4,
    "status:503": (OK, OK, UNKNOWN, UNKNOWN),
    "status:404": ("HTTPStatusError",) * 4,
    "status:429": (OK, OK, OK, OK),
    "status-after-commit:502": (OK, OK, FOUND, UNKNOWN),
    "retry-after:1": (OK, OK, UNKNOWN, UNKNOWN),
    "status:429,retry-after:1": (OK, OK, OK, OK),
    "status:429,retry-after:121": ("HTTPStatusError",) * 4,
    "reset-before-commit": (OK, OK, UNKNOWN, UNKNOWN),
    "reset-after-commit": (OK, OK, FOUND, UNKNOWN),
    "close-before-commit": (OK, OK, UNKNOWN, UNKNOWN),
    "close-before-reply": (OK, OK, FOUND, UNKNOWN),
    "reset-after-1K": (OK, OK, EITHER, EITHER),
    "close-after-1K": (OK, OK, EITHER, EITHER),
    "return-503-after-1K": (OK, OK, EITHER, EITHER),
    "stall-30s": (OK, OK, FOUND, UNKNOWN),
    "stall-30s-before-commit": (OK, OK, UNKNOWN, UNKNOWN),
    "stall-30s-after-5": (OK, OK, FOUND, UNKNOWN),
    "delay-20ms": (OK, OK, OK, OK),
    "trickle-1K-every-1ms": (OK, OK, OK, OK),
    "slow-head-1ms": (OK, OK, OK, OK),
    "cut-reply-after-5": (OK, OK, FOUND, UNKNOWN),
    "reset-reply-after-5": (OK, OK, FOUND, UNKNOWN),
    "chunked-cut-after-5": (OK, OK, FOUND, UNKNOWN),
    "wrong-length:10": (OK, OK, FOUND, UNKNOWN),
    "revoke-token": (OK, OK, OK, OK),
    "expire-token": (OK, OK, OK, OK),
    "malformed-token": (OK, OK, OK, OK),  # the token endpoint gives the same token again: one refresh is forced
    "redirect:307": ("HTTPStatusError",) * 4,
    "redirect:302:http://169.254.169.254/": ("HTTPStatusError",) * 4,
    "html": (OK, OK, UNKNOWN, UNKNOWN),
    "html-after-commit": (OK, OK, FOUND, UNKNOWN),
    "foreign-json": (OK, OK, UNKNOWN, UNKNOWN),
    "foreign-json-after-commit": (OK, OK, FOUND, UNKNOWN),
    "empty-after-commit": (OK, OK, FOUND, UNKNOWN),
    "garbage-after-commit": (OK, OK, FOUND, UNKNOWN),
    "not-http": (OK, OK, FOUND, UNKNOWN),
    "control-characters": (OK, OK, OK, OK),
    "invalid-utf8": (OK, OK, OK, OK),
    "deep-json:100000": (OK, OK, FOUND, UNKNOWN),
    "long-errcode:5000": (OK, OK, FOUND, UNKNOWN),
    "gzip-bomb:3M": ("ReplyTooLarge", "ReplyTooLarge", FOUND, UNKNOWN),
}
FILM = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(range(256)) * 40
FORM = "/cos.ap-shanghai.myqcloud.com/7465-env-1258717764/a.jpg"
PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40


@frozen
class Operation:
    """An operation of the face: its endpoint, its column, how it is made and judged."""

    endpoint: str
    column: int
    make: Callable[[WxSession, Simulator, Path], Awaitable[Callable[[], Awaitable[Any]]]]
    judge: Callable[[Simulator, Any], None]


def _added(kind: str, **options: Any) -> Operation:
    async def make(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
        del sim, path
        media = {"image": PHOTO, "thumb": PHOTO, "voice": b"#!AMR\n" + bytes(1000)}[kind]
        return lambda: wx.add_material(kind, media, filename=f"mine.{'amr' if kind == 'voice' else 'jpg'}", **options)  # type: ignore[arg-type]

    def judge(sim: Simulator, result: Any) -> None:
        mine = [one.media_id for one in sim.materials.values() if one.filename.startswith("mine")]
        assert mine == [result.media_id] if result is not None else len(mine) <= 1

    return Operation("add_material", ADD, make, judge)


async def _existing(wx: WxSession) -> str:
    return (await wx.add_material("image", PHOTO, filename="old.jpg")).media_id


async def _get_material(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    del sim
    media_id = await _existing(wx)
    return lambda: wx.get_material(media_id, to=path / "out.jpg")


async def _open_material(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    del sim
    media_id = await _existing(wx)

    async def read() -> Any:
        async with wx.open_material(media_id) as material:
            assert not isinstance(material, Video)
            return await material.save(path / "out.jpg")  # type: ignore[union-attr] # it is a stream

    return read


async def _get_media(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    del sim
    media_id = (await wx.upload_media("image", PHOTO)).media_id
    return lambda: wx.get_media(media_id, to=path / "out.jpg")


async def _film(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    del sim
    added = await wx.add_material("video", FILM, filename="old.mp4", title="title")
    video = await wx.get_material(added.media_id, to=path / "unused")
    assert isinstance(video, Video)
    return lambda: wx.download_video(video, to=path / "out.mp4")


async def _del_material(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    del sim, path
    media_id = await _existing(wx)
    return lambda: wx.del_material(media_id)


async def _delete_files(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    del path
    fileids = [sim.add_cloud_file("env", f"{number}.jpg", PHOTO) for number in range(3)]
    return lambda: wx.batch_delete_file("env", fileids)


async def _upload_file(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    del sim, path
    return lambda: wx.upload_file("env", "a.jpg", PHOTO)


async def _download_file(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    fileid = sim.add_cloud_file("env", "a.jpg", PHOTO)
    return lambda: wx.download_file("env", fileid, to=path / "out.jpg")


async def _file_urls(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    del path
    fileids = [sim.add_cloud_file("env", f"{number}.jpg", PHOTO) for number in range(3)]
    return lambda: wx.file_urls("env", fileids)


def _plain(
    name: str, *arguments: Any
) -> Callable[[WxSession, Simulator, Path], Awaitable[Callable[[], Awaitable[Any]]]]:
    async def make(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
        del sim, path
        await _existing(wx)
        return lambda: getattr(wx, name)(*arguments)

    return make


async def _iterate(wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    del sim, path
    await _existing(wx)

    async def read() -> Any:
        return [item.name async for item in wx.iter_materials("image")]

    return read


def _saved(_: Simulator, result: Any) -> None:
    if result is not None:
        assert isinstance(result, SavedMaterial)
        assert result.path is not None
        assert result.path.read_bytes() in {PHOTO, FILM}


def _gone(sim: Simulator, result: Any) -> None:
    if result is not None:
        assert not sim.materials


def _all_gone(sim: Simulator, result: Any) -> None:
    if result is not None:
        assert len(result.deleted) == 3
        assert not sim.cloud_files


def _stored(sim: Simulator, result: Any) -> None:
    if result is not None:
        assert sim.cloud_files == {result: PHOTO}


def _is(expected: Callable[[Any], bool]) -> Callable[[Simulator, Any], None]:
    def judge(_: Simulator, result: Any) -> None:
        assert result is None or expected(result)

    return judge


def _kept(sim: Simulator, result: Any) -> None:
    if result is not None:
        assert result.media_id in sim.temporary_media


def _shown(sim: Simulator, result: Any) -> None:
    if result is not None:
        assert result in sim.article_images


OPERATIONS: dict[str, Operation] = {
    "add_material image": _added("image"),
    "add_material thumb": _added("thumb"),
    "add_material voice": _added("voice"),
    "upload_image": Operation("uploadimg", COPY, _plain("upload_image", PHOTO), _shown),
    "upload_media": Operation("/cgi-bin/media/upload", COPY, _plain("upload_media", "image", PHOTO), _kept),
    "get_material": Operation("get_material", READ, _get_material, _saved),
    "open_material": Operation("get_material", READ, _open_material, _saved),
    "get_media": Operation("/cgi-bin/media/get", READ, _get_media, _saved),
    "download_video": Operation("link", READ, _film, _saved),
    "del_material": Operation("del_material", DELETE, _del_material, _gone),
    "batch_delete_file": Operation("/tcb/batchdeletefile", DELETE, _delete_files, _all_gone),
    "upload_file, leave": Operation("/tcb/uploadfile", READ, _upload_file, _stored),
    "upload_file, form": Operation(FORM, READ, _upload_file, _stored),
    "file_urls": Operation(
        "/tcb/batchdownloadfile", READ, _file_urls, _is(lambda one: all(file.url for file in one) and len(one) == 3)
    ),
    "download_file": Operation("link", READ, _download_file, _saved),
    "count_materials": Operation("get_materialcount", READ, _plain("count_materials"), _is(lambda one: one.image == 1)),
    "list_materials": Operation(
        "batchget_material", READ, _plain("list_materials", "image"), _is(lambda one: len(one.items) == 1)
    ),
    "iter_materials": Operation("batchget_material", READ, _iterate, _is(lambda one: len(one) == 1)),
}
