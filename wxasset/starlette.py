"""Starlette and FastAPI; defined in `wxasset.integrations.starlette`."""

from wxasset.integrations.starlette import (
    Account,
    MaterialCache,
    MaterialResponse,
    answer_error,
    lifespan,
    session,
    upload,
)

__all__ = ["Account", "MaterialCache", "MaterialResponse", "answer_error", "lifespan", "session", "upload"]
