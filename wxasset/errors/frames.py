"""Keep arguments out of the frames of an error, since crash reporters capture the variables of each frame. Pure."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["concealed", "conceals_arguments"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def concealed(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function whose errors are raised from a single frame, which holds none of its arguments.

    Frames below the function and the causes of the error are dropped: they may hold the arguments as well.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - it is raised below
            raised = error.with_traceback(None)
        del args, kwargs
        raised.__cause__ = raised.__context__ = None
        try:
            raise raised
        finally:
            del raised  # an error that refers to itself is collected late

    return wrapper


def conceals_arguments(cls: type[T]) -> type[T]:
    """Conceal the arguments of a constructor: a class decorator, above those of attrs."""
    cls.__init__ = concealed(cls.__init__)  # type: ignore[method-assign]
    return cls
