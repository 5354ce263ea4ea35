"""Fixtures for tests that start processes: the store that they share, and figures that are printed."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from redis_server import RedisServer


@pytest.fixture(params=["file", "redis"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The place where processes share their tokens; nothing is there yet."""
    if request.param == "file":
        return str(tmp_path / "tokens.json")
    running: RedisServer = request.getfixturevalue("redis_server")
    running.flush()
    return running.url


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a figure, also where output is captured."""

    def out(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {text}\n")

    return out
