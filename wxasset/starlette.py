"""Starlette and FastAPI; defined in `wxasset.integrations.starlette`."""

from wxasset.integrations.starlette import (
    AuthorizationChange,
    MaterialResponse,
    PlatformEvents,
    PushedTicket,
    answer_error,
    lifespan,
    platform_events,
    session,
)

__all__ = [
    "AuthorizationChange",
    "MaterialResponse",
    "PlatformEvents",
    "PushedTicket",
    "answer_error",
    "lifespan",
    "platform_events",
    "session",
]
