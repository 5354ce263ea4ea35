"""Progress bars, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import filesize
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from wxasset import BatchProgress
from wxasset.cli.runtime.console import error_console, printable
from wxasset.cli.runtime.output import is_terminal
from wxasset.transfer import progress

__all__ = ["counting", "transfer"]


@contextmanager
def transfer(name: str, *, quiet: bool = False) -> Iterator[progress.Progress | None]:
    """Show the progress of a transfer; the bar is removed afterwards.

    Args:
        name: The name to show.
        quiet: Whether to show no progress, also on a terminal.

    Yields:
        Function to report progress to; None if no progress is shown.
    """
    if quiet or not is_terminal(sys.stderr):
        yield None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=error_console(), transient=True) as bars:
        task = bars.add_task(printable(name), total=None)

        def told(done: int, total: int | None) -> None:
            bars.update(task, completed=done, total=total)

        yield told


@contextmanager
def counting(total: int, *, quiet: bool = False) -> Iterator[Callable[[BatchProgress], None] | None]:
    """Show the number of completed items and sent bytes; the bar is removed afterwards.

    Args:
        total: The number of items.
        quiet: Whether to show no progress, also on a terminal.

    Yields:
        Function to report progress to; None if no progress is shown.
    """
    if quiet or not is_terminal(sys.stderr):
        yield None
        return
    columns = (MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[sent]}"), TimeRemainingColumn())
    with Progress(*columns, console=error_console(), transient=True) as bars:
        task = bars.add_task("", total=total, sent="")

        def told(so_far: BatchProgress) -> None:
            bars.update(task, completed=so_far.done, sent=filesize.decimal(so_far.bytes_sent))

        yield told
