"""The options that a session passes to its engine."""

import re
from typing import Any, Final

from wxasset.calls.base import Call
from wxasset.engine.retry import RetryPolicy
from wxasset.engine.uploads import UploadPolicy
from wxasset.errors import UsageError
from wxasset.instrumentation.hooks import Hooks
from wxasset.transfer.http import ClientSession, Timeouts
from wxasset.wire.limits import Limits
from wxasset.wire.url_policy import DownloadPolicy

__all__ = ["check_budget", "check_call", "check_from_appid", "check_http", "options"]

_APPID: Final = r"wx[0-9A-Za-z]{4,62}"
"""An appid; original ids (gh_...) are none. WeChat's have 18 characters; the length is not checked further."""
_KINDS: Final = {
    "retry": RetryPolicy,
    "timeouts": Timeouts,
    "limits": Limits,
    "downloads": DownloadPolicy,
    "uploads": UploadPolicy,
    "hooks": Hooks,
}


def check_http(http: object) -> None:
    """Raise `UsageError` unless it is a session of aiohttp or None."""
    if http is not None and not isinstance(http, ClientSession):
        what = f"the class {http.__name__}" if isinstance(http, type) else type(http).__name__
        raise UsageError(f"http= must be an aiohttp.ClientSession, not {what}.")


def check_from_appid(value: object, source: object) -> None:
    """Raise `UsageError` unless it is None, or an appid beside a token source without an account of its own."""
    if value is None:
        return
    if not isinstance(value, str) or re.fullmatch(_APPID, value) is None:
        raise UsageError(f"from_appid= must be an appid such as 'wx0123456789abcdef', not {value!r:.40}.")
    own = getattr(source, "authorizer_appid", None) or getattr(source, "appid", None)
    if own or getattr(source, "in_hosting", True) is False:
        raise UsageError(
            f"from_appid= has no effect with {type(source).__name__}, whose token names the account: it belongs to"
            " calls from WeChat cloud hosting, with NoToken() or CloudHostingToken()."
        )


def check_budget(budget: object) -> None:
    """Raise `UsageError` unless it is a budget or None."""
    if budget is None:
        return
    from wxasset.batch.budget import CallBudget  # noqa: PLC0415 - few sessions have a budget

    if not isinstance(budget, CallBudget):
        raise UsageError(f"budget= is a CallBudget; not {type(budget).__name__}.")


def check_call(call: object) -> None:
    """Raise `UsageError` unless it is an instance of a declared call."""
    if isinstance(call, type):
        raise UsageError(f"{call.__name__} is a class: pass an instance, {call.__name__}(...).")
    if not isinstance(call, Call):
        raise UsageError(f"The call must be an instance of a Call class, not {type(call).__name__}.")


def options(**given: object) -> dict[str, Any]:
    """Return the options for an engine, after a check of their types, before any upload begins.

    Raises:
        UsageError: An option has another type.
    """
    for name, kind in _KINDS.items():
        if not isinstance(given[name], kind):
            raise UsageError(f"{name}= is a {kind.__name__}; not {type(given[name]).__name__}.")
    return given
