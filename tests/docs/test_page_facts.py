"""The pages about errors and commands leave nothing out, in both languages."""

import inspect
import re

import pytest

from readme import sections
from wxasset import errors
from wxasset.cli import program
from wxasset.cli.runtime.exit_codes import Exit

TREES = ("docs", "docs/zh")


@pytest.mark.parametrize("tree", TREES)
def test_every_error_is_named(tree: str) -> None:
    """Each class of errors stands in the section about them."""
    (section,) = [one for one in sections(f"{tree}/errors.md") if "`UsageError`" in one.text]
    classes = {
        name
        for name in errors.__all__
        if inspect.isclass(error := getattr(errors, name)) and issubclass(error, Exception)
    }
    assert classes - set(section.code_spans) <= {"WxAssetError"}


@pytest.mark.parametrize("tree", TREES)
def test_every_command_and_status_is_named(tree: str) -> None:
    """The page of the command line has a section for each command, and each exit status in its table."""
    page = sections(f"{tree}/command-line.md")
    app = program()
    leaves = {name for name in app if not name.startswith("-")}
    groups = {name for name in leaves if any(not one.startswith("-") for one in app[name])}
    leaves |= {f"{group} {name}" for group in groups for name in app[group] if not name.startswith("-")}
    assert {one.heading for one in page if one.heading.startswith("wxasset ")} == {
        f"wxasset {name}" for name in leaves - groups
    }
    first = [row.split("|")[1].strip(" `") for section in page for row in section.table_rows]
    statuses = {int(number) for cell in first if re.fullmatch(r"[\d, ]+", cell) for number in re.findall(r"\d+", cell)}
    assert statuses == {*Exit, 130}, "143 is named beside 130"
