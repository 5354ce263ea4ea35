"""The library's hints fit users of Python and of the command line; the latter adds variables and commands."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import NOTHING, fields

import wxasset
from wxasset import errors
from wxasset.cli.runtime.errors import document_of
from wxasset.errors import (
    ConnectError,
    DestinationError,
    Hint,
    TransferTimeout,
    UploadOutcomeUnknown,
    UsageError,
    WxAssetError,
)
from wxasset.errors.hints import HINTS, STORAGE_HINTS
from wxasset.wire.error_replies import api_error

PACKAGE: Final = Path(wxasset.__file__).parent
# Not `tokens`: a command fetches stable tokens alone, and those have no hints of their own.
REACHED: Final = ("errors", "engine", "ledger", "calls", "session", "transfer", "wire")
KINDS: Final = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, WxAssetError)]
VERBS: Final = "|".join(name for name in dir(wxasset.WxSession) if re.match("[a-z]+_", name))
PYTHON: Final = re.compile(rf"`|\w\(\w*[,)=]|\w=|\bawait\b|\b(error|video)\.\w|Limits|Policy|(?<![/\w])({VERBS})\b")


def text_of(node: ast.expr) -> str:
    """The text of an expression; what a format string holds is an X."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    return "X"


def hints_of(path: Path) -> Iterator[Hint]:
    """Every hint that a module writes."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Hint":
            yield Hint(text_of(node.args[0]), text_of(node.args[1]))


def shown(error: WxAssetError) -> str:
    """What the command line says about an error."""
    document = document_of(error)
    return f"{document['message']} {document['hint']} {document['hint_zh']}"


def test_no_hint_of_the_library_speaks_of_python_alone() -> None:
    """Of all hints that a command can meet, none has a call, an argument or a verb of the library in it."""
    hints = [hint for name in REACHED for file in sorted((PACKAGE / name).rglob("*.py")) for hint in hints_of(file)]
    assert len(hints) > len(HINTS) + len(STORAGE_HINTS)
    lost = [hint for hint in hints if PYTHON.search(str(hint))]
    assert [hint for hint in lost if "resolve" not in str(hint) and "UploadPolicy" not in str(hint)] == []
    assert len(lost) == 3, "those of UploadOutcomeUnknown, which the command line replaces by commands"


@pytest.mark.parametrize("kind", [one for one in KINDS if one is not WxAssetError], ids=lambda kind: kind.__name__)
def test_the_hint_of_a_class_is_shown_without_python(kind: type[WxAssetError]) -> None:
    """What a class of errors leads to is said in words of the command line."""
    values = {field.alias: "" for field in fields(kind) if field.default is NOTHING}
    said = shown(kind(**values))
    assert PYTHON.search(said) is None, said


@pytest.mark.parametrize("listing", [None, "image"])
def test_a_lost_upload_is_looked_for_by_a_command(listing: str | None) -> None:
    """Where the library lists such uploads the hint names the command, also where several may be it."""
    lost = UploadOutcomeUnknown(
        "Lost.",
        filename="a.jpg",
        type="image",
        size=1,
        started_at=0.0,
        ended_at=1.0,
        reason="lost",
        listing=listing,
        candidates=("m1", "m2"),
    )
    assert PYTHON.search(shown(lost)) is None
    assert ("wxasset ls image" in shown(lost)) is (listing is not None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (api_error(40125, "invalid appsecret", "/cgi-bin/stable_token"), "WXASSET_SECRET or the credentials file"),
        (ConnectError("No connection.", "/cgi-bin/x"), "WXASSET_BASE_URL (or base_url in the credentials file)"),
        (api_error(40125, "invalid appsecret", "/cgi-bin/stable_token"), "wxasset doctor examines"),
        (api_error(40164, "invalid ip 1.2.3.4", "/cgi-bin/stable_token"), "wxasset doctor examines"),
        (api_error(48001, "api unauthorized", "/cgi-bin/x"), "wxasset doctor examines"),
        (TransferTimeout("No.", "/cgi-bin/x"), "wxasset doctor examines"),
        (UsageError("No."), "wxasset COMMAND --help"),
        (DestinationError("No."), "after -o"),
    ],
)
def test_a_hint_names_what_to_set(error: WxAssetError, words: str) -> None:
    """Secrets and addresses are set by variables or in a file, and places by options."""
    assert words in shown(error)


def test_a_message_about_the_base_url_names_no_parameter() -> None:
    """The message about a wrong base URL fits a variable and an argument alike."""
    with pytest.raises(UsageError) as caught:
        wxasset.WxSession("wx1", "s3cret", base_url="ftp://a.example")
    assert PYTHON.search(shown(caught.value)) is None
