"""Choose the language of the command line: English or Chinese."""

import os
from collections.abc import Mapping
from typing import Final, Literal

from wxasset.errors import Hint, UsageError

__all__ = ["check_language", "language", "localized"]

Language = Literal["en", "zh"]
_OVERRIDE: Final = "WXASSET_LANG"
_LOCALE: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Locale variables in order of precedence (POSIX.1-2017, 8.2)."""


def check_language(environ: Mapping[str, str] = os.environ) -> None:
    """Refuse an unknown value of `WXASSET_LANG`.

    Raises:
        UsageError: The value is neither `en` nor `zh`.
    """
    if environ.get(_OVERRIDE) and _override(environ) is None:
        raise UsageError(f"{_OVERRIDE} is {environ[_OVERRIDE]!r}; set it to en or zh, or unset it.")


def language(environ: Mapping[str, str] = os.environ) -> Language:
    """Return the language of `WXASSET_LANG`, else of the locale: Chinese for zh*, English otherwise."""
    locale = next((environ[name] for name in _LOCALE if environ.get(name)), "")
    return _override(environ) or ("zh" if locale.lower().startswith("zh") else "en")


def localized(text: Hint | str) -> str:
    """Return a text in the chosen language; a plain string exists in English only."""
    if isinstance(text, str):
        return text
    return text.chinese if language() == "zh" else text.english


def _override(environ: Mapping[str, str]) -> Language | None:
    match environ.get(_OVERRIDE, "").lower():
        case "en":
            return "en"
        case "zh":
            return "zh"
        case _:
            return None
