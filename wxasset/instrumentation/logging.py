"""Log events under ``wxasset.engine`` and ``wxasset.tokens``; silent until logging is configured. Pure.

======== =====================================================================================================
DEBUG    each attempt, as it ends
INFO     another attempt will be made; a token was fetched, or could not be; a lost upload was found
WARNING  an upload's reply was lost; it was not found, so that its outcome is unknown; a token was refused; a store or
         a renewal fails
ERROR    a hook failed (``wxasset.hooks``)
======== =====================================================================================================

What the text says is also in attributes of the record, for formatters that write JSON. Which it has depends on what it
is about: ``wx_operation``, ``wx_path``, ``wx_attempt``, ``wx_outcome``, ``wx_error`` (the class), ``wx_errcode``,
``wx_rid``, ``wx_status``, ``wx_reason``, ``wx_wait``, ``wx_duration`` (both seconds), ``wx_sent``, ``wx_received``
(both bytes), ``wx_finding``, ``wx_candidates``, ``wx_source``, ``wx_expires_in`` (seconds), ``wx_shared``.
"""

import logging
from typing import Final

from wxasset.instrumentation.events import (
    AttemptEnded,
    Event,
    ReplyLost,
    Retrying,
    Searched,
    TokenFetched,
    TokenFetchFailed,
    TokenRefused,
)
from wxasset.instrumentation.hooks import Hooks

__all__ = ["tell"]

ENGINE: Final = logging.getLogger("wxasset.engine")
_TOKENS: Final = logging.getLogger("wxasset.tokens")


def tell(event: Event, hooks: Hooks) -> None:
    """Log an event, and tell the hooks of it."""
    match event:
        case AttemptEnded():
            _log_attempt(event)
        case Retrying() | ReplyLost() | Searched():
            _log_decision(event)
        case TokenRefused() | TokenFetched() | TokenFetchFailed():
            _log_token(event)
        case _:
            pass
    hooks.tell(event)


def _log_attempt(event: AttemptEnded) -> None:
    if not ENGINE.isEnabledFor(logging.DEBUG):
        return
    said = f": {event.message}" if event.error is not None else ""
    ENGINE.debug(
        "%s attempt %d %s after %.3f s, %d bytes sent, %d received%s",
        *(event.operation.path, event.number, event.outcome, event.duration, event.sent, event.received, said),
        extra={
            **_about(event),
            "wx_attempt": event.number,
            "wx_outcome": event.outcome,
            "wx_status": event.status,
            "wx_duration": event.duration,
            "wx_sent": event.sent,
            "wx_received": event.received,
        },
    )


def _log_decision(event: Retrying | ReplyLost | Searched) -> None:
    path = event.operation.path
    more: dict[str, object]
    match event:
        case Retrying(number=number, wait=wait, reason=reason):
            more = {"wx_attempt": number, "wx_wait": wait, "wx_reason": reason}
            arguments = (path, number, reason, wait, event.message)
            if ENGINE.isEnabledFor(logging.INFO):
                text = "%s attempt %d failed (%s), the next one is in %.3g s: %s"
                ENGINE.info(text, *arguments, extra=_about(event) | more)
        case Searched(finding=finding, candidates=candidates, duration=duration):
            more = {"wx_finding": finding, "wx_candidates": candidates, "wx_duration": duration}
            level = logging.INFO if finding == "found" else logging.WARNING
            if ENGINE.isEnabledFor(level):
                text = "the upload to %s, whose reply was lost, is %s in the library (%d candidates, %.3f s)"
                ENGINE.log(level, text, path, finding, candidates, duration, extra=_about(event) | more)
        case ReplyLost():
            text = "the reply to the upload to %s was lost, so that it may have happened: %s"
            ENGINE.warning(text, path, event.message, extra=_about(event))


def _log_token(event: TokenRefused | TokenFetched | TokenFetchFailed) -> None:
    match event:
        case TokenRefused(operation=operation):
            text = "the access token was refused: %s"
            _TOKENS.warning(text, event.message or operation.path, extra=_about(event))
        case TokenFetched(fetch=fetch, expires_in=expires_in, shared=shared, duration=duration):
            more = {"wx_expires_in": expires_in, "wx_shared": shared, "wx_duration": duration}
            if _TOKENS.isEnabledFor(logging.INFO):
                text = "an access token from %s, good for %.0f s, came after %.3f s"
                origin = "the store" if shared else fetch.source
                _TOKENS.info(text, origin, expires_in, duration, extra=_about(event) | more)
        case TokenFetchFailed(fetch=fetch, duration=duration):
            if _TOKENS.isEnabledFor(logging.INFO):
                text = "no access token could be had from %s: %s"
                _TOKENS.info(text, fetch.source, event.message, extra=_about(event) | {"wx_duration": duration})


def _about(event: Event) -> dict[str, object]:
    """Describe the subject of an event, and its failure."""
    about: dict[str, object] = {}
    operation, fetch = getattr(event, "operation", None), getattr(event, "fetch", None)
    if operation is not None:
        about |= {"wx_operation": operation.name, "wx_path": operation.path}
    if fetch is not None:
        about |= {"wx_source": fetch.source}
    error = getattr(event, "error", None)
    if error is not None:
        about |= {"wx_error": type(error).__name__}
    if getattr(event, "errcode", None) is not None:
        about |= {"wx_errcode": getattr(event, "errcode", None), "wx_rid": getattr(event, "rid", None)}
    return about
