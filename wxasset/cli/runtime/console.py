"""Show results and errors on a terminal or in a pipe."""

import io
import sys
from typing import Final

from rich.console import Console
from rich.text import Text

__all__ = ["error_console", "one_line", "output_console", "prepare_output", "printable", "say"]

_PIPE_WIDTH: Final = 100  # wider than the widest table of a demonstration


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise the error for `wxasset.cli.run`; rich would end the process here."""
        raise  # noqa: PLE0704 - called while it is handled


def output_console() -> Console:
    """Return the console for results."""
    return _console(stderr=False)


def error_console() -> Console:
    """Return the console for errors, questions and progress."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    # Names come from files and from the service and may look like markup.
    console = _Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = max(_PIPE_WIDTH, console.width)
    return console


def printable(text: str) -> str:
    """Replace control characters and unprintable characters by question marks."""
    return "".join(char if char.isprintable() else "?" for char in text)


def one_line(text: str) -> str:
    """Put a text on one line."""
    return printable(" ".join(text.split()))


def say(console: Console, text: str, style: str = "") -> None:
    """Print one line as it is, however long it is."""
    console.print(Text(one_line(text), style=style), soft_wrap=True)


def prepare_output() -> None:
    """Escape characters missing in the encoding of stdout instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a replaced stdout may have no encoding
        sys.stdout.reconfigure(errors="backslashreplace")
