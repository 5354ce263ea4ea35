"""Between attrs classes and bytes: requests encoded, replies decoded, errors told from replies. Pure."""

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
_EXCERPT: Final = 200  # characters; enough for a gateway's headline
_ENVELOPE: Final = frozenset({"errcode", "errmsg", "rid"})
_BOM: Final = b"\xef\xbb\xbf"
_TAG: Final = re.compile(rb"(?i)(\xef\xbb\xbf)?\s*<[a-z!?]")
_DECODER: Final = json.JSONDecoder(strict=False)  # json.loads would make one for each reply
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def wire_name(*names: str) -> dict[str, tuple[str, ...]]:
    """Metadata for an attrs field whose name on the wire differs: `names` are tried in order when reading.

    Without a name the field is not on the wire at all.
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
    """Read a number that may come as text: WeChat sends some codes so (wire reference 0.3)."""
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
        # A null says no more than an absent key, and defaults cover that.
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
        if not isinstance(values, list):  # cattrs would take a text or an object for a list of its parts
            msg = f"expected an array, not {type(values).__name__}"
            raise TypeError(msg)
        return tuple(converter.structure(values, items))

    return structure


def _make_converter() -> Converter:
    """Build the one converter, strict where cattrs would coerce."""
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
    """Turn an attrs instance into what JSON can hold, under its wire names, without the fields that are None."""
    result: dict[str, Any] = _converter.unstructure(instance)
    return result


def dumps(document: object) -> bytes:
    r"""Encode JSON as WeChat reads it: raw UTF-8; an escape such as ``\u4e2d`` would be shown as it stands.

    Source: wire reference 4.5. Lone surrogates, which UTF-8 has no bytes for, become question marks.
    """
    return _ENCODER.encode(document).encode("utf-8", "replace")


def excerpt(body: bytes) -> str:
    """Return the start of a body on one line, for an error: at most 200 characters, unprintable ones replaced."""
    text = body[: 4 * _EXCERPT].decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text)[:_EXCERPT].strip()


def looks_like_json(head: bytes | bytearray) -> bool:
    """Tell whether a body that starts so may be a JSON object. No media format starts so."""
    return head.removeprefix(_BOM).lstrip(b" \t\r\n").startswith(b"{")


def looks_like_page(head: bytes | bytearray) -> bool:
    """Tell whether a body that starts so is HTML or XML, whatever it is claimed to be. No media format starts so."""
    return _TAG.match(head) is not None


def _loads(body: bytes) -> object:
    # Live replies hold control characters and invalid UTF-8 from user content (wire reference 0.4).
    return _DECODER.decode(body.removeprefix(_BOM).decode("utf-8", "replace"))


def parse(body: bytes, path: str) -> dict[str, Any]:
    """Read the JSON object of a reply.

    Raises:
        DecodeError: It is no JSON object, is nested too deep, or holds a number of absurd length.
    """
    try:
        document = _loads(body)
    except (RecursionError, ValueError) as error:
        problem = _why(error, body)
    else:
        if isinstance(document, dict):
            return document
        problem = f"JSON of the wrong kind ({type(document).__name__})"
    raise _undecodable(problem, body, path)


def _undecodable(problem: str, body: bytes, path: str) -> DecodeError:
    return DecodeError(f"{path} answered with {problem}.", path, excerpt=excerpt(body))


def _why(error: Exception, body: bytes) -> str:
    start = body.removeprefix(_BOM).lstrip()[:1]
    if not start:
        return "an empty body"
    if start == b"<":
        return "a page of HTML or XML"
    if isinstance(error, RecursionError):
        return "JSON nested too deep"
    if not isinstance(error, json.JSONDecodeError):
        return "JSON with a number of absurd length"
    return "broken JSON" if start == b"{" else "something that is not JSON"


def _raise_for_errcode(document: Mapping[str, Any], path: str) -> None:
    """Raise where the reply is an error: success is an errcode that is absent or 0 (wire reference 0.3)."""
    value = document.get("errcode")
    if value is None:
        return
    errcode = _as_int(value)
    if errcode is None:
        raise _undecodable("an errcode that is no number", str(value).encode("utf-8", "replace"), path)
    if errcode:
        errmsg = document.get("errmsg")
        raise api_error(errcode, errmsg if isinstance(errmsg, str) else "", path)


@functools.cache
def _members(reply: Any) -> tuple[type[Any], ...]:
    """List the classes of a reply type that may be a union."""
    if get_origin(reply) in (UnionType, Union):
        return tuple(member for member in get_args(reply) if member is not NoneType)
    return (reply,)


@functools.cache
def _required(cls: Any) -> list[tuple[str, ...]]:
    return [_wire_names(field) for field in attrs.fields(cls) if field.default is attrs.NOTHING]


def _fitting(document: Mapping[str, Any], members: Sequence[Any]) -> Any:
    """Find the class whose required keys are all there; the most demanding is asked first."""
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
        f"{path} answered without what a {cls.__name__} needs: {problems[:_EXCERPT]}.",
        path,
        excerpt=excerpt(body),
    )


def _by_wire_names(problem: str, cls: Any) -> str:
    """Give the path at the end of a problem in the keys of the reply, not in the names of our fields."""
    what, at, where = problem.rpartition(" @ $")
    path = "$"
    for attribute, index in re.findall(r"\.(\w+)|(\[[^\]]*\])", where):
        field = getattr(attrs.fields(cls), attribute, None) if attribute and attrs.has(cls) else None
        path += f".{_wire_names(field)[0]}" if field is not None else f".{attribute}" if attribute else index
        if field is not None:
            cls = next((one for one in (field.type, *get_args(field.type)) if attrs.has(one)), None)
    return f"{what} @ {path}" if at else problem


def decode(body: bytes, reply: type[R], path: str) -> R:
    """Decode a JSON reply.

    Args:
        body: The whole body.
        reply: An attrs class, or a union of them told apart by their required keys.
        path: The API's path, for the errors.

    Raises:
        APIError: The body is an error; the class fits its code.
        DecodeError: The body is not what this API answers with.
    """
    document = parse(body, path)
    _raise_for_errcode(document, path)
    result: R = _structure(document, reply, body, path)
    return result


def reply_or_file(body: bytes, reply: type[R], path: str, *, attachment: bool) -> R | None:
    """Tell whether a body that looks like JSON is a reply or a file, by its bytes and never by its Content-Type.

    A header that announces a file decides for the file, unless the body is an error and nothing else: no format
    that WeChat stores looks like one.

    Args:
        body: The whole body.
        reply: What the API answers with where it does not answer with a file.
        path: The API's path.
        attachment: Whether Content-Disposition announced a file.

    Returns:
        The reply, or None where the body is a file: also JSON that is neither an error nor has the reply's keys.

    Raises:
        APIError: The body is an error.
        DecodeError: It starts as a reply and breaks off, or a value in it has the wrong type.
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
    """Tell whether the first key is one that an error or the reply has, or begins like one and breaks off."""
    known = {name for cls in _members(reply) for field in attrs.fields(cls) for name in _wire_names(field)} | _ENVELOPE
    first = re.match(rb'\s*\{\s*(?:"([^"]{0,64})("?))?', body.removeprefix(_BOM))
    if not first or first[1] is None:
        return True
    key = first[1].decode("utf-8", "replace")
    return key in known if first[2] else any(name.startswith(key) for name in known)
