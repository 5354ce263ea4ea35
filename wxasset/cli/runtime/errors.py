"""Write errors and notes to stderr: a line, a few lines on a terminal, or a JSON object."""

import sys
from collections.abc import Mapping

from cyclopts import CycloptsError

from wxasset.cli.runtime import console as view
from wxasset.cli.runtime import hints as wording
from wxasset.cli.runtime.output import is_terminal, json_line
from wxasset.errors import APIError, Hint, UsageError, WxAssetError

__all__ = ["document_of", "note", "tell"]

_HELP = Hint("Nothing was sent. See: wxasset COMMAND --help", "请求未发出。用法见：wxasset COMMAND --help")
_SYSTEM = Hint("Check the file, the disk and their permissions.", "请检查文件、磁盘和权限。")


def _hint_of(error: BaseException) -> Hint:
    if isinstance(error, (CycloptsError, UsageError)):
        return _HELP
    return wording.hint_for(error) if isinstance(error, WxAssetError) else _SYSTEM


def _message_of(error: BaseException) -> str:
    if isinstance(error, WxAssetError):
        return wording.reword_message(error.message)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}." if error.filename else f"{error.strerror}."
    return " ".join(str(error).split())


def document_of(error: BaseException, item: str | None = None) -> dict[str, object]:
    """Describe an error by keys that stay: kind, message, hint, hint_zh, errcode, rid, item.

    Args:
        error: The error; its class is the kind.
        item: The file or id that it is about; None where it is about the whole command.
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
    """Tell of an error: what happened, and what to do, in English and in Chinese."""
    document = document_of(error, item)
    if as_json:
        _write(document)
        return
    message = f"wxasset: {item}: {document['message']}" if item else f"wxasset: {document['message']}"
    console = view.error_console()
    if is_terminal(sys.stderr):
        view.say(console, message, "bold red")
        view.say(console, str(document["hint"]))
        view.say(console, str(document["hint_zh"]))
    else:
        view.say(console, f"{message} {document['hint']} {document['hint_zh']}")


def note(text: str, *, as_json: bool, **more: object) -> None:
    """Say something that is no result and no error.

    Args:
        text: One sentence.
        as_json: Whether it is a JSON object of the kind "Note".
        more: Keys that the object has besides.
    """
    if as_json:
        _write({"kind": "Note", "message": text, **more})
    else:
        view.say(view.error_console(), text)


def _write(document: Mapping[str, object]) -> None:
    sys.stderr.write(f"{json_line(document)}\n")
    sys.stderr.flush()
