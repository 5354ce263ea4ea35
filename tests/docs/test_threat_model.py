"""`.github/SECURITY.md` promises nothing that no test proves."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest
from packaging.version import Version

from audit import ADVISORIES, floors, holes
from proofs import TEXT, Outcomes, rows

ROOT: Final = Path(__file__).parents[2]
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


def test_a_claim_whose_test_was_skipped_is_not_proved() -> None:
    """A test of which no case ran proves nothing, and fails the run; one that ran in part proves its claim."""
    report = pytest.TestReport(
        "tests/a/test_a.py::test_b[1]", ("", 1, ""), {}, "skipped", ("", 1, "Skipped: no redis-server"), "setup"
    )
    outcomes = Outcomes()
    claims = [["A threat", "", "", "`test_a.py::test_b`, `test_a.py::test_c`"], ["Another", "", "", "`test_z.py`"]]
    assert outcomes.unproved(claims) == []
    outcomes.add(report)
    assert outcomes.unproved(claims) == ["A threat: test_a.py::test_b was skipped: no redis-server"]
    assert outcomes.unproved([["A", "", "", "`test_a.py`"]]) == ["A: test_a.py was skipped: no redis-server"]
    outcomes.add(pytest.TestReport("tests/a/test_a.py::test_b[2]", ("", 1, ""), {}, "passed", None, "call"))
    assert outcomes.unproved(claims) == []


def test_the_floors_leave_out_known_holes() -> None:
    """No version with a published hole satisfies what the package asks for; a floor before the fix is told."""
    assert holes(floors(), ADVISORIES["advisory"]) == []
    for one in ADVISORIES["advisory"]:
        before = {one["package"]: Version(f"{one['fixed']}.dev0")}
        assert any(one["id"] in hole for hole in holes(before, ADVISORIES["advisory"]))
        assert one["published"] <= str(ADVISORIES["checked"])


def complaints(workflow: str) -> list[str]:
    """What is wrong with a workflow: actions that are not pinned to a commit, or rights that are set elsewhere."""
    used = re.findall(r"^\s*(?:- )?uses:\s*(\S+)", workflow, re.MULTILINE)
    loose = [one for one in used if not (one.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one))]
    return loose + ([] if re.search(r"^permissions:", workflow, re.MULTILINE) else ["permissions"])


def test_workflows_run_pinned_actions_with_few_rights() -> None:
    """Each action is pinned to a commit, and each workflow says which rights it has; a sample that does not is told."""
    pinned = f"permissions:\n  contents: read\njobs:\n  - uses: actions/checkout@{'0a' * 20}\n  - uses: ./local\n"
    assert complaints(pinned) == []
    assert complaints("jobs:\n  - uses: actions/checkout@v4\n") == ["actions/checkout@v4", "permissions"]
    for file in (ROOT / ".github" / "workflows").glob("*.y*ml"):
        assert complaints(file.read_text(encoding="utf-8")) == [], file.name
