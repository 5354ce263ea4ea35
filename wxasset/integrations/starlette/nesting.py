"""Nested applications and lifespans, as Starlette and FastAPI represent them."""

import inspect
from collections.abc import Iterator
from typing import Any

from starlette.types import Scope

__all__ = ["is_default", "is_mounted", "lifespan_of", "unmerged"]


def is_mounted(scope: Scope) -> bool:
    """Return whether a request is for a mounted application."""
    return "app_root_path" in scope  # set by Mount


def lifespan_of(app: Any) -> Any:
    """Return the lifespan of an application; None if it has no router."""
    return getattr(getattr(app, "router", None), "lifespan_context", None)


def is_default(lifespan: Any) -> bool:
    """Return whether a lifespan is that of an application without one: an object of a private class."""
    return "DefaultLifespan" in type(lifespan).__name__


def unmerged(lifespan: Any) -> Iterator[Any]:
    """Yield the parts of a lifespan; FastAPI merges those of routers into a function (include_router)."""
    if lifespan is None:
        return
    function = inspect.unwrap(lifespan) if inspect.isfunction(lifespan) else None
    if function is None or function.__name__ != "merged_lifespan":
        yield lifespan
        return
    for cell in function.__closure__ or ():
        yield from unmerged(cell.cell_contents)
