"""Report the results of a command on stdout, everything else on stderr, and its exit status."""

import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias, TypeVar

import anyio
from anyio.lowlevel import checkpoint
from attrs import define, field

from wxasset.cli.runtime import errors
from wxasset.cli.runtime.exit_codes import exit_of_all, stops_command
from wxasset.cli.runtime.output import Output
from wxasset.errors import DestinationError, WxAssetError

__all__ = ["Record", "Report"]

T = TypeVar("T")
Record: TypeAlias = Mapping[str, object]
"""A result: its keys stay, its values are what JSON has."""


@define(kw_only=True)
class Report:
    """Results of a command so far.

    Attributes:
        out: Where results go.
        as_json: Whether all that is written is JSON.
        done: How many items are done.
        errors: What went wrong.
        left: What was not tried yet, in its order.
        resume: The command that goes on after a signal; None where it is to be run again for what is left.
        ask_to_end: Lets the work come to its end by itself after a signal; without it the work is cancelled.
    """

    out: Output
    as_json: bool
    done: int = 0
    errors: list[BaseException] = field(factory=list)
    left: list[str] = field(factory=list)
    resume: str | None = None
    ask_to_end: Callable[[], None] | None = None

    def asked(self) -> bool:
        """Ask the work to come to its end, and tell whether it can be asked."""
        if self.ask_to_end is not None:
            self.ask_to_end()
        return self.ask_to_end is not None

    def did(self, record: Record) -> None:
        """Count an item that is done, and show its result."""
        self.done += 1
        self.out.add(record)

    def failed(self, error: BaseException, item: str | None = None) -> None:
        """Count an item that is not done, and tell of its error."""
        self.errors.append(error)
        errors.tell(error, as_json=self.as_json, item=item)

    def note(self, text: str, **more: object) -> None:
        """Say something that is no result and no error; `more` are keys that it has where it is JSON."""
        errors.note(text, as_json=self.as_json, **more)

    async def each(self, items: Iterable[T], act: Callable[[T], Awaitable[Record]], *, whole: bool = False) -> None:
        """Do something to item after item; one that fails leaves the others, unless they would fail like it.

        Args:
            items: What to do it to.
            act: Does it, and returns the result.
            whole: Whether an item that was begun is seen through after a signal, as its outcome would be unknown.
        """
        waiting = list(items)
        self.left = [str(item) for item in waiting]
        for item in waiting:
            before = len(self.errors)
            try:
                with anyio.CancelScope(shield=whole):
                    self.did(await act(item))
            except WxAssetError as error:
                if isinstance(error, DestinationError) and isinstance(error.__cause__, BrokenPipeError):
                    raise error.__cause__ from None  # stdout was the destination, and nobody reads it any more
                self.failed(error, str(item))
            self.left.pop(0)
            if len(self.errors) > before and stops_command(self.errors[-1]):
                break
            await checkpoint()
        if self.left:
            self.note(f"{len(self.left)} more were not tried, from {self.left[0]} on.", not_tried=self.left)

    def status(self) -> int:
        """The exit status of a command that has come to its end."""
        return exit_of_all(self.done, self.errors)

    def stopped(self, number: signal.Signals) -> int:
        """Say what a signal has left undone and how to go on, and return the exit status."""
        text = f"Stopped by {number.name}."
        if self.left:
            text += f" {self.done} done, {len(self.left)} not"
            text += "." if self.resume else f": run it again for those from {self.left[0]} on."
        if self.resume:
            text += f" To go on: {self.resume}"
        self.note(text, signal=number.name, done=self.done, not_tried=self.left, resume=self.resume)
        return 128 + number
