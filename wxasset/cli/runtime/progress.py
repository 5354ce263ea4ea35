"""Progress bars and the spinner, on a terminal only."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich import filesize
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from wxasset import BatchProgress
from wxasset.cli.runtime.console import SPINNER, printable, short_id
from wxasset.cli.runtime.language import localized
from wxasset.cli.runtime.output import is_terminal
from wxasset.errors import Hint
from wxasset.transfer import progress

__all__ = ["counting", "spinner", "transfer"]

_TURN: Final = 0.2  # seconds
_WAITING: Final = Hint("waiting for WeChat", "正在等待微信响应")
_BAR: Final = 20  # columns
_ROOM: Final = 80  # columns; a narrower terminal has no room for a bar
_ID: Final = 24  # characters; names of files are cut, ids shortened


@contextmanager
def spinner(*, quiet: bool = False) -> Iterator[None]:
    """Show a spinner while a call takes over a second; use it inside of an event loop.

    Args:
        quiet: Whether to show no spinner, also on a terminal.
    """
    if quiet or not is_terminal(sys.stderr):
        yield
        return
    loop, text = asyncio.get_running_loop(), localized(_WAITING)

    timer: list[asyncio.TimerHandle] = []

    def turn() -> None:
        SPINNER.turn(text)
        timer[:] = [loop.call_later(_TURN, turn)]

    SPINNER.rest()
    turn()
    try:
        yield
    finally:
        timer[0].cancel()
        SPINNER.rest()


@contextmanager
def _bars(*columns: ProgressColumn) -> Iterator[Progress]:
    """Show columns, with a bar if there is room, and the time left."""
    with SPINNER.replaced() as console:
        shown = (*columns[:1], *_bar(console), *columns[1:], TimeRemainingColumn(compact=True))
        # Results are written to stdout meanwhile, which may be a file.
        with Progress(*shown, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bars:
            yield bars


def _bar(console: Console) -> tuple[ProgressColumn, ...]:
    return (BarColumn(bar_width=_BAR),) if console.width >= _ROOM else ()


@contextmanager
def transfer(name: str, *, quiet: bool = False) -> Iterator[progress.Progress | None]:
    """Show the progress of a transfer, its rate and the time left; the bar is removed afterwards.

    Args:
        name: The name to show.
        quiet: Whether to show no progress, also on a terminal.

    Yields:
        Function to report progress to; None if no progress is shown.
    """
    if quiet or not is_terminal(sys.stderr):
        yield None
        return
    short = name if len(name) <= _ID else short_id(name)
    columns = (TextColumn("{task.description}", markup=False), DownloadColumn(), TransferSpeedColumn())
    with _bars(*columns) as bars:
        task = bars.add_task(printable(short), total=None)

        def told(done: int, total: int | None) -> None:
            bars.update(task, completed=done, total=total)

        yield told


@contextmanager
def counting(total: int, *, quiet: bool = False) -> Iterator[Callable[[BatchProgress], None] | None]:
    """Show the number of completed items, the sent bytes, their rate and the time left.

    The bar is removed afterwards.

    Args:
        total: The number of items.
        quiet: Whether to show no progress, also on a terminal.

    Yields:
        Function to report progress to; None if no progress is shown.
    """
    if quiet or not is_terminal(sys.stderr):
        yield None
        return
    with _bars(MofNCompleteColumn(), TextColumn("{task.fields[sent]}")) as bars:
        task, begun = bars.add_task("", total=total, sent=""), time.monotonic()

        def told(so_far: BatchProgress) -> None:
            rate = filesize.decimal(int(so_far.bytes_sent / max(0.1, time.monotonic() - begun)))
            bars.update(task, completed=so_far.done, sent=f"{filesize.decimal(so_far.bytes_sent)} {rate}/s")

        yield told
