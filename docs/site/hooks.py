"""Lead links out of the pages to the repository, and take its pictures into the site."""

import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[2]
PICTURES: Final = (".svg", ".png")
LANGUAGE: Final = re.compile(r"^\[(?:中文|English)\]\([^)]+\)\n", re.MULTILINE)
"""The line that leads to the other language on GitHub; the site has a menu for it."""
KIND: Final = re.compile(r"^(```\w+) [\w. -]+$", re.MULTILINE)
"""The name by which tests know a block, such as ``python batch``; the extension accepts the language alone."""
LINK: Final = re.compile(r"(!?)\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pictures of the repository."""
    for directory in (".github/images", "benchmarks/results"):
        for path in sorted((ROOT / directory).iterdir()):
            if path.suffix in PICTURES:
                files.append(File.generated(config, f"images/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Rewrite the links of a page to files outside of the tree; GitHub shows the same page with its own links."""
    source = Path(page.file.abs_src_path or "").resolve()
    tree = Path(config.docs_dir).resolve()

    def lead(found: re.Match[str]) -> str:
        target = (source.parent / found[2]).resolve()
        if target.is_relative_to(tree) and (tree == ROOT / "docs" / "zh" or not target.is_relative_to(tree / "zh")):
            return found[0]
        if target.suffix in PICTURES:
            up = "../" * (len(source.relative_to(tree).parts) - 1)
            return f"{found[1]}]({up}images/{target.name})"
        if target.suffix == ".md" and target.is_relative_to(ROOT / "docs"):
            page_of = target.relative_to(ROOT / "docs").with_suffix("").as_posix()
            return f"]({str(config.site_url).removesuffix('zh/')}{page_of.removesuffix('index')}/{found[3] or ''})"
        return f"]({config.repo_url}/blob/main/{target.relative_to(ROOT)}{found[3] or ''})"

    return LINK.sub(lead, KIND.sub(r"\1", LANGUAGE.sub("", markdown, count=1)))
