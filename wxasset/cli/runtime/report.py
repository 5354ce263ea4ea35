"""Report results on stdout, errors and notes on stderr, and compute the exit status."""

import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias, TypeVar

import anyio
from anyio.lowlevel import checkpoint
from attrs import define, field

from wxasset.cli.runtime import errors
from wxasset.cli.runtime.exit_codes import exit_of_all, stops_command
from wxasset.cli.runtime.output import Output
from wxasset.errors import DestinationError, Hint, WxAssetError

__all__ = ["Record", "Report"]

T = TypeVar("T")
Record: TypeAlias = Mapping[str, object]
"""A result: stable keys, and JSON values."""


@define(kw_only=True)
class Report:
    """Results of a command so far.

    Attributes:
        out: Output of results.
        as_json: Whether results, errors and notes are JSON.
        done: The number of completed items.
        errors: Errors so far.
        left: Items not tried yet, in order.
        resume: The command to continue after a signal; None to run the same command for the remaining items.
        ask_to_end: Function to end the work early after a signal; without it the work is cancelled.
    """

    out: Output
    as_json: bool
    done: int = 0
    errors: list[BaseException] = field(factory=list)
    left: list[str] = field(factory=list)
    resume: str | None = None
    ask_to_end: Callable[[], None] | None = None

    def asked(self) -> bool:
        """Ask the work to end early, and return whether it supports this."""
        if self.ask_to_end is not None:
            self.ask_to_end()
        return self.ask_to_end is not None

    def did(self, record: Record) -> None:
        """Count a completed item, and show its result."""
        self.done += 1
        self.out.add(record)

    def failed(self, error: BaseException, item: str | None = None) -> None:
        """Record an error, and show it."""
        self.errors.append(error)
        errors.tell(error, as_json=self.as_json, item=item)

    def note(self, text: Hint | str, **more: object) -> None:
        """Show a note; `more` are further keys of the JSON object."""
        errors.note(text, as_json=self.as_json, **more)

    async def each(self, items: Iterable[T], act: Callable[[T], Awaitable[Record]], *, whole: bool = False) -> None:
        """Process items one by one; an error ends the loop only if it would affect all remaining items.

        Args:
            items: The items.
            act: Function to process an item and return its result.
            whole: Whether an item in progress is completed after a signal, because its outcome would be unknown.
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
                    raise error.__cause__ from None  # stdout was the destination, and its reader has exited
                self.failed(error, str(item))
            self.left.pop(0)
            if len(self.errors) > before and stops_command(self.errors[-1]):
                break
            await checkpoint()
        if self.left:
            number, first = len(self.left), self.left[0]
            text = Hint(
                f"{number} more were not tried, starting with {first}.", f"从 {first} 起还有 {number} 项未尝试。"
            )
            self.note(text, not_tried=self.left)

    def status(self) -> int:
        """Return the exit status of a completed command."""
        return exit_of_all(self.done, self.errors)

    def stopped(self, number: signal.Signals) -> int:
        """Report the items left by a signal and the command to continue, and return the exit status."""
        text, text_zh = f"Stopped by {number.name}.", f"已被 {number.name} 中止。"
        if self.left:
            text += f" {self.done} done, {len(self.left)} not done."
            text_zh += f"已完成 {self.done} 项，未完成 {len(self.left)} 项。"
        if self.left and not self.resume:
            text += f" Run the command again for the items from {self.left[0]} on."
            text_zh += f"请从 {self.left[0]} 起重新执行。"
        if self.resume:
            text, text_zh = f"{text} To continue: {self.resume}", f"{text_zh}继续请执行：{self.resume}"
        self.note(Hint(text, text_zh), signal=number.name, done=self.done, not_tried=self.left, resume=self.resume)
        return 128 + number
