"""Values of the state as JSON: attrs classes by name, bytes by the name of a file. Pure."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeAlias

from attrs import fields, has

__all__ = ["Keep", "Load", "decode", "encode", "is_encodable"]

Keep: TypeAlias = Callable[[bytes | memoryview], str]
"""Store bytes and return their name."""
Load: TypeAlias = Callable[[str], bytes | memoryview]
"""Return the bytes of a name."""

_ROOT = "wxasset.simulator."
_PLAIN = (str, int, float, type(None))
_LISTS = (tuple, list, frozenset)


def is_encodable(value: object) -> bool:
    """Return True for the types of values stored here."""
    return isinstance(value, (*_PLAIN, bytes, memoryview, tuple, list, frozenset, dict)) or has(type(value))


def encode(value: object, keep: Keep) -> object:
    """Return a value as JSON.

    Raises:
        TypeError: A type has no encoding.
    """
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, bytes | memoryview):
        return {"bytes": keep(value)}
    if isinstance(value, Mapping):
        return {"dict": {key: encode(one, keep) for key, one in value.items()}}
    kind = type(value)
    if kind in _LISTS:
        return {kind.__name__: [encode(one, keep) for one in value]}  # type: ignore[attr-defined]
    if not has(kind):
        raise TypeError(f"{kind.__name__} has no encoding")
    members = {one.alias: encode(getattr(value, one.name), keep) for one in fields(kind) if one.init}
    return {"class": f"{kind.__module__.removeprefix(_ROOT)}:{kind.__qualname__}", "fields": members}


def decode(document: Any, load: Load) -> object:
    """Return the value of a document.

    Raises:
        ValueError: The document was not written by `encode`.
    """
    match document:
        case {"class": str(name), "fields": dict(members)}:
            return _class(name)(**{key: decode(one, load) for key, one in members.items()})
        case {"bytes": str(name)}:
            return load(name)
        case {"dict": dict(members)}:
            return {key: decode(one, load) for key, one in members.items()}
        case {"tuple": parts} | {"list": parts} | {"frozenset": parts}:
            kind = next(kind for kind in _LISTS if [kind.__name__] == [*document])
            return kind(decode(one, load) for one in parts)
        case str() | int() | float() | None:
            return document
    raise ValueError(f"unknown encoding {str(document)[:80]!r}")


def _class(name: str) -> type:
    """Return an attrs class of the simulator; no other one is ever created from a file."""
    module, _, qualified = name.partition(":")
    try:
        found = getattr(import_module(_ROOT + module), qualified)
    except (ImportError, AttributeError):
        found = None
    if not (isinstance(found, type) and has(found) and found.__module__.startswith(_ROOT)):
        raise ValueError(f"unknown class {name[:80]!r}")
    return found
