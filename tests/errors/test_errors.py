"""The tree of errors: its shape, what each one says and carries, and which code makes which."""

import copy
import pickle
import pickletools
import traceback
from typing import Any, Final

import pytest
from attrs import fields
from hypothesis import example, given
from hypothesis import strategies as st

from wxasset import errors
from wxasset.calls.cloud import DeleteReport, FailedDelete
from wxasset.errors import (
    APIError,
    BudgetSpentError,
    BusyError,
    ConnectError,
    CredentialError,
    DecodeError,
    DestinationError,
    HTTPStatusError,
    InvalidMediaError,
    IPNotAllowedError,
    Later,
    LedgerError,
    MediaNotFoundError,
    NotAFileError,
    NotListedError,
    PartialDeleteError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    ReplyError,
    ReplyTooLarge,
    RequestError,
    SourceError,
    StorageError,
    StreamConsumedError,
    TokenRejectedError,
    TokenStoreError,
    TokenUnavailableError,
    TransferError,
    TransferTimeout,
    TruncatedDownload,
    UnsafeURLError,
    UploadOutcomeUnknown,
    UsageError,
    WxAssetError,
    codes,
    hints,
)
from wxasset.errors.hints import HINTS, STORAGE_HINTS, Hint
from wxasset.wire.error_replies import api_error, storage_error

PATH: Final = "/cgi-bin/material/add_material"

PARENTS: Final[dict[type[WxAssetError], type[Exception]]] = {
    WxAssetError: Exception,
    UsageError: WxAssetError,
    Later: WxAssetError,
    BudgetSpentError: Later,
    RequestError: WxAssetError,
    ConnectError: RequestError,
    TransferError: RequestError,
    TransferTimeout: TransferError,
    UploadOutcomeUnknown: RequestError,
    ReplyError: WxAssetError,
    HTTPStatusError: ReplyError,
    StorageError: HTTPStatusError,
    NotListedError: HTTPStatusError,
    DecodeError: ReplyError,
    TruncatedDownload: ReplyError,
    ReplyTooLarge: ReplyError,
    UnsafeURLError: ReplyError,
    NotAFileError: ReplyError,
    APIError: WxAssetError,
    TokenRejectedError: APIError,
    CredentialError: APIError,
    IPNotAllowedError: APIError,
    PermissionDeniedError: APIError,
    BusyError: APIError,
    QuotaExceededError: APIError,
    RateLimitedError: APIError,
    InvalidMediaError: APIError,
    MediaNotFoundError: APIError,
    SourceError: WxAssetError,
    DestinationError: WxAssetError,
    TokenUnavailableError: WxAssetError,
    TokenStoreError: TokenUnavailableError,
    LedgerError: WxAssetError,
    StreamConsumedError: WxAssetError,
    PartialDeleteError: WxAssetError,
}

GROUPS: Final[list[tuple[frozenset[int], type[APIError]]]] = [
    (codes.TOKEN_REJECTED, TokenRejectedError),
    (codes.CREDENTIAL, CredentialError),
    (codes.IP_NOT_ALLOWED, IPNotAllowedError),
    (codes.PERMISSION_DENIED, PermissionDeniedError),
    (codes.BUSY, BusyError),
    (codes.QUOTA_EXCEEDED, QuotaExceededError),
    (codes.RATE_LIMITED, RateLimitedError),
    (codes.INVALID_MEDIA, InvalidMediaError),
    (codes.MEDIA_NOT_FOUND, MediaNotFoundError),
]
GROUPED: Final = [pytest.param(code, cls, id=f"{code}") for codes, cls in GROUPS for code in sorted(codes)]

EXAMPLES: Final[list[WxAssetError]] = [
    WxAssetError("It failed."),
    UsageError("Wrong argument."),
    RequestError("No answer.", PATH),
    ConnectError("No connection.", PATH),
    TransferError("Cut.", PATH, outcome_unknown=False),
    TransferTimeout("Stalled.", PATH),
    UploadOutcomeUnknown(
        "It may have happened.",
        PATH,
        filename="海报.png",
        type="image",
        size=12,
        started_at=1.5,
        ended_at=2.5,
        reason="The connection was reset.",
    ),
    ReplyError("Unusable.", PATH),
    HTTPStatusError("502", PATH, status=502, excerpt="<html>"),
    StorageError("403", PATH, status=403, code="AccessDenied", errmsg="Access Denied.", request_id="NjA0"),
    NotListedError("502", PATH, status=502, excerpt="<html>"),
    DecodeError("Not JSON.", PATH, excerpt="<html>"),
    TruncatedDownload("Cut.", PATH, received=1, expected=2),
    ReplyTooLarge("Large.", PATH, limit=3),
    UnsafeURLError("Private.", PATH),
    NotAFileError("A page.", PATH),
    *(
        cls(errcode=7, errmsg="不行", rid="617682e0-09059ac5-34a8e2ea", path=PATH)
        for cls, parent in PARENTS.items()
        if issubclass(cls, APIError) and cls is not IPNotAllowedError
    ),
    IPNotAllowedError(errcode=40164, errmsg="invalid ip", path=PATH, ip="203.0.113.7"),
    SourceError("Too large.", Hint("Shrink it.", "请缩小。")),
    DestinationError("No room."),
    TokenUnavailableError("No ticket.", Hint("Wait for it.", "请等待。")),
    TokenStoreError("Redis is down.", patience=8.0),
    Later("Another process is still uploading a.png.", at=1.5),
    BudgetSpentError("The day's calls are spent.", at=1.5, path="/cgi-bin/a"),
    LedgerError("The disk is full."),
    StreamConsumedError("Read."),
    PartialDeleteError(
        "1 of 2 files.",
        report=DeleteReport(
            deleted=("cloud://a",), failed=(FailedDelete(fileid="cloud://b", status=-503003, errmsg="none"),)
        ),
    ),
]
EACH: Final = pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)


def values(error: WxAssetError) -> dict[str, Any]:
    """Return all that an error carries."""
    return {field.name: getattr(error, field.name) for field in fields(type(error))}


def test_the_tree_is_complete() -> None:
    """Every class of the module is in this file's tree, and has an example."""
    classes = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, WxAssetError)}
    assert classes == set(PARENTS) == {type(error) for error in EXAMPLES}


@pytest.mark.parametrize(("cls", "parent"), PARENTS.items())
def test_each_class_descends_from_its_parent(cls: type[WxAssetError], parent: type[Exception]) -> None:
    """`except` of a branch catches what hangs on it, and nothing else."""
    assert cls.__bases__[0] is parent
    assert cls.__bases__[1:] == ((ValueError,) if cls is UsageError else ())


def test_the_docstring_draws_the_same_tree() -> None:
    """The drawing at the top of the module shows every class under its parent."""
    drawn: dict[str, str] = {}
    above: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        names = [
            word
            for word in line.replace("│", " ").replace("├──", " ").replace("└──", " ").split()
            if word in dir(errors)
        ]
        depth = sum(line.count(mark) for mark in "│├└")
        for name in names:
            drawn[name] = above.get(depth - 1, "Exception")
        if names:
            above[depth] = names[0]
    assert drawn == {cls.__name__: parent.__name__ for cls, parent in PARENTS.items()}


PROTOCOLS = {"DeletionOutcome", "Resolver", "UndeletedFile"}


def test_every_public_name_exists() -> None:
    """`from wxasset.errors import *` gives every class, the hint and the protocols."""
    assert len(set(errors.__all__)) == len(errors.__all__)
    assert set(errors.__all__) == {cls.__name__ for cls in PARENTS} | {"Hint", *PROTOCOLS}
    assert all(hasattr(errors, name) for name in errors.__all__)


@EACH
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_pickle(error: WxAssetError, protocol: int) -> None:
    """An error that crosses to another process arrives with all that it carries."""
    again = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own
    assert type(again) is type(error)
    assert values(again) == values(error)
    assert str(again) == str(error)


@EACH
def test_pickles_name_the_public_module(error: WxAssetError) -> None:
    """A pickle names `wxasset.errors`, so that moving a class inside the package breaks none."""
    named = {str(arg) for op, arg, _ in pickletools.genops(pickle.dumps(error, 0)) if op.name == "GLOBAL"}
    ours = {one for one in named if one.startswith("wxasset.errors")}
    assert {f"wxasset.errors {type(error).__name__}", "wxasset.errors _rebuild"} <= ours
    assert all(one.startswith("wxasset.errors ") for one in ours)


@pytest.mark.parametrize("name", sorted(errors.__all__))
def test_every_public_name_says_the_public_module(name: str) -> None:
    """Tracebacks and traces show `wxasset.errors` and the name, wherever the class is."""
    public = getattr(errors, name)
    assert (public.__module__, public.__qualname__) == ("wxasset.errors", name)


@EACH
def test_errors_copy(error: WxAssetError) -> None:
    """Both kinds of copy are equal in all that they carry."""
    for again in (copy.copy(error), copy.deepcopy(error)):
        assert again is not error
        assert type(again) is type(error)
        assert values(again) == values(error)


@EACH
def test_an_error_says_what_happened_and_what_to_do_in_two_languages(error: WxAssetError) -> None:
    """Printed, an error holds its message, then the English and the Chinese hint."""
    assert error.message
    assert str(error) == f"{error.message} {error.hint.english} {error.hint.chinese}"


@EACH
def test_every_error_has_a_hint_of_its_own_or_its_branch(error: WxAssetError) -> None:
    """Nobody but the root, which is never raised, tells the reader to see the message."""
    assert error.hint.english.endswith(".")
    assert error.hint.chinese.endswith("。")
    assert (error.hint == WxAssetError("").hint) == (type(error) is WxAssetError)


@EACH
def test_errors_are_told_apart_by_identity(error: WxAssetError) -> None:
    """Two failures are two, even if they say the same; they can be kept in a set."""
    assert copy.copy(error) != error
    assert len({error, copy.copy(error)}) == 2


@EACH
def test_an_error_names_no_url(error: WxAssetError) -> None:
    """An access token rides in the query, so no error has a field for a URL or a request."""
    assert not {field.name for field in fields(type(error))} & {"url", "request", "request_info", "headers", "query"}


@pytest.mark.parametrize(("code", "cls"), GROUPED)
def test_the_code_chooses_the_class(code: int, cls: type[APIError]) -> None:
    """Every code of a group makes the group's class, with the hint of the code."""
    error = api_error(code, "said so", PATH)
    assert type(error) is cls
    assert (error.errcode, error.errmsg, error.rid, error.path) == (code, "said so", None, PATH)
    assert error.hint == HINTS[code]


def test_every_class_of_api_error_has_a_group() -> None:
    """No class of the branch is out of reach."""
    assert {cls for _, cls in GROUPS} == {cls for cls in PARENTS if issubclass(cls, APIError)} - {APIError}
    assert {name for name in hints.__all__ if name.isupper()} - {"HINTS", "STORAGE_HINTS"} == {
        name for name, value in vars(hints).items() if any(value is codes for codes, _ in GROUPS)
    }


@given(st.integers())
@example(40066)
@example(45034)
@example(53500)
def test_any_other_code_is_a_plain_api_error(code: int) -> None:
    """An unknown code is reported under its number, with WeChat's own text."""
    if not any(code in codes for codes, _ in GROUPS):
        error = api_error(code, "text", PATH)
        assert type(error) is APIError
        assert error.errcode == code
        assert f"answered {code}: text" in str(error)


def test_a_code_without_a_hint_points_at_wechats_table() -> None:
    """Where nothing is known of a code, the reader learns where to look."""
    error = api_error(99999, "?", PATH)
    assert "global return codes" in error.hint.english
    assert "全局返回码" in error.hint.chinese


@EACH
def test_only_a_busy_service_and_a_rate_limit_pass_by_themselves(error: WxAssetError) -> None:
    """`retryable` is true for the two classes whose cause goes away."""
    if isinstance(error, APIError):
        assert error.retryable == isinstance(error, BusyError | RateLimitedError)


RID: Final = "66b5fb8f-5e3c0071-3d7f539a"

STALE: Final = (
    "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken,"
    " more details at https://mmbizurl.cn/s/JtxxFh33r"
)

# The texts of wire reference 0.3, 1.1 and 2, as captured: errmsg, what is left of it, rid.
CAPTURED: Final = [
    ("invalid media_id", "invalid media_id", None),
    ("media data missing hint: [4LDlna0983e547]", "media data missing hint: [4LDlna0983e547]", None),
    ("media data missing hint: [4LDlna0983e547 ]", "media data missing hint: [4LDlna0983e547 ]", None),
    (
        "reach max api daily quota limit rid: 617682e0-09059ac5-34a8e2ea",
        "reach max api daily quota limit",
        "617682e0-09059ac5-34a8e2ea",
    ),
    (f"invalid appsecret, rid: {RID}", "invalid appsecret", RID),
    (
        "invalid media_id hint: [Lg.ZAa07440024] rid: 6087f0d0-5c83dcaa-438ebbcc",
        "invalid media_id hint: [Lg.ZAa07440024]",
        "6087f0d0-5c83dcaa-438ebbcc",
    ),
    (
        "invalid code, hints: [ req_id: 0Bda.a0123s156 ]",
        "invalid code, hints: [ req_id: 0Bda.a0123s156 ]",
        None,
    ),
    (f"请勿频繁请求 hint: [LKjm.A069824-0] rid: {RID}", "请勿频繁请求 hint: [LKjm.A069824-0]", RID),
    (
        f"{STALE} rid: {RID}",
        STALE,
        RID,
    ),
    ("system error rid: 60891646-03eed615-7f6889ef", "system error", "60891646-03eed615-7f6889ef"),
    (f"rid: {RID}", "", RID),
    (f"trailing blanks rid: {RID}  \n", "trailing blanks", RID),
    ("", "", None),
    ("  padded ", "padded", None),
    ("rid: 617682e0-09059ac5", "rid: 617682e0-09059ac5", None),
    ("rid: 617682e0-09059ac5-34a8e2ez", "rid: 617682e0-09059ac5-34a8e2ez", None),
    (f"rid: {RID} is not the end", f"rid: {RID} is not the end", None),
]


@pytest.mark.parametrize(("errmsg", "text", "rid"), CAPTURED)
def test_the_request_id_is_taken_out_of_the_text(errmsg: str, text: str, rid: str | None) -> None:
    """The rid that ends a text becomes a field; the hint stays in the text, which WeChat's support asks for."""
    error = api_error(40066, errmsg, PATH)
    assert (error.errmsg, error.rid) == (text, rid)
    assert error.message == f"{PATH} answered 40066: {text}{f' (rid {rid})' if rid else ''}."


@given(
    st.text(max_size=80), st.tuples(*[st.integers(0, 2**32 - 1)] * 3), st.sampled_from((" rid: ", ", rid: ", ",rid:"))
)
def test_any_request_id_is_found(text: str, groups: tuple[int, int, int], separator: str) -> None:
    """Whatever comes before it, three groups of eight hexadecimal digits at the end are the rid."""
    rid = "-".join(f"{group:08x}" for group in groups)
    error = api_error(40066, f"{text}{separator}{rid}", PATH)
    assert error.rid == rid
    assert rid not in error.errmsg


def test_a_text_without_end_is_cut() -> None:
    """A text longer than any that was captured is cut at 500 characters, and its rid is kept all the same."""
    error = api_error(40066, "长" * 10_000 + f" rid: {RID}", PATH)
    assert error.errmsg == "长" * 500
    assert error.rid == RID


@pytest.mark.parametrize(
    ("errmsg", "ip"),
    [
        (
            "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 61250a39-612fed42-36740516",
            "203.0.113.7",
        ),
        ("invalid ip 203.0.113.7, not in whitelist hint: [oRzb.a0289]", "203.0.113.7"),
        ("invalid ip 203.0.113.7 not in whitelist", "203.0.113.7"),
        ("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist", "203.0.113.7"),
        ("invalid ip 2001:db8::7, not in whitelist", "2001:db8::7"),
        ("not in whitelist", None),
        ("", None),
    ],
)
def test_a_refused_address_is_named(errmsg: str, ip: str | None) -> None:
    """40164 carries the address that WeChat saw, which is what has to be put on the allow-list."""
    error = api_error(40164, errmsg, PATH)
    assert isinstance(error, IPNotAllowedError)
    assert error.ip == ip


@pytest.mark.parametrize(
    ("errmsg", "ip"),
    [
        ("access clientip is not registered requestIP: 1.2.3.4 rid: 61250a39-612fed42-36740516", "1.2.3.4"),
        ("access clientip is not registered requestIP:1.2.3.4, rid: 61250a39-612fed42-36740516", "1.2.3.4"),
        ("access clientip is not registered hint: [a] requestIP: 2001:db8::7.", "2001:db8::7"),
        ("access clientip is not registered requestIP: ::ffff:1.2.3.4 rid: 61250a39-612fed42-36740516", "1.2.3.4"),
        ("access clientip is not registered requestIP: ", None),
    ],
)
@pytest.mark.parametrize("errcode", [61004, 45035])
def test_a_platform_learns_its_refused_address(errcode: int, errmsg: str, ip: str | None) -> None:
    """61004 carries the address after `requestIP:`, at any API (wire reference 8.4)."""
    error = api_error(errcode, errmsg, PATH)
    assert isinstance(error, IPNotAllowedError)
    assert error.ip == ip


def test_an_api_error_without_a_path_still_reads_well() -> None:
    """The message of an error that was built by hand names WeChat."""
    assert APIError(errcode=1, errmsg="no").message == "WeChat answered 1: no."
    assert APIError(message="My words.", errcode=1, errmsg="no").message == "My words."


def test_a_source_error_shows_its_remedy() -> None:
    """A remedy of its own takes the place of the general hint."""
    assert SourceError("Too large.", Hint("Shrink it.", "请缩小。")).hint.english == "Shrink it."
    assert "Nothing was uploaded" in SourceError("Gone.").hint.english


def test_a_wrong_call_is_a_value_error_too() -> None:
    """Code that knows nothing of this package can catch a bad argument as what it is."""
    with pytest.raises(ValueError, match="No env"):
        raise UsageError("No env.")


def test_an_outcome_is_unknown_unless_it_is_certain() -> None:
    """A broken exchange counts as unclear where nobody says otherwise."""
    assert TransferError("Cut.").outcome_unknown
    assert TransferTimeout("Stalled.").outcome_unknown


# Object storage

REFUSAL: Final = (
    "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>{}</Code>\n\t<Message>{}</Message>\n"
    "\t<Resource>bucket/key</Resource>\n\t<RequestId>NjA0NGU=</RequestId>\n</Error>\n"
)


def refused(body: str, status: int = 403) -> StorageError:
    """Read an answer that is one of object storage."""
    error = storage_error(body, status, "object storage", None)
    assert error is not None
    return error


def test_what_object_storage_says_is_data() -> None:
    """Code, text and request id of its XML are attributes, and stand in the message; the status comes along."""
    error = refused(REFUSAL.format("AccessDenied", "Request has expired"))
    assert (error.code, error.errmsg, error.request_id, error.status) == (
        *("AccessDenied", "Request has expired", "NjA0NGU="),
        403,
    )
    assert error.message == "object storage answered 403 AccessDenied: Request has expired (request NjA0NGU=)."
    assert error.hint == STORAGE_HINTS["AccessDenied"]


@pytest.mark.parametrize(
    ("code", "text", "status", "expired"),
    [
        ("AccessDenied", "Request has expired", 403, True),
        ("ExpiredToken", "The provided token has run out.", 403, True),
        ("AccessDenied", "Access Denied.", 403, False),
        ("InternalError", "Request has expired", 500, False),
    ],
)
def test_a_signature_that_ran_out_is_told_from_other_refusals(code: str, text: str, status: int, expired: bool) -> None:
    """Only a 403 that says so is cured by a new signature."""
    assert refused(REFUSAL.format(code, text), status).expired is expired


@pytest.mark.parametrize(
    ("body", "code", "errmsg", "request_id"),
    [
        ("<Error><Code>NoSuchKey</Code></Error>", "NoSuchKey", "", None),
        ("<Error><Code> A </Code><Message>x &lt; y &amp; z</Message></Error>", "A", "x < y & z", None),
        ("<Error><Code><![CDATA[A]]></Code><Message>cut here", "A", "cut here", None),
    ],
)
def test_sparse_and_odd_answers_are_read(body: str, code: str, errmsg: str, request_id: str | None) -> None:
    """What is missing is empty, entities are resolved, and an answer that was cut counts as far as it goes."""
    error = refused(body)
    assert (error.code, error.errmsg, error.request_id) == (code, errmsg, request_id)


@pytest.mark.parametrize(
    "body", ["", "<html><h1>403</h1></html>", "<Error></Error>", "<Error><Code></Code></Error>", "<Code>A</Code>"]
)
def test_other_pages_are_no_answers_of_object_storage(body: str) -> None:
    """A gateway's page is left to the HTTP status."""
    assert storage_error(body, 403, "object storage", None) is None


def test_an_unknown_code_has_a_hint_as_well() -> None:
    """What is not in the table is to be looked up."""
    assert "COS error codes" in refused(REFUSAL.format("Unheard", "of")).hint.english


@given(st.text(max_size=300), st.integers(100, 599))
def test_any_text_can_be_an_answer(text: str, status: int) -> None:
    """Whatever is in the elements: there is an error with a code, or none."""
    error = storage_error(f"<Error><Code>{text}</Code><Message>{text}</Message></Error>", status, "x", 1.0)
    assert error is None or (error.code and len(error.errmsg) <= 500 and error.retry_after == 1.0)


CONTROLS: Final = "\r\n\x1b[31m\u202e\u2028\x00\x85\u200b\udcff"


@EACH
@given(text=st.text(st.one_of(st.sampled_from(CONTROLS), st.characters())))
def test_no_text_of_an_error_leaves_its_line(error: WxAssetError, text: str) -> None:
    """Whatever a server, or a file, is called: message, attributes, `str`, `repr` and a traceback are printable."""
    given = {one.name: getattr(error, one.name) for one in fields(type(error)) if one.init}
    texts = {name: f"{value}{text}" for name, value in given.items() if isinstance(value, str)}
    made = type(error)(**{**given, **texts})
    assert str(made).isprintable()
    assert repr(made).isprintable()
    assert "".join(traceback.format_exception_only(made)).rstrip("\n").isprintable()
    exact = {"filename"} if isinstance(made, UploadOutcomeUnknown) else set()
    for name in texts.keys() - exact:
        assert getattr(made, name).isprintable()
    assert all(getattr(made, name) == texts[name] for name in exact), "it is looked for under this name"
