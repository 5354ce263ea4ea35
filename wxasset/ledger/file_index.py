"""The index of this host's files, beside a store that is shared by hosts."""

import logging
import os
from pathlib import Path
from typing import Final

from wxasset.errors import LedgerError
from wxasset.ledger.sqlite_store import SqliteStore
from wxasset.transfer.private_files import UnsafeFileError, make_private_directory
from wxasset.transfer.threads import run_in_thread

__all__ = ["open_index"]

_log: Final = logging.getLogger("wxasset.ledger")


async def open_index(path: str | None) -> SqliteStore | None:
    """Open the index of this host's files; None if the default one cannot be opened."""
    if path is not None:
        index = SqliteStore(path)
        await index.open()
        return index
    try:
        directory = await run_in_thread(_cache_directory)
        index = SqliteStore(directory / "files.db")
        await index.open()
    except (LedgerError, OSError, RuntimeError, UnsafeFileError) as error:
        _log.warning("Files are read again in each run: %s", error)
        return None
    return index


def _cache_directory() -> Path:
    """Return the cache directory of this user, by the XDG specification."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    parent = Path(base) if base.startswith("/") else Path.home() / ".cache"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = parent / "wxasset"
    make_private_directory(directory)
    return directory
