"""Tests named in SECURITY.md as proofs: those that did not run prove nothing."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest
from attrs import define, field

__all__ = ["TEXT", "Outcomes", "rows"]

TEXT: Final = (Path(__file__).parents[2] / ".github" / "SECURITY.md").read_text(encoding="utf-8")
_PROOF: Final = re.compile(r"`(test_\w+\.py)(?:::(test_\w+))?`")


def rows() -> list[list[str]]:
    """Return the cells of the table of threats."""
    table = TEXT.partition("\n## Threats\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in cells] for cells in lines[2:]]


@define
class Outcomes:
    """Outcomes of the tests of a run, by file and function.

    Attributes:
        passed: Tests of which a case passed.
        skipped: The reason for which a case of a test was skipped.
    """

    passed: set[tuple[str, str]] = field(factory=set)
    skipped: dict[tuple[str, str], str] = field(factory=dict)

    def add(self, report: pytest.TestReport) -> None:
        """Take the report of a case."""
        file, _, function = report.nodeid.partition("::")
        key = (file.rpartition("/")[2], function.partition("[")[0])
        if report.passed and report.when == "call":
            self.passed.add(key)
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.skipped[key] = reason.removeprefix("Skipped: ")

    def unproved(self, claims: Iterable[list[str]]) -> list[str]:
        """Return the named tests, and files of tests, that were to run, and of which no case did."""
        return [
            f"{claim[0]}: {name[0].strip('`')} was skipped: {reasons[0]}"
            for claim in claims
            for name in _PROOF.finditer(claim[3])
            if (reasons := [why for key, why in self.skipped.items() if _is(name, key)])
            and not any(_is(name, key) for key in self.passed)
        ]


def _is(name: re.Match[str], key: tuple[str, str]) -> bool:
    return name[1] == key[0] and name[2] in (None, key[1])
