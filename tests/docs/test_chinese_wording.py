"""The Chinese pages keep to the terms of WeChat's own documentation, and to the habits of Chinese typesetting."""

import re
from typing import Final

from readme import ROOT, sections

PAGES: Final = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "zh").rglob("*.md"))
TERMS: Final = {
    r"(?<!自动)回复|应答": "响应",
    "凭证": "凭据",
    "账本": "台账",
    "刷新令牌": "refresh token",
    "钩子": "hook",
    "夹具": "fixture",
}
"""Words of other meanings on WeChat's pages, or of none, with the word to use."""
HAN: Final = r"[\u4e00-\u9fff]"
SENTENCE: Final = re.compile(r"(?:\b[A-Za-z][a-z']+ ){5,}[a-z]+")
"""Six English words in a row: no name and no term has as many."""


def prose(page: str) -> str:
    """Return the text of a page without code, addresses, and the names of mkdocstrings."""
    text = "\n".join(f"{one.heading}\n{one.prose}" for one in sections(page))
    text = re.sub(r"<!--.*?-->|^:::.*$|^--8<--.*$", "", text, flags=re.MULTILINE)
    return re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`\n]*`", "`", text))


def test_the_pages_use_the_words_of_the_glossary() -> None:
    """One thing has one name on all pages."""
    found = [
        (page, word[0], better)
        for page in PAGES
        for wrong, better in TERMS.items()
        for word in re.finditer(wrong, prose(page))
    ]
    assert found == []


def test_no_english_sentence_and_no_blank_stands_between_chinese_words() -> None:
    """Each page says something in Chinese, and its punctuation beside Chinese is Chinese."""
    for page in PAGES:
        text = prose(page)
        assert re.search(HAN, text), page
        assert [found[0] for found in SENTENCE.finditer(text)] == [], page
        assert re.findall(rf"{HAN} +{HAN}", text) == [], page
        assert re.findall(rf"{HAN}[,;:?!]|{HAN}\.(?=\s|$)", text) == [], page
