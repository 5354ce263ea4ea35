"""Check the wording of docstrings: ``python tests/support/wording.py`` fails on idioms that hide the meaning."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parents[2] / "wxasset"
MOST: Final = 25
"""Relative and indefinite pronouns per 1,000 words of docstrings; well-known packages have 10 to 23."""
PRONOUNS: Final = re.compile(
    r"\b(that|which|what|who|whom|whose|whoever|whatever|whichever|nobody|somebody|anybody|everybody"
    r"|nothing|something|anything|everything)\b",
    re.IGNORECASE,
)
OPENINGS: Final = re.compile(r"(What|Who|Whom|Whose|Where|Whether|Whoever|How)\b")
IDIOMS: Final = re.compile(
    r"gives? way|run out\b|ran out\b|could be had|in the clothes of|keeps? account of|told apart|has died"
    r"|lets? go of|is no (?!longer|more)\w+ (file|error|image)",
    re.IGNORECASE,
)


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield each docstring of the package with its place."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:  # a docstring of a module, class or function, or a string that describes the constant before it
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield f"{path.relative_to(PACKAGE.parent)}:{node.lineno}", inspect.cleandoc(text)
                case _:
                    pass


def complaints() -> list[str]:
    """Return one line for each docstring to rewrite, and one for the density of pronouns if it is too high."""
    found: list[str] = []
    words = pronouns = 0
    for place, text in docstrings():
        words += len(re.findall(r"[A-Za-z']+", text))
        pronouns += len(PRONOUNS.findall(text))
        if OPENINGS.match(text):
            found.append(f"{place}: begins with a question word: {text.splitlines()[0]}")
        found += [f"{place}: say it plainly: {idiom[0]}" for idiom in IDIOMS.finditer(text)]
    density = 1000 * pronouns / words
    sys.stdout.write(f"{density:.1f} pronouns per 1,000 docstring words\n")
    if density > MOST:
        found.append(f"{density:.1f} pronouns per 1,000 docstring words; at most {MOST}")
    return found


if __name__ == "__main__":
    lines = complaints()
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.exit(bool(lines))
