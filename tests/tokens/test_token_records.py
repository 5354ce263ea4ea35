"""What a store keeps of a token: a record that comes back as it was, or is refused."""

import json
import math
import sys
import traceback
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxasset.errors import APIError, ConnectError, WxAssetError
from wxasset.tokens.records import TokenRecord, parse_document
from wxasset.tokens.token import Token, seconds

SOUND: dict[str, Any] = {
    "token": "CANARY",
    "issued": 1_700_000_000.5,
    "expires": 1_700_007_200,
    "version": 3,
    "mode": "stable",
    "refresh_token": "CANARY-2",
}

texts = st.text(min_size=1)
LAST = 253_402_300_799  # the end of the year 9999
times = st.integers(-LAST, LAST) | st.floats(-LAST, LAST)
beyond = (
    st.integers(min_value=10**18) | st.integers(max_value=-(10**18)) | st.sampled_from([10**400, -(10**400), 10**5000])
)
records = st.builds(
    TokenRecord,
    token=st.from_regex(r"[0-9A-Za-z_-]{20,200}", fullmatch=True).filter(lambda text: text.strip("-0123456789") != ""),
    issued=times,
    expires=times,
    version=st.integers(-(2**53), 2**53),
    mode=texts,
    refresh_token=st.none() | st.text(),
)


@given(records)
def test_a_record_comes_back_as_it_was(record: TokenRecord) -> None:
    """What was dumped is parsed to an equal record, whatever the values are within their ranges."""
    assert TokenRecord.parse(record.dump()) == record


@given(st.sampled_from(["issued", "expires", "version"]), beyond | st.sampled_from([math.inf, -math.inf, math.nan]))
def test_a_record_with_a_number_beyond_its_range_is_refused(name: str, value: float) -> None:
    """No number of a record is larger than the end of the calendar, or than 2**53 for a version."""
    sys.set_int_max_str_digits(0)
    try:
        data = json.dumps(SOUND | {name: value}).encode()
    finally:
        sys.set_int_max_str_digits(4300)
    with pytest.raises(ValueError, match=r"^not a token record$"):
        TokenRecord.parse(data)


@pytest.mark.parametrize(
    ("name", "last"),
    [("issued", LAST), ("issued", -LAST), ("expires", LAST), ("version", 2**53), ("version", -(2**53))],
)
def test_the_ends_of_the_ranges_belong_to_them(name: str, last: int) -> None:
    """The last second of the calendar and 2**53 are kept; one beyond is refused."""
    assert TokenRecord(**SOUND | {name: last}).is_sound()
    assert not TokenRecord(**SOUND | {name: last + (1 if last > 0 else -1)}).is_sound()


@pytest.mark.parametrize(("digits", "value"), [("9" * 18, 10**18 - 1), ("9" * 19, math.inf), ("7" * 5000, math.inf)])
def test_an_integer_of_a_document_has_up_to_18_digits(digits: str, value: float) -> None:
    """A longer one becomes infinite: Python refuses to read some of them."""
    assert parse_document(digits) == value


@pytest.mark.parametrize(
    ("given", "counted"), [(7200, 7200.0), (2**60, 2.0**53), (-(2**60), -(2.0**53)), (1.5, 1.5), (1e300, 1e300)]
)
def test_seconds_are_a_float_of_any_integer(given: float, counted: float) -> None:
    """An integer that no float holds counts as 2**53; a float stays as it is."""
    assert seconds(given) == counted
    assert type(seconds(given)) is float


LONGEST_LEFT = 31 * 86_400  # seconds: 30 days, and one for the clocks of hosts


@pytest.mark.parametrize(
    ("issued", "expires", "left"),
    [
        (0, 7200, 7100),
        (0, 10**9, 0),
        (2 * 10**9, 2 * 10**9 + 60, 60),
        (100, 100 + LONGEST_LEFT, LONGEST_LEFT),
        (100, 101 + LONGEST_LEFT, 0),
    ],
)
def test_a_record_that_would_live_for_years_is_expired(issued: float, expires: float, left: float) -> None:
    """No token lives for more than 30 days; such a record counts as expired, and the next one replaces it."""
    assert TokenRecord(**SOUND | {"issued": issued, "expires": expires}).left(100) == left


def test_a_record_is_compact_json_under_its_names() -> None:
    """A dump is one line of JSON without blanks that other programs can read by the names of the fields."""
    dumped = TokenRecord(**SOUND).dump()
    assert json.loads(dumped) == SOUND
    assert b" " not in dumped


def test_a_record_without_a_refresh_token_is_sound() -> None:
    """Only third-party platforms have a refresh token; it may be absent or null."""
    without = {name: value for name, value in SOUND.items() if name != "refresh_token"}
    expected = TokenRecord(**without)
    assert expected.refresh_token is None
    assert TokenRecord.parse(json.dumps(without).encode()) == expected
    assert TokenRecord.parse(json.dumps(without | {"refresh_token": None}).encode()) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("token", "mode") for value in ("", None, 1, ["x"])),
        *(("token", value) for value in ("null", "-1", "<html>", "a b", "a\n", "x" * 2049)),
        *((name, value) for name in ("issued", "expires") for value in ("1", None, True, [1])),
        *(("version", value) for value in (1.0, "1", None, True)),
        *(("refresh_token", value) for value in (1, ["x"], False)),
        *(("parameter", value) for value in (1, ["x"], "a b", "a-b", "x" * 65)),
        ("unknown", "x"),
    ],
)
def test_a_record_with_a_wrong_value_is_refused(name: str, value: object) -> None:
    """A value of another kind, a token or a mode that is empty, or a field too many is no record."""
    with pytest.raises(ValueError, match=r"^not a token record$"):
        TokenRecord.parse(json.dumps(SOUND | {name: value}).encode())


@pytest.mark.parametrize("name", ["token", "issued", "expires", "version", "mode"])
def test_a_record_that_lacks_a_field_is_refused(name: str) -> None:
    """Every field but the refresh token must be there."""
    with pytest.raises(ValueError, match=r"^not a token record$"):
        TokenRecord.parse(json.dumps({one: value for one, value in SOUND.items() if one != name}).encode())


@pytest.mark.parametrize(
    "data", [b"", b"null", b"7", b"[]", b'"CANARY"', b"{}", b"\xff\xfe", b'{"token":"CANARY"', b"[" * 100_000]
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    """Anything else that a store may hold is refused with the same error."""
    with pytest.raises(ValueError, match=r"^not a token record$"):
        TokenRecord.parse(data)


@pytest.mark.parametrize("data", [json.dumps(SOUND)[:-1], json.dumps(SOUND | {"mode": 1})])
def test_a_refusal_does_not_show_the_token(data: str) -> None:
    """Neither the error nor what a traceback prints of its causes has the data in it."""
    with pytest.raises(ValueError, match="not a token record") as caught:
        TokenRecord.parse(data.encode())
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "CANARY" not in "".join(traceback.format_exception_only(caught.value))


def test_secrets_are_in_no_repr() -> None:
    """Neither the token nor the refresh token is shown, in hand or in a record."""
    token = Token(value="CANARY", expires_in=7200, refresh_token="CANARY-2")
    assert "CANARY" not in repr([token, TokenRecord(**SOUND)])


@pytest.mark.parametrize("kept", [Token(value="T", expires_in=1), TokenRecord(**SOUND)])
def test_tokens_and_records_cannot_be_changed(kept: Token | TokenRecord) -> None:
    """Tasks share them, so they are frozen."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        kept.refresh_token = "other"  # type: ignore[misc]  # the test is that this fails


def test_tokens_and_records_are_built_by_name() -> None:
    """Texts and numbers that look alike are not told apart by their order."""
    by_position: tuple[tuple[Any, tuple[Any, ...]], ...] = ((Token, ("T", 1)), (TokenRecord, tuple(SOUND.values())))
    for build, values in by_position:
        with pytest.raises(TypeError, match="positional"):
            build(*values)


def test_a_token_rides_as_access_token() -> None:
    """The query parameter is the usual one where a source names no other, and there is no refresh token."""
    token = Token(value="T", expires_in=1)
    assert (token.parameter, token.refresh_token) == ("access_token", None)


@pytest.mark.parametrize(
    ("mode", "parameter", "sent_as"),
    [
        ("stable", None, "access_token"),
        ("component", None, "component_access_token"),
        ("authorizer", None, "access_token"),
        ("zebra", None, "access_token"),
        ("component", "access_token", "access_token"),
        ("stable", "", ""),
        ("stable", "x" * 64, "x" * 64),
    ],
)
def test_a_record_names_the_parameter_of_its_token(mode: str, parameter: str | None, sent_as: str) -> None:
    """The token of a platform has one of its own, unless the record names another; an empty one stands for none."""
    record = TokenRecord(**SOUND | {"mode": mode, "parameter": parameter})
    assert record.is_sound()
    assert record.sent_as == sent_as
    assert TokenRecord.parse(record.dump()) == record
    assert ("parameter" in record.values()) is (parameter is not None)


@pytest.mark.parametrize(
    ("parameter", "path", "sent_as"),
    [
        ("component_access_token", "/componenttcb/batchdeletefile", "access_token"),
        ("component_access_token", "/cgi-bin/component/api_get_authorizer_info", "component_access_token"),
        ("access_token", "/componenttcb/batchdeletefile", "access_token"),
        ("mine", "/componenttcb/batchdeletefile", "mine"),
        ("zebra", "/cgi-bin/material/add_material", "zebra"),
    ],
)
def test_a_platforms_token_has_the_usual_name_for_cloud_files(parameter: str, path: str, sent_as: str) -> None:
    """The cloud APIs of platforms take it as ``access_token``; no other name is changed, and at no other path."""
    assert Token(value="T", expires_in=1, parameter=parameter).parameter_at(path) == sent_as


def refusal(errcode: int) -> APIError:
    """An answer with this errcode."""
    return APIError(errcode=errcode, errmsg="refused", path="/cgi-bin/material/add_material")


@pytest.mark.parametrize(
    ("refresh_token", "error", "withdrawn"),
    [
        ("R", refusal(61003), True),
        ("R", refusal(61002), False),
        ("R", refusal(61004), False),
        ("R", ConnectError("no route"), False),
        (None, refusal(61003), False),
    ],
)
def test_only_an_authorized_account_withdraws_its_token(
    refresh_token: str | None, error: WxAssetError, withdrawn: bool
) -> None:
    """It is 61003 that says so, and of an account that had authorized a platform."""
    token = Token(value="T", expires_in=1, refresh_token=refresh_token)
    assert token.is_withdrawn(error) is withdrawn


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (SOUND, True),
        (SOUND | {"later": 1}, True),
        (dict.fromkeys(("token", "issued", "expires", "version", "mode"), 1), True),
        (dict.fromkeys(("token", "issued", "expires", "version", "other"), 1), False),
        ({}, False),
        (["token", "issued", "expires", "version", "mode"], False),
        (None, False),
    ],
)
def test_a_record_is_known_by_its_names(entry: object, named: bool) -> None:
    """An object with all of them is a record, also one of a later version that has more."""
    assert TokenRecord.is_named(entry) is named
