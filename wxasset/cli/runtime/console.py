"""Show results and errors on a terminal or in a pipe."""

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import rich.spinner
from rich.console import Console
from rich.live import Live
from rich.text import Text

__all__ = ["SPINNER", "error_console", "one_line", "output_console", "prepare_output", "printable", "say", "short_id"]

_SILENCE: Final = 1.0  # seconds
_PIPE_WIDTH: Final = 100  # wider than the widest table of a demonstration


class Spinner:
    """A spinner on stderr, shown after a second without output; any output removes it."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._bars: list[Console] = []
        self._last = 0.0

    @property
    def bar(self) -> Console | None:
        """The console with a progress bar, if there is one; lines are printed above it."""
        return self._bars[-1] if self._bars else None

    def rest(self) -> None:
        """Remove the spinner for at least a second."""
        self._last = time.monotonic()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def turn(self, text: str) -> None:
        """Show the spinner if it is time; call this every now and then."""
        if self._live is None and not self._bars and time.monotonic() - self._last >= _SILENCE:
            console = Console(stderr=True, markup=False, highlight=False)
            self._live = Live(
                rich.spinner.Spinner("dots", text),
                console=console,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    @contextmanager
    def replaced(self) -> Iterator[Console]:
        """Give a console for a progress bar instead of the spinner."""
        self.rest()
        self._bars.append(_console(stderr=True))
        try:
            yield self._bars[-1]
        finally:
            self._bars.pop()
            self.rest()


SPINNER: Final = Spinner()
"""The spinner of this process: it has one terminal."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise the error for `wxasset.cli.run`; rich would end the process here."""
        raise  # noqa: PLE0704 - called while it is handled

    def print(self, *objects: Any, **options: Any) -> None:
        """Print in place of the spinner."""
        SPINNER.rest()
        super().print(*objects, **options)


def output_console() -> Console:
    """Return the console for results."""
    return _console(stderr=False)


def error_console() -> Console:
    """Return the console for errors, questions and progress."""
    return SPINNER.bar or _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    # Names come from files and from the service and may look like markup.
    console = _Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = max(_PIPE_WIDTH, console.width)
    return console


def printable(text: str) -> str:
    """Replace control characters and unprintable characters by question marks."""
    return "".join(char if char.isprintable() else "?" for char in text)


def short_id(media_id: str) -> str:
    """Shorten an id for a table; ids of one account differ at their end as well as at their start."""
    short = f"{media_id[:5]}…{media_id[-6:]}"
    return short if len(short) < len(media_id) else media_id


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
