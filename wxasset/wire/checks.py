"""Validators of options: a wrong value raises `UsageError` where it is given. Pure."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from wxasset.errors import UsageError

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["check_number", "choice", "flag", "number"]

Validator: TypeAlias = Callable[[object, "Attribute[Any]", Any], None]


def number(
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
    whole: bool = False,
    optional: bool = False,
) -> Validator:
    """Return a validator of numbers.

    Args:
        at_least: The smallest allowed number.
        above: A number smaller than all allowed ones.
        at_most: The largest allowed number.
        whole: Whether the number has to be an integer.
        optional: Whether None is allowed.
    """

    def check(_: object, attribute: "Attribute[Any]", value: object) -> None:
        if not (optional and value is None):
            check_number(attribute.name, value, at_least=at_least, above=above, at_most=at_most, whole=whole)

    return check


def check_number(
    name: str,
    value: object,
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
    whole: bool = False,
) -> None:
    """Raise `UsageError` unless a value is a number in a range; the arguments are those of `number`."""
    right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if right and isinstance(value, int | float) and value > above and at_least <= value <= at_most:
        return
    kind = "a whole number" if whole else "a number"
    low = f" of at least {at_least:g}" if at_least > -math.inf else f" above {above:g}" if above > -math.inf else ""
    high = f", at most {at_most:g}" if at_most < math.inf else ""
    raise UsageError(f"{name}= must be {kind}{low}{high}, not {value!r}.")


def flag(_: object, attribute: "Attribute[Any]", value: object) -> None:
    """Check that an option is True or False."""
    if not isinstance(value, bool):
        raise UsageError(f"{attribute.name}= must be True or False, not {value!r}.")


def choice(*allowed: str) -> Validator:
    """Return a validator of strings with a few values."""

    def check(_: object, attribute: "Attribute[Any]", value: object) -> None:
        if value not in allowed:
            raise UsageError(f"{attribute.name}= must be one of {', '.join(map(repr, allowed))}, not {value!r}.")

    return check
