"""Refused files: a ledger remembers the refusal, and raises its error instead of a request. Pure."""

from wxasset.errors import APIError
from wxasset.errors.consequence import Consequence, consequence
from wxasset.ledger.records import LedgerRow
from wxasset.wire.error_replies import api_error

__all__ = ["refusal_code", "remembered_refusal"]


def refusal_code(error: BaseException) -> int | None:
    """Return WeChat's code if it refused this very file, and would refuse it again."""
    if isinstance(error, APIError) and consequence(error) is Consequence.REFUSED:
        return error.errcode
    return None


def remembered_refusal(row: LedgerRow, path: str) -> APIError:
    """Return the error of a refused upload again; it says how to send the file nevertheless.

    Args:
        row: The record of the upload.
        path: The path of the call.
    """
    code, message = row.errcode or 0, row.error or ""
    text = message.removeprefix(f"{path} answered {code}: ").removesuffix(".").partition(" (rid ")[0]
    error = api_error(code, text, path)
    error.message = (
        f"{message} The ledger remembers this refusal, and {row.filename} was not sent again: change the file, or pass"
        " retry_refused=True (--retry-refused on the command line)."
    )
    return error
