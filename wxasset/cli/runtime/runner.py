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
"""For an option that is there or is not."""


@Parameter(name="*")
@frozen(kw_only=True)
class Options:
    """Options of every command."""

    account: Annotated[str | None, Parameter(help="An account of the credentials file, by its name there.")] = None
    json: Annotated[
        bool, Parameter(negative="", show_default=False, help="Write JSON: one object a line, errors and notes too.")
    ] = False


class _Notes(logging.Handler):
    """Passes the library's warnings on: as they are, they would be lines among JSON."""

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
    """Do work that tells what it does, and return the exit status.

    Args:
        options: What the command was given.
        columns: The keys of its results that are shown where they are no JSON; None where stdout is for something
            else, and no result is shown.
        work: Does it; an error that it raises is told as one of the whole command.
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
    """Do the work of a command in a session of its account, and return the exit status.

    Raises:
        WxAssetError: There are no credentials to begin with; nothing was sent.
    """
    credentials = find_credentials(os.environ, options.account)

    async def in_session(report: Report) -> None:
        async with open_session(credentials) as wx:
            await work(wx, report)

    return run_report(options, columns, in_session)
