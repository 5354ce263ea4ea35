"""Run a command: find the account, open a session, do the work, return the exit status."""

import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, TypeAlias

from attrs import frozen
from cyclopts import Parameter

from wxasset import WxSession
from wxasset.cli.runtime import errors
from wxasset.cli.runtime.credentials import find_credentials, open_session
from wxasset.cli.runtime.output import Output
from wxasset.cli.runtime.report import Report
from wxasset.cli.runtime.signals import run_in_event_loop
from wxasset.errors import WxAssetError

__all__ = ["FLAG", "Options", "Work", "perform", "run_report"]

Work: TypeAlias = Callable[[WxSession, Report], Awaitable[None]]
FLAG = Parameter(negative="", show_default=False)
"""Parameter of options without a value."""


@Parameter(name="*")
@frozen(kw_only=True)
class Options:
    """Options of every command."""

    account: Annotated[str | None, Parameter(help="Name of an account in the credentials file.")] = None
    json: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Write JSON, one object a line, also for errors and notes."),
    ] = False


class _Notes(logging.Handler):
    """Log handler showing the library's warnings as notes, in JSON if requested."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(logging.WARNING)
        self._json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        errors.note(record.getMessage(), as_json=self._json)


@contextmanager
def _noted(*, as_json: bool) -> Iterator[None]:
    handler = _Notes(as_json=as_json)
    logger = logging.getLogger("wxasset")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def run_report(options: Options, columns: Sequence[str] | None, work: Callable[[Report], Awaitable[None]]) -> int:
    """Run work with a report, and return the exit status.

    Args:
        options: Options of the command.
        columns: Keys of results to show as columns; None to show no results.
        work: The work; its exceptions are reported as errors of the whole command.
    """
    with _noted(as_json=options.json), Output(columns, as_json=options.json) as out:
        report = Report(out=out, as_json=options.json)

        async def told() -> None:
            try:
                await work(report)
            except WxAssetError as error:
                report.failed(error)

        stopped: signal.Signals | None
        try:
            stopped = run_in_event_loop(told, report.asked)
        except KeyboardInterrupt:  # the second one
            stopped = signal.SIGINT
    return report.status() if stopped is None else report.stopped(stopped)


def perform(options: Options, columns: Sequence[str] | None, work: Work) -> int:
    """Run work in a session of the selected account, and return the exit status.

    Raises:
        WxAssetError: No usable credentials were found; nothing was sent.
    """
    credentials = find_credentials(os.environ, options.account)

    async def in_session(report: Report) -> None:
        async with open_session(credentials) as wx:
            await work(wx, report)

    return run_report(options, columns, in_session)
