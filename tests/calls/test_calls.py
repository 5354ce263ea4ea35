"""The declared calls: where each goes, what it sends byte for byte, what it refuses, how users declare their own."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Generic, TypeVar

import pytest
from attrs import field, frozen
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from wxasset.calls import cloud, images, library, materials, media, tokens
from wxasset.calls.arguments import known_type, present
from wxasset.calls.base import LARGE_REPLY, Ack, Call, Download, Effect, Route, Upload
from wxasset.calls.cloud import (
    BatchDeleteFile,
    BatchDownloadFile,
    ComponentBatchDeleteFile,
    ComponentBatchDownloadFile,
    ComponentStartUpload,
    DeletedFile,
    DeletedFiles,
    DeleteReport,
    FailedDelete,
    StartUpload,
    outcomes,
    report,
)
from wxasset.calls.cloud_batches import Asking, Collected
from wxasset.calls.fileids import checked
from wxasset.calls.images import ImageURL, UploadImage
from wxasset.calls.library import (
    CountMaterials,
    DeleteMaterial,
    GetMaterial,
    ListMaterials,
    MaterialCount,
    MaterialPage,
    News,
    Video,
)
from wxasset.calls.materials import AddedMaterial, AddMaterial, Description
from wxasset.calls.media import GetMedia, TemporaryMedia, UploadMedia
from wxasset.calls.tokens import (
    GetAccessToken,
    GetAuthorizerToken,
    GetComponentToken,
    GetStableAccessToken,
    IssuedAuthorizerToken,
    IssuedComponentToken,
    IssuedToken,
)
from wxasset.errors import (
    BusyError,
    ConnectError,
    DecodeError,
    PartialDeleteError,
    SourceError,
    UsageError,
    WxAssetError,
)
from wxasset.errors.consequence import Consequence, consequence
from wxasset.wire.codec import decode, wire_name
from wxasset.wire.error_replies import api_error
from wxasset.wire.limits import ADD_MATERIAL, MIB, UPLOAD_IMAGE, UPLOAD_MEDIA, UploadLimit

READ, DELETE, CREATE = Effect.READ, Effect.DELETE, Effect.CREATE

# Wire reference 1.1, 1.2, 2.1 to 2.8 and 3.3: path, method, effect, whether it carries a token, reply.
ROUTES: Final[dict[type[Call[Any]], tuple[str, str, Effect, bool, Any]]] = {
    GetAccessToken: ("/cgi-bin/token", "GET", READ, False, IssuedToken),
    GetStableAccessToken: ("/cgi-bin/stable_token", "POST", READ, False, IssuedToken),
    GetComponentToken: ("/cgi-bin/component/api_component_token", "POST", READ, False, IssuedComponentToken),
    GetAuthorizerToken: ("/cgi-bin/component/api_authorizer_token", "POST", READ, False, IssuedAuthorizerToken),
    AddMaterial: ("/cgi-bin/material/add_material", "POST", CREATE, True, AddedMaterial),
    UploadImage: ("/cgi-bin/media/uploadimg", "POST", CREATE, True, ImageURL),
    GetMaterial: ("/cgi-bin/material/get_material", "POST", READ, True, News | Video),
    DeleteMaterial: ("/cgi-bin/material/del_material", "POST", DELETE, True, Ack),
    CountMaterials: ("/cgi-bin/material/get_materialcount", "GET", READ, True, MaterialCount),
    ListMaterials: ("/cgi-bin/material/batchget_material", "POST", READ, True, MaterialPage),
    UploadMedia: ("/cgi-bin/media/upload", "POST", CREATE, True, TemporaryMedia),
    GetMedia: ("/cgi-bin/media/get", "GET", READ, True, Video),
    BatchDeleteFile: ("/tcb/batchdeletefile", "POST", DELETE, True, DeletedFiles),
    ComponentBatchDeleteFile: ("/componenttcb/batchdeletefile", "POST", DELETE, True, DeletedFiles),
}

DESCRIPTION: Final = Description(title="中文标题", introduction="“简介”\n第二行")

# Each call with what it sends: query, JSON body, form.
SENT: Final[list[tuple[Call[Any], dict[str, str], str | None, dict[str, str] | None]]] = [
    (
        GetComponentToken(component_appid="wx1", component_appsecret="密", component_verify_ticket="ticket@@@1"),
        {},
        '{"component_appid":"wx1","component_appsecret":"密","component_verify_ticket":"ticket@@@1"}',
        None,
    ),
    (
        GetAuthorizerToken(
            component_access_token="CT",
            component_appid="wx1",
            authorizer_appid="wx2",
            authorizer_refresh_token="refreshtoken@@@1",
        ),
        {"component_access_token": "CT"},
        '{"component_appid":"wx1","authorizer_appid":"wx2","authorizer_refresh_token":"refreshtoken@@@1"}',
        None,
    ),
    (
        GetAccessToken(appid="wx1", secret="密&钥"),
        {"grant_type": "client_credential", "appid": "wx1", "secret": "密&钥"},
        None,
        None,
    ),
    (
        GetStableAccessToken(appid="wx1", secret="密钥"),
        {},
        '{"grant_type":"client_credential","appid":"wx1","secret":"密钥","force_refresh":false}',
        None,
    ),
    (
        GetStableAccessToken(appid="wx1", secret="s", force_refresh=True),
        {},
        '{"grant_type":"client_credential","appid":"wx1","secret":"s","force_refresh":true}',
        None,
    ),
    (AddMaterial(type="image"), {"type": "image"}, None, {}),
    (
        AddMaterial(type="video", description=DESCRIPTION),
        {"type": "video"},
        None,
        {"description": '{"title":"中文标题","introduction":"“简介”\\n第二行"}'},
    ),
    (
        AddMaterial(type="video", description=Description(title="标题")),
        {"type": "video"},
        None,
        {"description": '{"title":"标题","introduction":""}'},
    ),
    (UploadImage(), {}, None, {}),
    (GetMaterial(media_id="素材/1"), {}, '{"media_id":"素材/1"}', None),
    (DeleteMaterial(media_id="素材"), {}, '{"media_id":"素材"}', None),
    (CountMaterials(), {}, None, None),
    (ListMaterials(type="news"), {}, '{"type":"news","offset":0,"count":20}', None),
    (ListMaterials(type="image", offset=40, count=1), {}, '{"type":"image","offset":40,"count":1}', None),
    (UploadMedia(type="thumb"), {"type": "thumb"}, None, {}),
    (GetMedia(media_id="素材&1"), {"media_id": "素材&1"}, None, None),
    (
        BatchDeleteFile(env="环境", fileid_list=("cloud://a/图.png", 'cloud://"b"')),
        {},
        '{"env":"环境","fileid_list":["cloud://a/图.png","cloud://\\"b\\""]}',
        None,
    ),
    (
        ComponentBatchDeleteFile(env="e", fileid_list=("cloud://a",)),
        {},
        '{"env":"e","fileid_list":["cloud://a"]}',
        None,
    ),
]


def declared() -> set[type[Any]]:
    """Return every endpoint that the modules of calls declare."""
    return {
        one
        for module in (library, materials, images, media, cloud, tokens)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Call) and hasattr(one, "route")
    } - {StartUpload, BatchDownloadFile, ComponentStartUpload, ComponentBatchDownloadFile}
    # The tests of cloud uploads and downloads have these.


def test_every_endpoint_is_in_these_tables() -> None:
    """An endpoint that is added is tested here."""
    assert declared() == set(ROUTES) == {type(call) for call, *_ in SENT}


@pytest.mark.parametrize("call", ROUTES)
def test_the_routes_are_those_of_the_reference(call: type[Call[Any]]) -> None:
    """Path, method, effect, token and reply of each endpoint."""
    route = call.route
    assert (route.path, route.method, route.effect, route.authorized, call.reply) == ROUTES[call]


@pytest.mark.parametrize("call", ROUTES)
def test_an_endpoint_cites_its_official_page(call: type[Call[Any]]) -> None:
    """The docstring of a call ends with WeChat's page on it."""
    assert (call.__doc__ or "").strip().rpartition("\n")[2].strip().startswith("https://developers.weixin.qq.com/doc/")


@pytest.mark.parametrize("call", ROUTES)
def test_only_del_material_knows_a_code_for_gone(call: type[Call[Any]]) -> None:
    """40007 after a repeated deletion is a success; the cloud files say it file by file."""
    assert call.route.gone == ({40007} if call is DeleteMaterial else frozenset())


@pytest.mark.parametrize("call", ROUTES)
def test_replies_with_articles_may_be_large(call: type[Call[Any]]) -> None:
    """Eight articles of up to 1 MiB each fit; everything else is kept small."""
    assert call.route.max_reply == (LARGE_REPLY if call in {GetMaterial, ListMaterials} else 256 * 1024)
    assert LARGE_REPLY >= 8 * MIB


@pytest.mark.parametrize(("call", "query", "body", "form"), SENT, ids=lambda one: type(one).__name__)
def test_what_is_sent_byte_for_byte(
    call: Call[Any], query: dict[str, str], body: str | None, form: dict[str, str] | None
) -> None:
    """Chinese goes out as raw UTF-8, None not at all, and each field where the endpoint wants it."""
    assert call.query() == query
    assert call.body() == (None if body is None else body.encode())
    assert (call.form() if isinstance(call, Upload) else None) == form


@pytest.mark.parametrize(("call", "query", "body", "form"), SENT, ids=lambda one: type(one).__name__)
def test_a_call_is_frozen_and_has_names_only(
    call: Call[Any], query: dict[str, str], body: str | None, form: dict[str, str] | None
) -> None:
    """A call is data that can be sent again as it is."""
    del query, body, form
    with pytest.raises(FrozenInstanceError):
        call.route = Route(path="/", effect=READ)  # type: ignore[misc] # the refusal is what is tested
    with pytest.raises(TypeError):
        type(call)("positional")  # type: ignore[call-arg] # the same


@pytest.mark.parametrize(
    ("call", "missing"),
    [
        (GetAccessToken, "appid"),
        (GetStableAccessToken, "secret"),
        (AddMaterial, "type"),
        (GetMaterial, "media_id"),
        (DeleteMaterial, "media_id"),
        (ListMaterials, "type"),
        (UploadMedia, "type"),
        (GetMedia, "media_id"),
        (BatchDeleteFile, "env"),
    ],
)
def test_required_fields_are_required(call: Callable[..., object], missing: str) -> None:
    """A call without what the endpoint needs cannot be built."""
    with pytest.raises(TypeError, match=missing):
        call()


def test_secrets_do_not_show() -> None:
    """The repr of what holds a secret, a token or a signed address leaves it out."""
    for holder in (
        GetAccessToken(appid="wx1", secret="S3CRET"),
        GetStableAccessToken(appid="wx1", secret="S3CRET"),
        IssuedToken(access_token="S3CRET", expires_in=7200),
        Video(down_url="http://v/?vkey=S3CRET"),
    ):
        assert "S3CRET" not in repr(holder)
        assert "S3CRET" not in str(holder)


# What is refused before anything is sent.


def tell(problem: pytest.ExceptionInfo[WxAssetError]) -> str:
    """Return all that the reader is told."""
    return str(problem.value)


@pytest.mark.parametrize("value", ["", None, 5, b"id", ["id"]])
@pytest.mark.parametrize("call", [GetMaterial, DeleteMaterial, GetMedia])
def test_a_media_id_is_a_text(call: Callable[..., object], value: object) -> None:
    """An id that is empty or no text is refused by name."""
    with pytest.raises(UsageError, match=r"^media_id= must be a non-empty string\.") as problem:
        call(media_id=value)
    assert "请" in tell(problem)


@pytest.mark.parametrize("value", ["", None, 5])
def test_an_environment_is_a_text(value: Any) -> None:
    """The cloud environment is refused by name."""
    with pytest.raises(UsageError, match="env="):
        BatchDeleteFile(env=value, fileid_list=("cloud://a",))


def test_a_users_call_can_use_the_same_validators() -> None:
    """`present` names the field that it stands on."""

    @frozen(kw_only=True)
    class Mine(Call[Ack]):
        route: ClassVar = Route(path="/cgi-bin/mine", effect=READ)
        word: str = field(validator=present)

    assert Mine(word="是").body() == '{"word":"是"}'.encode()
    with pytest.raises(UsageError, match="word="):
        Mine(word="")


@pytest.mark.parametrize(("call", "types"), [(AddMaterial, ADD_MATERIAL), (UploadMedia, UPLOAD_MEDIA)])
@pytest.mark.parametrize("value", ["", "news", "Image", "picture", None])
def test_an_unknown_type_of_media_is_refused(
    call: Callable[..., object], types: dict[str, UploadLimit], value: Any
) -> None:
    """The error lists the types that the endpoint has, in both languages."""
    with pytest.raises(SourceError) as problem:
        call(type=value)
    assert repr(value) in problem.value.message
    assert ", ".join(types) in problem.value.hint.english
    assert ", ".join(types) in problem.value.hint.chinese


@pytest.mark.parametrize("description", [None, Description(title=""), Description(title="", introduction="简介")])
def test_a_video_needs_a_title(description: Description | None) -> None:
    """WeChat answers 41005 to a video without one, although its table calls it optional."""
    with pytest.raises(SourceError, match="A video needs a title") as problem:
        AddMaterial(type="video", description=description)
    assert "title" in problem.value.hint.english
    assert "title" in problem.value.hint.chinese


@pytest.mark.parametrize("kind", ["image", "voice", "thumb"])
def test_only_a_video_has_a_title(kind: str) -> None:
    """A title that WeChat would drop is refused."""
    with pytest.raises(SourceError, match=f"belongs to a video, not to '{kind}'"):
        AddMaterial(type=kind, description=DESCRIPTION)
    assert AddMaterial(type=kind).description is None


@pytest.mark.parametrize("kind", ["thumb", "", "Image", None, 5])
def test_only_some_types_are_listed(kind: Any) -> None:
    """Thumbs are listed as images; the error names the types that are listed."""
    with pytest.raises(UsageError, match="image, voice, video, news") as problem:
        ListMaterials(type=kind)
    assert repr(kind) in tell(problem)


@pytest.mark.parametrize("kind", ["image", "voice", "video", "news"])
def test_the_listed_types(kind: str) -> None:
    """The types of wire reference 2.5 can be listed."""
    assert ListMaterials(type=kind).type == kind


@pytest.mark.parametrize("offset", [-1, 1.0, "0", None])
def test_an_offset_counts_from_zero(offset: Any) -> None:
    """An offset that is no number, or before the first, is refused by name."""
    with pytest.raises(UsageError, match="offset= must be a whole number of at least 0"):
        ListMaterials(type="image", offset=offset)


@pytest.mark.parametrize("count", [0, 21, -1, 1.0, "20", None])
def test_a_page_has_one_to_twenty_items(count: Any) -> None:
    """A count outside of 1 to 20 is refused by name."""
    with pytest.raises(UsageError, match="count= must be a whole number of at least 1, at most 20"):
        ListMaterials(type="image", count=count)


@pytest.mark.parametrize("count", [1, 20])
def test_the_ends_of_the_range_are_in_it(count: int) -> None:
    """1 and 20 items are possible, at any offset."""
    call = ListMaterials(type="image", offset=10**9, count=count)
    assert (call.offset, call.count) == (10**9, count)


@pytest.mark.parametrize("number", [0, 51])
def test_a_request_names_one_to_fifty_files(number: int) -> None:
    """WeChat takes 50 ids in one request."""
    with pytest.raises(UsageError, match="1 to 50"):
        BatchDeleteFile(env="e", fileid_list=("cloud://a",) * number)


@pytest.mark.parametrize("number", [1, 50])
def test_one_and_fifty_files_are_taken(number: int) -> None:
    """The ends of the range are in it."""
    assert len(BatchDeleteFile(env="e", fileid_list=("cloud://a",) * number).fileid_list) == number


@pytest.mark.parametrize("fileids", [("cloud://a", ""), (None,), (5,), (b"cloud://a",)])
def test_a_file_id_is_a_text(fileids: Any) -> None:
    """An id that is empty or no text is refused, and shown."""
    with pytest.raises(UsageError, match="A file id must be a non-empty string"):
        BatchDeleteFile(env="e", fileid_list=fileids)
    with pytest.raises(UsageError, match="A file id must be a non-empty string"):
        checked(fileids)


@pytest.mark.parametrize("fileids", ["cloud://a", b"cloud://a"])
def test_a_single_text_is_no_list_of_files(fileids: Any) -> None:
    """A text is a sequence of letters, and each would be taken for an id."""
    with pytest.raises(UsageError):
        checked(fileids)
    with pytest.raises(UsageError):
        BatchDeleteFile(env="e", fileid_list=fileids)


# Uploads and their limits.


@pytest.mark.parametrize(
    ("call", "kind", "limit"),
    [
        *((AddMaterial(type=kind), kind, limit) for kind, limit in ADD_MATERIAL.items() if kind != "video"),
        (AddMaterial(type="video", description=DESCRIPTION), "video", ADD_MATERIAL["video"]),
        *((UploadMedia(type=kind), kind, limit) for kind, limit in UPLOAD_MEDIA.items()),
        (UploadImage(), "image", UPLOAD_IMAGE["image"]),
    ],
)
def test_an_upload_knows_its_limit(call: Upload[Any], kind: str, limit: UploadLimit) -> None:
    """The limit is that of the endpoint and the type."""
    assert call.media_type == kind
    assert call.limit is limit


# Calls that users declare.


@frozen(kw_only=True)
class Quota(Call[MaterialCount]):
    """A user's GET with fields of several kinds."""

    route: ClassVar = Route(path="/cgi-bin/quota", effect=Effect.READ, method="GET")

    cgi_path: str = field(metadata=wire_name("path"))
    page: int = 1
    deep: bool = False
    note: str | None = None


def test_a_users_get_carries_its_fields_in_the_query() -> None:
    """Numbers and flags become text, wire names are used, None is left out."""
    assert Quota(cgi_path="/路径", deep=True).query() == {"path": "/路径", "page": "1", "deep": "1"}
    assert Quota(cgi_path="", page=-2, note="x").query() == {"path": "", "page": "-2", "deep": "0", "note": "x"}
    assert Quota(cgi_path="/").body() is None


@pytest.mark.parametrize("value", [1.5, ("a",), ["a"], {"a": 1}])
def test_what_has_no_place_in_a_query_is_refused(value: Any) -> None:
    """A value that is neither text nor number is refused by name, and not sent as its repr."""
    with pytest.raises(UsageError, match="note= cannot be sent as a query parameter"):
        Quota(cgi_path="/", note=value).query()


@frozen(kw_only=True)
class Extra:
    """A user's form field."""

    say: str = field(metadata=wire_name("word"))
    more: int | None = None


@frozen(kw_only=True)
class Send(Upload[Ack]):
    """A user's upload without documented limits."""

    route: ClassVar = Route(path="/cgi-bin/send", effect=Effect.CREATE)

    kind: str
    extra: Extra
    other: Extra | None = None


def test_a_users_upload_divides_its_fields_between_query_and_form() -> None:
    """Plain fields ride in the query, parts that are classes in the form, as JSON under their wire names."""
    call = Send(kind="图", extra=Extra(say="好"))
    assert call.query() == {"kind": "图"}
    assert call.form() == {"extra": '{"word":"好"}'}
    assert call.body() is None  # type: ignore[func-returns-value] # that it returns None is what is tested
    assert list(Send(kind="k", extra=Extra(say="a"), other=Extra(say="b", more=1)).form()) == ["extra", "other"]
    assert call.media_type == "media"
    assert call.limit is None


def test_a_users_upload_with_limits_of_its_own() -> None:
    """`type` chooses the limit, and `known_type` refuses what has none."""

    @frozen(kw_only=True)
    class Limited(Upload[Ack]):
        route: ClassVar = Route(path="/cgi-bin/limited", effect=CREATE)
        limits: ClassVar = {"image": UPLOAD_IMAGE["image"]}
        type: str = field(validator=known_type)

    assert Limited(type="image").limit is UPLOAD_IMAGE["image"]
    with pytest.raises(SourceError, match="no media type 'voice'"):
        Limited(type="voice")


def test_a_users_download_may_answer_with_one_of_several_classes() -> None:
    """The type argument of a download is what it answers with in place of a file."""

    @frozen(kw_only=True)
    class Fetch(Download[Video | AddedMaterial]):
        route: ClassVar = Route(path="/cgi-bin/fetch", effect=READ)
        media_id: str

    assert Fetch.reply == Video | AddedMaterial
    assert Fetch(media_id="素").body() == '{"media_id":"素"}'.encode()
    assert decode(b'{"media_id":"M"}', Fetch.reply, Fetch.route.path) == AddedMaterial(media_id="M")


R = TypeVar("R")
S = TypeVar("S")


@frozen(kw_only=True)
class Middle(Call[R], Generic[R]):
    """A user's base class that leaves the reply open."""

    route: ClassVar = Route(path="/cgi-bin/middle", effect=Effect.READ)

    env: str


@frozen(kw_only=True)
class Leaf(Middle[Ack]):
    """A user's call on a base class of their own."""


@frozen(kw_only=True)
class Narrower(Leaf):
    """A user's call that adds a field to another call."""

    more: int = 1


@frozen(kw_only=True)
class Other(DeleteMaterial):
    """A user's call that goes elsewhere with the fields of a call of ours."""

    route: ClassVar = Route(path="/cgi-bin/other", effect=Effect.DELETE)


@frozen(kw_only=True)
class Farther(Download[R]):
    """A user's download that leaves the reply open."""

    route: ClassVar = Route(path="/cgi-bin/farther", effect=Effect.READ)


@frozen(kw_only=True)
class Farthest(Farther[Video]):
    """Its subclass, which does not."""


@pytest.mark.parametrize(
    ("call", "reply"),
    [(Leaf, Ack), (Narrower, Ack), (Other, Ack), (Farthest, Video), (Quota, MaterialCount), (Send, Ack)],
)
def test_the_reply_is_the_type_argument_at_any_depth(call: type[Call[Any]], reply: type[object]) -> None:
    """A reply that a base class leaves open is taken from the class that closes it, and inherited from there."""
    assert call.reply is reply


def test_a_call_that_leaves_its_reply_open_has_none() -> None:
    """A type variable is no reply."""
    assert not hasattr(Middle, "reply")
    assert not hasattr(Farther, "reply")
    assert not hasattr(Call, "reply")


def test_subclasses_send_all_their_fields() -> None:
    """Fields of every level are sent."""
    assert Narrower(env="环").body() == '{"env":"环","more":1}'.encode()
    assert Other(media_id="M").body() == b'{"media_id":"M"}'


def test_a_route_has_harmless_defaults() -> None:
    """A route that says no more than where and what is an authorized POST with a small reply."""
    route = Route(path="/cgi-bin/any", effect=READ)
    assert (route.method, route.authorized, route.gone) == ("POST", True, frozenset())
    assert 0 < route.max_reply <= MIB


@pytest.mark.parametrize("call", [call for call, *_ in SENT if not isinstance(call, BatchDeleteFile)])
def test_most_replies_are_taken_as_they_are(call: Call[Any]) -> None:
    """Only a call that can say so corrects its reply on a repetition."""
    answer = object()
    assert call.settle(answer, repeated=True) is answer
    assert call.settle(answer, repeated=False) is answer


# The outcome of a bulk deletion.

IDS: Final = st.lists(st.text(min_size=1, max_size=3), max_size=130)


@given(IDS)
def test_batches_hold_every_id_once_and_in_order(fileids: list[str]) -> None:
    """No id is lost or asked for twice, and no batch is empty or too large."""
    collected = Collected()
    cut = [batch for one in fileids if (batch := collected.add(one))]
    cut += [rest] if (rest := collected.rest()) else []
    assert [one for batch in cut for one in batch] == list(dict.fromkeys(fileids))
    assert all(1 <= len(batch) <= 50 for batch in cut)
    assert all(len(batch) == 50 for batch in cut[:-1])


def files(**status: int) -> DeletedFiles:
    """Build an answer."""
    return DeletedFiles(
        files=tuple(DeletedFile(fileid=one, status=word, errmsg="said") for one, word in status.items())
    )


def test_a_missing_file_is_deleted_on_a_repetition_only() -> None:
    """Where an earlier attempt may have deleted it, a file that does not exist is gone as wished."""
    call = BatchDeleteFile(env="e", fileid_list=("a", "b", "c", "d"))
    answer = files(a=0, b=-503003, c=1, d=-503002)
    assert call.settle(answer, repeated=False) is answer
    assert call.settle(answer, repeated=True) == files(a=0, b=0, c=0, d=-503002)


def asked(answers: Sequence[tuple[tuple[str, ...], DeletedFiles | WxAssetError]]) -> Asking[DeletedFiles, DeleteReport]:
    """Ask about batches, and be answered."""
    asking = Asking[DeletedFiles, DeleteReport](outcomes)
    for number, (batch, answer) in enumerate(answers):
        asking.take(number, batch, answer)
    return asking


def told(answers: Sequence[tuple[tuple[str, ...], DeletedFiles | WxAssetError]]) -> DeleteReport:
    """Say what came of batches."""
    return report(asked(answers).outcomes())


def test_every_id_has_its_outcome() -> None:
    """Deleted, refused, not mentioned, and lost with its request."""
    lost = ConnectError("No connection.", "/tcb/batchdeletefile")
    outcome = told([(("a", "b", "c"), files(a=0, b=-503003, x=0)), (("d", "e"), lost)])
    assert outcome.deleted == ("a",)
    assert outcome.failed == (
        FailedDelete(fileid="b", status=-503003, errmsg="said"),
        FailedDelete(fileid="c", status=None, errmsg="WeChat's response does not mention this file"),
        FailedDelete(fileid="d", status=None, errmsg="No connection.", error=lost),
        FailedDelete(fileid="e", status=None, errmsg="No connection.", error=lost),
    )


ANSWERS: Final = st.sampled_from((0, 1, -1, -503003, None))


@given(st.lists(st.lists(ANSWERS, min_size=1, max_size=4) | st.none(), min_size=1, max_size=4))
def test_no_id_is_lost(words: list[list[int | None] | None]) -> None:
    """Whatever was answered: each id is in exactly one of the two lists, unless nothing was answered at all."""
    error = BusyError(errcode=-1, errmsg="system error")
    answers: list[tuple[tuple[str, ...], DeletedFiles | WxAssetError]] = []
    for number, batch in enumerate(words):
        names = tuple(f"{number}-{index}" for index in range(len(batch or "ab")))
        said = {name: word for name, word in zip(names, batch or (), strict=False) if word is not None}
        answers.append((names, error if batch is None else files(**said)))
    if all(batch is None for batch in words):
        with pytest.raises(BusyError):
            told(answers)
        return
    outcome = told(answers)
    together = [*outcome.deleted, *(one.fileid for one in outcome.failed)]
    assert sorted(together) == sorted(name for names, _ in answers for name in names)
    said_gone = {
        one.fileid
        for _, answer in answers
        if isinstance(answer, DeletedFiles)
        for one in answer.files
        if not one.status
    }
    assert set(outcome.deleted) == said_gone


def test_where_nothing_was_answered_the_first_error_is_raised() -> None:
    """A bulk deletion that never got through fails like any other call."""
    first, second = ConnectError("First."), DecodeError("Second.")
    with pytest.raises(ConnectError, match="First"):
        told([(("a",), first), (("b",), second)])


def test_nothing_asked_is_nothing_failed() -> None:
    """An empty list of ids has an empty report."""
    assert told([]) == DeleteReport()
    assert Collected().rest() == ()
    DeleteReport().raise_for_failed()


def test_a_report_with_failures_can_be_raised() -> None:
    """The error carries the report, and its message the count and the first reason."""
    outcome = told([(("a", "b", "c"), files(a=0, b=-503003, c=1))])
    with pytest.raises(PartialDeleteError) as problem:
        outcome.raise_for_failed()
    assert problem.value.report is outcome
    assert problem.value.message == "2 of 3 cloud files were not deleted; the first is b (-503003: said)."
    DeleteReport(deleted=("a",)).raise_for_failed()


@pytest.mark.parametrize(
    ("error", "stops"),
    [
        (ConnectError("x"), False),
        (DecodeError("x"), False),
        (api_error(-1, "", ""), False),
        (api_error(45011, "", ""), False),
        (api_error(-501007, "", ""), False),
        (api_error(40001, "", ""), True),
        (api_error(40013, "", ""), True),
        (api_error(40164, "", ""), True),
        (api_error(85088, "", ""), True),
        (api_error(45009, "", ""), True),
    ],
)
def test_some_errors_hold_for_all_that_is_still_to_be_asked(error: WxAssetError, stops: bool) -> None:
    """A refused account is refused for every batch; a lost request says nothing about the next."""
    assert (consequence(error, BatchDeleteFile.route.path) is Consequence.STOP) is stops
