"""Exit statuses of the command line, a stable interface. Pure."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from wxasset.errors import (
    CredentialError,
    IPNotAllowedError,
    NotListedError,
    PermissionDeniedError,
    TokenRejectedError,
    TokenUnavailableError,
    UploadOutcomeUnknown,
    UsageError,
)
from wxasset.errors.consequence import Consequence, consequence

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
  0    success
  1    failure, or a check failed; the error gives the reason
  2    wrong usage; nothing was sent
  3    partial success: some items failed; each error names its item
  4    the outcome of an upload is unknown; check before sending it again
  5    credentials, IP allow-list or permissions are not right
  130  stopped by Ctrl-C (143: by SIGTERM); the message names the command to continue
"""
"""Text of `wxasset --help`."""

CLOSED_PIPE: Final = 128 + 13
"""Status after the reader of the output has exited (`| head`), as for a program ended by SIGPIPE (13)."""

_DENIED: Final = (
    CredentialError,
    IPNotAllowedError,
    NotListedError,
    PermissionDeniedError,
    TokenRejectedError,
    TokenUnavailableError,
)


def exit_of(error: BaseException) -> Exit:
    """Return the status of a command with a single error."""
    if isinstance(error, UploadOutcomeUnknown):
        return Exit.UNKNOWN
    if isinstance(error, _DENIED):
        return Exit.DENIED
    return Exit.USAGE if isinstance(error, UsageError) else Exit.FAILED


def exit_of_all(done: int, errors: Sequence[BaseException]) -> Exit:
    """Return the status of a command with several items.

    Args:
        done: The number of completed items.
        errors: The errors of the other items.
    """
    statuses = [exit_of(error) for error in errors]
    if not statuses:
        return Exit.OK
    if Exit.UNKNOWN in statuses:
        return Exit.UNKNOWN  # to be checked before any repetition
    return Exit.PARTLY if done else statuses[0]


def stops_command(error: BaseException) -> bool:
    """Return whether all remaining items would fail with the same error."""
    return consequence(error) is Consequence.STOP or isinstance(error, TokenUnavailableError | UsageError)
