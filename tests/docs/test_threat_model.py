"""`.github/SECURITY.md` promises nothing that no test proves."""

import ast
import re
import tomllib
from itertools import chain
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / ".github" / "SECURITY.md").read_text(encoding="utf-8")
HOLES: Final = {"aiohttp": (3, 14, 3)}
"""The first versions without holes that matter here; pyproject.toml says which."""


def rows() -> list[list[str]]:
    """The cells of the table of threats."""
    table = TEXT.partition("\n## Threats\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in cells] for cells in lines[2:]]


ROWS: Final = rows()


def functions(file: Path) -> set[str]:
    """The names of the tests in a file."""
    found = ast.parse(file.read_text(encoding="utf-8")).body
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_each_threat_has_a_mitigation_a_duty_and_tests_that_exist(row: list[str]) -> None:
    """A row says what is done, what is left to the user, and which tests prove it, and each of them is there."""
    assert len(row) == 4
    assert all(row)
    proofs = [proof.strip() for proof in row[3].split(",")]
    for proof in proofs:
        name = re.fullmatch(r"`(test_\w+\.py)(?:::(test_\w+))?`", proof)
        assert name is not None, f"{proof} names no test"
        (file,) = (ROOT / "tests").rglob(name[1])
        assert name[2] is None or name[2] in functions(file), f"{name[1]} has no {name[2]}"


def test_the_table_is_read() -> None:
    """All of the table is looked at, and nothing that names a test is overlooked."""
    named = re.findall(r"`test_\w+\.py[^`]*`", TEXT)
    assert len(ROWS) > 20
    assert sum(row[3].count("`test_") for row in ROWS) == len(named)


def test_a_vulnerability_is_reported_in_private() -> None:
    """The way to report one is GitHub's private reporting, said in both languages."""
    assert TEXT.count("Report a vulnerability") == 2
    assert "不要公开提 issue" in TEXT


def test_the_floors_leave_out_known_holes() -> None:
    """No version with a hole that matters here satisfies what the package asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    floors = dict(re.findall(r"^([\w-]+)>=([\d.]+)", "\n".join(asked), re.MULTILINE))
    for name, fixed in HOLES.items():
        assert tuple(map(int, floors[name].split("."))) >= fixed


def test_workflows_run_pinned_actions_with_few_rights() -> None:
    """Each action is pinned to a commit, and each workflow says which rights it has."""
    workflows = [*(ROOT / ".github" / "workflows").glob("*.y*ml")]
    if not workflows:
        pytest.skip("there are no workflows yet")
    for file in workflows:
        text = file.read_text(encoding="utf-8")
        used = re.findall(r"^\s*(?:- )?uses:\s*(\S+)", text, re.MULTILINE)
        assert used
        for action in used:
            assert action.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), f"{file.name}: {action}"
        assert re.search(r"^permissions:", text, re.MULTILINE), f"{file.name} has the rights that are set elsewhere"
