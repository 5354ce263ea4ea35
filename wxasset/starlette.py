"""Starlette and FastAPI; defined in `wxasset.integrations.starlette`."""

from wxasset.integrations.starlette import (
    MaterialResponse,
    answer_error,
    lifespan,
    session,
)

__all__ = ["MaterialResponse", "answer_error", "lifespan", "session"]
