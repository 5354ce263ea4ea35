"""Between classes and bytes: what is sent, what is read, and what is refused."""

import bisect
import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from attrs import NOTHING, field, fields, frozen
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wxasset.calls import cloud, images, library, materials, media, tokens
from wxasset.calls.base import Ack, Call
from wxasset.calls.cloud import BatchDeleteFile, BatchDownloadFile, DeletedFile, DeletedFiles, StartUpload
from wxasset.calls.images import ImageURL
from wxasset.calls.library import Article, MaterialCount, MaterialItem, MaterialPage, News, Video
from wxasset.calls.materials import AddedMaterial, Description
from wxasset.calls.media import TemporaryMedia
from wxasset.calls.tokens import IssuedAuthorizerToken, IssuedComponentToken, IssuedToken
from wxasset.errors import APIError, BusyError, DecodeError, MediaNotFoundError
from wxasset.wire.codec import decode, dumps, unstructure, wire_name
from wxasset.wire.json_bodies import excerpt, parse, raise_for_errcode

PATH: Final = "/cgi-bin/any"
# A union is a reply type too, though not a `type` to the type checker.
NEWS_OR_VIDEO: Final[Any] = News | Video
VIDEO_NEWS_OR_NONE: Final[Any] = Video | News | None
ACK_OR_ADDED: Final[Any] = Ack | AddedMaterial

RID: Final = "6087f0d0-5c83dcaa-438ebbcc"

TEXT: Final = st.text(max_size=20)
NAMED: Final = st.text(min_size=1, max_size=20)
NUMBER: Final = st.integers(-(2**53), 2**53)
URL: Final = st.none() | st.text(min_size=1, max_size=20)

ARTICLES: Final = st.builds(
    Article,
    title=TEXT,
    author=TEXT,
    digest=TEXT,
    content=TEXT,
    content_source_url=TEXT,
    thumb_media_id=TEXT,
    thumb_url=TEXT,
    show_cover_pic=st.booleans(),
    url=TEXT,
    need_open_comment=st.booleans(),
    only_fans_can_comment=st.booleans(),
)
NEWS: Final = st.builds(
    News,
    articles=st.lists(ARTICLES, max_size=3).map(tuple),
    create_time=st.none() | NUMBER,
    update_time=st.none() | NUMBER,
)
ITEMS: Final = st.builds(MaterialItem, media_id=NAMED, update_time=NUMBER, name=TEXT, url=URL, content=st.none() | NEWS)
FILES: Final = st.builds(DeletedFile, fileid=TEXT, status=NUMBER, errmsg=TEXT)

REPLIES: Final[Mapping[type[Any], st.SearchStrategy[Any]]] = {
    Ack: st.builds(Ack),
    AddedMaterial: st.builds(AddedMaterial, media_id=NAMED, url=URL),
    ImageURL: st.builds(ImageURL, url=NAMED),
    News: NEWS,
    Video: st.builds(Video, down_url=TEXT, title=TEXT, description=TEXT),
    MaterialCount: st.builds(MaterialCount, voice=NUMBER, video=NUMBER, image=NUMBER, news=NUMBER),
    MaterialPage: st.builds(MaterialPage, items=st.lists(ITEMS, max_size=3).map(tuple), total=NUMBER),
    TemporaryMedia: st.builds(TemporaryMedia, type=TEXT, media_id=NAMED, created_at=NUMBER),
    IssuedToken: st.builds(IssuedToken, access_token=TEXT, expires_in=NUMBER),
    IssuedComponentToken: st.builds(IssuedComponentToken, component_access_token=TEXT, expires_in=NUMBER),
    IssuedAuthorizerToken: st.builds(
        IssuedAuthorizerToken,
        authorizer_access_token=TEXT,
        expires_in=NUMBER,
        authorizer_refresh_token=st.none() | TEXT,
    ),
    DeletedFiles: st.builds(DeletedFiles, files=st.lists(FILES, max_size=3).map(tuple)),
}
FEW: Final = settings(max_examples=40)  # for each of a dozen replies
EACH: Final = pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.__name__)

# The keys of the wire, by reply; the required ones have no default.
KEYS: Final[Mapping[type[Any], tuple[set[str], set[str]]]] = {
    Ack: (set(), set()),
    AddedMaterial: ({"media_id"}, {"url"}),
    ImageURL: ({"url"}, set()),
    News: ({"news_item"}, {"create_time", "update_time"}),
    Video: ({"down_url"}, {"title", "description"}),
    MaterialCount: ({"voice_count", "video_count", "image_count", "news_count"}, set()),
    MaterialPage: ({"total_count"}, {"item"}),
    TemporaryMedia: ({"type", "media_id", "created_at"}, set()),
    IssuedToken: ({"access_token", "expires_in"}, set()),
    IssuedComponentToken: ({"component_access_token", "expires_in"}, set()),
    IssuedAuthorizerToken: ({"authorizer_access_token", "expires_in"}, {"authorizer_refresh_token"}),
    DeletedFiles: (set(), {"delete_list"}),
}
REQUIRED: Final = [
    pytest.param(reply, key, id=f"{reply.__name__}-{key}") for reply, (keys, _) in KEYS.items() for key in sorted(keys)
]
OPTIONAL: Final = [
    pytest.param(reply, key, id=f"{reply.__name__}-{key}") for reply, (_, keys) in KEYS.items() for key in sorted(keys)
]


def document(reply: type[Any]) -> dict[str, Any]:
    """Build a small reply with all its keys."""
    item: dict[str, Any] = {"media_id": "M", "name": "海报.png", "update_time": 2, "url": "http://mmbiz.qpic.cn/0"}
    samples: dict[type[Any], dict[str, Any]] = {
        Ack: {"errcode": 0},
        AddedMaterial: {"media_id": "M", "url": "http://mmbiz.qpic.cn/0"},
        ImageURL: {"url": "http://mmbiz.qpic.cn/0"},
        News: {"news_item": [{"title": "标题", "show_cover_pic": 1}], "create_time": 1, "update_time": 2},
        Video: {"down_url": "http://v.qq.com/1", "title": "标题", "description": "简介"},
        MaterialCount: {"voice_count": 3, "video_count": 4, "image_count": 55, "news_count": 18},
        MaterialPage: {"item": [item], "total_count": 1, "item_count": 1},
        TemporaryMedia: {"type": "image", "media_id": "M", "created_at": 1461568932},
        IssuedToken: {"access_token": "T", "expires_in": 7200},
        IssuedComponentToken: {"component_access_token": "T", "expires_in": 7200},
        IssuedAuthorizerToken: {
            "authorizer_access_token": "T",
            "expires_in": 7200,
            "authorizer_refresh_token": "refreshtoken@@@1",
        },
        DeletedFiles: {"errcode": 0, "delete_list": [{"fileid": "cloud://a", "status": 0, "errmsg": "ok"}]},
    }
    return samples[reply]


def refusal(body: bytes, reply: Any) -> DecodeError:
    """Decode what cannot be decoded and return the error."""
    with pytest.raises(DecodeError) as caught:
        decode(body, reply, PATH)
    error = caught.value
    assert error.path == PATH
    assert error.message.startswith(f"{PATH} returned ")
    assert len(error.excerpt) <= 200
    assert error.excerpt.isprintable()
    return error


def test_every_reply_of_the_declared_calls_is_tested() -> None:
    """The replies that these tests build are those of the modules of calls."""
    calls = {
        one
        for module in (library, materials, images, media, cloud, tokens)
        for one in vars(module).values()
        if isinstance(one, type)
        and issubclass(one, Call)
        and hasattr(one, "route")
        and not issubclass(one, StartUpload | BatchDownloadFile)  # the tests of cloud uploads and downloads have them
    }
    replies = {part for call in calls for part in getattr(call.reply, "__args__", (call.reply,))}
    assert replies == set(REPLIES) == set(KEYS)


@EACH
@FEW
@given(data=st.data())
def test_a_reply_survives_the_way_there_and_back(reply: type[Any], data: st.DataObject) -> None:
    """What a reply becomes on the wire is read as the same reply."""
    instance = data.draw(REPLIES[reply])
    assert decode(dumps({"errcode": 0} | unstructure(instance)), reply, PATH) == instance


@EACH
@FEW
@given(data=st.data())
def test_the_wire_has_wechats_names(reply: type[Any], data: st.DataObject) -> None:
    """Unstructured, a reply has the keys of the wire reference and no others."""
    required, optional = KEYS[reply]
    sent = unstructure(data.draw(REPLIES[reply])).keys()
    assert required <= sent <= required | optional


@EACH
def test_a_sample_has_every_key(reply: type[Any]) -> None:
    """The samples of this file are read, and hold all the keys that a reply can have."""
    required, optional = KEYS[reply]
    assert required | optional <= document(reply).keys()
    again = unstructure(decode(dumps(document(reply)), reply, PATH))
    assert again.keys() == required | optional


def test_the_samples_of_the_reference_are_read() -> None:
    """Replies as captured, with escaped slashes and with keys that nobody asked for."""
    assert decode(
        rb'{"media_id":"HIWcj9t3AI_b8qCQSu8lrY5DkGL1LMl8_eTrDv4aUo8","url":"http:\/\/mmbiz.qpic.cn\/mmbiz_jpg\/0?wx_fmt=jpeg"}',
        AddedMaterial,
        PATH,
    ) == AddedMaterial(
        media_id="HIWcj9t3AI_b8qCQSu8lrY5DkGL1LMl8_eTrDv4aUo8", url="http://mmbiz.qpic.cn/mmbiz_jpg/0?wx_fmt=jpeg"
    )
    assert decode(b'{"media_id":"M","url":""}', AddedMaterial, PATH) == AddedMaterial(media_id="M", url=None)
    assert decode(
        b'{"errcode":0,"errmsg":"ok","type":"thumb","thumb_media_id":"M","created_at":1461568932}', TemporaryMedia, PATH
    ) == TemporaryMedia(type="thumb", media_id="M", created_at=1461568932)
    assert decode(b'{"video_url":"http:\\/\\/v"}', Video, PATH) == Video(down_url="http://v")
    assert decode(b'{"item":[],"total_count":0,"item_count":0}', MaterialPage, PATH) == MaterialPage(total=0)
    assert decode(
        b'{"item":[{"media_id":"M","content":{"news_item":[{"title":"t","show_cover_pic":1}],"create_time":1,'
        b'"update_time":2},"update_time":3}],"total_count":1,"item_count":1}',
        MaterialPage,
        PATH,
    ) == MaterialPage(
        items=(
            MaterialItem(
                media_id="M",
                update_time=3,
                content=News(articles=(Article(title="t", show_cover_pic=True),), create_time=1, update_time=2),
            ),
        ),
        total=1,
    )
    assert decode(
        b'{"errcode":0,"errmsg":"ok","delete_list":[{"fileid":"cloud://a","status":-503003,"errmsg":"none"}]}',
        DeletedFiles,
        PATH,
    ) == DeletedFiles(files=(DeletedFile(fileid="cloud://a", status=-503003, errmsg="none"),))


@given(st.dictionaries(TEXT, st.recursive(st.none() | st.booleans() | NUMBER | TEXT, st.lists, max_leaves=5)))
@example({"title": "中文标题", "introduction": "“引号”\u2028😀"})
def test_json_goes_out_as_raw_utf8(sent: dict[str, Any]) -> None:
    """No escape stands for a character that UTF-8 can hold, no blank is wasted, and the text is JSON."""
    encoded = dumps(sent)
    assert json.loads(encoded) == sent
    # JSON itself asks for escapes below U+0020; json writes those alone.
    assert encoded.decode() == json.dumps(sent, ensure_ascii=False, separators=(",", ":"))
    assert b"\\u4e2d" not in encoded.lower()


def test_chinese_is_not_escaped() -> None:
    r"""WeChat would show ``\u4e2d`` as it stands (wire reference 4.5)."""
    assert dumps({"title": "中文"}) == '{"title":"中文"}'.encode()
    assert dumps({"title": "a\ud800b"}) == b'{"title":"a?b"}'


@frozen(kw_only=True)
class Inner:
    """A part of a user's request."""

    text: str
    more: str | None = None


@frozen(kw_only=True)
class Outer:
    """A user's request with a renamed and an optional field."""

    count: int | None = field(default=None, metadata=wire_name("Count"))
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()


@given(
    st.builds(
        Outer,
        count=st.none() | NUMBER,
        inner=st.none() | st.builds(Inner, text=TEXT, more=st.none() | TEXT),
        inners=st.lists(st.builds(Inner, text=TEXT, more=st.none() | TEXT), max_size=2).map(tuple),
    )
)
def test_none_is_not_sent(request: Outer) -> None:
    """A field that is None is left out at every depth, and comes back as None."""
    assert b"null" not in dumps(unstructure(request)) or "null" in repr(request)
    sent = unstructure(request)
    assert ("Count" in sent) == (request.count is not None)
    assert ("inner" in sent) == (request.inner is not None)
    assert decode(dumps(sent), Outer, PATH) == request


def test_a_wire_name_is_metadata_for_attrs() -> None:
    """The first name is the one that is sent; each is read."""
    assert wire_name("a", "b") == wire_name(*("a", "b"))

    @frozen
    class Renamed:
        value: str = field(metadata=wire_name("first", "second", "third"))

    assert unstructure(Renamed("v")) == {"first": "v"}
    for name in ("first", "second", "third"):
        assert decode(dumps({name: "v"}), Renamed, PATH) == Renamed("v")
    assert decode(b'{"third":"3","second":"2"}', Renamed, PATH) == Renamed("2")
    assert decode(b'{"third":"3","first":"1"}', Renamed, PATH) == Renamed("1")
    assert decode(b'{"first":null,"second":"2"}', Renamed, PATH) == Renamed("2")
    refusal(b'{"value":"v"}', Renamed)


# What is an error and what is none.


@pytest.mark.parametrize(
    "body", [b'{"errcode":0,"errmsg":"ok"}', b'{"errcode":"0"}', b'{"errcode":0,"x":1}', b'\xef\xbb\xbf{"errcode":0}']
)
def test_success_is_a_code_of_zero(body: bytes) -> None:
    """A reply without required keys is a success if it says so."""
    assert decode(body, Ack, PATH) == Ack()
    assert decode(body, DeletedFiles, PATH) == DeletedFiles()


@frozen(kw_only=True)
class Verdict:
    """A user's reply: all of its keys are optional, and some are those of an error."""

    errcode: int = 0
    errmsg: str = ""
    result: str | None = None
    names: tuple[str, ...] = field(default=(), metadata=wire_name("names", "list"))


FOREIGN: Final = (
    b"{}",
    b'{"errcode":null}',
    b'{"errmsg":"upstream timed out"}',
    b'{"rid":"x"}',
    b'{"code":"INVALID_PARAM","message":"too many","requestId":"17b9"}',
    b'{"code":0,"message":"ok"}',
    b'{"ret":-1,"msg":"system busy"}',
    b'{"error":"upstream timed out"}',
    b'{"success":false}',
    b'{"delete_list":null,"result":null}',
)


@pytest.mark.parametrize("body", FOREIGN)
@pytest.mark.parametrize("reply", [Ack, DeletedFiles, Verdict, ACK_OR_ADDED, NEWS_OR_VIDEO, AddedMaterial])
def test_foreign_json_is_no_success(body: bytes, reply: Any) -> None:
    """A gateway's JSON has neither `errcode: 0` nor a key of the reply; the error shows its start."""
    assert refusal(body, reply).excerpt == body.decode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"result":"r"}', Verdict(result="r")),
        (b'{"list":["a"]}', Verdict(names=("a",))),
        (b'{"names":[]}', Verdict()),
        (b'{"errcode":0}', Verdict()),
    ],
)
def test_one_key_of_a_reply_is_enough(body: bytes, expected: Verdict) -> None:
    """Most replies of WeChat have no `errcode`: a key of the reply, under each of its names, shows a success too."""
    assert decode(body, Verdict, PATH) == expected


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        (b'{"media_id":""}', AddedMaterial),
        (b'{"errcode":0,"url":""}', ImageURL),
        (b'{"type":"thumb","thumb_media_id":"","created_at":1}', TemporaryMedia),
        (b'{"item":[{"media_id":""}],"total_count":1}', MaterialPage),
    ],
)
def test_an_empty_id_is_no_result(body: bytes, reply: Any) -> None:
    """What was made has an id that is not empty."""
    assert "'media_id'" in refusal(body, reply).message or "'url'" in refusal(body, reply).message


@pytest.mark.parametrize(
    ("code", "errcode"), [("40007", 40007), ('"40007"', 40007), ('" 40007 "', 40007), ("-1", -1), ('"-1"', -1)]
)
def test_a_code_may_be_a_number_or_text(code: str, errcode: int) -> None:
    """WeChat sends some codes as text."""
    with pytest.raises(APIError) as caught:
        decode(f'{{"errcode":{code},"errmsg":"no"}}'.encode(), Ack, PATH)
    assert caught.value.errcode == errcode
    assert type(caught.value) is {40007: MediaNotFoundError, -1: BusyError}[errcode]


@pytest.mark.parametrize(
    ("errmsg", "text", "rid"),
    [
        ("invalid media_id", "invalid media_id", None),
        ("media data missing hint: [4LDlna0983e547]", "media data missing hint: [4LDlna0983e547]", None),
        (
            "reach max api daily quota limit rid: 617682e0-09059ac5-34a8e2ea",
            "reach max api daily quota limit",
            "617682e0-09059ac5-34a8e2ea",
        ),
        ("invalid appsecret, rid: 66b5fb8f-5e3c0071-3d7f539a", "invalid appsecret", "66b5fb8f-5e3c0071-3d7f539a"),
        (f"invalid media_id hint: [Lg.ZAa07440024] rid: {RID}", "invalid media_id hint: [Lg.ZAa07440024]", RID),
        ("invalid code, hints: [ req_id: 0Bda ]", "invalid code, hints: [ req_id: 0Bda ]", None),
        (f"请勿频繁请求 hint: [LKjm.A069824-0] rid: {RID}", "请勿频繁请求 hint: [LKjm.A069824-0]", RID),
    ],
)
def test_the_suffixes_of_captured_errors_are_told_apart(errmsg: str, text: str, rid: str | None) -> None:
    """The request id becomes a field, the hint stays in the text (wire reference 0.3)."""
    with pytest.raises(APIError) as caught:
        decode(dumps({"errcode": 40066, "errmsg": errmsg}), Ack, PATH)
    assert (caught.value.errmsg, caught.value.rid, caught.value.path) == (text, rid, PATH)


@pytest.mark.parametrize("errmsg", [b"", b',"errmsg":null', b',"errmsg":5', b',"errmsg":["no"]'])
def test_an_error_without_a_text_is_still_an_error(errmsg: bytes) -> None:
    """The code alone decides."""
    with pytest.raises(MediaNotFoundError) as caught:
        decode(b'{"errcode":40007' + errmsg + b"}", Ack, PATH)
    assert caught.value.errmsg == ""


def test_an_error_wins_over_the_keys_of_a_reply() -> None:
    """A refusal that carries more than a refusal needs is one all the same."""
    with pytest.raises(MediaNotFoundError):
        decode(b'{"media_id":"M","errcode":40007,"errmsg":"invalid media_id"}', AddedMaterial, PATH)


@pytest.mark.parametrize(
    "code",
    [
        "1.0",
        "0.0",
        "-1.0",
        "1e3",
        "true",
        "false",
        '""',
        '"x"',
        '"1.0"',
        '"' + "9" * 19 + '"',
        "[]",
        "{}",
        "NaN",
        "Infinity",
        '"\\u0007\\n"',
    ],
)
def test_a_code_that_is_no_number_is_refused(code: str) -> None:
    """A float, a flag or a word is not taken for success, and shown without what cannot be printed."""
    assert "errcode" in refusal(f'{{"errcode":{code}}}'.encode(), Ack).message


# What is no reply.


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "an empty body"),
        (b" \r\n", "an empty body"),
        (b"<html><body>502 Bad Gateway", "a page of HTML"),
        (b"\n<!DOCTYPE html>", "a page of HTML"),
        (b"<Error><Code>AccessDenied</Code>", "XML"),
        (b"Bad Gateway", "a body other than JSON"),
        (b"\x89PNG\r\n\x1a\n", "a body other than JSON"),
        (b'{"url":"u"', "broken JSON"),
        (b'{"url":"u"} and more', "broken JSON"),
        (b"{url:1}", "broken JSON"),
        (b"[]", "list"),
        (b'[{"url":"u"}]', "list"),
        (b'"text"', "str"),
        (b"1", "int"),
        (b"null", "NoneType"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"url":' * 100_000, "nested too deep"),
        (b'{"errcode":' + b"9" * 5000 + b"}", "excessively long number"),
        (b'{"x":-' + b"9" * 5000 + b',"url":"u"}', "excessively long number"),
    ],
)
def test_what_is_no_reply_is_named(body: bytes, problem: str) -> None:
    """Whatever stands between this side and WeChat may answer, and the error says with what."""
    error = refusal(body, ImageURL)
    assert problem in error.message
    with pytest.raises(DecodeError, match="returned "):
        parse(body, PATH)


def deepest(start: str, end: str) -> int:
    """Find how deep the interpreter's JSON reader goes from here."""

    def reads(depth: int) -> bool:
        try:
            json.loads(start * depth + "1" + end * depth)
        except RecursionError:
            return False
        return True

    return bisect.bisect_left(range(100_000), x=True, key=lambda depth: not reads(depth))


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("key", ["errcode", "news_item", "create_time", "unknown"])
def test_no_depth_of_nesting_breaks_through(key: str, start: str, end: str) -> None:
    """Just below and just above the depth that can be read, a refusal is the only answer."""
    limit = deepest(start, end)
    for depth in (1, 2, 10, *range(limit - 40, limit + 5)):
        body = f'{{"{key}":{start * depth}1{end * depth}}}'.encode()
        refusal(body, News)
        refusal(body, NEWS_OR_VIDEO)


def test_control_characters_and_broken_utf8_are_read() -> None:
    """Titles of users hold both, and do not make a whole page unreadable (wire reference 0.4)."""
    body = b'{"news_item":[{"title":"a\x00b\tc\nd\x1fe","author":"\xff\xe4\xb8","digest":"\xe4\xb8\xad"}]}'
    (article,) = decode(body, News, PATH).articles
    assert article.title == "a\x00b\tc\nd\x1fe"
    assert article.author == "\ufffd\ufffd"
    assert article.digest == "中"


@EACH
@FEW
@given(data=st.data())
def test_unknown_keys_are_ignored(reply: type[Any], data: st.DataObject) -> None:
    """WeChat adds keys without notice."""
    known = {"errcode", "thumb_media_id", "video_url", *(key for keys in KEYS[reply] for key in keys)}
    more = data.draw(st.dictionaries(TEXT.filter(lambda key: key not in known), NUMBER | TEXT | st.none(), max_size=3))
    expected = decode(dumps(document(reply)), reply, PATH)
    assert decode(dumps(more | document(reply)), reply, PATH) == expected


@pytest.mark.parametrize(("reply", "key"), OPTIONAL)
def test_null_says_no_more_than_an_absent_key(reply: type[Any], key: str) -> None:
    """An optional key that is null or absent has its default."""
    whole = document(reply)
    without = {name: value for name, value in whole.items() if name != key}
    expected = decode(dumps(without), reply, PATH)
    assert decode(dumps(whole | {key: None}), reply, PATH) == expected
    assert decode(dumps(whole), reply, PATH) != expected


@pytest.mark.parametrize(("reply", "key"), REQUIRED)
def test_a_missing_key_is_named(reply: type[Any], key: str) -> None:
    """A required key that is absent or null is an error that says which, by its name on the wire."""
    without = {name: value for name, value in document(reply).items() if name != key}
    for lacking in (without, without | {key: None}):
        error = refusal(dumps(lacking), reply)
        assert reply.__name__ in error.message
        assert key in error.message


WRONG: Final = {
    str: ["1.5", "true", "[]", "{}", '["a"]'],
    int: ["1.5", "true", '"x"', '"1.0"', '""', "[]", "{}", "1e3"],
    tuple: ["1", "true", '"ab"', '{"a":1}', "[1]", "[null]", '["a"]'],
}
KINDS: Final = {
    ("media_id", AddedMaterial): str,
    ("url", ImageURL): str,
    ("down_url", Video): str,
    ("news_item", News): tuple,
    ("voice_count", MaterialCount): int,
    ("item", MaterialPage): tuple,
    ("total_count", MaterialPage): int,
    ("created_at", TemporaryMedia): int,
    ("access_token", IssuedToken): str,
    ("expires_in", IssuedToken): int,
    ("component_access_token", IssuedComponentToken): str,
    ("expires_in", IssuedComponentToken): int,
    ("authorizer_access_token", IssuedAuthorizerToken): str,
    ("expires_in", IssuedAuthorizerToken): int,
    ("delete_list", DeletedFiles): tuple,
}


@pytest.mark.parametrize(
    ("reply", "key", "value"),
    [
        pytest.param(reply, key, value, id=f"{reply.__name__}-{key}-{value}")
        for (key, reply), kind in KINDS.items()
        for value in WRONG[kind]
    ],
)
def test_a_value_of_the_wrong_type_is_refused(reply: type[Any], key: str, value: str) -> None:
    """A required key and a list mean something only as what they are: 1.5 is not 1, and a text is no list."""
    refusal(dumps(document(reply) | {key: "@"}).replace(b'"@"', value.encode()), reply)


@pytest.mark.parametrize(
    ("reply", "key"), [pytest.param(reply, key, id=f"{reply.__name__}-{key}") for key, reply in KINDS]
)
def test_the_key_of_a_wrong_value_is_named(reply: type[Any], key: str) -> None:
    """The error names the key as it stands on the wire, where it can be looked for."""
    assert key in refusal(dumps(document(reply) | {key: 1.5}), reply).message


@frozen(kw_only=True)
class Usage:
    """A user's reply: a part with required keys, and optional keys of each type."""

    limit: int
    open: bool


@frozen(kw_only=True)
class Lax:
    """The same, one level up."""

    needed: bool
    flag: bool | None = None
    number: int = -1
    text: str = "none"
    share: float = -0.5
    usage: "Usage | None" = None
    names: tuple[str, ...] = ("none",)


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        ("0", False),
        ("1", True),
        ("2", True),
        ("1.0", True),
        ("false", False),
        ("true", True),
        ('"0"', False),
        ('"1"', True),
        ('" 1 "', True),
        ('"true"', True),
        ('"False"', False),
    ],
)
def test_flags_are_numbers_strings_or_booleans(value: str, flag: bool) -> None:
    """WeChat writes flags as 0 and 1; a flag as a string does not fail a page of articles."""
    item = f'{{"media_id":"M","content":{{"news_item":[{{}},{{"show_cover_pic":{value}}}]}}}}'
    page = decode(f'{{"item":[{item}],"total_count":1}}'.encode(), MaterialPage, PATH)
    assert page.items[0].content is not None
    assert page.items[0].content.articles[1].show_cover_pic is flag
    assert decode(f'{{"needed":{value}}}'.encode(), Lax, PATH).needed is flag


@pytest.mark.parametrize("value", ['"x"', '""', "[]", "{}", '{"a":1}', "[1]", "0.5", "null"])
def test_an_optional_flag_without_a_meaning_has_its_default(value: str) -> None:
    """It does not fail the rest of the page; a required one does."""
    (article,) = decode(f'{{"news_item":[{{"show_cover_pic":{value},"title":"t"}}]}}'.encode(), News, PATH).articles
    assert article == Article(title="t")
    refusal(f'{{"needed":{value}}}'.encode(), Lax)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("number", '"5"', 5),
        ("number", "5.0", 5),
        ("number", '""', -1),
        ("number", '"x"', -1),
        ("number", "1.5", -1),
        ("number", "NaN", -1),
        ("number", "[]", -1),
        ("text", "5", "5"),
        ("text", "0.5", "0.5"),
        ("text", "true", "none"),
        ("text", "[]", "none"),
        ("text", '""', ""),
        ("share", "1", 1.0),
        ("share", '"0.25"', 0.25),
        ("share", '""', -0.5),
        ("share", '"x"', -0.5),
        ("share", "[]", -0.5),
        ("usage", "{}", None),
        ("usage", "[]", None),
        ("usage", '""', None),
        ("usage", '{"limit":null,"open":1}', None),
        ("usage", '{"limit":"5","open":"1"}', Usage(limit=5, open=True)),
        ("names", "null", ("none",)),
        ("names", "{}", ("none",)),
        ("names", '""', ("none",)),
        ("names", "[]", ()),
        ("names", "[5]", ("5",)),
    ],
)
def test_an_optional_value_is_converted_or_absent(key: str, value: str, expected: object) -> None:
    """Numbers as strings, strings as numbers, and empty values of another type fail no reply."""
    answer = decode(f'{{"needed":1,"{key}":{value}}}'.encode(), Lax, PATH)
    assert getattr(answer, key) == expected


@pytest.mark.parametrize(
    "body",
    [b'{"usage":"x"}', b'{"usage":[1]}', b'{"usage":{"limit":"x","open":1}}', b'{"names":"x"}', b'{"names":[[]]}'],
)
def test_what_is_not_empty_is_not_ignored(body: bytes) -> None:
    """A part or a list of another type holds something that cannot be read."""
    refusal(body.replace(b"{", b'{"needed":1,', 1), Lax)


def test_an_item_without_articles_does_not_fail_the_page() -> None:
    """Its content is absent; a name written as a number is a name."""
    items = b'{"media_id":"A","content":{"news_item":null},"update_time":"5"},{"media_id":"B","content":"","name":7}'
    page = decode(b'{"item":[' + items + b'],"total_count":"2"}', MaterialPage, PATH)
    assert page.items == (MaterialItem(media_id="A", update_time=5), MaterialItem(media_id="B", name="7"))


@pytest.mark.parametrize(
    ("value", "number"), [("7200", 7200), ('"7200"', 7200), ('" 7200 "', 7200), ('"-5"', -5), ("0", 0)]
)
def test_a_number_may_come_as_text(value: str, number: int) -> None:
    """What WeChat does with codes it may do with any number."""
    issued = decode(f'{{"access_token":"T","expires_in":{value}}}'.encode(), IssuedToken, PATH)
    assert issued == IssuedToken("T", number)


# Replies that can be one of several.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"news_item":[]}', News(articles=())),
        (b'{"down_url":"u","title":"t"}', Video(down_url="u", title="t")),
        (b'{"video_url":"u"}', Video(down_url="u")),
    ],
)
def test_a_union_is_told_by_its_required_keys(body: bytes, expected: News | Video) -> None:
    """get_material answers with articles or with a video."""
    assert decode(body, NEWS_OR_VIDEO, PATH) == expected
    assert decode(body, VIDEO_NEWS_OR_NONE, PATH) == expected


def test_a_union_that_nothing_fits_names_the_first() -> None:
    """A reply that is none of the union says what the first of them needs."""
    assert "News" in refusal(b'{"title":"t"}', News | Video).message


def test_the_most_demanding_of_a_union_is_asked_first() -> None:
    """A class without required keys fits everything, and so comes last."""
    body = b'{"media_id":"M","url":"u"}'
    assert decode(body, ACK_OR_ADDED, PATH) == AddedMaterial(media_id="M", url="u")
    assert decode(b'{"errcode":0}', ACK_OR_ADDED, PATH) == Ack()


@frozen(kw_only=True)
class Size:
    """A reply with a pair in it."""

    size: tuple[int, str]
    depth: int = 0


@frozen(kw_only=True)
class Box:
    """The same keys, and one more that it needs."""

    size: tuple[int, str]
    depth: int


@pytest.mark.parametrize("union", [Size | Box, Box | Size])
def test_of_two_that_fit_the_one_that_needs_more_is_meant(union: Any) -> None:
    """The order in which a union is written does not matter."""
    assert decode(b'{"size":[1,"m"],"depth":2}', union, PATH) == Box(size=(1, "m"), depth=2)
    assert decode(b'{"size":[1,"m"]}', union, PATH) == Size(size=(1, "m"))


@pytest.mark.parametrize("body", [b'{"size":["m",1]}', b'{"size":[1]}', b'{"size":[1,"m",2]}', b'{"size":["m","m"]}'])
def test_each_place_of_a_pair_has_its_own_type(body: bytes) -> None:
    """Only an array of any length is one of equals."""
    refusal(body, Size)


# An error in a broken object.

CODES: Final = (
    b'{"errcode":40007,"errm',
    b'{"errcode":40007,"errmsg":"inv',
    b'{"errcode":40007,"errmsg":"invalid "media_id""}',
    b'{"errcode":40007,"errmsg":"x",}',
    b'{"errcode":40007,"errmsg":"x"} <html>',
    b'{"errcode":40007 "errmsg":"x"}',
    b"{errcode:40007,errmsg:'x'}",
    b'{"errcode":"40007","errmsg":"x',
    b'{"errcode":" 40007 "',
    b'{"errmsg":"invalid media_id","errcode":40007,',
    b'{"errmsg":"an "unescaped" quote","errcode":40007}',
    b'{"errmsg":"an "unescaped" quote","errcode":"40007","rid":"x"}',
    b'{"detail":{"errcode":0},"errcode":40007,"errmsg":"x',
    b'\xef\xbb\xbf\xef\xbb\xbf \r\n{"errcode":40007,"errmsg":"\xff',
    '{"errcode":40007,"errmsg":"请勿"'.encode("gbk"),
    '{"errcode":40007,"errmsg":"x"'.encode("utf-16"),
    '{"errcode":40007,"errmsg":"x"'.encode("utf-16-be"),
)


@pytest.mark.parametrize("body", CODES)
@pytest.mark.parametrize("reply", [Ack, AddedMaterial, NEWS_OR_VIDEO])
def test_a_broken_error_is_still_an_error(body: bytes, reply: Any) -> None:
    """The code counts, if it is complete and belongs to the object itself."""
    with pytest.raises(MediaNotFoundError) as caught:
        decode(body, reply, PATH)
    assert caught.value.path == PATH
    with pytest.raises(MediaNotFoundError):
        raise_for_errcode(body, PATH)


@pytest.mark.parametrize(
    "body",
    [
        b'{"errcode":4',
        b'{"errcode":40007',
        b'{"errcode":"40007',
        b'{"errco',
        b'{"errcode":0,"errmsg":"o',
        b'{"errcode":"x","errmsg":"o',
        b'{"errcode":' + b"9" * 5000 + b',"errmsg":"x"',
        b'{"errcode":' + b"[" * 100_000,
        b'{"news_item":[{"content":"{\\"errcode\\":40007,',
        b'{"news_item":[{"errcode":40007,"title":"',
        b'{"news_item":[{"content":"my "errcode":40007, is',
        b'[{"errcode":40007,',
        b'"errcode":40007,',
        b"{",
        b"",
    ],
)
def test_a_code_that_is_cut_or_of_something_else_is_not_believed(body: bytes) -> None:
    """Half a number may be another code, and an article may contain one: the body is then undecodable."""
    raise_for_errcode(body, PATH)
    refusal(body, NEWS_OR_VIDEO)


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_is_read_in_each_unicode_encoding(charset: str) -> None:
    """A byte order mark, or the zeros of the first characters, tell the encoding."""
    assert decode('{"media_id":"中"}'.encode(charset), AddedMaterial, PATH) == AddedMaterial(media_id="中")
    assert "中" in refusal("中文 502".encode("utf-16"), Ack).excerpt


@given(st.binary())
@example("中".encode() * 400)
@example("中".encode() * 266 + b"\xe4\xb8")
def test_an_excerpt_is_short_and_printable(body: bytes) -> None:
    """At most 200 characters on one line, whatever the body."""
    text = excerpt(body)
    assert len(text) <= 200
    assert text.isprintable()
    assert text == text.strip()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<html>\r\n<h1>502</h1>", "<html>  <h1>502</h1>"),
        ("网关错误".encode(), "网关错误"),
        (b"a\x00b\x1b[31mc\xe2\x80\xaed", "a b [31mc d"),
        (b"x" * 1000, "x" * 200),
        ("中".encode() * 1000, "中" * 200),
        (b"", ""),
    ],
)
def test_excerpts_by_example(body: bytes, expected: str) -> None:
    """Terminal escapes and direction marks do not get into a log."""
    assert excerpt(body) == expected


KEY: Final = st.sampled_from(
    sorted(
        {key for pair in KEYS.values() for keys in pair for key in keys}
        | {"errcode", "errmsg", "video_url", "fileid", "status"}
    )
)
JSON: Final = st.recursive(
    st.none() | st.booleans() | NUMBER | st.floats() | TEXT | st.sampled_from(("0", "-1", "\x07", "40007")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY | TEXT, inner, max_size=4),
    max_leaves=12,
)
BODIES: Final = (
    st.binary()
    | st.binary().map(lambda tail: b'{"errcode":' + tail)
    | st.dictionaries(KEY, JSON, max_size=4).map(lambda one: json.dumps(one).encode())
    | st.builds(
        lambda one, cut: json.dumps(one).encode()[:cut], st.dictionaries(KEY, JSON, max_size=4), st.integers(0, 60)
    )
)


@EACH
@FEW
@given(body=BODIES)
def test_any_body_is_a_reply_or_a_typed_error(reply: type[Any], body: bytes) -> None:
    """Whatever arrives, the caller gets an instance of the reply, an APIError or a DecodeError, and nothing else."""
    answer: object
    try:
        answer = decode(body, reply, PATH)
    except (APIError, DecodeError) as refused:
        answer = refused
    match answer:
        case APIError(errcode=errcode, path=path):
            assert errcode != 0
            assert path == PATH
        case DecodeError(excerpt=text, path=path):
            assert len(text) <= 200
            assert text.isprintable()
            assert path == PATH
        case _:
            assert type(answer) is reply


@EACH
def test_the_keys_of_this_file_are_the_required_ones(reply: type[Any]) -> None:
    """A field without a default is a required key."""
    assert len(KEYS[reply][0]) == sum(one.default is NOTHING for one in fields(reply))


def test_a_request_with_nested_parts_has_wire_names_throughout() -> None:
    """Calls are unstructured like replies."""
    assert unstructure(Description(title="标题")) == {"title": "标题", "introduction": ""}
    assert unstructure(BatchDeleteFile(env="e", fileid_list=("cloud://a",)))["env"] == "e"
    assert json.loads(dumps(unstructure(BatchDeleteFile(env="e", fileid_list=("cloud://a", "cloud://b"))))) == {
        "env": "e",
        "fileid_list": ["cloud://a", "cloud://b"],
    }
