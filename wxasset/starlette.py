"""Starlette and FastAPI; defined in `wxasset.integrations.starlette`."""

from wxasset.integrations.starlette import (
    Account,
    AuthorizationChange,
    MaterialCache,
    MaterialResponse,
    PlatformEvents,
    PushedTicket,
    answer_error,
    lifespan,
    platform_events,
    session,
    upload,
    uploaded,
)

__all__ = [
    "Account",
    "AuthorizationChange",
    "MaterialCache",
    "MaterialResponse",
    "PlatformEvents",
    "PushedTicket",
    "answer_error",
    "lifespan",
    "platform_events",
    "session",
    "upload",
    "uploaded",
]
