"""Checks of arguments that calls have in common, made before anything is sent. Pure."""

from typing import TYPE_CHECKING

from wxasset.calls.base import Upload
from wxasset.errors import Hint, SourceError, UsageError

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["known_type", "none_if_empty", "present"]


def present(instance: object, attribute: "Attribute[str]", value: object) -> None:
    """Raise `UsageError` for an argument other than a non-empty string, before sending."""
    del instance
    if not isinstance(value, str) or not value:
        raise UsageError(f"{attribute.name}= must be a non-empty string.")


def known_type(instance: Upload[object], attribute: "Attribute[str]", value: object) -> None:
    """Raise `SourceError` for a media type not supported by the endpoint."""
    del attribute
    if not isinstance(value, str) or value not in instance.limits:
        types = ", ".join(instance.limits)
        raise SourceError(
            f"There is no media type {value!r}.",
            Hint(f"Use one of: {types}.", f"媒体类型只能是：{types}。"),
        )


def none_if_empty(url: str | None) -> str | None:
    """Convert an empty URL to None: the official sample response for a video has one."""
    return url or None
