"""The frame of an upload, read back by a parser that forgives nothing."""

import re
from collections.abc import Mapping
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final

import pytest
from attrs import frozen
from hypothesis import example, given
from hypothesis import strategies as st

from wxasset.wire.formats import FORMATS
from wxasset.wire.multipart import Frame, frame

ANYTHING: Final = st.text(st.characters())  # lone surrogates and control characters included
UTF8: Final = st.text(st.characters(codec="utf-8"))
KEYS: Final = st.from_regex(r"[a-z][a-z0-9_-]{0,11}", fullmatch=True)
FIELDS: Final = st.dictionaries(KEYS, UTF8, max_size=3)
TYPES: Final = st.sampled_from(sorted(form.content_type for form in FORMATS.values()))

_DISPOSITION: Final = re.compile(rb'form-data; name="([^"\x00-\x1f\x7f]*)"(?:; filename="([^"\x00-\x1f\x7f]*)")?')


@frozen
class Part:
    """A part as it stands on the wire; nothing is unescaped."""

    name: bytes
    filename: bytes | None
    content_type: bytes | None
    content: bytes


def read_parts(content_type: str, body: bytes) -> list[Part]:
    """Read a multipart body by RFC 7578 to the letter: any deviation is an assertion that fails."""
    kind, _, boundary = content_type.partition("; boundary=")
    assert kind == "multipart/form-data"
    mark = b"--" + boundary.encode()
    first, *parts, last = (b"\r\n" + body).split(b"\r\n" + mark)
    assert first == b""
    assert last == b"--\r\n"
    return [_read_part(part) for part in parts]


def _read_part(part: bytes) -> Part:
    assert part.startswith(b"\r\n")
    head, blank, content = part[2:].partition(b"\r\n\r\n")
    assert blank
    lines = [line.split(b": ", 1) for line in head.split(b"\r\n")]
    headers = {name.lower(): value for name, value in lines}
    assert len(headers) == len(lines)
    assert headers.keys() <= {b"content-disposition", b"content-type"}
    found = _DISPOSITION.fullmatch(headers[b"content-disposition"])
    assert found
    return Part(found[1], found[2], headers.get(b"content-type"), content)


def percent(text: str) -> bytes:
    """Escape what would end a quoted name, as the HTML standard does, and nothing else."""
    escaped = "".join(
        f"%{ord(char):02X}" if char == '"' or ord(char) < 0x20 or ord(char) == 0x7F else char for char in text
    )
    return escaped.encode("utf-8", "replace")


def body_of(around: Frame, media: bytes) -> bytes:
    """Put a whole body together."""
    return around.head + media + around.tail


@given(ANYTHING, TYPES, FIELDS, st.binary())
@example('a"; name="b.jpg', "image/jpeg", {}, b"")
@example("a\r\nContent-Type: text/html\r\n\r\nb.jpg", "image/jpeg", {}, b"")
@example("中文 图片.jpg", "image/jpeg", {"description": '{"title":"标题"}'}, b"\r\n--\r\n")
def test_a_body_is_read_back(filename: str, content_type: str, fields: Mapping[str, str], media: bytes) -> None:
    """A strict parser finds the media first, whole and under its name, and then each field as raw UTF-8."""
    around = frame(filename, content_type, fields)
    first, *others = read_parts(around.content_type, body_of(around, media))
    assert first == Part(b"media", percent(filename), content_type.encode(), media)
    assert others == [Part(name.encode(), None, None, text.encode()) for name, text in fields.items()]


@given(ANYTHING, FIELDS, st.binary())
def test_the_length_is_known_before_the_first_byte(filename: str, fields: Mapping[str, str], media: bytes) -> None:
    """The Content-Length that is announced is that of the body: WeChat answers 412 to a body without one."""
    around = frame(filename, "image/jpeg", fields)
    assert around.length(len(media)) == len(body_of(around, media))


@given(ANYTHING, FIELDS)
def test_nothing_in_a_name_ends_its_header(filename: str, fields: Mapping[str, str]) -> None:
    """No quote, CR, LF or other control character of the name reaches the wire, and no `filename*` is written."""
    around = frame(filename, "image/jpeg", fields, boundary="mark")
    head = around.head
    assert head.startswith(b'--mark\r\nContent-Disposition: form-data; name="media"; filename="')
    assert head.endswith(b'"\r\nContent-Type: image/jpeg\r\n\r\n')
    assert head.count(b"\r") == head.count(b"\n") == 4
    assert head.count(b'"') == 4
    assert b"filename*" not in head.replace(percent(filename), b"")
    assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", head)


@given(st.text(st.characters()))
def test_the_name_of_a_field_cannot_break_out_either(name: str) -> None:
    """A field is escaped like the file's name, whatever a declared call names it."""
    around = frame("a.jpg", "image/jpeg", {name: "text"})
    _, field = read_parts(around.content_type, body_of(around, b"media"))
    assert field == Part(percent(name), None, None, b"text")


@given(UTF8.filter(lambda name: not re.search(r'["\x00-\x1f\x7f%]', name)))
@example("中文 图片.jpg")
def test_other_names_go_out_as_raw_utf8(filename: str) -> None:
    """Blanks and Chinese are not percent-encoded: WeChat would keep the escapes as the material's name."""
    assert b'filename="' + filename.encode() + b'"' in frame(filename, "image/jpeg", {}).head


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"], exclude_characters='"\\'), min_size=1)
)
def test_the_email_package_reads_it_as_well(text: str) -> None:
    """A general MIME parser finds the same parts."""
    around = frame("photo.jpg", "image/jpeg", {"description": text})
    document = b"Content-Type: " + around.content_type.encode() + b"\r\n\r\n" + body_of(around, b"\xff\xd8\xff\xe0")
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(document)
    assert not message.defects
    media, description = message.iter_parts()
    assert media.get_param("name", header="content-disposition") == "media"
    assert media.get_filename() == "photo.jpg"
    assert media.get_content_type() == "image/jpeg"
    assert media.get_payload(decode=True) == b"\xff\xd8\xff\xe0"
    assert description.get_param("name", header="content-disposition") == "description"
    assert description.get_payload(decode=True) == text.encode()


def test_the_boundary_is_plain_and_new_each_time() -> None:
    """The boundary is 32 hexadecimal digits without quotes, which WeChat refuses (wire reference 4.4)."""
    found = [
        re.fullmatch(r"multipart/form-data; boundary=([0-9a-f]{32})", frame("a.jpg", "image/jpeg", {}).content_type)
    ]
    found += [
        re.fullmatch(r"multipart/form-data; boundary=([0-9a-f]{32})", frame("a.jpg", "image/jpeg", {}).content_type)
    ]
    first, second = (one[1] for one in found if one)
    assert first != second


def test_the_boundary_stands_in_head_and_tail() -> None:
    """The boundary that the header announces opens the head, divides the fields and ends the tail."""
    around = frame("a.jpg", "image/jpeg", {"one": "1"})
    mark = b"--" + around.content_type.rpartition("=")[2].encode()
    assert around.head.startswith(mark + b"\r\n")
    assert around.tail.startswith(b"\r\n" + mark + b"\r\n")
    assert around.tail.endswith(b"\r\n" + mark + b"--\r\n")


def test_the_wire_of_the_reference_byte_for_byte() -> None:
    """A video's upload looks as in wire reference 2.1."""
    around = frame(
        "v.mp4",
        "video/mp4",
        {"description": '{"title":"视频标题","introduction":"视频简介"}'},
        boundary="890a47aa9313474e82292224b269e382",
    )
    assert around.content_type == "multipart/form-data; boundary=890a47aa9313474e82292224b269e382"
    assert (
        body_of(around, b"<bytes>")
        == (
            "--890a47aa9313474e82292224b269e382\r\n"
            'Content-Disposition: form-data; name="media"; filename="v.mp4"\r\n'
            "Content-Type: video/mp4\r\n"
            "\r\n"
            "<bytes>\r\n"
            "--890a47aa9313474e82292224b269e382\r\n"
            'Content-Disposition: form-data; name="description"\r\n'
            "\r\n"
            '{"title":"视频标题","introduction":"视频简介"}\r\n'
            "--890a47aa9313474e82292224b269e382--\r\n"
        ).encode()
    )


@pytest.mark.parametrize(
    ("filename", "sent"),
    [
        ('a"b.jpg', b"a%22b.jpg"),
        ("a\rb\nc.jpg", b"a%0Db%0Ac.jpg"),
        ("a\x00b\x7fc.jpg", b"a%00b%7Fc.jpg"),
        ("100%.jpg", b"100%.jpg"),
        ("a'b;c=d.jpg", b"a'b;c=d.jpg"),
        ("a\ud800b.jpg", b"a?b.jpg"),
        ("图😀.jpg", "图😀.jpg".encode()),
    ],
)
def test_escapes_by_example(filename: str, sent: bytes) -> None:
    """Quotes and control characters are percent-encoded, lone surrogates become question marks, the rest is kept."""
    assert b'filename="' + sent + b'"' in frame(filename, "image/jpeg", {}).head


@given(ANYTHING, TYPES, FIELDS, st.binary())
def test_the_media_may_come_last(filename: str, content_type: str, fields: Mapping[str, str], media: bytes) -> None:
    """As object storage wants it: each field first, in order, then the media under the name of its part."""
    around = frame(filename, content_type, fields, part="file", last=True)
    body = body_of(around, media)
    assert around.length(len(media)) == len(body)
    *texts, file = read_parts(around.content_type, body)
    assert texts == [Part(name.encode(), None, None, text.encode()) for name, text in fields.items()]
    assert file == Part(b"file", percent(filename), content_type.encode(), media)
