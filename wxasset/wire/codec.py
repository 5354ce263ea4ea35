"""Encode requests from attrs classes, decode responses to attrs classes, and detect error responses. Pure."""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from types import GenericAlias, NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter, IterableValidationError, transform_error
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from wxasset.errors import DecodeError
from wxasset.wire.error_replies import api_error

__all__ = [
    "decode",
    "dumps",
    "excerpt",
    "looks_like_json",
    "looks_like_page",
    "parse",
    "reply_or_file",
    "unstructure",
    "wire_name",
]

R = TypeVar("R")

_WIRE: Final = "wxasset.wire"
_EXCERPT: Final = 200  # characters; sufficient for the headline of a gateway's page
_ENVELOPE: Final = frozenset({"errcode", "errmsg", "rid"})
_BOM: Final = b"\xef\xbb\xbf"
_TAG: Final = re.compile(rb"(?i)(\xef\xbb\xbf)?\s*<[a-z!?]")
_DECODER: Final = json.JSONDecoder(strict=False)  # json.loads would create one per response
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def wire_name(*names: str) -> dict[str, tuple[str, ...]]:
    """Return metadata for an attrs field with another name on the wire; decoding tries all `names` in order.

    Without any name the field is neither sent nor read.
    """
    return {_WIRE: names}


def _wire_names(field: "attrs.Attribute[Any]") -> tuple[str, ...]:
    names: tuple[str, ...] = field.metadata.get(_WIRE, (field.name,))
    return names


def _structure_str(value: object, _: object) -> str:
    if isinstance(value, str):
        return value
    msg = f"expected a string, not {type(value).__name__}"
    raise TypeError(msg)


def _structure_int(value: object, _: object) -> int:
    number = _as_int(value)
    if number is None:
        msg = f"expected an integer, not {type(value).__name__}"
        raise TypeError(msg)
    return number


def _structure_bool(value: object, _: object) -> bool:
    # WeChat writes flags as 0 and 1.
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    msg = f"expected 0 or 1, not {value!r:.40}"
    raise TypeError(msg)


def _as_int(value: object) -> int | None:
    """Convert a number or a string of digits to int: WeChat sends some codes as strings (wire reference 0.3)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        return int(value)
    return None


def _overrides(fields: "Sequence[attrs.Attribute[Any]]") -> dict[str, Any]:
    names = {field.name: _wire_names(field) for field in fields}
    return {name: override(rename=wire[0]) if wire else override(omit=True) for name, wire in names.items()}


def _structure_class(cls: type[Any], converter: Converter) -> Any:
    fields = attrs.fields(cls)
    inner = make_dict_structure_fn(cls, converter, **_overrides(fields))
    aliases = [names for field in fields if len(names := _wire_names(field)) > 1]

    def structure(document: object, _: object) -> Any:
        if not isinstance(document, dict):
            msg = f"expected an object, not {type(document).__name__}"
            raise TypeError(msg)
        # A null is treated as an absent key, for which defaults exist.
        known = {key: value for key, value in document.items() if value is not None}
        for first, *others in aliases:
            if first not in known:
                found = next((known[other] for other in others if other in known), None)
                known |= {first: found} if found is not None else {}
        return inner(known, cls)

    return structure


def _unstructure_class(cls: type[Any], converter: Converter) -> Any:
    inner = make_dict_unstructure_fn(cls, converter, **_overrides(attrs.fields(cls)))

    def unstructure_present(instance: Any) -> dict[str, Any]:
        return {key: value for key, value in inner(instance).items() if value is not None}

    return unstructure_present


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple and get_args(cls)[1:] == (Ellipsis,)


def _structure_tuple(cls: Any, converter: Converter) -> Any:
    items: Any = GenericAlias(list, get_args(cls)[:1])

    def structure(values: object, _: object) -> Any:
        if not isinstance(values, list):  # cattrs would iterate over a string or an object
            msg = f"expected an array, not {type(values).__name__}"
            raise TypeError(msg)
        return tuple(converter.structure(values, items))

    return structure


def _make_converter() -> Converter:
    """Create the converter, without the type coercions of cattrs."""
    converter = Converter()
    converter.register_structure_hook(str, _structure_str)
    converter.register_structure_hook(int, _structure_int)
    converter.register_structure_hook(bool, _structure_bool)
    converter.register_structure_hook_factory(_is_tuple, lambda cls: _structure_tuple(cls, converter))
    converter.register_structure_hook_factory(attrs.has, lambda cls: _structure_class(cls, converter))
    converter.register_unstructure_hook_factory(attrs.has, lambda cls: _unstructure_class(cls, converter))
    return converter


_converter: Final = _make_converter()


def unstructure(instance: Any) -> dict[str, Any]:
    """Convert an attrs instance to JSON values under their wire names; fields with the value None are left out."""
    result: dict[str, Any] = _converter.unstructure(instance)
    return result


def dumps(document: object) -> bytes:
    r"""Encode JSON as raw UTF-8: WeChat would display an escape such as ``\u4e2d`` literally.

    Source: wire reference 4.5. Lone surrogates cannot be encoded in UTF-8 and become question marks.
    """
    return _ENCODER.encode(document).encode("utf-8", "replace")


def excerpt(body: bytes) -> str:
    """Return the start of a body on one line for an error: at most 200 characters, unprintable ones replaced."""
    text = body[: 4 * _EXCERPT].decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text)[:_EXCERPT].strip()


def looks_like_json(head: bytes | bytearray) -> bool:
    """Return whether the start of a body may be that of a JSON object. No media format starts like one."""
    return head.removeprefix(_BOM).lstrip(b" \t\r\n").startswith(b"{")


def looks_like_page(head: bytes | bytearray) -> bool:
    """Return whether the start of a body is that of HTML or XML. No media format starts so."""
    return _TAG.match(head) is not None


def _loads(body: bytes) -> object:
    # Live responses contain control characters and invalid UTF-8 from user content (wire reference 0.4).
    return _DECODER.decode(body.removeprefix(_BOM).decode("utf-8", "replace"))


def parse(body: bytes, path: str) -> dict[str, Any]:
    """Parse the JSON object of a response.

    Raises:
        DecodeError: The body is not a JSON object, is nested too deep, or contains an excessively long number.
    """
    try:
        document = _loads(body)
    except (RecursionError, ValueError) as error:
        problem = _why(error, body)
    else:
        if isinstance(document, dict):
            return document
        problem = f"JSON of an unexpected type ({type(document).__name__})"
    raise _undecodable(problem, body, path)


def _undecodable(problem: str, body: bytes, path: str) -> DecodeError:
    return DecodeError(f"{path} returned {problem}.", path, excerpt=excerpt(body))


def _why(error: Exception, body: bytes) -> str:
    start = body.removeprefix(_BOM).lstrip()[:1]
    if not start:
        return "an empty body"
    if start == b"<":
        return "a page of HTML or XML"
    if isinstance(error, RecursionError):
        return "JSON nested too deep"
    if not isinstance(error, json.JSONDecodeError):
        return "JSON with an excessively long number"
    return "broken JSON" if start == b"{" else "a body other than JSON"


def _raise_for_errcode(document: Mapping[str, Any], path: str) -> None:
    """Raise if the response is an error; errcode is absent or 0 on success (wire reference 0.3)."""
    value = document.get("errcode")
    if value is None:
        return
    errcode = _as_int(value)
    if errcode is None:
        raise _undecodable("an errcode that is not a number", str(value).encode("utf-8", "replace"), path)
    if errcode:
        errmsg = document.get("errmsg")
        raise api_error(errcode, errmsg if isinstance(errmsg, str) else "", path)


@functools.cache
def _members(reply: Any) -> tuple[type[Any], ...]:
    """List the classes of a response type, possibly a union."""
    if get_origin(reply) in (UnionType, Union):
        return tuple(member for member in get_args(reply) if member is not NoneType)
    return (reply,)


@functools.cache
def _required(cls: Any) -> list[tuple[str, ...]]:
    return [_wire_names(field) for field in attrs.fields(cls) if field.default is attrs.NOTHING]


def _fitting(document: Mapping[str, Any], members: Sequence[Any]) -> Any:
    """Find the class with all required keys present; classes with more required keys are tried first."""
    members = sorted(members, key=lambda cls: -len(_required(cls)))
    return next((cls for cls in members if all(any(n in document for n in names) for names in _required(cls))), None)


def _structure(document: Mapping[str, Any], reply: Any, body: bytes, path: str) -> Any:
    members = _members(reply)
    cls = members[0] if len(members) == 1 else _fitting(document, members) or members[0]
    try:
        return _converter.structure(document, cls)
    except (ClassValidationError, IterableValidationError, TypeError) as error:
        found = transform_error(error, path="$") if isinstance(error, ExceptionGroup) else [str(error)]
        problems = "; ".join(_by_wire_names(one, cls) for one in found)
    raise DecodeError(
        f"{path} returned an invalid {cls.__name__}: {problems[:_EXCERPT]}.",
        path,
        excerpt=excerpt(body),
    )


def _by_wire_names(problem: str, cls: Any) -> str:
    """Replace the field names at the end of a problem by the keys of the response."""
    what, at, where = problem.rpartition(" @ $")
    path = "$"
    for attribute, index in re.findall(r"\.(\w+)|(\[[^\]]*\])", where):
        field = getattr(attrs.fields(cls), attribute, None) if attribute and attrs.has(cls) else None
        path += f".{_wire_names(field)[0]}" if field is not None else f".{attribute}" if attribute else index
        if field is not None:
            cls = next((one for one in (field.type, *get_args(field.type)) if attrs.has(one)), None)
    return f"{what} @ {path}" if at else problem


def decode(body: bytes, reply: type[R], path: str) -> R:
    """Decode a JSON response.

    Args:
        body: The whole body.
        reply: An attrs class, or a union of classes distinguished by their required keys.
        path: Path of the API, for errors.

    Raises:
        APIError: The body is an error; the subclass depends on the code.
        DecodeError: The body does not match `reply`.
    """
    document = parse(body, path)
    _raise_for_errcode(document, path)
    result: R = _structure(document, reply, body, path)
    return result


def reply_or_file(body: bytes, reply: type[R], path: str, *, attachment: bool) -> R | None:
    """Distinguish a JSON response from a file with JSON-like content, by the bytes and never by the Content-Type.

    If Content-Disposition announces a file, the body is a file unless it holds only the keys of an error: no format
    stored by WeChat looks like an error.

    Args:
        body: The whole body.
        reply: Response type of the API for responses other than files.
        path: Path of the API.
        attachment: Whether Content-Disposition announced a file.

    Returns:
        The response, or None for a file; JSON without the keys of an error or of `reply` is a file too.

    Raises:
        APIError: The body is an error.
        DecodeError: The body starts like a response but is truncated, or contains a value of the wrong type.
    """
    try:
        document = _loads(body)
    except (RecursionError, ValueError) as error:
        if attachment or not _starts_as_reply(body, reply):
            return None
        raise _undecodable(_why(error, body), body, path) from None
    if not isinstance(document, dict) or (attachment and not document.keys() <= _ENVELOPE):
        return None
    _raise_for_errcode(document, path)
    kinds: Any = reply
    if attachment or _fitting(document, _members(kinds)) is None:
        return None
    result: R = _structure(document, kinds, body, path)
    return result


def _starts_as_reply(body: bytes, reply: Any) -> bool:
    """Return whether the first key is a (possibly truncated) key of an error or of the response."""
    known = {name for cls in _members(reply) for field in attrs.fields(cls) for name in _wire_names(field)} | _ENVELOPE
    first = re.match(rb'\s*\{\s*(?:"([^"]{0,64})("?))?', body.removeprefix(_BOM))
    if not first or first[1] is None:
        return True
    key = first[1].decode("utf-8", "replace")
    return key in known if first[2] else any(name.startswith(key) for name in known)
