"""Conversion of JSON, TOML and text to the types of attrs classes, with one sentence for each kind of mistake."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from attrs import NOTHING, Attribute, fields, has
from cattrs import Converter

__all__ = ["convert", "from_text", "hint_at", "near_and_known", "shape_of", "structure"]

A = TypeVar("A")
_SHOWN = 80
_WORDS: dict[object, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    NoneType: "null",
    bytes: "base64",
}
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SETS = (frozenset, tuple, list)


class _WrongTypeError(Exception):
    """A value of another type than asked for."""


def hint_at(word: str, known: Iterable[str]) -> str:
    """Return the known words near an unknown one, as the end of a sentence; empty without any."""
    near = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def near_and_known(word: str, known: Iterable[str]) -> str:
    """Return the known words, after those near an unknown one."""
    words = list(known)
    near = hint_at(word, words)
    return f"{near}{' Known' if near else '; known'} are {', '.join(words)}"


def structure(cls: type[A], document: Mapping[str, object], *, subject: str = "field") -> A:
    """Build an attrs class from a document.

    Args:
        cls: The class.
        document: The values of its fields by name.
        subject: The noun for a name in messages.

    Raises:
        ValueError: A name is unknown, a value is missing, or has a wrong type or value.
    """
    known: dict[str, Attribute[Any]] = {one.name: one for one in fields(cls)}  # type: ignore[arg-type]
    types = get_type_hints(cls)
    unknown = sorted(set(document) - set(known))
    if unknown:
        permitted = f"; known are {', '.join(known)}" if known else ""
        shown = ", ".join(unknown)[: 2 * _SHOWN]
        raise ValueError(f"unknown {subject}s: {shown}{hint_at(unknown[0], known) or permitted}")
    missing = [name for name, one in known.items() if one.default is NOTHING and name not in document]
    required = _required(known, types)
    if missing:
        raise ValueError(f"{missing[0]} is missing{required}")
    values = {}
    for name, value in document.items():
        more = required if known[name].default is NOTHING else ""
        values[name] = convert(name, types[name], value, more=more)
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(str(error.args[0])) from None


def convert(name: str, kind: Any, value: object, *, more: str = "") -> Any:
    """Return a value of the type of a field, from JSON or TOML.

    Raises:
        ValueError: It has another type; the message has the name and the value.
    """
    try:
        return _converter().structure(value, kind)
    except ValueError as error:
        raise ValueError(f"{name}: {error.args[0]}") from None
    except Exception:  # noqa: BLE001  # cattrs raises errors of several classes without a useful text
        raise ValueError(f"{name} must be {shape_of(kind)}, got {repr(value)[:_SHOWN]}{more}") from None


def from_text(kind: Any, texts: str | list[str]) -> object:
    """Return the JSON value meant by a text, as in a query or on the command line; the text itself if it means none.

    Args:
        kind: The type of the field.
        texts: The text, or those of an option given several times.
    """
    if (
        isinstance(texts, str)
        and _is_optional(kind)
        and str not in get_args(kind)
        and texts.lower() in ("none", "null")
    ):
        return None
    plain = _without_none(kind)
    origin = get_origin(plain)
    if origin in _SETS or _is_mapping(origin):
        parts = [part for text in ([texts] if isinstance(texts, str) else texts) for part in text.split(",") if part]
        if _is_mapping(origin):
            pairs = [part.rpartition("=") for part in parts]
            return {path: _scalar(int, number) for path, _, number in pairs} if all(one[1] for one in pairs) else texts
        return [_scalar(get_args(plain)[0], part) for part in parts]
    return _scalar(plain, texts if isinstance(texts, str) else texts[-1])


def shape_of(kind: Any) -> str:
    """Return the words for a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        shown = [str(one) for one in arguments]
        return f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else shown[0]
    if origin in (Union, UnionType):
        return " or ".join(shape_of(one) for one in arguments)
    if origin in _SETS:
        return "a list of " + _WORDS.get(arguments[0], "a tables").removeprefix("a ") + "s"
    if _is_mapping(origin):
        return "a table of whole numbers by name" if arguments[-1] is int else "a table"
    return _WORDS.get(kind, "a table")


def _required(known: Mapping[str, "Attribute[Any]"], types: Mapping[str, Any]) -> str:
    names = [name for name, one in known.items() if one.default is NOTHING]
    noun = "string" if all(types[name] is str for name in names) else "field"
    if len(names) == 1:
        return f"; {names[0]} is a required {noun}"
    return f"; {' and '.join(names)} are required {noun}s" if names else ""


def _scalar(kind: Any, text: str) -> object:
    if get_origin(kind) is Literal:
        return next((one for one in get_args(kind) if str(one) == text), text)
    if kind is bool:
        return _TRUTH.get(text.lower(), text)
    if kind is int and _WHOLE.fullmatch(text):
        return int(text)
    if kind is float:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _is_set(kind: Any) -> bool:
    return get_origin(kind) in _SETS


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind)


def _without_none(kind: Any) -> Any:
    if not _is_optional(kind):
        return kind
    rest = [one for one in get_args(kind) if one is not NoneType]
    return rest[0] if len(rest) == 1 else kind


def _exactly(kind: type) -> Callable[[object, object], object]:
    def check(value: object, _kind: object) -> object:
        if type(value) is not kind:
            raise _WrongTypeError
        return value

    return check


def _number(value: object, _kind: object) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise _WrongTypeError
    return value  # type: ignore[return-value]


def _items(value: object, kind: Any) -> Any:
    """Convert a list; a string is not a list of its characters."""
    if not isinstance(value, list | tuple | set | frozenset):
        raise _WrongTypeError
    origin = get_origin(kind) or tuple
    return origin(_converter().structure(one, get_args(kind)[0]) for one in value)


def _object(value: object, kind: type[A]) -> A:
    if not isinstance(value, Mapping):
        raise _WrongTypeError
    return structure(kind, value)


@cache
def _converter() -> Converter:
    converter = Converter(detailed_validation=False)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _kind: value)
    converter.register_structure_hook_func(_is_set, _items)
    converter.register_structure_hook_func(has, _object)
    return converter
