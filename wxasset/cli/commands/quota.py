"""Command `wxasset quota`: usage of the library and of the daily API quotas."""

import sys
from collections.abc import Sequence
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from wxasset import WxSession
from wxasset.cli.runtime.console import output_console
from wxasset.cli.runtime.language import localized
from wxasset.cli.runtime.output import is_terminal
from wxasset.cli.runtime.report import Report
from wxasset.cli.runtime.runner import Options, perform
from wxasset.cli.runtime.usage import Usage, bar, library_usage, query_quotas
from wxasset.errors import APIError, Hint

__all__ = ["quota_command"]

_COLUMNS: Final = ("kind", "name", "used", "limit", "left")
_WIDE: Final = 80  # columns of the whole table
_PREFIX: Final = "/cgi-bin/"
_UNTOLD: Final = frozenset({76021, 76022})  # WeChat reports no quota for such a path (wire reference 1.4)


def quota_command(*, options: Options = Options()) -> int:  # noqa: B008 - frozen
    """Show the usage of the library, and the remaining calls of each API for today.

    Quotas are reset at midnight in Beijing. One call is made for the library and one for each API. JSON keys: kind
    (library, calls), name, used, limit, left; the last two are null if WeChat reports no limit.

    Args:
        options: Options of every command.
    """

    async def work(wx: WxSession, report: Report) -> None:
        show = _Show(report, as_table=not options.json and is_terminal(sys.stdout))
        try:
            count = await wx.count_materials()
        except APIError as error:  # a mini program has quotas but no library
            report.failed(error, "library")
        else:
            for usage in library_usage(count):
                show.add("library", usage)
        usages, refused = await query_quotas(wx)
        for usage in usages:
            show.add("calls", usage)
        for path, why in refused.items():
            if not (isinstance(why, APIError) and why.errcode in _UNTOLD):
                report.failed(why, path)
        show.end()

    return perform(options, _COLUMNS, work)


class _Show:
    """Display of usages: a table with bars, or one record each."""

    def __init__(self, report: Report, *, as_table: bool) -> None:
        self._report = report
        self._console = output_console() if as_table else None
        self._usages: list[Usage] = []

    def add(self, kind: str, usage: Usage) -> None:
        if self._console is None:
            self._report.did(usage.record(kind))
            return
        self._report.done += 1
        self._usages.append(usage)

    def end(self) -> None:
        if self._console is not None:
            self._console.print(_table(self._usages, narrow=self._console.width < _WIDE))


def _table(usages: Sequence[Usage], *, narrow: bool) -> Table:
    """Return a table; a narrow one has only names, what is left, and shares."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column(localized(Hint("name", "名称")), overflow="fold")
    numbers = (Hint("used", "已用"), Hint("limit", "上限"), Hint("left", "剩余"))
    for heading in numbers[2:] if narrow else numbers:
        table.add_column(localized(heading), justify="right", no_wrap=True)
    table.add_column(localized(Hint("used", "已用")) if narrow else "", justify="right", no_wrap=True)
    for usage in usages:
        table.add_row(*_cells(usage, narrow=narrow))
    return table


def _cells(usage: Usage, *, narrow: bool) -> tuple[Text, ...]:
    name, used = Text(usage.name.removeprefix(_PREFIX) if narrow else usage.name), Text(f"{usage.used:,}")
    if usage.share is None:
        none = Text(localized(Hint("no limit", "无上限")), style="dim")
        return (name, Text("-"), used) if narrow else (name, used, Text("-"), Text("-"), none)
    style = "bold red" if usage.is_spent else "yellow" if usage.is_nearly_spent else "green"
    share, left = f"{usage.share:4.0%}", Text(f"{usage.left:,}")
    if narrow:
        return name, left, Text(share, style=style)
    plain = (sys.stdout.encoding or "").lower().replace("-", "") not in {"utf8", "gb18030", "gbk"}
    return name, used, Text(f"{usage.limit:,}"), left, Text(f"{bar(usage.share, plain=plain)} {share}", style=style)
