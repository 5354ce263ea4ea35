"""The Chinese README says what the English one says: they cannot drift apart unnoticed."""

import ast
import re
from pathlib import PurePosixPath

import pytest

from readme import Section, sections

ENGLISH, CHINESE = sections("README.md"), sections("README.zh.md")
PAIRS = list(zip(ENGLISH, CHINESE, strict=False))
EACH_PAIR = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].anchor)
CHINESE_CHARACTER = re.compile(r"[\u4e00-\u9fff]")


class _Blank(ast.NodeTransformer):
    """Takes the texts out of a program, and keeps them."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """Leave an empty text behind."""
        if not isinstance(node.value, str):
            return node
        self.texts.append(node.value)
        return ast.Constant("")


def taken_apart(code: str) -> tuple[str, list[str]]:
    """A program without its texts and comments, and the texts."""
    blank = _Blank()
    tree = blank.visit(compile(code, "README", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
    return ast.dump(tree), blank.texts


def _bare(line: str) -> str:
    """A line of a shell without its comment."""
    return re.sub(r"\s+# .*", "", line)


def test_each_links_to_the_other_at_the_top() -> None:
    """Whoever opens one finds the other above everything else."""
    for mine, other in ((ENGLISH[0], "README.zh.md"), (CHINESE[0], "README.md")):
        assert mine.links == [other]
        assert mine.text.strip().splitlines()[0].endswith(("(README.zh.md)", "简体中文"))


def test_they_have_the_same_headings() -> None:
    """As many, in the same order of levels."""
    assert [one.level for one in ENGLISH] == [one.level for one in CHINESE]


@EACH_PAIR
def test_their_code_is_the_same(pair: tuple[Section, Section]) -> None:
    """But for comments, and for texts that are in Chinese there."""
    english, chinese = (one.blocks for one in pair)
    assert [(one.language, one.kind) for one in english] == [(one.language, one.kind) for one in chinese]
    for one, other in zip(english, chinese, strict=True):
        if one.language != "python":
            assert [_bare(line) for line in one.text.splitlines()] == [_bare(line) for line in other.text.splitlines()]
            continue
        assert len(one.text.splitlines()) == len(other.text.splitlines())
        (code, texts), (its_code, its_texts) = taken_apart(one.text), taken_apart(other.text)
        assert code == its_code
        for text, its_text in zip(texts, its_texts, strict=True):
            assert text == its_text or CHINESE_CHARACTER.search(its_text)


@EACH_PAIR
def test_their_prose_names_the_same_code(pair: tuple[Section, Section]) -> None:
    """Every name, value and command that one mentions the other mentions too; so a fact cannot be in one alone."""
    english, chinese = pair
    assert sorted(set(english.code_spans)) == sorted(set(chinese.code_spans))


@EACH_PAIR
def test_their_tables_and_links_are_the_same(pair: tuple[Section, Section]) -> None:
    """As many rows, and links and images that lead to the same places."""
    english, chinese = pair
    assert len(english.table_rows) == len(chinese.table_rows)
    assert [_target(link, ENGLISH) for link in english.links] == [_target(link, CHINESE) for link in chinese.links]


def _target(link: str, document: list[Section]) -> int | str:
    """Where a link leads: the number of a section, or a file but for its language."""
    if link.startswith("#"):
        return [f"#{one.anchor}" for one in document].index(link)
    return link if link.startswith("http") else str(PurePosixPath(link)).replace(".zh", "").replace("docs/zh/", "docs/")


def test_a_chinese_paragraph_is_in_one_line() -> None:
    """A line break shows as a space, which Chinese does not have between its words."""
    for section in CHINESE:
        for paragraph in section.prose.strip().split("\n\n"):
            assert "\n" not in paragraph.strip() or paragraph.strip().startswith(("|", "!"))
