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

from wxasset.tokens.token import Token, TokenRecord

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
    ("issued", "expires", "left"), [(0, 7200, 7100), (0, 10**9, 0), (2 * 10**9, 2 * 10**9 + 60, 60)]
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
