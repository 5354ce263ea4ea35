"""Write errors and notes to stderr: a line, a few lines on a terminal, or a JSON object."""

import sys
from collections.abc import Mapping

from cyclopts import CycloptsError

from wxasset.cli.runtime.console import error_console, say
from wxasset.cli.runtime.hints import advice_for
from wxasset.cli.runtime.language import localized
from wxasset.cli.runtime.output import is_terminal, json_line
from wxasset.errors import APIError, Hint, UsageError, WxAssetError

__all__ = ["document_of", "note", "tell"]

_SYSTEM = Hint("Check the file, the disk and their permissions.", "请检查文件、磁盘和权限。")


def _hint_of(error: BaseException) -> Hint:
    if isinstance(error, CycloptsError):
        return advice_for(UsageError(""))
    return advice_for(error) if isinstance(error, WxAssetError) else _SYSTEM


def _message_of(error: BaseException) -> str:
    if isinstance(error, WxAssetError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}." if error.filename else f"{error.strerror}."
    return " ".join(str(error).split())


def document_of(error: BaseException, item: str | None = None) -> dict[str, object]:
    """Describe an error by stable keys: kind, message, hint, hint_zh, errcode, rid, item.

    Args:
        error: The error; its class is the kind.
        item: The file or id concerned; None for the whole command.
    """
    hint = _hint_of(error)
    refusal = error if isinstance(error, APIError) else None
    return {
        "kind": "UsageError" if isinstance(error, CycloptsError) else type(error).__name__,
        "message": _message_of(error),
        "hint": hint.english,
        "hint_zh": hint.chinese,
        "errcode": refusal.errcode if refusal else None,
        "rid": refusal.rid if refusal else None,
        "item": item,
    }


def tell(error: BaseException, *, as_json: bool, item: str | None = None) -> None:
    """Report an error on stderr: the message, and the hint in the chosen language (JSON: in both)."""
    if as_json:
        _write(document_of(error, item))
        return
    message = f"wxasset: {item}: {_message_of(error)}" if item else f"wxasset: {_message_of(error)}"
    hint, console = localized(_hint_of(error)), error_console()
    if is_terminal(sys.stderr):
        say(console, message, "bold red")
        say(console, hint)
    else:
        say(console, f"{message} {hint}")


def note(text: Hint | str, *, as_json: bool, **more: object) -> None:
    """Report progress or advice on stderr, in the chosen language.

    Args:
        text: One sentence.
        as_json: Whether to write a JSON object of the kind "Note", in English.
        more: Further keys of the object.
    """
    if as_json:
        _write({"kind": "Note", "message": text if isinstance(text, str) else text.english, **more})
    else:
        say(error_console(), localized(text))


def _write(document: Mapping[str, object]) -> None:
    sys.stderr.write(f"{json_line(document)}\n")
    sys.stderr.flush()
