"""Find the ledger of a command: given, of the working directory, or of the account."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from attrs import field, frozen

from wxasset.cli.runtime.inputs import FileName
from wxasset.cli.runtime.report import Report
from wxasset.errors import Hint, LedgerError, UsageError
from wxasset.transfer.private_files import UnsafeFileError, make_private_directory
from wxasset.wire.filenames import safe_name

if TYPE_CHECKING:
    from wxasset import Ledger

__all__ = ["LEDGER", "LedgerOption", "LedgerPlace", "find_ledger", "given_ledger"]

LEDGER: Final = "wxasset-ledger.db"
"""Name of a ledger in the working directory, where earlier versions kept it."""
LedgerOption: TypeAlias = FileName | None
"""Value of --ledger; a path or an address."""
_POSTGRES: Final = ("postgresql://", "postgres://")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_SECRETS: Final = frozenset({"password", "sslpassword"})
_ELSEWHERE: Final = Hint("Name another ledger: --ledger FILE.", "请用 --ledger FILE 指定其他台账。")
_NONE: Final = Hint(
    "wxasset batch creates it, and wxasset ledger adopt fills it from the library. --ledger names another one.",
    "wxasset batch 会创建台账，wxasset ledger adopt 会用素材库的内容填充台账；也可用 --ledger 指定其他台账。",
)


@frozen(kw_only=True)
class LedgerPlace:
    """The place of a ledger.

    Attributes:
        name: The path, or the server; without user and password.
        argument: Value of --ledger in a command to continue; None where the command finds it by itself.
        dsn: The address of a database; None for a file.
        found: True if it is in the working directory, and was not asked for.
        own: True if it is that of the account, whose directory is created.
    """

    name: str
    argument: str | None = None
    dsn: str | None = field(default=None, repr=False)
    found: bool = False
    own: bool = False

    def ledger(self) -> "Ledger":
        """Return the ledger, to be opened.

        Raises:
            UsageError: The extra for it is missing, or the address is invalid.
            LedgerError: The directory for it cannot be created.
        """
        from wxasset import Ledger, PostgresStore  # noqa: PLC0415 - it imports SQLite, unused by other commands

        if self.dsn is not None:
            return Ledger(PostgresStore(self.dsn))
        if self.own:
            _make_directory(Path(self.name).parent)
        return Ledger(self.name)

    def existing(self) -> "Ledger":
        """Return a ledger that is there already.

        Raises:
            LedgerError: The file does not exist.
        """
        if self.dsn is None and not Path(self.name).exists():
            raise LedgerError(f"There is no ledger {self.name}.", _NONE)
        return self.ledger()

    def tell(self, report: Report) -> None:
        """Note that the ledger of the working directory is used."""
        if self.found:
            report.note(
                Hint(
                    f"Using the ledger {self.name} of this directory, and not that of the account.",
                    f"正在使用当前目录的台账 {self.name}，而不是该账号的台账。",
                ),
                ledger=self.name,
            )


def _make_directory(directory: Path) -> None:
    """Create the directory of the accounts' ledgers, for this user alone.

    Raises:
        LedgerError: It cannot be created, or other users own it or have access to it.
    """
    try:
        directory.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private_directory(directory.parent)
        make_private_directory(directory)
    except UnsafeFileError as error:
        raise LedgerError(f"The directory {directory} is not used: {error}.", error.remedy) from error
    except OSError as error:
        raise LedgerError(f"{directory} cannot be created: {error.strerror or error}.", _ELSEWHERE) from error


def given_ledger(given: FileName) -> LedgerPlace:
    """Return the place that --ledger names.

    Raises:
        UsageError: It is neither a file nor the address of a PostgreSQL database, or has a password in it.
    """
    text = str(given)
    if text.startswith(_POSTGRES):
        return LedgerPlace(name=f"PostgreSQL at {_checked(text)}", argument="postgresql://...", dsn=text)
    if not text or text == ":memory:" or text.startswith("file:") or _SCHEME.match(text):
        raise UsageError("--ledger must be the path of a file, or an address such as postgresql://user@host/database.")
    return LedgerPlace(name=text, argument=str(Path(text).absolute()))


def _checked(dsn: str) -> str:
    """Return the server of a DSN; refuse a password, which other users see in the list of processes."""
    try:
        parts = urlsplit(dsn)
        host, secret = parts.hostname, parts.password is not None or _SECRETS & parse_qs(parts.query).keys()
        port = parts.port
    except ValueError:
        raise UsageError(
            "The address of --ledger is invalid: write it as postgresql://user@host:5432/database."
        ) from None
    if secret:
        raise UsageError(
            "The address of --ledger must not have a password, which other users of this host can see: set PGPASSWORD,"
            " or write it into ~/.pgpass."
        )
    return f"{host or 'the host of PGHOST'}{f':{port}' if port else ''}"


def find_ledger(given: LedgerOption, environ: Mapping[str, str], appid: str) -> LedgerPlace:
    """Return the place of a command's ledger: given, in the working directory, or of the account.

    Args:
        given: The value of --ledger.
        environ: The environment variables.
        appid: The account.

    Raises:
        UsageError: The value is invalid.
    """
    if given is not None:
        return given_ledger(given)
    if Path(LEDGER).exists():
        return LedgerPlace(name=LEDGER, argument=str(Path(LEDGER).absolute()), found=True)
    name = f"{safe_name(appid, 'account')}.db"
    return LedgerPlace(name=str(_state_directory(environ) / "wxasset" / "ledgers" / name), own=True)


def _state_directory(environ: Mapping[str, str]) -> Path:
    """Return the directory of this user's state, by the XDG specification: a relative path in it is ignored."""
    base = environ.get("XDG_STATE_HOME", "")
    try:
        return Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        raise UsageError("This user has no home directory for a ledger: pass --ledger FILE.") from None
