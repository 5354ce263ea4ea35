"""Messages of the service's own table of error codes, English if it has an English one, else Chinese."""

import csv
import pkgutil

__all__ = ["official_text"]


def _read() -> dict[int, str]:
    lines = (pkgutil.get_data(__name__, "errcodes.csv") or b"").decode().splitlines()
    return {int(row["code"]): row["text"] for row in csv.DictReader(lines)}


_TEXTS = _read()


def official_text(errcode: int) -> str | None:
    """Return the message of an error code, or None for an unknown one."""
    return _TEXTS.get(errcode)
