"""Disks that are slow, full, or take a part of a write."""

import os
from collections.abc import Callable, Iterable

import pytest

__all__ = ["replace_writes"]


def replace_writes(monkeypatch: pytest.MonkeyPatch, write: Callable[[int, bytes], int]) -> None:
    """Pass each write of bytes to a file to a function; one of several parts is passed on as a whole."""

    def gathered(descriptor: int, parts: Iterable[bytes]) -> int:
        return write(descriptor, b"".join(parts))

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "writev", gathered, raising=False)
