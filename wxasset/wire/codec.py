"""Encode requests from attrs classes, and decode responses to attrs classes. Pure."""

import functools
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import GenericAlias, NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter, IterableValidationError, transform_error
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.v import format_exception

from wxasset.errors import DecodeError
from wxasset.wire.json_bodies import ENVELOPE, EXCERPT, as_int, excerpt, parse, raise_if_error, undecodable

__all__ = ["decode", "dumps", "unstructure", "wire_name"]

R = TypeVar("R")

_WIRE: Final = "wxasset.wire"
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
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    msg = f"expected a string, not {type(value).__name__}"
    raise TypeError(msg)


def _structure_int(value: object, _: object) -> int:
    number = as_int(value)
    if number is None:
        kind = "an integer beyond 2**53" if type(value) is int else type(value).__name__
        msg = f"expected an integer, not {kind}"
        raise TypeError(msg)
    return number


def _structure_bool(value: object, _: object) -> bool:
    flag = _as_bool(value)
    if flag is None:
        msg = f"expected 0 or 1, not {value!r:.40}"
        raise TypeError(msg)
    return flag


def _as_bool(value: object) -> bool | None:
    """Convert a flag: WeChat writes 0 and 1, as numbers or as strings."""
    if isinstance(value, int):
        return value != 0
    number = _lax_int(value)
    return _FLAGS.get(str(value).strip().lower()) if number is None else number != 0


def _lax_int(value: object) -> int | None:
    return as_int(int(value) if isinstance(value, float) and value.is_integer() else value)


def _lax_str(value: object) -> str | None:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _lax_float(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


_FLAGS: Final = {"true": True, "false": False}
# Conversions for optional keys: a value without a meaning counts as absent, since it must not fail a page of a list.
_LAX: Final[Mapping[Any, Callable[[object], object]]] = {
    str: _lax_str,
    int: _lax_int,
    float: _lax_float,
    bool: _as_bool,
}


def _lax(kind: Any) -> tuple[type[Any], Callable[[object], object]] | None:
    """Return the JSON type of an optional key, and the conversion for other values; it returns None to ignore one."""
    members = [one for one in get_args(kind) if one is not NoneType] if _is_union(kind) else [kind]
    if len(members) != 1:
        return None
    if attrs.has(members[0]):
        return NoneType, lambda value: value if _has_required(value, members[0]) else None
    if _is_tuple(members[0]):
        return list, lambda value: value or None
    return (members[0], _LAX[members[0]]) if members[0] in _LAX else None


def _has_required(value: object, cls: Any) -> bool:
    """Return False for empty values and objects without a required key."""
    return _fits(value, cls) if isinstance(value, dict) else bool(value)


def _overrides(fields: "Sequence[attrs.Attribute[Any]]") -> dict[str, Any]:
    names = {field.name: _wire_names(field) for field in fields}
    return {name: override(rename=wire[0]) if wire else override(omit=True) for name, wire in names.items()}


def _structure_class(cls: type[Any], converter: Converter) -> Any:
    inner = make_dict_structure_fn(cls, converter, **_overrides(attrs.fields(cls)))
    fields = attrs.fields(cls)  # only now are annotations in quotes resolved
    aliases = [names for field in fields if len(names := _wire_names(field)) > 1]
    optional = [(_wire_names(field), _lax(field.type)) for field in fields if field.default is not attrs.NOTHING]
    lax = [(names[0], *found) for names, found in optional if names and found is not None]

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
        for key, kind, convert in lax:
            value = known.get(key)
            # Numbers have bounds.
            fits = kind not in (int, float) or (kind is int and as_int(value) is not None)
            if value is None or (type(value) is kind and fits):
                continue
            del known[key]
            if (converted := convert(value)) is not None:
                known[key] = converted
        return inner(known, cls)

    return structure


def _unstructure_class(cls: type[Any], converter: Converter) -> Any:
    inner = make_dict_unstructure_fn(cls, converter, **_overrides(attrs.fields(cls)))

    def unstructure_present(instance: Any) -> dict[str, Any]:
        return {key: value for key, value in inner(instance).items() if value is not None}

    return unstructure_present


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (UnionType, Union)


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


@functools.cache
def _converter(*, explaining: bool = False) -> Converter:
    """Create a converter without the type coercions of cattrs; the `explaining` one finds all problems.

    It takes 0.5 ms, so that one is made for the first call, and the other for the first invalid response.
    """
    converter = Converter(detailed_validation=explaining)
    converter.register_structure_hook(str, _structure_str)
    converter.register_structure_hook(int, _structure_int)
    converter.register_structure_hook(bool, _structure_bool)
    converter.register_structure_hook_factory(_is_tuple, lambda cls: _structure_tuple(cls, converter))
    converter.register_structure_hook_factory(attrs.has, lambda cls: _structure_class(cls, converter))
    converter.register_unstructure_hook_factory(attrs.has, lambda cls: _unstructure_class(cls, converter))
    return converter


def unstructure(instance: Any) -> dict[str, Any]:
    """Convert an attrs instance to JSON values under their wire names; fields with the value None are left out."""
    result: dict[str, Any] = _converter().unstructure(instance)
    return result


def dumps(document: object) -> bytes:
    r"""Encode JSON as raw UTF-8: WeChat would display an escape such as ``\u4e2d`` literally.

    Source: wire reference 4.5. Lone surrogates cannot be encoded in UTF-8 and become question marks.
    """
    return _ENCODER.encode(document).encode("utf-8", "replace")


@functools.cache
def _members(reply: Any) -> tuple[type[Any], ...]:
    """List the classes of a response type, possibly a union."""
    if _is_union(reply):
        return tuple(member for member in get_args(reply) if member is not NoneType)
    return (reply,)


@functools.cache
def _required(cls: Any) -> list[tuple[str, ...]]:
    return [_wire_names(field) for field in attrs.fields(cls) if field.default is attrs.NOTHING]


@functools.cache
def _own_keys(cls: Any) -> frozenset[str]:
    """Return the keys of a class, without those of an error."""
    return frozenset(name for field in attrs.fields(cls) for name in _wire_names(field)) - ENVELOPE


def _fits(document: Mapping[str, Any], cls: Any) -> bool:
    """Return whether all required keys of a class are present."""
    return all(any(document.get(name) is not None for name in names) for names in _required(cls))


def _fitting(document: Mapping[str, Any], members: Sequence[Any]) -> Any:
    """Find the class with all required keys present; classes with more required keys are tried first."""
    members = sorted(members, key=lambda cls: -len(_required(cls)))
    return next((cls for cls in members if _fits(document, cls)), None)


def _is_foreign(document: Mapping[str, Any], cls: Any) -> bool:
    """Return whether JSON is not from WeChat: it has neither ``errcode`` 0 nor a key of the class."""
    if document.get("errcode") is not None or not attrs.has(cls):
        return False
    for name in _own_keys(cls):  # noqa: SIM110 - the first key decides nearly always; a generator would cost more
        if document.get(name) is not None:
            return False
    return True


def _structure(document: Mapping[str, Any], reply: Any, body: bytes, path: str) -> Any:
    members = _members(reply)
    cls = members[0] if len(members) == 1 else _fitting(document, members) or members[0]
    try:
        try:
            result = _converter().structure(document, cls)
        except Exception:  # noqa: BLE001 - raised again by the other converter, with its place
            result = _converter(explaining=True).structure(document, cls)
    except (ClassValidationError, IterableValidationError, TypeError) as error:
        found = (
            transform_error(error, path="$", format_exception=_problem)
            if isinstance(error, ExceptionGroup)
            else [str(error)]
        )
        problems = "; ".join(_by_wire_names(one, cls) for one in found)
    else:
        if _is_foreign(document, cls):
            raise undecodable(f"JSON with neither errcode 0 nor a key of {cls.__name__}", body, path)
        return result
    raise DecodeError(
        f"{path} returned an invalid {cls.__name__}: {problems[:EXCERPT]}.",
        path,
        excerpt=excerpt(body),
    )


def _problem(error: BaseException, kind: type[Any] | None) -> str:
    """Describe an error; those of validators describe themselves."""
    return str(error) if kind is None and isinstance(error, ValueError) else format_exception(error, kind)


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
    raise_if_error(document, path)
    result: R = _structure(document, reply, body, path)
    return result
