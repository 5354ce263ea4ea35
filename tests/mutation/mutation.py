"""Change each pure module in small ways, one at a time, and see that its own tests notice.

Prints how many of the changes each module's tests noticed, and those that they did not; the exit status is 1 where a
module is below `ENOUGH`. `nox -s mutation` runs it, and `survivors.md` says what to think of what it prints. A module's
name as an argument restricts it to that one.

The changes are those of cosmic-ray, which edits the source and starts the tests anew. mutmut is quicker, but decides at
run time, when what a module does on import is done: it calls mutants alive that no test was given a chance to see.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome

ENOUGH: Final = 85.0  # percent
PATIENCE: Final = 30.0  # seconds for the tests of one module, of which the slowest take eight
MODULES: Final = {
    "wxasset/engine/retry.py": ("tests/engine/test_retry.py",),
    "wxasset/wire/codec.py": ("tests/wire/test_codec.py",),
    "wxasset/wire/json_bodies.py": ("tests/wire/test_codec.py",),
    "wxasset/wire/formats.py": ("tests/wire/test_formats.py",),
    "wxasset/wire/multipart.py": ("tests/wire/test_multipart.py",),
    "wxasset/tokens/token.py": ("tests/tokens/test_token_records.py",),
    "wxasset/tokens/records.py": ("tests/tokens/test_token_records.py",),
    "wxasset/tokens/cache.py": (
        "tests/tokens/test_token_cache.py",
        "tests/tokens/test_tokens.py",
        "tests/tokens/test_token_machine.py",
    ),
}

# Left out is what any import or call notices, which would flatter the score: arithmetic between types that have none,
# such as the unions of annotations. One change stands for each other operator.
CONFIGURATION: Final = """
[cosmic-ray]
module-path = "{module}"
timeout = {patience}
excluded-modules = []
test-command = '''{command}'''

[cosmic-ray.distributor]
name = "local"

[cosmic-ray.filters.operators-filter]
exclude-operators = [
    '^core/ReplaceBinaryOperator_(?!(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul|BitAnd_BitOr)$)',
]
"""


@frozen(kw_only=True)
class Score:
    """What became of the changes to one module."""

    noticed: int
    timeouts: int
    survivors: tuple[str, ...]

    @property
    def percent(self) -> float:
        """The share that was noticed."""
        return 100 * self.noticed / (self.noticed + len(self.survivors))


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """Copy what the tests need, so that no change is made to the checkout itself."""
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("wxasset", "tests", ".github"):
            shutil.copytree(root / name, Path(scratch) / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(root / name, scratch)
        yield Path(scratch)


def mutate(module: str, directory: Path) -> Score:
    """Run the tests of a module on each change to it."""
    # A seed, so that the examples of hypothesis are the same for each change, and each time.
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    command = shlex.join([sys.executable, "-m", "pytest", *options, *MODULES[module]])
    (directory / "mutation.toml").write_text(
        CONFIGURATION.format(module=module, patience=PATIENCE, command=command), "utf-8"
    )
    environment = os.environ | {"PYTHONPATH": str(directory)}  # before what is installed
    for program, *arguments in (
        ("cosmic-ray", "baseline", "mutation.toml"),
        ("cosmic-ray", "init", "--force", "mutation.toml", "session.sqlite"),
        ("cr-filter-operators", "session.sqlite", "mutation.toml"),
        ("cosmic-ray", "exec", "mutation.toml", "session.sqlite"),
    ):
        found = Path(sys.executable).with_name(program)
        subprocess.run([found, *arguments], cwd=directory, env=environment, check=True)
    with use_db(directory / "session.sqlite", WorkDB.Mode.open) as session:
        return score(session)


def score(session: WorkDB) -> Score:
    """Sum up what a run has found."""
    noticed, timeouts, survivors = 0, 0, []
    places = {item.job_id: item.mutations[0] for item in session.work_items}
    for job, result in session.results:
        if result.test_outcome is TestOutcome.SURVIVED:
            change = [
                line for line in (result.diff or "").splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
            ]
            survivors.append(f"line {places[job].start_pos[0]}:\n  " + "\n  ".join(change))
        elif result.test_outcome is not None:
            noticed += 1
            timeouts += result.output == "timeout"
    return Score(noticed=noticed, timeouts=timeouts, survivors=tuple(survivors))


def main() -> int:
    """Go through the modules; the exit status."""
    status = 0
    for module in sys.argv[1:] or MODULES:
        started = time.monotonic()
        with copied() as directory:
            found = mutate(module, directory)
        took = time.monotonic() - started
        print(*found.survivors, sep="\n")
        print(
            f"{module}: {found.percent:.1f} %, {found.noticed + len(found.survivors)} changes, {found.noticed} noticed"
            f" ({found.timeouts} by the time limit), {len(found.survivors)} not, {took:.0f} s",
            flush=True,
        )
        if found.percent < ENOUGH:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
