"""The exit statuses of the command line: few, and they stay what they are. Pure."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from wxasset.errors import (
    CredentialError,
    IPNotAllowedError,
    PermissionDeniedError,
    TokenRejectedError,
    TokenUnavailableError,
    UploadOutcomeUnknown,
    UsageError,
)
from wxasset.errors.classify import stops_everything

__all__ = ["CLOSED_PIPE", "EXIT_CODES", "Exit", "exit_of", "exit_of_all", "stops_command"]


class Exit(IntEnum):
    """Exit status of a command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3
    UNKNOWN = 4
    DENIED = 5


EXIT_CODES: Final = """Exit status:
  0    everything was done
  1    nothing was done, or a check failed; the error says why
  2    the command itself is wrong; nothing was sent
  3    some items were done and some were not; each error names its item
  4    an upload may or may not have happened; look before it is sent again
  5    credentials, address list or permissions are not right
  130  stopped by Ctrl-C (143: by SIGTERM); the message says how to go on
"""
"""As `wxasset --help` shows them."""

CLOSED_PIPE: Final = 128 + 13
"""Nobody reads the output any more (`| head`): what a program that SIGPIPE (13) ended is known by."""

_DENIED: Final = (CredentialError, IPNotAllowedError, PermissionDeniedError, TokenRejectedError, TokenUnavailableError)


def exit_of(error: BaseException) -> Exit:
    """The status of a command that ended with this error alone."""
    if isinstance(error, UploadOutcomeUnknown):
        return Exit.UNKNOWN
    if isinstance(error, _DENIED):
        return Exit.DENIED
    return Exit.USAGE if isinstance(error, UsageError) else Exit.FAILED


def exit_of_all(done: int, errors: Sequence[BaseException]) -> Exit:
    """The status of a command over several items.

    Args:
        done: How many items were done.
        errors: What went wrong with others.
    """
    statuses = [exit_of(error) for error in errors]
    if not statuses:
        return Exit.OK
    if Exit.UNKNOWN in statuses:
        return Exit.UNKNOWN  # the one that must be looked at before anything is repeated
    return Exit.PARTLY if done else statuses[0]


def stops_command(error: BaseException) -> bool:
    """Tell whether the items after this one would meet the same error."""
    return stops_everything(error) or isinstance(error, TokenUnavailableError | UsageError)
