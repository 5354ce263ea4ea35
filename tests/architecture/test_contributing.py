"""`.github/CONTRIBUTING.md` and the workflows say what is so."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import wxasset
from release import complaints

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = (ROOT / ".github" / "CONTRIBUTING.md").read_text("utf-8")
TEST: Final = "tests/calls/test_callback_ips.py"
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def blocks() -> dict[str, str]:
    """The code of the guide, by the file that it goes into."""
    return dict(re.findall(r"^```python (\S+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))


def test_the_lines_of_the_guide_add_an_endpoint(tmp_path: Path) -> None:
    """In a copy of the package, the fifteen lines or fewer are a public endpoint, and the test passes."""
    shutil.copytree(Path(wxasset.__file__).parent, tmp_path / "wxasset")  # with what is compiled
    for place in ("pyproject.toml", "tests/conftest.py", ".github/SECURITY.md"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    shutil.copytree(ROOT / "tests" / "support", tmp_path / "tests" / "support")
    added = blocks()
    (tmp_path / "tests" / "calls").mkdir()
    (tmp_path / TEST).write_text(added.pop(TEST), "utf-8")
    assert sum(bool(line.strip()) for text in added.values() for line in text.splitlines()) <= 15
    for place, text in added.items():
        file = tmp_path / place
        before = file.read_text("utf-8")
        row = '    "wxasset.calls.account": (\n'
        file.write_text(before.replace(row, row + text) if row in before else f"{before}\n\n{text}", "utf-8")
    names = re.findall(r'"(\w+)"', added["wxasset/__init__.py"])
    assert names == re.findall(r" as (\w+)$", added["wxasset/__init__.pyi"], re.MULTILINE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_files_of_the_guide_are_there() -> None:
    """Each path that the guide names leads to a file, each session to one of nox."""
    paths = set(re.findall(r"`((?:wxasset|tests|docs)/[\w./-]+)`", GUIDE)) - {TEST}
    assert [one for one in paths if not (ROOT / one).exists()] == []
    faults = ROOT / "wxasset" / "simulator" / "faults"
    named = re.findall(r"`(\w+\.py)`", GUIDE.partition("## Add a fault word")[2].partition("## Style")[0])
    assert named
    assert [one for one in named if not (faults / one).exists()] == []
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    (listed,) = re.findall(r"'\.\[(.+)\]'", GUIDE)
    assert set(listed.split(",")) == set(extras) - {"speed"}


def test_workflows_run_sessions_that_exist() -> None:
    """What a workflow lets nox run is a session, the interpreters are those of the package, and tags publish."""
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    sessions = set(re.findall(r"^def (\w+)\(session: nox\.Session\)", noxfile, re.MULTILINE))
    for file in WORKFLOWS:
        for line in re.findall(r"run: nox -s (.+)$", file.read_text("utf-8"), re.MULTILINE):
            named = line.partition(" --")[0].replace("${{ matrix.python }}", "").split()
            assert {one.partition("-")[0] for one in named} <= sessions, file.name
    tests = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    systems, interpreters = (
        re.findall(r"[\w.-]+", tests.partition(f"        {key}: [")[2].partition("]")[0]) for key in ("os", "python")
    )
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    assert [f"Programming Language :: Python :: {one}" for one in interpreters] == [
        one for one in classifiers if re.search(r":: 3\.\d+$", one)
    ]
    assert [one.partition("-")[0] for one in systems] == ["ubuntu", "macos", "windows"]


def test_a_release_needs_its_tag_and_its_date() -> None:
    """A tag of another version, and a changelog without the version, are told."""
    ready = "## [1.2.3](https://example.org) - 2026-01-02\n"
    assert complaints("1.2.3", ready, "v1.2.3") == []
    assert complaints("1.2.3", ready, "v1.2.4") == ["the tag is v1.2.4, and the version 1.2.3"]
    assert complaints("1.2.3", "## [Unreleased](x)\n", None) == ["CHANGELOG.md has no heading for 1.2.3 with its date"]
