"""File names: what is sent to WeChat, what a server's header says, and what of that may name a file."""

import tempfile
import unicodedata
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wxasset.wire.filenames import disposition_filename, marked_name, safe_name, upload_name
from wxasset.wire.formats import FORMATS, Format, by_extension

JPEG: Final = FORMATS["jpeg"]
MP4: Final = FORMATS["mp4"]

ANYTHING: Final = st.text(st.characters())  # lone surrogates included
HARMLESS: Final = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)
FORM: Final = st.none() | st.sampled_from(sorted(FORMATS.values(), key=lambda form: form.name))

PIECES: Final = st.sampled_from(
    (
        *("..", ".", "/", "\\", "C:", "con", "NUL", "com1", " ", "\x00", "\n", "\u202e", "\u200b", "\ud800", "\udc80"),
        *("-", "~", "-" * 300, "\u3000", "\xa0"),
        *("图片", "a" * 120, "图" * 70, ".jpg", ".PNG", ".tar.gz", "*", "?", '"', "\u2028", "\ue000", "é", "😀"),
    )
)
HOSTILE: Final = st.lists(PIECES, max_size=6).map("".join)

# The names that Windows keeps for devices, with any extension.
DEVICES: Final = {
    *("con", "prn", "aux", "nul"),
    *(f"{device}{number}" for device in ("com", "lpt") for number in "0123456789¹²³"),
}


def is_plain(name: str) -> bool:
    """Tell whether a name has nothing in it that its docstring rules out."""
    stem = name.partition(".")[0].rstrip(" ").lower()
    return (
        0 < len(name.encode()) <= 200
        and not name.startswith((".", " ", "-", "~"))
        and not name.endswith((".", " "))
        and not set(name) & set('/\\<>:"|?*')
        and not {unicodedata.category(char) for char in name} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
        and stem not in DEVICES
    )


@given(ANYTHING | HOSTILE, FORM)
@example("../../etc/passwd", None)
@example("C:\\..", None)
@example(".bashrc", None)
@example("photo\u202egpj.exe", None)
@example("con .txt", None)
@example("图." + "a" * 198, None)
@example("a" * 300, JPEG)
@example("图" * 300, JPEG)
@example("...", JPEG)
@example("CON ." + "0" * 40, None)
@example("-" * 300, JPEG)
@example("\u202e.-\x00-x", None)
def test_a_safe_name_is_plain_whatever_came_in(name: str, form: Format | None) -> None:
    """No path, no hidden dot, no invisible character, no device, at most 200 bytes."""
    assert is_plain(safe_name(name, "material", form))


@given(ANYTHING | HOSTILE, FORM)
def test_a_safe_name_names_a_file_in_its_directory(name: str, form: Format | None) -> None:
    """A file can really be created under the name, and it lies where it was put."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / safe_name(name, "material", form)
        target.write_bytes(b"x")
        assert list(Path(directory).iterdir()) == [target]
        assert target.resolve().parent == Path(directory).resolve()


@given(ANYTHING | HOSTILE, FORM)
@example("con .txt", None)
@example("图." + "a" * 198, None)
@example("0.." + "a" * 300, None)
def test_a_safe_name_stays_as_it_is(name: str, form: Format | None) -> None:
    """Made safe a second time, a name does not change."""
    once = safe_name(name, "material", form)
    assert safe_name(once, "other", form) == once


@given(ANYTHING | HOSTILE, ANYTHING | HOSTILE, FORM)
@example("", "con." + "图" * 80 + ".jpg", None)
def test_the_fallback_is_made_safe_as_well(name: str, fallback: str, form: Format | None) -> None:
    """A media id that serves as a name is not trusted either."""
    assert is_plain(safe_name(name, fallback, form))


@given(HARMLESS, st.sampled_from(sorted(FORMATS.values(), key=lambda form: form.name)))
def test_a_safe_name_has_a_known_extension_where_the_format_is_known(name: str, form: Format) -> None:
    """A file whose bytes were recognised can be opened with a double click."""
    assert by_extension(Path(safe_name(name, "material", form)).suffix) is not None


@pytest.mark.parametrize(
    ("name", "form", "expected"),
    [
        ("photo.jpg", None, "photo.jpg"),
        ("photo.jpg", JPEG, "photo.jpg"),
        ("中文 图片.JPG", JPEG, "中文 图片.JPG"),
        ("photo", JPEG, "photo.jpg"),
        ("version 1.5", JPEG, "version 1.5.jpg"),
        ("photo.jpg", MP4, "photo.jpg"),
        ("../../etc/passwd", None, "passwd"),
        ("../../etc/passwd", JPEG, "passwd.jpg"),
        ("C:\\Users\\me\\photo.jpg", None, "photo.jpg"),
        ("C:\\..", None, "material"),
        (".bashrc", None, "bashrc"),
        ("... photo.jpg . ", None, "photo.jpg"),
        ("a\x00b\r\nc\x7fd\x85.jpg", None, "abcd.jpg"),
        ("photo\u202egpj.exe", None, "photogpj.exe"),
        ("a\u200bb\ufeffc\ue000d\u2028e\u2029.jpg", None, "abcde.jpg"),
        ("a\ud800b\udcff.jpg", None, "ab.jpg"),
        ('a<b>c:d"e|f?g*h.jpg', None, "a_b_c_d_e_f_g_h.jpg"),
        ("CON", None, "_CON"),
        ("con.jpg", None, "_con.jpg"),
        ("Lpt9.tar.gz", None, "_Lpt9.tar.gz"),
        ("COM¹.jpg", None, "_COM¹.jpg"),
        ("nul", JPEG, "_nul.jpg"),
        ("console.jpg", None, "console.jpg"),
        ("com10.jpg", None, "com10.jpg"),
        ("a" * 300, None, "a" * 200),
        ("a" * 300 + ".jpg", None, "a" * 196 + ".jpg"),
        ("a" * 300, JPEG, "a" * 196 + ".jpg"),
        ("图" * 100 + ".jpg", None, "图" * 65 + ".jpg"),
        ("a" * 195 + " b.jpg", None, "a" * 195 + ".jpg"),
        ("a." + "b" * 300, None, "a." + "b" * 198),
        ("😀.png", None, "😀.png"),
        ("--checkpoint-action=exec=sh x.jpg", JPEG, "_--checkpoint-action=exec=sh x.jpg"),
        ("~root", JPEG, "_~root.jpg"),
        ("a/ .\x00\u202e-rf", None, "_-rf"),
        ("\u3000-rf", None, "_\u3000-rf"),
        ("-", None, "_-"),
        ("-" * 300 + ".jpg", None, "_" + "-" * 195 + ".jpg"),
        ("a-~.jpg", None, "a-~.jpg"),
    ],
)
def test_safe_names_by_example(name: str, form: Format | None, expected: str) -> None:
    """What is harmless is kept, what is not is dropped or marked."""
    assert safe_name(name, "material", form) == expected


@pytest.mark.parametrize(
    "name", [None, "", ".", "..", "...", " . ", "/", "a/", "\\", "\x00", "\u202e", "\ud800", "../.."]
)
def test_where_nothing_is_left_the_fallback_names_the_file(name: str | None) -> None:
    """A name of nothing but dots, blanks and invisible characters is replaced."""
    assert safe_name(name, "material") == "material"
    assert safe_name(name, "a/MEDIA-ID", JPEG) == "MEDIA-ID.jpg"
    assert safe_name(name, "-MEDIA_ID", JPEG) == "_-MEDIA_ID.jpg"


def test_where_the_fallback_is_empty_as_well_the_file_is_called_download() -> None:
    """There is always a name."""
    assert safe_name(None, "") == "download"
    assert safe_name("..", "///") == "download"
    assert safe_name("..", "///", JPEG) == "download.jpg"


@given(ANYTHING | HOSTILE, st.sampled_from(sorted(FORMATS.values(), key=lambda form: form.name)))
def test_an_upload_name_has_an_extension_of_the_format(name: str, form: Format) -> None:
    """WeChat goes by the extension, so it says what the bytes are."""
    assert upload_name(name, form).lower().endswith(form.extensions)


@given(ANYTHING | HOSTILE, FORM)
@example("..", JPEG)
@example(".", JPEG)
def test_an_upload_name_stays_as_it_is(name: str, form: Format | None) -> None:
    """A name that was given its extension is not given another."""
    once = upload_name(name, form)
    assert upload_name(once, form) == once


@given(ANYTHING | HOSTILE, FORM)
def test_an_upload_name_is_never_empty_and_never_a_path(name: str, form: Format | None) -> None:
    """Only the last part of a path is sent."""
    given_to_wechat = upload_name(name, form)
    assert given_to_wechat
    assert not set(given_to_wechat) & set("/\\")


@given(ANYTHING | HOSTILE, FORM)
@example("-" * 300, None)
@example("\ud800" * 200 + "-" + "a" * 300, JPEG)
@example(" .\u202e\x00~", None)
@example("\u3000.-", None)
@example(".png", None)
@example("a/-x.png", JPEG)
@example("\u0800000." + "0" * 248, None)
@example(".00\u0800." + "0" * 249, None)
@example("https://cdn.example/-x.jpg?a", JPEG)
def test_no_name_is_an_option_or_a_home_directory(name: str, form: Format | None) -> None:
    """Sent, marked, cut or stripped of blanks, dots and invisible characters: no name begins with "-" or "~"."""
    sent = upload_name(name, form)
    for one in (sent, marked_name(sent, "MARK"), safe_name(sent, "material"), safe_name(None, name, form)):
        assert not one.startswith(("-", "~"))
        seen = [char for char in one if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"}]
        assert not "".join(seen).lstrip(".").startswith(("-", "~"))


@pytest.mark.parametrize(
    ("name", "form", "expected"),
    [
        ("photo.jpg", JPEG, "photo.jpg"),
        ("photo.jpeg", JPEG, "photo.jpeg"),
        ("PHOTO.JPG", JPEG, "PHOTO.JPG"),
        ("photo", JPEG, "photo.jpg"),
        ("photo.png", JPEG, "photo.jpg"),
        ("photo.PNG", JPEG, "photo.jpg"),
        ("version 1.5", JPEG, "version 1.5.jpg"),
        ("archive.tar", MP4, "archive.tar.mp4"),
        ("中文 图片", JPEG, "中文 图片.jpg"),
        ("a/b\\c.png", JPEG, "c.jpg"),
        ("/srv/photo.jpg", JPEG, "photo.jpg"),
        ("", JPEG, "media.jpg"),
        ("photos/", JPEG, "media.jpg"),
        ("", None, "media"),
        ("a/b.xyz", None, "b.xyz"),
        ("--use-compress-program=sh.jpg", JPEG, "_--use-compress-program=sh.jpg"),
        ("~/photo.jpg", JPEG, "photo.jpg"),
        ("~photo.jpg", JPEG, "_~photo.jpg"),
        (" -x", None, "_ -x"),
    ],
)
def test_upload_names_by_example(name: str, form: Format | None, expected: str) -> None:
    """An extension that misleads is replaced, one that belongs to the name is kept, a missing one is added."""
    assert upload_name(name, form) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("poster.jpg", "poster-MARK.jpg"),
        ("a.tar.gz", "a.tar-MARK.gz"),
        (".png", "_-MARK.png"),
        ("..png", "_.-MARK.png"),
        ("/.png", "/-MARK.png"),
        ("media", "media-MARK"),
        ("海报.PNG", "海报-MARK.PNG"),
        ("", "_-MARK"),
    ],
)
def test_a_mark_goes_before_the_extension(name: str, expected: str) -> None:
    """WeChat judges a name by what follows its last full stop, and that stays what it was."""
    assert marked_name(name, "MARK") == expected


def header(raw: bytes) -> str:
    """Decode a header as the transport does."""
    return raw.decode("utf-8", "surrogateescape")


@given(HARMLESS)
@example("中文 图片.jpg")
@example('say "hi" \\ twice.jpg')
def test_a_quoted_name_is_read_back(name: str) -> None:
    """A name in quotes, its quotes and backslashes escaped, arrives as it is."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    assert disposition_filename(f'attachment; filename="{quoted}"') == name
    assert disposition_filename(header(f'form-data; name="media"; FileName = "{quoted}"; size=5'.encode())) == name


@given(
    st.text(st.sampled_from("图片素材视频语音联通汉字中文测试文件名成员的一是了我"), min_size=1),
    st.sampled_from(("gbk", "gb18030")),
)
@example("誠實", "gbk")
def test_a_name_in_gbk_is_read_back(name: str, charset: str) -> None:
    """Chinese in the older encoding arrives as it is, where its bytes are no UTF-8."""
    raw = f"{name}.jpg".encode(charset)
    received = header(b'attachment; filename="' + raw + b'"')
    if any("\udc80" <= char <= "\udcff" for char in received):
        assert disposition_filename(received) == f"{name}.jpg"


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.sampled_from(("utf-8", "UTF-8", "gb18030")))
def test_an_extended_name_is_read_back(name: str, charset: str) -> None:
    """Percent-encoded bytes in a named charset (RFC 8187) arrive as they are."""
    encoded = f"{charset}''{quote(name.encode(charset), safe='')}"
    assert disposition_filename(f"attachment; filename*={encoded}") == name
    assert disposition_filename(f'attachment; filename="plain.jpg"; filename*={encoded}') == name
    assert disposition_filename(f'attachment; FILENAME*={encoded}; filename="plain.jpg"') == name


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ('attachment; filename="MEDIA_ID.jpg"', "MEDIA_ID.jpg"),
        ("attachment; filename=MEDIA_ID.jpg", "MEDIA_ID.jpg"),
        ("attachment;filename=MEDIA_ID.jpg ; size=3", "MEDIA_ID.jpg"),
        ("attachment; filename=my photo.jpg", "my photo.jpg"),
        ('filename="bare.jpg"', "bare.jpg"),
        ('attachment; filename="a;b.jpg"', "a;b.jpg"),
        ('attachment; filename="中文.jpg"', "中文.jpg"),
        ("attachment; filename=中文.jpg", "中文.jpg"),
        ("attachment; filename*=utf-8'zh'%E4%B8%AD%E6%96%87.jpg", "中文.jpg"),
        ("attachment; filename*=utf-8''%FF.jpg", "\ufffd.jpg"),
        ("attachment; filename*=nonsense''%41.jpg; filename=\"plain.jpg\"", "plain.jpg"),
        ("attachment; filename*=nonsense''%41.jpg", None),
        ('attachment; filename="%E4%B8%AD.jpg"', "%E4%B8%AD.jpg"),
        ('attachment; filename=""', ""),
        ("attachment; filename=", None),
        ("attachment; filename=   ", None),
        ("attachment", None),
        ("inline", None),
        ("", None),
        ('attachment; name="media"', None),
        ('attachment; xfilename="no.jpg"', None),
        ('attachment; filename="unclosed.jpg', None),
    ],
)
def test_dispositions_by_example(disposition: str, expected: str | None) -> None:
    """What headers hold in practice, the official sample of wire reference 0.4 first."""
    assert disposition_filename(disposition) == expected


@pytest.mark.parametrize(
    "charset", ["idna", "undefined", "hex", "base64", "rot13", "punycode", "unicode_escape", "utf-7", "mbcs", "x" * 500]
)
def test_a_charset_that_names_no_text_encoding_is_passed_over(charset: str) -> None:
    """Whatever a server calls a charset, nothing raises, and the plain name is there for what cannot be read."""
    named = disposition_filename(f"attachment; filename=\"plain.jpg\"; filename*={charset}''%5Cd%80")
    assert isinstance(named, str)


def test_raw_bytes_in_an_extended_name_do_no_harm() -> None:
    """A server that forgets to percent-encode is not worth an exception."""
    received = header(b"attachment; filename*=gbk''" + "中文.jpg".encode("gbk"))
    assert disposition_filename(received) in {"中文.jpg", None}


@given(
    st.lists(
        st.sampled_from(
            (
                *(
                    b"attachment",
                    b"; ",
                    b"filename",
                    b"*",
                    b"=",
                    b'"',
                    b"\\",
                    b"utf-8",
                    b"gbk",
                    b"''",
                    b"%",
                    b"%E4",
                    b"\xd6",
                ),
                *(b"\xff", b"a.jpg", b";", b" ", b"\xe4\xb8\xad", b"idna", b"utf-7", b"\r\n", b"\x00"),
            )
        ),
        max_size=12,
    ).map(b"".join)
    | st.binary()
    | st.binary().map(lambda raw: b'attachment; filename="' + raw)
    | st.binary().map(lambda raw: b"attachment; filename*=utf-8''" + raw)
)
def test_no_header_makes_the_reader_raise(raw: bytes) -> None:
    """Any bytes in the header give a text or nothing, and that text makes a plain file name."""
    name = disposition_filename(header(raw))
    assert name is None or isinstance(name, str)
    assert is_plain(safe_name(name, "material"))


@pytest.mark.parametrize("letter", ["x", "é", "图", "😀"])
@pytest.mark.parametrize("name", ["{}.jpg", "{}.png", "{}"])
def test_names_to_upload_are_cut_between_characters(letter: str, name: str) -> None:
    """At most 255 bytes are sent, of whole characters, with the extension, and with the mark of a unique name."""
    for sent in (
        upload_name(name.format(letter * 300), JPEG),
        marked_name(upload_name(letter * 300, JPEG), "k7m2xq9d"),
    ):
        assert len(sent.encode()) <= 255
        assert sent.endswith(".jpg")
        assert set(sent.replace("-k7m2xq9d", "").removesuffix(".jpg")) == {letter}
    assert "k7m2xq9d" in sent


def test_the_query_of_a_url_is_not_part_of_a_name() -> None:
    """A URL as file name gives the last part of its path: its query may be a signature."""
    assert upload_name("https://cdn.example/a/b.jpg?sig=1&x=/y#z", JPEG) == "b.jpg"
