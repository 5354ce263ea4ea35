"""Events pushed to a third-party platform, and their XML (wire reference 8.4). Pure."""

from collections.abc import Mapping
from typing import Final, TypeAlias
from xml.parsers import expat

from attrs import field, frozen

__all__ = ["AuthorizationChange", "InvalidPushError", "PlatformEvent", "PushedTicket", "parse_event", "parse_xml"]

_FIELDS: Final = 2  # depth of the fields below the root element
_AUTHORIZED: Final = frozenset({"authorized", "updateauthorized"})


class InvalidPushError(ValueError):
    """A push that is invalid; the message names neither its content nor the reason to the sender."""


@frozen(kw_only=True)
class PushedTicket:
    """A ticket pushed by WeChat, every 10 minutes; it is valid for 12 hours.

    Attributes:
        component_appid: The platform's appid.
        created_at: Unix time in seconds; a ticket with an earlier time must not replace one with a later.
        ticket: The ``component_verify_ticket``.
    """

    component_appid: str
    created_at: int
    ticket: str = field(repr=False)


@frozen(kw_only=True)
class AuthorizationChange:
    """An account authorized the platform, changed its authorization, or withdrew it.

    Attributes:
        component_appid: The platform's appid.
        created_at: Unix time in seconds.
        kind: ``authorized``, ``updateauthorized`` or ``unauthorized``.
        authorizer_appid: The account's appid.
        authorization_code: The code for `QueryAuth`; empty after ``unauthorized``.
        pre_auth_code: The pre-authorization code of the page; may be empty.
        expires_at: Unix time in seconds at which the code expires; 0 if unknown.
    """

    component_appid: str
    created_at: int
    kind: str
    authorizer_appid: str
    authorization_code: str = field(default="", repr=False)
    pre_auth_code: str = field(default="", repr=False)
    expires_at: int = 0


PlatformEvent: TypeAlias = PushedTicket | AuthorizationChange


class _Reader:
    """Collects the fields of a flat document."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._path: list[str] = []

    def start(self, name: str, _: Mapping[str, str]) -> None:
        self._path.append(name)
        if len(self._path) == _FIELDS:
            if name in self.fields:
                raise InvalidPushError("a field comes twice")
            self.fields[name] = ""

    def text(self, data: str) -> None:
        if len(self._path) == _FIELDS:
            self.fields[self._path[-1]] += data

    def end(self, _: str) -> None:
        self._path.pop()

    def refuse(self, *_: object) -> None:
        raise InvalidPushError("a document type")


def parse_xml(data: bytes) -> dict[str, str]:
    """Return the fields below the root element, as strings.

    Raises:
        InvalidPushError: The XML is broken, has a document type, or has a field twice.
    """
    reader, parser = _Reader(), expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(data, True)  # noqa: FBT003 - the function takes no names
    except expat.ExpatError:
        parsed = False
    else:
        parsed = True
    if not parsed:  # without the cause: its frames hold the data
        raise InvalidPushError("broken XML")
    return {name: value.strip() for name, value in reader.fields.items()}


def parse_event(data: bytes, appid: str) -> PlatformEvent | None:
    """Return the event of a decrypted push; None for an event of another kind.

    Args:
        data: The decrypted XML.
        appid: The platform's appid.

    Raises:
        InvalidPushError: It is invalid, or meant for another platform.
    """
    fields = parse_xml(data)
    kind, created_at = fields.get("InfoType", ""), _number(fields.get("CreateTime", ""))
    if fields.get("AppId") != appid or created_at is None:
        raise InvalidPushError("another platform, or no time")
    if kind == "component_verify_ticket":
        return PushedTicket(
            component_appid=appid, created_at=created_at, ticket=_required(fields, "ComponentVerifyTicket")
        )
    if kind not in _AUTHORIZED | {"unauthorized"}:
        return None
    return AuthorizationChange(
        component_appid=appid,
        created_at=created_at,
        kind=kind,
        authorizer_appid=_required(fields, "AuthorizerAppid"),
        authorization_code=_required(fields, "AuthorizationCode") if kind in _AUTHORIZED else "",
        pre_auth_code=fields.get("PreAuthCode", ""),
        expires_at=_number(fields.get("AuthorizationCodeExpiredTime", "")) or 0,
    )


def _required(fields: Mapping[str, str], name: str) -> str:
    if not fields.get(name):
        raise InvalidPushError("a field is missing")
    return fields[name]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None  # noqa: PLR2004 - any time fits
