"""Session options of the tests."""

from typing import Final

from wxasset import RetryPolicy

__all__ = ["PATIENT"]

PATIENT: Final = RetryPolicy(wait_initial=0)
"""Retry as often as the default, without waiting."""
