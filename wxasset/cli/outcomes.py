"""What becomes of the files of a batch, in words. Pure."""

from collections import Counter
from typing import Any, Final, TypeAlias

from wxasset import Added, Failed, NewMaterial, NotTried, UploadOutcomeUnknown

__all__ = ["OUTCOMES", "Outcome", "file_of", "outcome_of", "record_of", "summary"]

Outcome: TypeAlias = Added[NewMaterial] | Failed[NewMaterial] | NotTried[NewMaterial]
OUTCOMES: Final = ("added", "skipped", "failed", "unknown", "not_tried")
"""Every word for what became of a file; they stay."""


def file_of(outcome: Outcome) -> str:
    """The file that it is about."""
    return str(outcome.item.media)


def outcome_of(outcome: Outcome) -> str:
    """The word for it."""
    if isinstance(outcome, Added):
        return "skipped" if outcome.skipped else "added"
    if isinstance(outcome, NotTried):
        return "not_tried"
    return "unknown" if isinstance(outcome.error, UploadOutcomeUnknown) else "failed"


def record_of(outcome: Outcome) -> dict[str, Any]:
    """Describe it by keys that stay."""
    added = outcome.material if isinstance(outcome, Added) else None
    error = None if isinstance(outcome, Added) else outcome.error
    return {
        "outcome": outcome_of(outcome),
        "file": file_of(outcome),
        "media_id": added.media_id if added else None,
        "url": added.url if added else None,
        "kind": type(error).__name__ if error else None,
        "message": error.message if error else None,
    }


def summary(counts: Counter[str]) -> str:
    """Say in one line what became of all of them."""
    return ", ".join(f"{counts[word]} {word.replace('_', ' ')}" for word in OUTCOMES if counts[word]) or "nothing to do"
