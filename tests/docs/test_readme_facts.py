"""The READMEs leave nothing out: calls, errors, commands; and their links lead somewhere."""

import inspect
import re

import pytest

from readme import DOCUMENTS, ROOT, sections
from wxasset import WxSession, errors
from wxasset.cli import program
from wxasset.cli.runtime.exit_codes import Exit


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_table_of_calls_is_complete(document: str) -> None:
    """Beside the quick start stands what a session can do, all of it."""
    (start,) = [one for one in sections(document) if any(block.kind == "program" for block in one.blocks)]
    told = {name for row in start.table_rows for name in re.findall(r"`(\w+)`", row)}
    elsewhere = {"account", "account_library", "aclose", "from_env", "with_options", "resolve_upload"}
    assert told == {name for name in dir(WxSession) if not name.startswith("_")} - elsewhere


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_error_is_named(document: str) -> None:
    """Each class of errors stands in the section about them."""
    (section,) = [one for one in sections(document) if "`UsageError`" in one.text]
    classes = {
        name
        for name in errors.__all__
        if inspect.isclass(error := getattr(errors, name)) and issubclass(error, Exception)
    }
    assert classes - set(section.code_spans) == {"WxAssetError"}, "that is said with its package"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_and_status_is_named(document: str) -> None:
    """The tables of the command line have what it has, and nothing else."""
    (section,) = [one for one in sections(document) if any(block.kind == "commands" for block in one.blocks)]
    first_columns = [row.split("|")[1] for row in section.table_rows]
    named = {name for cell in first_columns for name in re.findall("`(.+?)`", cell)}
    groups = {name.partition(" ")[0] for name in named if " " in name}
    app = program()
    found = {name for name in app if not name.startswith("-")} - groups
    found |= {f"{group} {name}" for group in groups for name in app[group] if not name.startswith("-")}
    assert named == found
    statuses = {int(one) for cell in first_columns if "`" not in cell for one in re.findall(r"\d+", cell)}
    assert statuses == {*Exit, 130, 143}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    """Files that links and images name are there, and so are headings."""
    found = sections(document)
    anchors = {f"#{section.anchor}" for section in found}
    for link in [link for section in found for link in section.links]:
        if not re.match("https?://", link):
            assert link in anchors if link.startswith("#") else (ROOT / link).exists(), link
