"""Reflow help texts to the width of the terminal."""

from collections.abc import Callable
from inspect import cleandoc
from typing import Any, TypeVar

__all__ = ["epilogue", "flowing", "helped"]

C = TypeVar("C", bound=Callable[..., Any])


def helped(command: C) -> C:
    """Reflow the docstring of a command, its help text."""
    if command.__doc__:  # `python -OO` has none
        command.__doc__ = flowing(command.__doc__)
    return command


def epilogue(example: str) -> str:
    """Return the end of a help text: an example without the name of the program, and where the rest is."""
    return f"Example: wxasset {example.rstrip()}\n\nExit statuses and environment variables: wxasset --help"


def flowing(text: str) -> str:
    """Join the lines of each paragraph, and of each argument below "Args:"."""
    lines: list[str] = []
    described = False
    for line in cleandoc(text).splitlines():
        entry = described and line.startswith("    ") and not line.startswith("     ")
        if lines and lines[-1] and line and not entry and line != "Args:":
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
        described = described or line == "Args:"
    return "\n".join(lines)
