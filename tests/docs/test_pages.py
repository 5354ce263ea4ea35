"""The pages of docs/: complete, linked, generated where they can be, and the same in both languages."""

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import PurePosixPath
from typing import Final

import pytest

import wxasset
from generated import DOCS, filled
from pages import GENERATED, names
from readme import ROOT, Section, sections
from wxasset import Call, WxSession, errors
from wxasset.cli import program

PUBLIC: Final = ("", "errors", "events", "otel", "simulator", "starlette")
"""Modules whose names are a promise: `wxasset` itself, and those of its name with a dot."""
ENGLISH: Final = names()
CHINESE: Final = names(DOCS / "zh")
EVERY: Final = [*(f"docs/{name}" for name in ENGLISH), *(f"docs/zh/{name}" for name in CHINESE)]
CHINESE_CHARACTER: Final = re.compile(r"[\u4e00-\u9fff]")
SITE: Final = DOCS / "site"
FIXTURES: Final = "wxasset.integrations.pytest_plugin"


def public_names() -> set[str]:
    """Every public name, with its module."""
    modules = [f"wxasset.{name}".rstrip(".") for name in PUBLIC]
    return {f"{module}.{name}" for module in modules for name in vars(importlib.import_module(module))["__all__"]}


@cache
def page(name: str) -> list[Section]:
    """The sections of a page."""
    return sections(name)


def anchors(name: str) -> set[str]:
    """The addresses of a page's headings; a second heading of the same text has a number."""
    return {one.anchor for one in page(name)}


# Complete


@pytest.mark.parametrize("tree", ["docs", "docs/zh"])
def test_every_public_name_is_in_the_reference(tree: str, figures: list[str]) -> None:
    """Each is there once, under its public address; a name that is also in `wxasset` stands there."""
    texts = [path.read_text("utf-8") for path in sorted((ROOT / tree / "reference").glob("*.md"))]
    listed = re.findall(r"^::: (\S+)$", "".join(texts), re.MULTILINE)
    assert len(listed) == len(set(listed))
    top = {f"wxasset.errors.{name}" for name in vars(importlib.import_module("wxasset.errors"))["__all__"]}
    again = {name for name in public_names() if f"wxasset.errors.{name.rpartition('.')[2]}" in top and name not in top}
    assert set(listed) == (public_names() - again) | {FIXTURES}
    figures.append(f"{tree}/reference: {len(public_names())} of {len(public_names())} public names")


def test_every_error_and_call_is_explained() -> None:
    """The tree has each class of errors, and the tutorial each call of a session."""
    (tree,) = [one for one in page("docs/errors.md") if one.anchor == "the-tree"]
    classes = {name for name in errors.__all__ if issubclass(getattr(errors, name), Exception)}
    assert classes - set(tree.code_spans) == {"WxAssetError"}, "that is the root"
    (table,) = [one for one in page("docs/tutorial.md") if one.anchor == "what-a-session-can-do"]
    told = {name for row in table.table_rows for name in re.findall(r"`(\w+)`", row)}
    elsewhere = {"account", "account_library", "aclose", "from_env"}
    assert told == {name for name in dir(WxSession) if not name.startswith("_")} - elsewhere


def test_every_call_has_its_official_page() -> None:
    """The reference of a declared call, and of a verb for one call, names the page of WeChat."""
    declared = [one for name in vars(wxasset)["__all__"] if inspect.isclass(one := getattr(wxasset, name))]
    calls = [one for one in declared if issubclass(one, Call) and one.__module__ != Call.__module__]
    several = {"add_materials", "get_materials", "del_materials", "upload_files", "download_files", "iter_materials"}
    local = {"account", "account_library", "aclose", "call", "from_env", "resolve_upload", "with_options"}
    verbs = [getattr(WxSession, name) for name in set(dir(WxSession)) - several - local if not name.startswith("_")]
    assert len(calls) > 9
    assert [one.__name__ for one in (*calls, *verbs) if "https://" not in (inspect.getdoc(one) or "")] == []


def test_every_variable_is_explained() -> None:
    """The page about the environment has each variable that the help of the commands names."""
    (help_text,) = re.findall(r"^Environment:\n((?s:.*))", str(program(()).help_epilogue), re.MULTILINE)
    named = set(re.findall(r"\b(?:[A-Z]+_[A-Z_]+|PG[A-Z]+)\b", help_text))
    assert len(named) > 9
    assert named - {span for one in page("docs/environment.md") for span in one.code_spans} == set()


def test_the_menu_has_every_page() -> None:
    """Both menus list the pages, each once and in the same order, but for those that are in English alone."""
    english, chinese = (
        re.findall(r"^ +- (?:[^:\n]+: )?(\S+\.md)$", (SITE / file).read_text("utf-8"), re.MULTILINE)
        for file in ("mkdocs.yml", "mkdocs.zh.yml")
    )
    assert sorted(english) == sorted(ENGLISH)
    assert [one for one in english if one not in GENERATED] == chinese


@pytest.mark.parametrize("name", ["README.md", *EVERY])
def test_generated_tables_are_up_to_date(name: str) -> None:
    """Limits, codes, commands, faults and options are those of the package: python tests/support/generated.py."""
    assert (ROOT / name).read_text("utf-8") == filled(ROOT / name)


def test_llms_txt_lists_every_page() -> None:
    """Language models find each page there, with its address on the site."""
    text = (DOCS / "llms.txt").read_text("utf-8")
    (site,) = re.findall(r"^site_url: (\S+)$", (SITE / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    listed = re.findall(r"\]\(([^)]+)\)", text)
    expected = {site + re.sub(r"(^|/)index$", r"\1", name.removesuffix(".md")) for name in ENGLISH}
    assert {one.rstrip("/") for one in listed} == {one.rstrip("/") for one in expected}


# Linked


@pytest.mark.parametrize("name", ["README.md", *EVERY])
def test_every_link_leads_somewhere(name: str) -> None:
    """Files that links and pictures name are there, and so are headings, on the same page or another."""
    for section in page(name):
        for link in section.links:
            if re.match("https?://", link):
                continue
            file, _, anchor = link.partition("#")
            target = (ROOT / name).parent.joinpath(file).resolve() if file else ROOT / name
            assert target.exists(), f"{name}: {link}"
            if anchor:
                assert anchor in anchors(target.relative_to(ROOT).as_posix()), f"{name}: {link}"


@pytest.mark.parametrize("name", [name for name in ENGLISH if name not in GENERATED])
def test_each_page_leads_to_the_other_language(name: str) -> None:
    """Below its heading a page has a link to the same page in the other language."""
    up = "../" * (len(PurePosixPath(name).parts) - 1)
    assert page(f"docs/{name}")[0].text.startswith(f"\n[中文]({up}zh/{name})\n")
    assert page(f"docs/zh/{name}")[0].text.startswith(f"\n[English]({up}../{name})\n")


# The same in both languages


def test_every_page_is_there_in_chinese() -> None:
    """No page is in one language alone, but for those that a program writes."""
    assert [name for name in ENGLISH if name not in GENERATED] == CHINESE


@pytest.mark.parametrize("name", CHINESE)
def test_the_pages_have_the_same_shape(name: str) -> None:
    """Headings of the same levels, as many rows in their tables, the same code in prose, links to the same places."""
    english, chinese = page(f"docs/{name}"), page(f"docs/zh/{name}")
    assert [one.level for one in english] == [one.level for one in chinese]
    for one, other in zip(english, chinese, strict=True):
        where = f"{name}: {one.heading} / {other.heading}"
        assert _columns(one) == _columns(other), where
        assert sorted(set(one.code_spans)) == sorted(set(other.code_spans)), where
        assert [_target(link, f"docs/{name}") for link in one.links] == [
            _target(link, f"docs/zh/{name}") for link in other.links
        ], where
        assert re.findall(r"^::: .*$", one.text, re.MULTILINE) == re.findall(r"^::: .*$", other.text, re.MULTILINE)


@pytest.mark.parametrize("name", CHINESE)
def test_the_pages_have_the_same_code(name: str) -> None:
    """But for comments, and for strings that are in Chinese there."""
    for one, other in zip(page(f"docs/{name}"), page(f"docs/zh/{name}"), strict=True):
        assert [(block.language, block.kind) for block in one.blocks] == [
            (block.language, block.kind) for block in other.blocks
        ]
        for mine, its in zip(one.blocks, other.blocks, strict=True):
            if mine.language != "python":
                assert re.sub(r"\s+# .*", "", mine.text) == re.sub(r"\s+# .*", "", its.text)
                continue
            (code, strings), (its_code, its_strings) = _taken_apart(mine.text), _taken_apart(its.text)
            assert code == its_code
            for string, translated in zip(strings, its_strings, strict=True):
                assert string == translated or CHINESE_CHARACTER.search(translated)


def _columns(section: Section) -> list[int]:
    """Return the number of columns in each row of a section's tables."""
    return [row.count(" | ") for row in section.table_rows if not re.fullmatch(r"[| -]+", row)]


def _target(link: str, name: str) -> str:
    """Return where a link leads: a file without its language, and the number of the heading."""
    file, _, anchor = link.partition("#")
    if link.startswith("http"):
        return link
    target = (ROOT / name).parent.joinpath(file).resolve().relative_to(ROOT).as_posix() if file else name
    number = [one.anchor for one in page(target)].index(anchor) if anchor else ""
    bare = target.replace("docs/zh/", "docs/")
    return "the other language" if bare == name.replace("docs/zh/", "docs/") and file else f"{bare}#{number}"


def _taken_apart(code: str) -> tuple[str, list[str]]:
    """Return a program without its strings and comments, and the strings."""
    tree = compile(code, "page", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    strings = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.append(node.value)
            node.value = ""
    return ast.dump(tree), strings


def test_a_chinese_paragraph_is_in_one_line() -> None:
    """A line break shows as a space, which Chinese does not have between its words."""
    for name in CHINESE:
        for section in page(f"docs/zh/{name}"):
            for paragraph in section.prose.strip().split("\n\n"):
                lines = paragraph.strip().splitlines()
                assert len(lines) == 1 or all(re.match(r"[|!:<*-]|\d+\.|  ", line) for line in lines), name


def test_the_version_is_public() -> None:
    """The modules of the reference are those whose names are a promise."""
    text = (DOCS / "stability.md").read_text("utf-8")
    assert all(f"`wxasset.{name}`".replace(".`", "`") in text for name in PUBLIC)
    assert wxasset.__version__
