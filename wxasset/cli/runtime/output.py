"""Results on stdout: JSON lines, a table on a terminal, or lines of columns in a pipe."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self, TextIO

from rich import box
from rich.table import Table
from rich.text import Text

from wxasset.cli.runtime.console import output_console, printable

__all__ = ["Output", "drop_stdout", "drop_unwritable", "is_terminal", "json_line", "open_closed"]

_ID = 64  # characters of a media_id (wire reference 2.1)
_REST = 16  # characters that the other columns need to be read at all


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a person reads this on a terminal that can do more than print lines."""
    return stream.isatty() and os.environ.get("TERM", "") not in {"dumb", "unknown"}


def json_line(record: Mapping[str, object]) -> str:
    """Encode a record on one line; what a terminal would obey, or an encoding could lack, is escaped."""
    text = json.dumps(record, ensure_ascii=(sys.stdout.encoding or "").lower() not in {"utf-8", "utf8"})
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


class Output:
    """Takes results one by one; a single column is no table.

    Args:
        columns: The keys of a record that are shown where it is not JSON, in their order; None shows no record.
        as_json: Whether each record is a JSON object on a line of its own.
    """

    def __init__(self, columns: Sequence[str] | None, *, as_json: bool) -> None:
        self._columns = columns
        self._json = as_json
        as_table = columns is not None and len(columns) > 1 and not as_json and is_terminal(sys.stdout)
        self._table = _table(columns or (), output_console().width) if as_table else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Show the table, if it is one, whatever has happened."""
        if self._table is not None and self._table.row_count:
            output_console().print(self._table)

    def add(self, record: Mapping[str, object]) -> None:
        """Take one result.

        Raises:
            BrokenPipeError: Nobody reads any more.
        """
        if self._columns is None:
            return
        if self._table is not None:
            self._table.add_row(*(Text(_cell(record.get(column))) for column in self._columns))
        elif self._json:
            self.line(json_line(record))
        else:
            self.line("\t".join(_cell(record.get(column)) for column in self._columns))

    @staticmethod
    def line(text: str) -> None:
        """Write a line at once."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _table(columns: Sequence[str], width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for column in columns:
        # An id on one line can be copied; on a narrow terminal one that is folded is better than one that is cut.
        whole = column == "media_id" and width >= _ID + _REST
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=whole)
    return table


def _cell(value: object) -> str:
    """Show a value: nothing in it can break a line or a column."""
    if value is None:
        return ""
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def drop_stdout() -> None:
    """Let what is still to be written go nowhere: an interpreter may complain of it at its end.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    try:
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
    except (OSError, ValueError):  # what stands in for it has no descriptor
        return
    os.close(descriptor)


def drop_unwritable() -> None:
    """Let what a full disk does not take go nowhere; what can be written still is."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        drop_stdout()


_STREAMS: Final = (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))
"""Nothing is read from stdin. Results that have nowhere to go are an error at the first: stdout cannot be written."""


def open_closed() -> None:
    """Open the closed ones; without it their descriptors would be those of the next files that are opened."""
    for name, mode, flags in _STREAMS:
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)
            stream = open(descriptor, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - no path, and stays open
            setattr(sys, name, stream)
