"""A request as the handlers see it, and the strict reading of JSON bodies."""

import json
import re
from collections.abc import Mapping

from attrs import field, frozen

from wxasset.simulator.wire.replies import ApiError

# A backslash and what it escapes, taken together so that `\\u4e2d` is not mistaken for an escape.
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
TOKEN_PARAMETERS = ("access_token", "cloudbase_access_token", "component_access_token")
SECRET_PARAMETERS = frozenset(
    {
        *TOKEN_PARAMETERS,
        *(
            "authorizer_refresh_token",
            "secret",
            "appsecret",
            "component_appsecret",
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
    """One complete request: nothing of it is still on its way."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in any case find their value
    body: bytes = field(repr=False)
    remote: str

    @property
    def content_type(self) -> str | None:
        """The Content-Type header as it was sent, or None."""
        return self.headers.get("Content-Type")


def hide_secrets(query: Mapping[str, str]) -> dict[str, str]:
    """The query with tokens, secrets and signatures replaced by `***`."""
    return {name: _HIDDEN if name in SECRET_PARAMETERS else value for name, value in query.items()}


def hide_secret_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with credentials replaced by `***`."""
    return {name: _HIDDEN if name.lower() in _SECRET_HEADERS else value for name, value in headers.items()}


def load_object(text: str) -> dict[str, object]:
    r"""Parse a JSON object; an escape such as `\u4e2d` stays the six characters it is (wire reference 4.5).

    Raises:
        ValueError: The text is not JSON, or not an object.
    """
    literal = _ESCAPE.sub(lambda escape: r"\\u" if escape[1] == "u" else escape[0], text)
    try:
        document: object = json.loads(literal)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  # one kind of error for one kind of mistake: bad input
    return document


def json_body(request: ApiRequest) -> dict[str, object]:
    """The JSON object in a POST body (wire reference 0.5).

    Raises:
        ApiError: 44002 for an empty body, 47001 for a body that is not a JSON object in UTF-8 or is labelled as
            something else than JSON or text.
    """
    if not request.body:
        raise ApiError(44002)
    media_type = (request.content_type or "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.startswith("text/"):
        raise ApiError(47001)
    try:
        return load_object(request.body.decode())
    except ValueError:
        raise ApiError(47001) from None


def required_text(document: Mapping[str, object], name: str, missing: int) -> str:
    """A string that has to be there and not be empty.

    Raises:
        ApiError: `missing` where there is no such string, 47001 where it is something else than a string.
    """
    value = document.get(name)
    if value is None or value == "":
        raise ApiError(missing)
    if not isinstance(value, str):
        raise ApiError(47001)
    return value


def whole_number(document: Mapping[str, object], name: str, default: int | None = None) -> int:
    """A whole number; true and false are not numbers, and a missing one is an error unless there is a default.

    Raises:
        ApiError: 40097.
    """
    value = document.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ApiError(40097)
    return value
