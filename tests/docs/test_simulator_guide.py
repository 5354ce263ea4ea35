"""The pages about the simulator as a server name what is there, in both languages."""

import re
import tomllib
from pathlib import Path

import pytest

from wxasset.cli.runtime.simulator_options import read_options
from wxasset.simulator.control.table import ROUTES
from wxasset.simulator.option_documents import PRESETS

ROOT = Path(__file__).parents[2] / "docs"
PAGES = (ROOT / "simulator.md", ROOT / "zh" / "simulator.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_page_has_each_route_and_preset(page: Path) -> None:
    """The table has the routes of the control API, but for those that serve the page at `/_sim/` alone."""
    text = page.read_text("utf-8")
    listed = set(re.findall(r"^\| `([A-Z]+) /_sim/([^`]*)` \|", text, re.MULTILINE))
    routes = {(one.method, one.path) for one in ROUTES if not one.handler.__module__.endswith(".control.page")}
    assert routes - listed == set()
    assert [name for name in PRESETS if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_file_of_options_is_read(page: Path, tmp_path: Path) -> None:
    """The TOML of the page is a file of options as printed."""
    (printed,) = re.findall(r"```toml[^\n]*\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert tomllib.loads(printed)
    file = tmp_path / "team.toml"
    file.write_text(printed, "utf-8")
    found = read_options(file)
    assert (len(found.options), len(found.faults), len(found.accounts)) == (3, 1, 1)
