"""Requests passed to the handlers, and the parsing of JSON bodies."""

import json
import re
from collections.abc import Mapping

from attrs import field, frozen

from wxasset.simulator.wire.replies import ApiError

# A backslash with the escaped character, matched together: `\\u4e2d` must not be taken for an escape.
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_FORM_TOKEN = re.compile(rb'name="access_token"\r\n(?:[^\r\n]+\r\n){0,8}\r\n([\w-]+)\r\n')
TOKEN_PARAMETERS = ("access_token", "cloudbase_access_token", "component_access_token")
SECRET_PARAMETERS = frozenset(
    {
        *TOKEN_PARAMETERS,
        *(
            "authorizer_refresh_token",
            "secret",
            "appsecret",
            "component_appsecret",
            "component_secret",
            "authorization_code",
            "pre_auth_code",
            "component_verify_ticket",
            "vkey",
            "sign",
            "sn",
        ),
    }
)
_SECRET_HEADERS = frozenset(
    {
        *("authorization", "cookie", "proxy-authorization"),
        *("x-wx-cloudbase-access-token", "x-wx-from-cloudbase-access-token"),
    }
)
_HIDDEN = "***"


@frozen
class ApiRequest:
    """One completely received request."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # case-insensitive
    body: bytes = field(repr=False)
    remote: str
    secure: bool = False  # received over TLS

    @property
    def content_type(self) -> str | None:
        """The Content-Type header as sent, or None."""
        return self.headers.get("Content-Type")


def with_form_token(query: dict[str, str], content_type: str | None, body: bytes) -> dict[str, str]:
    """Return the query with the access_token of a form, unless it has a token itself (wire reference 2.1)."""
    if any(query.get(name) for name in TOKEN_PARAMETERS) or not (content_type or "").lower().startswith("multipart/"):
        return query
    field = _FORM_TOKEN.search(body)
    return query if field is None else {**query, "access_token": field[1].decode()}


def hide_secrets(query: Mapping[str, str]) -> dict[str, str]:
    """Return the query with tokens, secrets and signatures replaced by `***`."""
    return {name: _HIDDEN if name in SECRET_PARAMETERS else value for name, value in query.items()}


def hide_secret_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with credentials replaced by `***`."""
    return {name: _HIDDEN if name.lower() in _SECRET_HEADERS else value for name, value in headers.items()}


def load_object(text: str) -> dict[str, object]:
    r"""Parse a JSON object; an escape such as `\u4e2d` is kept as six characters (wire reference 4.5).

    Raises:
        ValueError: The string is not JSON, or not an object.
    """
    literal = _ESCAPE.sub(lambda escape: r"\\u" if escape[1] == "u" else escape[0], text)
    try:
        document: object = json.loads(literal)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  # one type of error for all invalid input
    return document


def json_body(request: ApiRequest) -> dict[str, object]:
    """Return the JSON object in a POST body, recognized by its bytes whatever its Content-Type (wire reference 8.1).

    Raises:
        ApiError: 44002 for an empty body, 47001 if the body is not a JSON object in UTF-8.
    """
    if not request.body:
        raise ApiError(44002)
    try:
        return load_object(request.body.decode())
    except ValueError:
        raise ApiError(47001) from None


def required_text(document: Mapping[str, object], name: str, missing: int) -> str:
    """Return a required, non-empty string.

    Raises:
        ApiError: `missing` if the string is absent or empty, 47001 if the value is not a string.
    """
    value = document.get(name)
    if value is None or value == "":
        raise ApiError(missing)
    if not isinstance(value, str):
        raise ApiError(47001)
    return value


def whole_number(document: Mapping[str, object], name: str, default: int | None = None) -> int:
    """Return a whole number; booleans are not numbers, and a missing one without a default is an error.

    Raises:
        ApiError: 40097, the value is not a whole number.
    """
    value = document.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ApiError(40097)
    return value
