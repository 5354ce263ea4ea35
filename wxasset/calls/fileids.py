"""Ids of cloud files, and the limits of requests about them. Pure."""

from typing import Final

from wxasset.errors import UsageError

__all__ = ["BATCH", "MAX_AGE", "check_fileid"]

BATCH: Final = 50  # maximum number of ids per request
MAX_AGE: Final = 7200  # default lifetime of a link in seconds, as in WeChat's sample


def check_fileid(value: object) -> str:
    """Check a file id before sending, and return it."""
    if not isinstance(value, str) or not value:
        raise UsageError(f"A file id must be a non-empty string, not {value!r}.")
    return value
