"""Report results on stdout, errors and notes on stderr, and compute the exit status."""

import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

import anyio
from anyio.lowlevel import checkpoint
from attrs import define, field

from wxasset.cli.runtime import errors
from wxasset.cli.runtime.exit_codes import Exit, exit_of_all, stops_command
from wxasset.cli.runtime.output import Output
from wxasset.cli.runtime.prompts import counted, listing
from wxasset.errors import DestinationError, Hint, WxAssetError

__all__ = ["Record", "Report"]

T = TypeVar("T")
_NO_CHECK: Final = Hint("", "")
Record: TypeAlias = Mapping[str, object]
"""A result: stable keys, and JSON values."""


@define(kw_only=True)
class Report:
    """Results of a command so far.

    Attributes:
        out: Output of results.
        as_json: Whether results, errors and notes are JSON.
        quiet: Whether notes are left out, except for those after a signal.
        done: The number of completed items.
        errors: Errors so far.
        left: Items not done yet, in order.
        in_progress: Items sent, without an outcome so far.
        check: How to find out about items in progress whose outcome is not known in the end.
        resume: The command to continue after a signal; None to run the same command for the remaining items.
        ask_to_end: Function to end the work early after a signal; without it the work is cancelled.
    """

    out: Output
    as_json: bool
    quiet: bool = False
    done: int = 0
    errors: list[BaseException] = field(factory=list)
    left: list[str] = field(factory=list)
    in_progress: list[str] = field(factory=list)
    check: Hint = _NO_CHECK
    resume: str | None = None
    ask_to_end: Callable[[], None] | None = None

    @property
    def no_progress(self) -> bool:
        """True if no progress is shown."""
        return self.quiet or self.as_json

    def asked(self, number: signal.Signals) -> bool:
        """Announce the end after a signal, and return whether the work ends by itself."""
        if self.ask_to_end is not None:
            self.ask_to_end()
        if self.in_progress:
            what = counted(len(self.in_progress), "item")
            text = Hint(
                f"{number.name}: finishing {what} in progress. A second signal stops at once.",
                f"收到 {number.name}：正在完成进行中的 {len(self.in_progress)} 项。再次发送信号将立即停止。",
            )
            errors.note(text, as_json=self.as_json, signal=number.name, in_progress=self.in_progress)
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
        if not self.quiet:
            errors.note(text, as_json=self.as_json, **more)

    async def each(
        self, items: Iterable[T], act: Callable[[T], Awaitable[Record]], *, check: Hint | None = None
    ) -> None:
        """Process items one by one; an error ends the loop only if it would affect all remaining items.

        Args:
            items: The items.
            act: Function to process an item and return its result.
            check: How to find out about an interrupted item, if its outcome would be unknown; such an item is completed
                after a signal, unless there is a second one.
        """
        waiting = list(items)
        self.left = [str(item) for item in waiting]
        for item in waiting:
            before = len(self.errors)
            if check is not None:
                self.in_progress, self.check = [str(item)], check
            try:
                with anyio.CancelScope(shield=check is not None):
                    self.did(await act(item))
            except WxAssetError as error:
                if isinstance(error, DestinationError) and isinstance(error.__cause__, BrokenPipeError):
                    raise error.__cause__ from None  # stdout was the destination, and its reader has exited
                self.failed(error, str(item))
            self.left.pop(0)
            self.in_progress = []
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
        """Report what is done, what is not and what may have happened, and return the exit status."""
        unknown = list(self.in_progress)
        left = [item for item in self.left if item not in set(unknown)]
        errors.note(
            self._summary(number, left, unknown),
            as_json=self.as_json,
            signal=number.name,
            done=self.done,
            not_tried=left,
            unknown=unknown,
            resume=self.resume,
        )
        doubtful = bool(unknown) or self.status() == Exit.UNKNOWN
        return Exit.UNKNOWN if doubtful else 128 + number

    def _summary(self, number: signal.Signals, left: Sequence[str], unknown: Sequence[str]) -> Hint:
        text, text_zh = f"Stopped by {number.name}.", f"已被 {number.name} 中止。"
        if left or unknown:
            failed, failed_zh = (
                (f"{len(self.errors)} failed, ", f"失败 {len(self.errors)} 项，") if self.errors else ("", "")
            )
            text += f" {self.done} done, {failed}{len(left)} not done."
            text_zh += f"已完成 {self.done} 项，{failed_zh}未完成 {len(left)} 项。"
        if unknown:
            text += f" {len(unknown)} may have happened: {listing(unknown)}. {self.check.english}"
            text_zh += f"另有 {len(unknown)} 项可能已执行：{listing(unknown)}。{self.check.chinese}"
        if self.resume and (left or unknown):
            text, text_zh = f"{text} To continue: {self.resume}", f"{text_zh}继续请执行：{self.resume}"
        elif left:
            text += f" Run the command again for the items from {left[0]} on."
            text_zh += f"请从 {left[0]} 起重新执行。"
        return Hint(text, text_zh)
