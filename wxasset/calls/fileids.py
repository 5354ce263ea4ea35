"""Ids of cloud files, and the limits of requests about them. Pure."""

from collections.abc import AsyncIterable, Collection, Iterable
from typing import Final, TypeAlias

from wxasset.errors import UsageError

__all__ = ["BATCH", "MAX_AGE", "FileIds", "check_fileid", "checked"]

BATCH: Final = 50  # maximum number of ids per request
MAX_AGE: Final = 7200  # default lifetime of a link in seconds, as in WeChat's sample

FileIds: TypeAlias = Iterable[str] | AsyncIterable[str]
"""Ids of cloud files, from an iterable or async iterable."""


def check_fileid(value: object) -> str:
    """Check a file id before sending, and return it."""
    if not isinstance(value, str) or not value:
        raise UsageError(f"A file id must be a non-empty string, not {value!r}.")
    return value


def checked(fileids: FileIds) -> FileIds:
    """Check ids, and return them; the ids of a collection are checked before sending."""
    if isinstance(fileids, str | bytes) or not isinstance(fileids, Iterable | AsyncIterable):
        raise UsageError(f"fileids= must be an iterable of ids, not {type(fileids).__name__}.")
    if isinstance(fileids, Collection):
        for one in fileids:
            check_fileid(one)
    return fileids
