"""Results on stdout: JSON lines, a table on a terminal, or lines of columns in a pipe."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Final, Self, TextIO

from rich import box
from rich.console import RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from wxasset.cli.runtime.console import SPINNER, output_console, printable, short_id

__all__ = ["Output", "drop_stdout", "drop_unwritable", "is_terminal", "json_line", "local_time", "open_closed"]

_ID = 64  # characters of a media_id (wire reference 2.1)
_REST = 16  # minimum width of the other columns
_ROOM = 40  # for a time and a name
_UNLIMITED = 10_000  # columns
_WIDE = 60  # columns with room for a shortened id, a time and a name


def is_terminal(stream: TextIO) -> bool:
    """Return whether a stream is a terminal with support for colours and cursor movement."""
    return stream.isatty() and os.environ.get("TERM", "") not in {"dumb", "unknown"}


def json_line(record: Mapping[str, object]) -> str:
    """Encode a record on one line; control characters, and characters missing in the encoding, are escaped."""
    text = json.dumps(record, ensure_ascii=(sys.stdout.encoding or "").lower() not in {"utf-8", "utf8"})
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


class Output:
    """Output of results, one by one; only several columns make a table.

    Args:
        columns: Keys of records to show as columns, in order; None shows no record.
        as_json: Whether to write each record as a JSON object on a line of its own.
        shorten: Whether ids are shortened in a table on a terminal that has no room for whole ones.
    """

    def __init__(self, columns: Sequence[str] | None, *, as_json: bool, shorten: bool = False) -> None:
        self._columns = columns
        self._json = as_json
        as_table = columns is not None and len(columns) > 1 and not as_json and is_terminal(sys.stdout)
        width = output_console().width if as_table else 0
        self._table = _table(columns or (), width) if as_table else None
        self._day = width < _WIDE  # without the time of the day
        self._list = shorten
        self.shortened: bool = as_table and shorten and width < _ID + _ROOM

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Show the table, also after an error; a terminal without room for it gets a block of lines for each row."""
        if self._table is None or not self._table.row_count:
            return
        console = output_console()
        unlimited = console.options.update(max_width=_UNLIMITED)
        if self._list or Measurement.get(console, unlimited, self._table).maximum <= console.width:
            console.print(self._table)
            return
        for row in zip(*(column.cells for column in self._table.columns), strict=True):
            console.print(_block([str(column.header) for column in self._table.columns], row))

    def add(self, record: Mapping[str, object]) -> None:
        """Add one result.

        Raises:
            BrokenPipeError: The reader of the output has exited.
        """
        if self._columns is None:
            return
        if self._table is not None:
            self._table.add_row(*(Text(self._shown(column, record.get(column))) for column in self._columns))
            return
        text = json_line(record) if self._json else "\t".join(_cell(record.get(column)) for column in self._columns)
        try:
            self.line(text)
        except OSError:
            # Uploaded, and without its id it would be again; a batch, which tells outcomes, has a ledger for that.
            if {"media_id", "file"} <= record.keys() and "outcome" not in record:
                with suppress(OSError):
                    sys.stderr.write(f"{text}\n")
            raise

    def _shown(self, column: str, value: object) -> str:
        """Format a value for a person: a local time, and an id that fits."""
        text = _cell(value)
        if column == "time":
            return local_time(text, day=self._day)
        return short_id(text) if column == "media_id" and self.shortened else text

    @staticmethod
    def line(text: str) -> None:
        """Write a line immediately."""
        SPINNER.rest()
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _block(names: Sequence[str], values: Sequence[RenderableType]) -> Table:
    """Return the cells of one row below each other, after their names."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, value in zip(names, values, strict=True):
        grid.add_row(name, value)
    grid.add_row()
    return grid


def _table(columns: Sequence[str], width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for column in columns:
        # An id on one line can be copied; on a narrow terminal it is folded, not truncated.
        whole = column == "media_id" and width >= _ID + _REST
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=whole or column == "time")
    return table


def local_time(text: str, *, day: bool = False) -> str:
    """Convert an ISO 8601 time to local time without seconds; other text is returned as it is.

    Args:
        text: The time.
        day: Whether to leave the time of the day out.
    """
    try:
        moment = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        return text
    return moment.strftime("%Y-%m-%d" if day else "%Y-%m-%d %H:%M")


def _cell(value: object) -> str:
    """Format a value without line breaks or tabs."""
    if value is None:
        return ""
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def drop_stdout() -> None:
    """Discard further output: the interpreter may report an error for it at exit.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    try:
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
    except (OSError, ValueError):  # a replaced stdout has no descriptor
        return
    os.close(descriptor)


def drop_unwritable() -> None:
    """Flush stdout; discard the output if this fails, as on a full disk."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        drop_stdout()


_STREAMS: Final = (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))
"""Replacements of closed streams: stdin is empty; stdout is not writable, so the first result is an error."""


def open_closed() -> None:
    """Open closed standard streams; otherwise their descriptors would be reused by the next opened files."""
    for name, mode, flags in _STREAMS:
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)
            stream = open(descriptor, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - no path, and stays open
            setattr(sys, name, stream)
