"""What goes over the socket when something is uploaded: recorded byte for byte by a server of plain sockets."""

import asyncio
import base64
import io
import os
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from fastapi import UploadFile

from policies import PATIENT
from raw_server import Connection, Handler, RawRequest, RawServer, forever, reply, reset
from suspension import descriptors
from upload_sources import ADDED, HUGE, LARGE, SOURCES, UNLIMITED, chunks_of, jpeg, parts
from waiting import until
from wxasset import CallableToken, Limits, RetryPolicy, StaticToken, Timeouts, WxSession
from wxasset.errors import SourceError, TransferError, TransferTimeout, UsageError
from wxasset.transfer.progress import Throttle
from wxasset.transfer.uploads.files import FileContent

ONCE = RetryPolicy(attempts=1)


async def test_the_frame_of_an_upload(raw: WxSession, server: RawServer) -> None:
    """An exact length, an unquoted boundary, one part `media` with a raw UTF-8 name; token and type in the query."""
    server.script = [ADDED]
    data = jpeg(LARGE)
    await raw.add_material("image", data, filename='海报 "一".jpg')

    (request,) = server.requests
    assert re.fullmatch(
        r"POST /cgi-bin/material/add_material\?access_token=token-1-x+&type=image HTTP/1\.1", request.line
    )
    assert request.header("Content-Length") == str(len(request.body))
    assert request.header("Transfer-Encoding") is None
    assert parts(request) == [
        (
            'Content-Disposition: form-data; name="media"; filename="海报 %22一%22.jpg"\r\n'
            "Content-Type: image/jpeg".encode(),
            data,
        )
    ]
    assert b"filename*" not in request.body


async def test_a_videos_description_is_a_form_field(raw: WxSession, server: RawServer, samples: Path) -> None:
    r"""Title and introduction follow the film as JSON in raw UTF-8, without \u escapes."""
    server.script = [ADDED]
    await raw.add_material("video", samples / "clip.mp4", title="标题", introduction='第一行\n"二"')

    (media, description) = parts(server.requests[0])
    assert media[1] == (samples / "clip.mp4").read_bytes()
    assert description == (
        b'Content-Disposition: form-data; name="description"',
        '{"title":"标题","introduction":"第一行\\n\\"二\\""}'.encode(),
    )


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("poster", "poster.jpg"),
        ("poster.png", "poster.jpg"),
        ("poster.JPEG", "poster.JPEG"),
        ("version 1.5", "version 1.5.jpg"),
        ("../../etc/passwd", "passwd.jpg"),
        ("a\r\nX: 1.jpg", "a%0D%0AX: 1.jpg"),
        ("图.webp", "图.jpg"),
    ],
)
async def test_names_get_the_extension_that_the_bytes_call_for(
    raw: WxSession, server: RawServer, name: str, sent: str
) -> None:
    """WeChat refuses names without a known extension; the rest of a name is the user's."""
    server.script = [ADDED]
    await raw.add_material("image", jpeg(100), filename=name)
    assert f'filename="{sent}"\r\n'.encode() in server.requests[0].body


@pytest.mark.parametrize("size", [1, 100, 262_144, 262_145, LARGE, 1_500_000])
@pytest.mark.parametrize("kind", SOURCES)
async def test_every_source_is_sent_whole(server: RawServer, tmp_path: Path, kind: str, size: int) -> None:
    """Every kind of source arrives byte for byte, with an exact Content-Length and never in chunks."""
    server.script = [ADDED]
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(size))
    make, name = SOURCES[kind]
    unchecked = WxSession("wx1", "s", base_url=server.url, limits=Limits(check_format=False))
    media = make(file)
    async with unchecked:
        await unchecked.add_material("image", media)

    (request,) = server.requests
    assert request.header("Content-Length") == str(len(request.body))
    assert request.header("Transfer-Encoding") is None
    ((head, content),) = parts(request)
    assert content == file.read_bytes()
    if size > 2:  # fewer bytes tell no format
        assert f'{name}"'.encode() in re.sub(rb"media-\w{8}", b"media-MARK", head)
    if hasattr(media, "close") and not isinstance(media, UploadFile):
        assert not media.closed, "what was lent is left open"
        media.close()
    elif isinstance(media, UploadFile):
        await media.close()


@pytest.mark.parametrize("kind", ["path", "open file", "UploadFile on disk"])
@pytest.mark.parametrize("without", ["waiting reads", "cached pages", "preadv"])
async def test_files_are_sent_whole_on_every_platform(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, without: str
) -> None:
    """Where the kernel cannot read without waiting, has not the file at hand, or has no `preadv`, a thread reads."""
    preadv, waited = os.preadv, []

    def reluctant(descriptor: int, buffers: Any, offset: int, flags: int = 0) -> int:
        if flags and without == "cached pages":
            raise BlockingIOError(11, "Resource temporarily unavailable")
        if not flags:
            waited.append(offset)
        # Never more than 100,000 bytes at once: reads may always be short.
        return preadv(descriptor, [memoryview(buffers[0])[:100_000]], offset, flags)

    if without == "preadv":
        monkeypatch.delattr(os, "preadv")
    else:
        monkeypatch.setattr(os, "preadv", reluctant)
    if without != "cached pages":
        monkeypatch.setattr("wxasset.transfer.uploads.cached_files._WITHOUT_WAITING", 0)
    await test_every_source_is_sent_whole(server, tmp_path, kind, 1_500_000)
    assert waited or without == "preadv"


async def test_a_file_that_fails_in_the_page_cache(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails under a read is a `SourceError` with what the system said."""
    server.script = [ADDED]
    (tmp_path / "file.jpg").write_bytes(jpeg(1_500_000))

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", broken)
    with pytest.raises(SourceError, match="Input/output error"):
        await raw.add_material("image", tmp_path / "file.jpg")
    assert not parts_whole(server.requests)


async def test_a_handle_ends_where_its_bytes_end(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """Uploaded, an open file stands at its end, as if it had been read; its owner may close it in the middle."""
    server.script = [ADDED]
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(LARGE))
    with file.open("rb") as handle:
        await raw.add_material("image", handle)
        assert handle.tell() == LARGE
        handle.seek(0)
        await raw.add_material("image", handle, progress=lambda *_: handle.close())
    assert parts(server.requests[1])[0][1] == file.read_bytes()
    with file.open("rb") as handle:

        async def close(_: RawRequest, connection: Connection) -> None:
            handle.close()
            await connection.send(reply({"errcode": 40001, "errmsg": "invalid credential"}))

        server.script = [close, ADDED]
        with pytest.raises(SourceError, match="closed file"):
            await raw.add_material("image", handle)


async def test_an_anyio_file_is_sent_whole(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """A file opened with anyio is sent from where it stands, and left open."""
    server.script = [ADDED]
    file = tmp_path / "file.jpg"
    file.write_bytes(b"skip" + jpeg(LARGE))
    async with await anyio.open_file(file, "rb") as handle:
        await handle.seek(4)
        await raw.add_material("image", handle)
        assert not handle.wrapped.closed
    assert parts(server.requests[0])[0][1] == file.read_bytes()[4:]


async def test_a_stream_with_a_size_is_passed_through(raw: WxSession, server: RawServer) -> None:
    """With `size=` an async iterator is sent as it comes, without being kept."""
    server.script = [ADDED]
    data = jpeg(LARGE)
    await raw.add_material("image", chunks_of(data), size=len(data), filename="流.jpg")
    assert parts(server.requests[0])[0][1] == data


@pytest.mark.parametrize("sized", [True, False])
async def test_a_pipe_is_sent(raw: WxSession, server: RawServer, sized: bool) -> None:
    """What cannot seek, such as a pipe, is spooled, or passed through with `size=`."""
    server.script = [ADDED]
    data = jpeg(50_000)
    read, write = os.pipe()
    with open(read, "rb") as source, open(write, "wb") as sink:
        sink.write(data)
        sink.close()
        await raw.add_material("image", source, size=len(data) if sized else None, filename="p.jpg")
    assert parts(server.requests[0])[0][1] == data


async def test_a_silent_pipe_that_is_closed_keeps_no_thread(raw: WxSession) -> None:
    """An upload that waits for its first byte is cancelled; its thread ends when the owner closes the pipe."""
    before = set(threading.enumerate())
    read, write = os.pipe()
    with open(read, "rb") as source, open(write, "wb"):
        adding = asyncio.create_task(raw.add_material("image", source, filename="p.jpg"))
        await until(lambda: [one for one in set(threading.enumerate()) - before if one.name == "wxasset pipe"])
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        source.close()
        await until(lambda: not [one for one in set(threading.enumerate()) - before if one.name == "wxasset pipe"])


async def test_progress_is_told_in_bytes_of_the_media(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """`progress` rises to the size of the media, and ends there."""
    server.script = [ADDED]
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(LARGE))
    told: list[tuple[int, int | None]] = []
    await raw.add_material("image", file, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (LARGE, LARGE)
    assert {total for _, total in told} == {LARGE}


async def test_a_failing_progress_stops_the_upload(raw: WxSession, server: RawServer) -> None:
    """An error of the caller's own `progress` reaches the caller as it is, and nothing is sent again."""
    server.script = [ADDED]

    def fail(done: int, total: int | None) -> None:
        raise ZeroDivisionError(done, total)

    with pytest.raises(ZeroDivisionError):
        await raw.add_material("image", jpeg(LARGE), progress=fail)
    assert not parts_whole(server.requests)


@pytest.mark.parametrize("kind", SOURCES)
async def test_one_connection_serves_a_run_of_uploads(
    raw: WxSession, server: RawServer, tmp_path: Path, kind: str
) -> None:
    """The connection is kept from upload to upload, whatever the source: nothing is awaited after the last byte."""
    server.script = [ADDED]
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(LARGE))
    for _ in range(20):
        media = SOURCES[kind][0](file)
        await raw.add_material("image", media)
        if hasattr(media, "close"):
            (media.file if isinstance(media, UploadFile) else media).close()
    assert (len(server.requests), server.connections) == (20, 1)


async def test_progress_is_told_ten_times_a_second_at_most() -> None:
    """Of a transfer in small steps the first is told, then one in a tenth of a second, and the last once."""
    told: list[int] = []
    now = 0.0
    throttle = Throttle(lambda done, _: told.append(done), lambda: now)
    for done in range(1, 1000):
        throttle(done, 1000)
        now += 0.001
    throttle.end(1000, 1000)
    throttle.end(1000, 1000)
    assert told == [1, *range(101, 1000, 100), 1000, 1000]
    throttle = Throttle(lambda done, _: told.append(done), lambda: now)
    throttle(5, None)
    throttle.end(5, None)
    assert told[-2:] == [1000, 5]


# Bad input


async def refused(wx: WxSession, server: RawServer, media: Any, match: str, **options: Any) -> SourceError:
    """Upload something that cannot be uploaded, and see that nothing of it was sent."""
    with pytest.raises(SourceError, match=match) as caught:
        await wx.add_material(options.pop("type", "image"), media, **options)
    assert server.requests == []
    assert caught.value.hint.chinese in str(caught.value)
    return caught.value


BASE64 = base64.b64encode(jpeg(LARGE)).decode()
TEXTS: dict[str, tuple[Any, str]] = {
    "a URL": ("https://user:hidden@mmbiz.qpic.cn/x/640.jpg?sig=hidden", r"a URL \(https://mmbiz.qpic.cn\)"),
    "a URL in a path": (Path("https://mmbiz.qpic.cn/x?sig=hidden"), r"a URL \(https://mmbiz.qpic.cn\)"),
    "a URL without a scheme": ("//mmbiz.qpic.cn/x?sig=hidden", r"a URL \(https://mmbiz.qpic.cn\)"),
    "a host with a query": ("mmbiz.qpic.cn/x?sig=hidden", r"Cannot read mmbiz.qpic.cn/x\?\.\.\.: there is no such"),
    "a file URL": ("file:///hidden/a.jpg", r"a URL \(file://\).*Use the path of the file"),
    "a data URI": (f"data:image/jpeg;base64,{BASE64}", r"a data URI \(image/jpeg\)"),
    "base64": (BASE64, r"base64 text \(a jpeg\)"),
    "base64 in lines": (base64.encodebytes(jpeg(500)).decode(), r"base64 text \(a jpeg\)"),
    "base64 for URLs": (base64.urlsafe_b64encode(jpeg(500)).decode(), r"base64 text \(a jpeg\)"),
    "base64 as bytes": (BASE64.encode(), r"The bytes of media are base64 text \(a jpeg\)"),
    "a data URI as bytes": (f"data:image/jpeg;base64,{BASE64}".encode(), r"a data URI \(image/jpeg\)"),
    "a home directory": ("~/hidden.jpg", "~ is not expanded"),
    "a list": (["a.jpg"], "of type list.*add_materials"),
    "an empty path": ("", "path is empty"),
}


@pytest.mark.parametrize(("media", "match"), TEXTS.values(), ids=TEXTS)
async def test_what_is_no_path_is_recognized(raw: WxSession, server: RawServer, media: Any, match: str) -> None:
    """A URL, a data URI, base64 and other strings are named for what they are, in a short error without a secret."""
    error: BaseException | None = await refused(raw, server, media, match)
    while error is not None:
        assert media == "~/hidden.jpg" or "hidden" not in f"{error}{error!r}"
        assert len(str(error)) < 800
        error = error.__cause__ or error.__context__


async def test_a_file_may_be_called_like_a_url(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that exists is a path, whatever it looks like."""
    server.script = [ADDED]
    monkeypatch.chdir(tmp_path)
    Path("https:").mkdir()
    Path("https:/a.example").write_bytes(jpeg(500))
    await raw.add_material("image", "https://a.example")
    assert b'filename="a.example.jpg"' in server.requests[0].body


async def test_the_size_error_shows_the_given_name(raw: WxSession, server: RawServer) -> None:
    """The error for media that are too large is about the file name that was given."""
    await refused(raw, server, jpeg(11_000_000), r"poster\.jpg has 11000000 bytes", filename="poster.jpg")


@pytest.mark.parametrize(
    "view",
    [
        lambda data: memoryview(b"".join(bytes((byte, 0)) for byte in data))[::2],
        lambda data: memoryview(data[::-1])[::-1],
        lambda data: memoryview(data).cast("H"),
        lambda data: memoryview(data).cast("B", shape=[2, len(data) // 2]),
    ],
    ids=["every second byte", "backwards", "of two bytes each", "of two dimensions"],
)
async def test_views_of_memory_are_sent_byte_for_byte(
    raw: WxSession, server: RawServer, view: Callable[[bytes], memoryview]
) -> None:
    """A memoryview with steps, with larger items or with several dimensions is sent as the bytes that it shows."""
    server.script = [ADDED]
    data = jpeg(1000)

    async def stream() -> AsyncIterator[Any]:
        yield view(data)

    await raw.add_material("image", view(data))
    await raw.add_material("image", stream(), size=len(data))
    assert [parts(request)[0][1] for request in server.requests] == [data, data]


async def test_a_released_view_is_an_error(raw: WxSession, server: RawServer) -> None:
    """A memoryview that was released cannot be read, and the error says so."""
    view = memoryview(jpeg(1000))
    view.release()
    await refused(raw, server, view, "Cannot read the memoryview")


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="pipes always block there")
@pytest.mark.parametrize("buffering", [0, -1], ids=["raw", "buffered"])
@pytest.mark.parametrize("size", [None, LARGE], ids=["spooled", "passed through"])
async def test_a_non_blocking_file_is_waited_for(
    raw: WxSession, server: RawServer, buffering: int, size: int | None
) -> None:
    """A pipe that does not block, and has nothing at the moment, is read to its end."""
    server.script = [ADDED]
    data = jpeg(LARGE)
    read, write = os.pipe()
    os.set_blocking(read, False)

    def fill() -> None:
        with open(write, "wb", buffering=0) as end:
            for start in range(0, LARGE, 100_000):
                threading.Event().wait(0.01)
                view = memoryview(data)[start : start + 100_000]
                while view:
                    view = view[end.write(view) :]

    with open(read, "rb", buffering=buffering) as pipe:
        filling = asyncio.create_task(asyncio.to_thread(fill))
        await raw.add_material("image", pipe, filename="a.jpg", size=size)
        await filling
    assert parts(server.requests[0])[0][1] == data


async def test_a_file_without_a_seek_to_its_end_is_read_like_a_pipe(raw: WxSession, server: RawServer) -> None:
    """A file that can seek, but not to its end, is sent from where it stands."""
    server.script = [ADDED]
    data = jpeg(LARGE)

    class Limited(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            if whence == os.SEEK_END:
                raise io.UnsupportedOperation("seek from the end")
            return super().seek(offset, whence)

    await raw.add_material("image", Limited(data))
    assert parts(server.requests[0])[0][1] == data


async def test_a_path_that_cannot_be_read(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """A missing file, a directory, a pipe on disk and an impossible name are told apart, and nothing is sent."""
    await refused(raw, server, tmp_path / "no.jpg", r"Cannot read .*no\.jpg: No such file")
    await refused(raw, server, tmp_path, "is a directory.*add_materials")
    os.mkfifo(tmp_path / "pipe")
    await refused(raw, server, tmp_path / "pipe", "not a regular file")
    await refused(raw, server, "a\0b", "Cannot read .*null")
    await refused(raw, server, "", "path is empty")


async def test_an_unreadable_file(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without read permission is a `SourceError`; root may read everything, so the refusal is forced."""
    file = tmp_path / "secret.jpg"
    file.write_bytes(jpeg(10))
    file.chmod(0)
    if os.geteuid() == 0:

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
    await refused(raw, server, file, "Permission denied")


async def test_handles_that_cannot_be_read(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """A handle in text mode, closed, write-only or at its end is refused with the cure."""
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(100))
    with file.open() as text:
        await refused(raw, server, text, "text mode")
    await refused(raw, server, text, "is closed")
    with (tmp_path / "new").open("wb") as write:
        await refused(raw, server, write, "not open for reading")
    with file.open("rb") as end:
        end.read()
        assert "Rewind" in str(await refused(raw, server, end, "is at its end"))
    await refused(raw, server, io.StringIO("text"), "text mode")
    closed = io.BytesIO(b"x")
    closed.close()
    await refused(raw, server, closed, "is closed")


class Camera:
    """An object that can only be read, and fails."""

    name = "camera"

    def read(self, _: int) -> bytes:
        """Fail as a device does that was unplugged."""
        raise OSError(19, "No such device")


async def test_handles_that_fail_when_they_are_read(raw: WxSession, server: RawServer) -> None:
    """A handle that gives text after all, or fails while it is read, is a `SourceError` too."""
    with tempfile.NamedTemporaryFile("w+") as text:
        text.write("text")
        text.seek(0)
        await refused(raw, server, text, "returns text, not bytes")
    await refused(raw, server, Camera(), "Cannot read camera: No such device")


@pytest.mark.parametrize(("size", "how"), [(300_000, "grew while it was read"), (50, "shrank while it was read")])
async def test_a_file_that_changes_while_it_is_looked_at(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, how: str
) -> None:
    """A small file is read whole at once; one that turns out to be of another size is refused."""
    file, read = tmp_path / "file.jpg", os.read
    file.write_bytes(jpeg(100))

    def change_and_read(descriptor: int, count: int) -> bytes:
        os.truncate(file, size)
        return read(descriptor, count)

    monkeypatch.setattr(os, "read", change_and_read)
    await refused(raw, server, file, how)


async def test_what_is_no_source_at_all(raw: WxSession, server: RawServer) -> None:
    """A list, a number or None is refused with what can be passed."""
    for media in (["a"], 5, object()):
        await refused(raw, server, media, "Cannot upload an object of type")
    with pytest.raises(UsageError):
        await raw.add_material("image", None)  # type: ignore[arg-type]  # the point of the test
    assert server.requests == []


async def test_empty_media(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """Nothing empty is sent, whatever its kind."""
    (tmp_path / "empty.jpg").touch()
    for media in (tmp_path / "empty.jpg", b"", io.BytesIO(), chunks_of(b"")):
        await refused(raw, server, media, "is empty")


@pytest.mark.parametrize(
    ("kind", "media", "match"),
    [
        ("image", jpeg(10 * 1024 * 1024 + 1), "has 10485761 bytes; WeChat takes at most 10485760 here"),
        ("thumb", jpeg(65537), "at most 65536"),
        ("voice", b"#!AMR\n" + bytes(2 * 1024 * 1024), "at most 2097152"),
        ("image", b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(50), r"are webp; WeChat takes jpeg, png, gif, bmp here"),
        ("image", b"no picture", "of no known format"),
        ("thumb", b"\x89PNG\r\n\x1a\n" + bytes(50), "are png; WeChat takes jpeg here"),
        ("voice", jpeg(100), "are jpeg"),
        ("gif", jpeg(100), "no media type 'gif'"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
async def test_documented_limits_are_checked_before_anything_is_sent(
    raw: WxSession, server: RawServer, kind: str, media: bytes, match: str
) -> None:
    """Size and format are told from the bytes; the error names the limit."""
    await refused(raw, server, media, match, type=kind)


async def test_a_stream_over_the_limit_is_not_kept(raw: WxSession, server: RawServer) -> None:
    """An endless stream is given up once it is over the limit of its type."""
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        yield jpeg(100)
        while True:
            given += 100_000
            yield bytes(100_000)

    await refused(raw, server, endless(), "has more than 10485760 bytes")
    assert given < 11_000_000


async def test_title_and_introduction_belong_to_videos(raw: WxSession, server: RawServer, samples: Path) -> None:
    """A video needs a title, nothing else may have one."""
    film = samples / "clip.mp4"
    await refused(raw, server, film, "needs a title", type="video")
    await refused(raw, server, film, "needs a title", type="video", introduction="x")
    await refused(raw, server, jpeg(10), "belongs to a video", title="x")


@pytest.mark.parametrize("size", [-1, "5", 99])
async def test_a_wrong_size_is_refused(raw: WxSession, server: RawServer, size: Any) -> None:
    """`size=` has to be the number of bytes that there are."""
    await refused(raw, server, jpeg(100), "size=", size=size)


async def test_a_stream_that_ends_before_its_head(raw: WxSession, server: RawServer) -> None:
    """A stream of five bytes that announced a hundred fails before its last byte is sent."""
    server.script = [ADDED]
    with pytest.raises(SourceError, match="yielded 5 bytes, not the 100"):
        await raw.add_material("image", chunks_of(jpeg(5)), size=100)
    assert not parts_whole(server.requests)


@pytest.mark.parametrize(
    ("size", "match"),
    [
        (99_999, "yielded more than the 99999"),
        (90_000, "yielded more than the 90000"),
        (100_001, "yielded 100000 bytes"),
    ],
)
async def test_a_stream_that_breaks_its_size(raw: WxSession, server: RawServer, size: int, match: str) -> None:
    """A stream that gives more or fewer bytes than announced fails before its last bytes are sent."""
    server.script = [ADDED]
    with pytest.raises(SourceError, match=match):
        await raw.add_material("image", chunks_of(jpeg(100_000)), size=size, filename="x.jpg")
    assert all(len(one.body) < int(one.header("Content-Length") or 0) for one in server.requests)


async def test_streams_that_fail(raw: WxSession, server: RawServer) -> None:
    """A stream that raises, or gives no bytes, is a `SourceError`; the stream's own error is its cause."""

    async def broken() -> AsyncIterator[bytes]:
        yield jpeg(100)
        raise RuntimeError("the camera is gone")

    async def texts() -> AsyncIterator[Any]:
        yield "text"

    error = await refused(raw, server, broken(), "failed: RuntimeError: the camera is gone")
    assert isinstance(error.__cause__, RuntimeError)
    await refused(raw, server, texts(), "yielded str, not bytes")
    server.script = [ADDED]
    with pytest.raises(SourceError, match="the camera is gone"):
        await raw.add_material("image", broken(), size=5000)


# What changes on the way


def shrink(file: Path) -> None:
    """Cut a file."""
    os.truncate(file, 300_000)


def grow(file: Path) -> None:
    """Add to a file."""
    os.truncate(file, 1_500_001)


@pytest.mark.parametrize("by", ["path", "handle"])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (shrink, "shrank|changed"),
        (grow, "grew|changed"),
    ],
)
async def test_a_file_that_changes_while_it_is_sent(
    raw: WxSession, server: RawServer, tmp_path: Path, by: str, change: Callable[[Path], object], match: str
) -> None:
    """A file that shrinks or grows is a `SourceError`, and its last bytes are never sent: WeChat has nothing whole."""
    server.script = [ADDED]
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(1_500_000))
    done = False

    def once(_: int, __: int | None) -> None:
        nonlocal done
        if not done:
            done = True
            change(file)

    with file.open("rb", buffering=0) as handle, pytest.raises(SourceError, match=match):
        await raw.add_material("image", file if by == "path" else handle, progress=once)
    assert done
    assert not parts_whole(server.requests)


async def test_a_file_that_is_rewritten_between_attempts(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """Every attempt sends the file that was checked; another one under the same name is refused."""
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(LARGE))

    async def rewrite(_: RawRequest, connection: Connection) -> None:
        file.write_bytes(jpeg(LARGE))
        await connection.send(reply({"errcode": 40001, "errmsg": "invalid credential"}))

    server.script = [rewrite, ADDED]
    with pytest.raises(SourceError, match="was changed"):
        await raw.add_material("image", file)
    assert not parts_whole(server.requests[1:])


async def test_a_file_that_is_deleted_between_attempts(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """A file that is gone when it has to be sent again is a `SourceError`."""
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(LARGE))

    async def remove(_: RawRequest, connection: Connection) -> None:
        file.unlink()
        await connection.send(reply({"errcode": 42001, "errmsg": "access_token expired"}))

    server.script = [remove, ADDED]
    with pytest.raises(SourceError, match="No such file"):
        await raw.add_material("image", file)
    assert not parts_whole(server.requests[1:])


def parts_whole(requests: list[RawRequest]) -> list[RawRequest]:
    """The requests whose body came whole."""
    return [one for one in requests if len(one.body) == int(one.header("Content-Length") or 0)]


async def test_a_handle_is_sent_again_from_where_it_stood(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """After a refused token a handle is read anew from its first position; the whole file arrives."""
    file = tmp_path / "file.jpg"
    file.write_bytes(b"skip" + jpeg(LARGE))
    server.script = [reply({"errcode": 40001, "errmsg": "invalid credential"}), ADDED]
    with file.open("rb") as handle:
        handle.seek(4)
        await raw.add_material("image", handle)
    first, second = server.requests
    assert parts(first)[0][1] == parts(second)[0][1] == file.read_bytes()[4:]


def refusal_before_the_end(server: RawServer) -> Handler:
    """Refuse the token when `take` bytes of the body have come, and read the next body whole."""

    async def refuse(request: RawRequest, connection: Connection) -> None:
        server.take = None
        await connection.send(reply({"errcode": 42001, "errmsg": "access_token expired"}))
        await connection.read_body(request, None)

    return refuse


class Slow(io.FileIO):
    """A file whose third chunk takes its time: until somebody seeks meanwhile, or 0.3 seconds."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reads = 0
        self.sought = threading.Event()
        self.overlapped = False

    def read(self, count: int | None = -1, /) -> bytes:
        """Read, and notice a seek in the middle."""
        self.reads += 1
        if self.reads == 4:  # the first is the look at its head
            self.sought.clear()
            self.overlapped = self.sought.wait(0.3)
        return super().read(count)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Seek, and say so."""
        self.sought.set()
        return super().seek(offset, whence)


async def test_two_attempts_never_use_a_handle_at_once(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """The first attempt has let go of a borrowed handle before the second one moves it."""
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(9_000_000))

    server.take = 2 * 262_144  # what the first two chunks bring: the third is being read then
    server.script = [refusal_before_the_end(server), ADDED]
    with Slow(file) as handle:
        await raw.add_material("image", handle)
        assert handle.reads > 4
        assert not handle.overlapped
    assert parts(server.requests[1])[0][1] == file.read_bytes()


@pytest.mark.parametrize("kind", ["handle", "path", "anyio"])
async def test_a_token_refused_before_the_body_is_through(server: RawServer, tmp_path: Path, kind: str) -> None:
    """A refusal that comes while the body is still being sent: the first attempt lets go before the second begins."""
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(9_000_000))

    for _ in range(5):
        server.take = 100_000
        server.script = [refusal_before_the_end(server), ADDED]
        server.requests.clear()
        async with await anyio.open_file(file, "rb") as handle:
            media: Any = {"handle": handle.wrapped, "path": file, "anyio": handle}[kind]
            async with WxSession("wx1", "s", base_url=server.url) as wx:
                await wx.add_material("image", media)
        first, second = server.requests
        assert not parts_whole([first])
        assert parts(second)[0][1] == file.read_bytes()


async def test_a_one_shot_stream_is_not_sent_again(raw: WxSession, server: RawServer) -> None:
    """After a refused token a passed-through stream cannot be repeated, and says so; the next call has a new token."""
    data = jpeg(100_000)
    server.script = [reply({"errcode": 40001, "errmsg": "invalid credential"}), ADDED]
    with pytest.raises(SourceError, match="could not be sent again") as caught:
        await raw.add_material("image", chunks_of(data), size=len(data))
    assert "declared size" in str(caught.value)
    await raw.add_material("image", chunks_of(data), size=len(data))
    assert len(server.requests) == 2
    assert "token-2" in server.requests[1].line


@pytest.mark.parametrize("size", [100_000, 3_000_000])
async def test_a_spooled_stream_is_sent_again(raw: WxSession, server: RawServer, size: int) -> None:
    """Without `size=` a stream is kept, and so it survives a refused token, in memory and on disk."""
    data = jpeg(size)
    server.script = [reply({"errcode": 40001, "errmsg": "invalid credential"}), ADDED]
    await raw.add_material("image", chunks_of(data))
    assert [parts(one)[0][1] == data for one in server.requests] == [True, True]


async def test_an_upload_that_stalls_is_given_up(server: RawServer) -> None:
    """A peer that takes no more bytes costs `Timeouts.stall` seconds; nothing was added, which the error says."""
    server.take = 0
    server.script = [forever]
    timeouts = Timeouts(stall=0.1)
    async with WxSession("wx1", "s", base_url=server.url, timeouts=timeouts, retry=ONCE, limits=UNLIMITED) as wx:
        with pytest.raises(TransferTimeout, match="took no byte") as caught:
            await wx.add_material("image", jpeg(HUGE))
    assert caught.value.outcome_unknown is False


async def test_an_upload_that_broke_in_the_middle_is_repeated(server: RawServer) -> None:
    """Where WeChat cannot have had the whole body, the upload is made again, and arrives whole."""
    data = jpeg(HUGE)

    async def finish(request: RawRequest, connection: Connection) -> None:
        server.take = None
        await connection.read_body(request, None)
        await connection.send(ADDED)

    server.take = 100_000
    server.script = [reset, reset, finish]
    async with WxSession("wx1", "s", base_url=server.url, limits=UNLIMITED, retry=PATIENT) as wx:
        await wx.add_material("image", data)
    assert [parts(one)[0][1] == data for one in parts_whole(server.requests)] == [True]
    assert len(server.requests) == 3


async def test_an_upload_that_found_its_connection_closed_is_repeated(server: RawServer) -> None:
    """Where the connection is gone before a small upload is written, nothing was sent: it is sent again."""
    server.script = [ADDED]
    trace = aiohttp.TraceConfig()
    written = 0

    async def close(session: aiohttp.ClientSession, _: object, __: object) -> None:
        nonlocal written
        written += 1
        connector = session.connector
        assert connector is not None
        for protocol in connector._acquired if written == 1 else ():
            assert protocol.transport is not None
            protocol.transport.abort()

    trace.on_request_chunk_sent.append(close)
    async with (
        aiohttp.ClientSession(trace_configs=[trace]) as http,
        WxSession(tokens=StaticToken("t" * 100), base_url=server.url, http=http, retry=PATIENT) as wx,
    ):
        await wx.add_material("image", jpeg(1000))
    assert (written, len(server.requests)) == (2, 1)


async def test_an_upload_that_keeps_breaking_is_given_up(server: RawServer) -> None:
    """After the last attempt the error says that nothing can have been added."""
    server.take = 100_000
    server.script = [reset]
    async with WxSession("wx1", "s", base_url=server.url, limits=UNLIMITED, retry=PATIENT) as wx:
        with pytest.raises(TransferError) as caught:
            await wx.add_material("image", jpeg(HUGE))
    assert caught.value.outcome_unknown is False
    assert len(server.requests) == 3


@pytest.mark.parametrize("kind", ["a path", "a stream without a size"])
async def test_what_was_opened_for_a_cancelled_upload_is_closed(
    raw: WxSession, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled in the very moment in which a thread opens a file for it, an upload closes that file."""
    loop, opening, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    data = jpeg(1_200_000)
    file = tmp_path / "file.jpg"
    file.write_bytes(data)

    def slowly(function: Callable[..., Any]) -> Callable[..., Any]:
        def opened(*arguments: Any) -> Any:
            loop.call_soon_threadsafe(opening.set)
            assert go_on.wait(10)
            return function(*arguments)

        return opened

    if kind == "a path":
        monkeypatch.setattr("wxasset.transfer.uploads.files.open_cached", lambda _: None)  # so that a thread opens it
        monkeypatch.setattr(FileContent, "_open", slowly(FileContent._open))
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(tempfile, "TemporaryFile", slowly(tempfile.TemporaryFile))
    upload = asyncio.create_task(raw.add_material("image", file if kind == "a path" else chunks_of(data)))
    await asyncio.wait_for(opening.wait(), 5)
    upload.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert not [name for name in descriptors() if name.startswith(str(tmp_path))]


@pytest.mark.parametrize("percent", [50, 200])
@pytest.mark.parametrize("size", [1000, 300_000])
async def test_a_bytearray_that_changes_its_length_is_not_sent(server: RawServer, size: int, percent: int) -> None:
    """Its length is checked before the token comes; with another one nothing is sent."""
    media = bytearray(jpeg(size))
    now = size * percent // 100

    async def token() -> str:
        media[:] = jpeg(now)
        return "token"

    async with WxSession("wx1", tokens=CallableToken(token), base_url=server.url) as wx:
        with pytest.raises(SourceError, match=f"has {now} bytes now, and had {size}"):
            await wx.add_material("image", media)
    assert not server.requests
