"""Run a command: find the account, open a session, do the work, return the exit status."""

import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, TypeAlias

from attrs import frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from wxasset import WxSession
from wxasset.cli.runtime import errors
from wxasset.cli.runtime.credentials import Connection, Credentials, find_credentials, open_session
from wxasset.cli.runtime.output import Output
from wxasset.cli.runtime.progress import spinner
from wxasset.cli.runtime.report import Report
from wxasset.cli.runtime.signals import run_in_event_loop
from wxasset.errors import WxAssetError

__all__ = ["FLAG", "Options", "Work", "noted", "perform", "run_report"]

Work: TypeAlias = Callable[[WxSession, Report], Awaitable[None]]
FLAG = Parameter(negative="", show_default=False)
"""Parameter of options without a value."""


@Parameter(name="*", group=Group("Options of every command", sort_key=100))
@frozen(kw_only=True)
class Options:
    """Options of every command."""

    account: Annotated[str | None, Parameter(help="Name of an account: a table of the credentials file.")] = None
    proxy: Annotated[
        str | None,
        Parameter(help="HTTP proxy, such as http://host:3128, or none; by default that of HTTPS_PROXY."),
    ] = None
    timeout: Annotated[
        float | None,
        Parameter(
            validator=Number(gt=0), help="Seconds for each call and its retries; the time of its bytes is added."
        ),
    ] = None
    json: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Write JSON, one object a line, also for errors and notes."),
    ] = False
    quiet: Annotated[
        bool,
        Parameter(name=["--quiet", "-q"], negative="", show_default=False, help="Show no notes and no progress."),
    ] = False
    verbose: Annotated[
        bool,
        Parameter(name=["--verbose", "-v"], negative="", show_default=False, help="Show each request on stderr."),
    ] = False

    def credentials(self) -> Credentials:
        """Find the account to work for, with the settings of these options.

        Raises:
            UsageError: The credentials file has no such account, or an address is invalid.
            TokenUnavailableError: Credentials are missing or incomplete, or their file is unsafe.
        """
        return find_credentials(os.environ, self.account, self.connection)

    @property
    def connection(self) -> Connection:
        """The settings of the network."""
        return Connection(proxy=self.proxy, timeout=self.timeout)


class _Notes(logging.Handler):
    """Log handler showing the library's warnings, or all it logs, as notes, in JSON if requested."""

    def __init__(self, *, as_json: bool, verbose: bool) -> None:
        super().__init__(logging.DEBUG if verbose else logging.WARNING)
        self._json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        errors.note(record.getMessage(), as_json=self._json)


@contextmanager
def noted(options: Options) -> Iterator[None]:
    """Show the library's log as notes, as far as the options of a command ask for it."""
    if options.quiet:
        yield
        return
    handler = _Notes(as_json=options.json, verbose=options.verbose)
    logger = logging.getLogger("wxasset")
    level = logger.level
    logger.addHandler(handler)
    if options.verbose:
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def run_report(
    options: Options, columns: Sequence[str] | None, work: Callable[[Report], Awaitable[None]], *, shorten: bool = False
) -> int:
    """Run work with a report, and return the exit status.

    Args:
        options: Options of the command.
        columns: Keys of results to show as columns; None to show no results.
        work: The work; its exceptions are reported as errors of the whole command.
        shorten: Whether ids may be shortened on a terminal.
    """
    with noted(options), Output(columns, as_json=options.json, shorten=shorten) as out:
        report = Report(out=out, as_json=options.json, quiet=options.quiet)

        async def told() -> None:
            with spinner(quiet=report.no_progress):
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


def perform(options: Options, columns: Sequence[str] | None, work: Work, *, shorten: bool = False) -> int:
    """Run work in a session of the selected account, and return the exit status, as `run_report` does.

    Raises:
        WxAssetError: No usable credentials were found; nothing was sent.
    """
    credentials = options.credentials()

    async def in_session(report: Report) -> None:
        async with open_session(credentials) as wx:
            await work(wx, report)

    return run_report(options, columns, in_session, shorten=shorten)
