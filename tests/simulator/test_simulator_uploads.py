"""Requests accepted and rejected by the upload endpoints: framing, names, formats, sizes, caps."""

import io
import json
import re
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulated import START, Answer, still_simulator
from wxasset.simulator import Simulator, SimulatorOptions
from wxasset.simulator.wire.multipart import parse

simulator = still_simulator


MEGABYTE = 1024 * 1024
SUFFIX = r" hint: \[[A-Za-z0-9]+\] rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}"

ADD = "/cgi-bin/material/add_material"
TEMPORARY = "/cgi-bin/media/upload"
IMAGE = "/cgi-bin/media/uploadimg"

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
GIF = b"GIF89a\x01\x00"
BMP = b"BM\x46\x00\x00\x00"
MP3 = b"ID3\x03\x00"
BARE_MP3 = b"\xff\xfb\x90\x00"
WMA = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
AMR = b"#!AMR\n\x3c"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 "
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"
QUICKTIME = b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00"
PDF = b"%PDF-1.7\n"
DESCRIPTION = '{"title":"标题","introduction":"简介"}'


def file_part(content: bytes, disposition: str = 'name="media"; filename="a.png"') -> bytes:
    """A part with a file."""
    head = f"Content-Disposition: form-data; {disposition}\r\nContent-Type: image/png\r\n\r\n"
    return head.encode() + content


def text_part(name: str, text: str) -> bytes:
    """A part with a text."""
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{text}'.encode()


def form(*parts: bytes, boundary: bytes = b"frontier") -> bytes:
    """A multipart body."""
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


async def send(
    simulator: Simulator,
    path: str,
    body: bytes,
    *,
    content_type: str = "multipart/form-data; boundary=frontier",
    **query: str,
) -> Answer:
    """Upload a body as it is."""
    asked = {"grant_type": "client_credential", "appid": simulator.appid, "secret": simulator.secret}
    async with aiohttp.ClientSession(base_url=simulator.url) as session:
        async with session.get("/cgi-bin/token", params=asked) as reply:
            token = json.loads(await reply.read())["access_token"]
        params = {"access_token": token, **query}
        headers = {"Content-Type": content_type}
        async with session.post(path, params=params, data=io.BytesIO(body), headers=headers) as reply:
            return Answer(reply.status, reply.headers, await reply.read())


async def send_file(simulator: Simulator, path: str, media_type: str, filename: str, content: bytes) -> Answer:
    """Upload one file with everything else right."""
    part = file_part(content, f'name="media"; filename="{filename}"')
    return await send(simulator, path, form(part, text_part("description", DESCRIPTION)), type=media_type)


# Framing


async def test_the_form_of_the_documentation_is_taken(simulator: Simulator) -> None:
    """A well-formed upload is stored under the name and with the bytes that were sent."""
    content = PNG + b"\r\n--frontie\r\n\r\n" + bytes(range(256))
    reply = await send(simulator, ADD, form(file_part(content)), type="image")
    (material,) = simulator.materials.values()
    assert (material.type, material.filename, material.content) == ("image", "a.png", content)
    assert (material.content_type, material.update_time) == ("image/png", int(START))
    assert reply.document == {"media_id": material.media_id, "url": material.url}


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; charset=utf-8; boundary=frontier",
        "Multipart/Form-Data;BOUNDARY=frontier",
        "multipart/form-data; boundary=frontier; charset=utf-8",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; charset=ISO-8859-1",
    ],
)
async def test_the_content_type_may_be_written_in_several_ways(simulator: Simulator, content_type: str) -> None:
    """Case, blanks and other parameters do not matter, and without a boundary it is that of the body (8.1)."""
    reply = await send(simulator, ADD, form(file_part(PNG)), type="image", content_type=content_type)
    assert reply.errcode == 0


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", 47001),
        ("multipart/mixed; boundary=frontier", 47001),
        ("multipart/form-data; boundary=other", 47001),
        ('multipart/form-data; boundary="frontier"', 41005),
    ],
)
async def test_a_wrong_content_type_is_refused(simulator: Simulator, content_type: str, expected: int) -> None:
    """Another type, another boundary and a quoted one are refused."""
    reply = await send(simulator, ADD, form(file_part(PNG)), type="image", content_type=content_type)
    assert reply.errcode == expected
    assert not simulator.materials


@pytest.mark.parametrize(("length", "expected"), [(70, 0), (71, 47001)])
async def test_a_boundary_has_seventy_characters_at_most(simulator: Simulator, length: int, expected: int) -> None:
    """A boundary longer than MIME allows is a format error."""
    boundary = "x" * length
    body = form(file_part(PNG), boundary=boundary.encode())
    reply = await send(simulator, ADD, body, type="image", content_type=f"multipart/form-data; boundary={boundary}")
    assert reply.errcode == expected


async def test_a_quoted_boundary_can_be_allowed(simulator: Simulator) -> None:
    """The refusal of quoted boundaries is a switch."""
    simulator.options = SimulatorOptions(accept_quoted_boundary=True)
    quoted = 'multipart/form-data; boundary="frontier"'
    assert (await send(simulator, ADD, form(file_part(PNG)), type="image", content_type=quoted)).errcode == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"preamble\n" + form(file_part(PNG)),
        form(file_part(PNG)).removesuffix(b"--\r\n"),
        form(file_part(PNG)).removesuffix(b"\r\n--frontier--\r\n"),
        form(file_part(PNG)).replace(b"\r\n", b"\n"),
        form(b"no headers"),
        b"--frontier\r\n--frontier--\r\n",
    ],
)
async def test_broken_framing_is_a_format_error(simulator: Simulator, body: bytes) -> None:
    """A body that departs from the framing gets 47001, with and without a boundary in the header."""
    for content_type in ("multipart/form-data; boundary=frontier", "multipart/form-data"):
        reply = await send(simulator, ADD, body, type="image", content_type=content_type)
        assert reply.errcode == 47001
        assert re.fullmatch("data format error" + SUFFIX, reply.document["errmsg"])
    assert not simulator.materials


LENIENT_FORMS = [
    ("accept_preamble", b"preamble\r\n" + form(file_part(PNG)), 47001),
    ("accept_preamble", b"\r\n" + form(file_part(PNG)), 47001),
    ("accept_preamble", b"--frontierland\r\n" + form(file_part(PNG)), 47001),
    ("accept_unquoted_names", form(file_part(PNG, "name=media; filename=a.png")), 41005),
    ("accept_unquoted_names", form(file_part(PNG, 'name="media"; filename=a.png')), 41005),
    ("accept_unquoted_names", form(file_part(PNG, 'name=media; filename="a.png"')), 41005),
    ("accept_attachment", form(file_part(PNG)).replace(b"form-data", b"attachment"), 41005),
    ("accept_bare_end", form(file_part(PNG)).removesuffix(b"\r\n"), 41005),
]


@pytest.mark.parametrize(("switch", "body", "refusal"), LENIENT_FORMS)
async def test_a_form_that_nothing_speaks_against_is_taken(
    simulator: Simulator, switch: str, body: bytes, refusal: int
) -> None:
    """The shapes of RFC 2046 are taken without evidence, and each of them can be refused (8.1)."""
    for content_type in ("multipart/form-data; boundary=frontier", "multipart/form-data"):
        assert (await send(simulator, ADD, body, type="image", content_type=content_type)).errcode == 0
    assert {(one.filename, one.content) for one in simulator.materials.values()} == {("a.png", PNG)}
    off: dict[str, Any] = {switch: False}
    simulator.options = SimulatorOptions(**off)
    assert (await send(simulator, ADD, body, type="image")).errcode == refusal


@pytest.mark.parametrize("after", [b"\r\n", b"\r\n\r\n", b"epilogue", b"\r\n--frontier\r\n"])
@pytest.mark.parametrize("path", [ADD, TEMPORARY, IMAGE])
async def test_bytes_after_the_last_boundary_are_taken(simulator: Simulator, path: str, after: bytes) -> None:
    """form-data-encoder ends a form with two line ends, and WeChat takes it (8.1)."""
    assert (await send(simulator, path, form(file_part(PNG)) + after, type="image")).errcode == 0


@given(
    contents=st.lists(st.binary(max_size=200), max_size=4),
    boundary=st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=16, max_size=70),
)
def test_what_was_put_in_a_form_comes_out(contents: list[bytes], boundary: str) -> None:
    """Parsing a form gives back the bytes of every part, in order."""
    parts = [file_part(content, f'name="n{number}"; filename="f"') for number, content in enumerate(contents)]
    parsed = parse(form(*parts, boundary=boundary.encode()), boundary.encode())
    assert [(part.name, part.content) for part in parsed.parts] == [
        (f"n{number}", content) for number, content in enumerate(contents)
    ]


# Names


@pytest.mark.parametrize(
    "filename",
    ["图片 一.png", "%E5%9B%BE.png", "a%22b%0D%0Ac.png", "c:\\dir\\x.PNG", "é;x=1.png", "../up.png"],
)
@pytest.mark.parametrize("path", [ADD, TEMPORARY])
async def test_a_name_is_kept_as_it_was_sent(simulator: Simulator, path: str, filename: str) -> None:
    """Raw UTF-8 stays, and nothing is decoded: percent sequences and backslashes are ordinary characters."""
    assert (await send_file(simulator, path, "image", filename, PNG)).errcode == 0
    (stored,) = simulator.materials.values() or simulator.temporary_media.values()
    assert stored.filename == filename


@pytest.mark.parametrize(
    "disposition",
    [
        'name="file"; filename="a.png"',
        'name="Media"; filename="a.png"',
        'filename="a.png"',
        'name="media"',
        'name="media"; filename=""',
        "name=\"media\"; filename*=utf-8''a.png",
        'name="media"; filename="a.png" trailing',
        'name="media"; filename="a.png',
        'name="media" filename="a.png"',
        'name="media"; filename="a\nb.png"',
    ],
)
@pytest.mark.parametrize("path", [ADD, IMAGE])
async def test_media_needs_its_name(simulator: Simulator, path: str, disposition: str) -> None:
    """Without a part `media` that has a filename the media data are missing."""
    reply = await send(simulator, path, form(file_part(PNG, disposition)), type="image")
    assert reply.errcode == 41005
    assert re.fullmatch("media data missing" + SUFFIX, reply.document["errmsg"])


async def test_the_extended_name_is_ignored_beside_a_plain_one(simulator: Simulator) -> None:
    """`filename*=` does not matter where there is a `filename="..."`."""
    disposition = 'name="media"; filename="plain.png"; filename*=utf-8\'\'extended.png'
    await send(simulator, ADD, form(file_part(PNG, disposition)), type="image")
    assert [material.filename for material in simulator.materials.values()] == ["plain.png"]


async def test_a_part_that_is_not_form_data_is_no_file(simulator: Simulator) -> None:
    """A part with another disposition counts for nothing."""
    body = form(b'Content-Disposition: inline; name="media"; filename="a.png"\r\n\r\n' + PNG)
    assert (await send(simulator, ADD, body, type="image")).errcode == 41005


async def test_temporary_media_may_be_in_any_field(simulator: Simulator) -> None:
    """media/upload takes the first file part, whatever it is called, but needs one."""
    body = form(text_part("other", "x"), file_part(JPEG, 'name="whatever"; filename="a.jpg"'))
    assert (await send(simulator, TEMPORARY, body, type="image")).errcode == 0
    assert (await send(simulator, TEMPORARY, form(text_part("media", "x")), type="image")).errcode == 41005


# Types, formats, sizes


@pytest.mark.parametrize("path", [ADD, TEMPORARY])
async def test_the_type_may_be_a_form_field(simulator: Simulator, path: str) -> None:
    """A type is found in the form where the query has none; the query wins."""
    for query, field in (({}, "image"), ({"type": "image"}, "voice")):
        reply = await send(simulator, path, form(file_part(PNG), text_part("type", field)), **query)
        assert reply.errcode == 0


@pytest.mark.parametrize("path", [ADD, TEMPORARY])
@pytest.mark.parametrize("query", [{}, {"type": ""}, {"type": "news"}, {"type": "IMAGE"}])
async def test_a_type_is_compulsory(simulator: Simulator, path: str, query: dict[str, str]) -> None:
    """A missing or unknown type is an invalid media type."""
    reply = await send(simulator, path, form(file_part(PNG)), **query)
    assert reply.errcode == 40004
    assert re.fullmatch("invalid media type" + SUFFIX, reply.document["errmsg"])


@pytest.mark.parametrize(
    ("media_type", "filename", "content", "permanent", "temporary"),
    [
        ("image", "a.jpg", JPEG, 0, 0),
        ("image", "a.jpeg", JPEG, 0, 0),
        ("image", "a.png", PNG, 0, 0),
        ("image", "a.gif", GIF, 0, 0),
        ("image", "a.bmp", BMP, 0, 40005),
        ("image", "a.png", JPEG, 0, 0),
        ("voice", "a.mp3", MP3, 0, 0),
        ("voice", "a.mp3", BARE_MP3, 0, 0),
        ("voice", "a.amr", AMR, 0, 0),
        ("voice", "a.wma", WMA, 0, 40005),
        ("voice", "a.wav", WAV, 0, 40005),
        ("video", "a.mp4", MP4, 0, 0),
        ("thumb", "a.jpg", JPEG, 0, 0),
        ("thumb", "a.png", PNG, 40005, 40005),
        ("image", "a.mp4", MP4, 40005, 40005),
        ("video", "a.mp3", MP3, 40005, 40005),
        ("voice", "a.jpg", JPEG, 40005, 40005),
        ("voice", "a.wav", WEBP, 40113, 40113),
        ("image", "a.jpg", MP4, 40113, 40113),
        ("image", "a.png", WEBP, 40113, 40113),
        ("image", "a.webp", WEBP, 40113, 40113),
        ("image", "a.jpg", HEIC, 40113, 40113),
        ("video", "a.mp4", QUICKTIME, 40113, 40113),
        ("image", "a.pdf", PDF, 40113, 40113),
        ("image", "media", PNG, 40113, 40113),
        ("image", "png", PNG, 40113, 40113),
        ("image", ".png", PNG, 40113, 40113),
        ("image", "a.png.", PNG, 40113, 40113),
        ("image", "a.png", b"", 44001, 44001),
        ("image", "a.pdf", b"", 44001, 44001),
    ],
)
async def test_formats(  # the columns of the table above
    simulator: Simulator, media_type: str, filename: str, content: bytes, permanent: int, temporary: int
) -> None:
    """Extension and bytes have to be of one known kind, and of a format the type takes."""
    assert (await send_file(simulator, ADD, media_type, filename, content)).errcode == permanent
    assert (await send_file(simulator, TEMPORARY, media_type, filename, content)).errcode == temporary


@pytest.mark.parametrize(
    ("media_type", "filename", "head", "size"),
    [
        ("image", "a.png", PNG, 10 * MEGABYTE),
        ("voice", "a.mp3", MP3, 2 * MEGABYTE),
        ("video", "a.mp4", MP4, 10 * MEGABYTE),
        ("thumb", "a.jpg", JPEG, 64 * 1024),
    ],
)
@pytest.mark.parametrize(
    ("path", "expected"),
    [(ADD, (45001, "media size out of limit")), (TEMPORARY, (40006, "invalid meida size"))],
)
async def test_sizes(  # the columns of the tables above
    simulator: Simulator,
    path: str,
    expected: tuple[int, str],
    media_type: str,
    filename: str,
    head: bytes,
    size: int,
) -> None:
    """A file of exactly the limit passes, one byte more does not; the code tells permanent from temporary."""
    assert (await send_file(simulator, path, media_type, filename, head.ljust(size, b"\0"))).errcode == 0
    reply = await send_file(simulator, path, media_type, filename, head.ljust(size + 1, b"\0"))
    assert reply.errcode == expected[0]
    assert re.fullmatch(expected[1] + SUFFIX, reply.document["errmsg"])


async def test_the_size_of_a_kilobyte_is_a_switch(simulator: Simulator) -> None:
    """With a decimal kilobyte a thumb may have 64,000 bytes."""
    simulator.options = SimulatorOptions(kilobyte=1000)
    assert (await send_file(simulator, ADD, "thumb", "a.jpg", JPEG.ljust(64_000))).errcode == 0
    assert (await send_file(simulator, ADD, "thumb", "a.jpg", JPEG.ljust(64_001))).errcode == 45001


# Videos


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (text_part("description", ""),),
        (text_part("description", "[]"),),
        (text_part("description", "title"),),
        (text_part("description", '{"introduction":"x"}'),),
        (text_part("description", '{"title":""}'),),
        (text_part("description", '{"title":5}'),),
        (text_part("description", '{"title":"a","introduction":5}'),),
        (b'Content-Disposition: form-data; name="description"\r\n\r\n{"title":"\xff"}',),
        (file_part(DESCRIPTION.encode(), 'name="description"; filename="d.json"'),),
    ],
)
async def test_a_video_needs_a_title(simulator: Simulator, parts: tuple[bytes, ...]) -> None:
    """Without a description that is a JSON object with a title WeChat says the media data are missing."""
    video = file_part(MP4, 'name="media"; filename="v.mp4"')
    query = {"type": "video", "description": DESCRIPTION}
    assert (await send(simulator, ADD, form(video, *parts), **query)).errcode == 41005


async def test_a_description_is_kept(simulator: Simulator) -> None:
    """Title and introduction are stored as sent; the introduction may be missing."""
    video = file_part(MP4, 'name="media"; filename="v.mp4"')
    await send(simulator, ADD, form(video, text_part("description", DESCRIPTION)), type="video")
    await send(simulator, ADD, form(text_part("description", '{"title":"only"}'), video), type="video")
    stored = [(material.title, material.introduction) for material in simulator.materials.values()]
    assert stored == [("标题", "简介"), ("only", "")]


async def test_escapes_in_a_description_stay_literal(simulator: Simulator) -> None:
    r"""A title sent as \u4e2d is shown as these six characters."""
    video = file_part(MP4, 'name="media"; filename="v.mp4"')
    description = text_part("description", '{"title":"\\u4e2d","introduction":"a\\"b\\\\u4e2d"}')
    await send(simulator, ADD, form(video, description), type="video")
    (material,) = simulator.materials.values()
    assert (material.title, material.introduction) == ("\\u4e2d", 'a"b\\u4e2d')


async def test_a_description_in_the_query_is_a_switch(simulator: Simulator) -> None:
    """If enabled, the description of the query is used if the form has none."""
    simulator.options = SimulatorOptions(description_in_query=True)
    video = file_part(MP4, 'name="media"; filename="v.mp4"')
    await send(simulator, ADD, form(video), type="video", description=DESCRIPTION)
    await send(
        simulator, ADD, form(video, text_part("description", '{"title":"form"}')), type="video", description=DESCRIPTION
    )
    assert [material.title for material in simulator.materials.values()] == ["标题", "form"]


# Replies


@pytest.mark.parametrize(
    ("media_type", "filename", "content", "folder", "wx_fmt"),
    [
        ("image", "a.jpg", JPEG, "mmbiz_jpg", "jpeg"),
        ("thumb", "a.jpg", JPEG, "mmbiz_jpg", "jpeg"),
        ("image", "a.png", PNG, "mmbiz_png", "png"),
        ("image", "a.gif", GIF, "mmbiz_gif", "gif"),
    ],
)
async def test_images_and_thumbs_get_an_address(  # the columns of the table above
    simulator: Simulator, media_type: str, filename: str, content: bytes, folder: str, wx_fmt: str
) -> None:
    r"""The reply has media_id, then url with `/` as `\/`, and no errcode."""
    reply = await send_file(simulator, ADD, media_type, filename, content)
    assert list(reply.document) == ["media_id", "url"]
    assert re.fullmatch(rf"http://mmbiz\.qpic\.cn/{folder}/\w+/0\?wx_fmt={wx_fmt}", reply.document["url"])
    assert b"http:\\/\\/mmbiz.qpic.cn\\/" in reply.body


@pytest.mark.parametrize(("media_type", "filename", "content"), [("voice", "a.mp3", MP3), ("video", "a.mp4", MP4)])
async def test_voices_and_videos_get_none(simulator: Simulator, media_type: str, filename: str, content: bytes) -> None:
    """The reply to a voice or video is the media_id alone."""
    assert list((await send_file(simulator, ADD, media_type, filename, content)).document) == ["media_id"]
    assert [material.url for material in simulator.materials.values()] == [None]


async def test_media_ids_have_the_prefix_of_the_account(simulator: Simulator) -> None:
    """Ids have 64 characters of the URL-safe alphabet and begin alike."""
    ids = [(await send_file(simulator, ADD, "image", "a.png", PNG)).document["media_id"] for _ in range(2)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{64}", media_id) for media_id in ids)
    assert ids[0][:21] == ids[1][:21]
    assert ids[0] != ids[1]


async def test_temporary_media_reply(simulator: Simulator) -> None:
    """media/upload names type, id and time; the id of a thumb has a key of its own."""
    reply = await send_file(simulator, TEMPORARY, "image", "a.png", PNG)
    (medium,) = simulator.temporary_media.values()
    assert list(reply.document.items()) == [
        ("type", "image"),
        ("media_id", medium.media_id),
        ("created_at", int(START)),
    ]
    assert len(medium.media_id) == 64
    thumb = await send_file(simulator, TEMPORARY, "thumb", "a.jpg", JPEG)
    assert list(thumb.document) == ["type", "thumb_media_id", "created_at"]
    assert not simulator.materials


@pytest.mark.parametrize(
    ("filename", "content", "expected"),
    [
        ("a.png", PNG, 0),
        ("a.jpg", JPEG.ljust(MEGABYTE - 1), 0),
        ("a.jpg", JPEG.ljust(MEGABYTE), 40009),
        ("a.gif", GIF, 40005),
        ("a.mp4", MP4, 40005),
        ("a.webp", WEBP, 40113),
        ("a.png", b"", 44001),
    ],
)
async def test_article_images(simulator: Simulator, filename: str, content: bytes, expected: int) -> None:
    """An image for articles is a jpg or png below 1 MB; it gets an address and leaves the library alone."""
    reply = await send(simulator, IMAGE, form(file_part(content, f'name="media"; filename="{filename}"')))
    assert reply.errcode == expected
    assert not simulator.materials
    assert list(simulator.article_images.values()) == ([] if expected else [content])
    if not expected:
        assert list(reply.document) == ["url"]
        assert reply.document["url"] in simulator.article_images


# Caps


@pytest.mark.parametrize(
    ("options", "filling", "refused"),
    [
        (SimulatorOptions(image_and_news_cap=1), ("thumb", "a.jpg", JPEG), ("image", "a.png", PNG)),
        (SimulatorOptions(voice_cap=1), ("voice", "a.mp3", MP3), ("voice", "a.mp3", MP3)),
        (SimulatorOptions(video_cap=1), ("video", "a.mp4", MP4), ("video", "a.mp4", MP4)),
    ],
)
async def test_a_full_library_refuses_more(
    simulator: Simulator,
    options: SimulatorOptions,
    filling: tuple[str, str, bytes],
    refused: tuple[str, str, bytes],
) -> None:
    """Each kind has a cap of its own, images, thumbs and news a common one."""
    simulator.options = options
    assert (await send_file(simulator, ADD, *filling)).errcode == 0
    reply = await send_file(simulator, ADD, *refused)
    assert reply.errcode == 45074
    expected = "material list size out of limit, you  should delete the useless material"
    assert re.fullmatch(expected + SUFFIX, reply.document["errmsg"])
    other = ("voice", "a.mp3", MP3) if filling[0] != "voice" else ("video", "a.mp4", MP4)
    assert (await send_file(simulator, ADD, *other)).errcode == 0


async def test_news_count_against_the_cap_of_images(simulator: Simulator) -> None:
    """A news material takes the place of an image."""
    simulator.options = SimulatorOptions(image_and_news_cap=1)
    simulator.add_article(title="a")
    assert (await send_file(simulator, ADD, "image", "a.png", PNG)).errcode == 45074
