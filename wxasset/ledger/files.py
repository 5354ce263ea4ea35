"""The files of a ledger in SQLite, of one user alone. All functions block."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from wxasset.errors import LedgerError
from wxasset.transfer.private_files import CREATE, check_private, open_private

__all__ = ["check_files", "connect"]

_COMPANIONS: Final = ("-wal", "-shm", "-journal")  # SQLite takes what it finds in them for its own


def connect(path: str, timeout: float) -> sqlite3.Connection:
    """Open a ledger, or create it with mode 0600; SQLite gives its companion files the same mode.

    An existing file is opened by SQLite alone: closing it would release the SQLite locks of another ledger in this
    process.

    Raises:
        UnsafeFileError: A file is not a regular file, or other users own it or have access to it.
        LedgerError: The file was replaced meanwhile.
        OSError: The file cannot be created.
    """
    with suppress(FileExistsError):
        os.close(open_private(Path(path), CREATE))
    found = check_files(path)
    base = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        # SQLite has read nothing yet.
        same = os.path.samestat(found, check_files(path))
    except BaseException:
        base.close()
        raise
    if same:
        return base
    base.close()
    raise LedgerError(f"The ledger {path} was replaced while it was opened.")


def check_files(path: str) -> os.stat_result:
    """Check that a ledger, and the files of SQLite beside it, belong to this user alone; return its status.

    Raises:
        UnsafeFileError: One is not a regular file, or other users own it or have access to it.
        OSError: The ledger does not exist.
    """
    for suffix in _COMPANIONS:
        with suppress(FileNotFoundError):
            check_private(Path(path + suffix))
    return check_private(Path(path))
