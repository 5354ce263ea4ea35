"""The command line speaks one language: that of the locale, or of WXASSET_LANG."""

import json
import re
from typing import Final

import pytest

from command_line import Screen, needs_terminals, on_terminal, piped, variables
from wxasset.simulator import Simulator, SimulatorOptions

CHINESE: Final = re.compile("[\u4e00-\u9fff]")
ENGLISH: Final = "Set WXASSET_APPID and WXASSET_SECRET"
NO_LOCALE: Final = {"LC_ALL": "", "LC_MESSAGES": "", "LANG": ""}


def plain(screen: Screen) -> str:
    """The text of a screen without colours."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.text)


@pytest.mark.parametrize(
    ("environ", "chinese"),
    [
        ({}, False),
        ({"LANG": "zh_CN.UTF-8"}, True),
        ({"LANG": "zh_TW"}, True),
        ({"LANG": "en_US.UTF-8"}, False),
        ({"LANG": "de_DE.UTF-8"}, False),
        ({"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, True),
        ({"LC_ALL": "C", "LC_MESSAGES": "zh_CN.UTF-8", "LANG": "zh_CN.UTF-8"}, False),
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "C"}, True),
        ({"LC_ALL": "zh_CN.UTF-8", "WXASSET_LANG": "en"}, False),
        ({"LC_ALL": "C", "WXASSET_LANG": "zh"}, True),
        ({"LC_ALL": "C", "WXASSET_LANG": "ZH"}, True),
        ({"LC_ALL": "zh_CN.UTF-8", "WXASSET_LANG": ""}, True),
    ],
)
def test_a_hint_is_in_one_language(environ: dict[str, str], chinese: bool) -> None:
    """An error has its hint in the language of the locale, or of WXASSET_LANG, and not in the other."""
    done = piped("count", env={**NO_LOCALE, "WXASSET_CREDENTIALS": "none.toml", **environ})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (5, "", 1)
    assert bool(CHINESE.search(done.stderr)) is chinese
    assert (ENGLISH in done.stderr) is not chinese


def test_an_unknown_language_is_refused() -> None:
    """A value of WXASSET_LANG that is no language is a usage error with the values there are."""
    done = piped("--version", env={"WXASSET_LANG": "fr"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("wxasset: WXASSET_LANG is 'fr'; set it to en or zh, or unset it.")


def test_json_has_both_languages() -> None:
    """With --json the keys stay the same whatever the language is."""
    told = [
        json.loads(piped("count", "--json", env={"WXASSET_LANG": name, "WXASSET_CREDENTIALS": "none.toml"}).stderr)
        for name in ("en", "zh")
    ]
    assert told[0] == told[1]
    assert CHINESE.search(told[0]["hint_zh"])
    assert not CHINESE.search(told[0]["hint"])


def test_the_help_names_the_variable() -> None:
    """The help of the whole command line says how to choose the language."""
    assert "WXASSET_LANG" in piped("--help").stdout


@needs_terminals
@pytest.mark.parametrize(("name", "chinese"), [("en", False), ("zh", True)])
def test_a_question_is_in_one_language(service: Simulator, name: str, chinese: bool) -> None:
    """What is asked before a deletion, and the note after a no, are in the chosen language."""
    seen = on_terminal("rm", "m" * 43, env=variables(service) | {"WXASSET_LANG": name}, answer="n")
    assert seen.status == 1
    assert bool(CHINESE.search(seen.text)) is chinese
    assert ("deletes" in seen.text or "Nothing was deleted" in seen.text) is not chinese


@needs_terminals
@pytest.mark.parametrize(("name", "chinese"), [("en", False), ("zh", True)])
def test_the_doctor_speaks_one_language(service: Simulator, name: str, chinese: bool) -> None:
    """On a terminal labels, findings, advice and the sum are in the chosen language."""
    service.options = SimulatorOptions(token_refusal=40243)
    text = plain(on_terminal("doctor", env=variables(service) | {"WXASSET_LANG": name}))
    assert ("AppSecret 已冻结" in text) is chinese
    assert ("项失败" in text) is chinese
    assert ("The AppSecret is frozen" in text) is not chinese
    assert ("1 failed, 0 warnings" in text) is not chinese


@pytest.mark.parametrize(("name", "chinese"), [("en", False), ("zh", True)])
def test_the_doctor_in_a_pipe_speaks_one_language(service: Simulator, name: str, chinese: bool) -> None:
    """A file gets the same report as a terminal, without control characters, in the chosen language."""
    done = piped("doctor", env=variables(service) | {"WXASSET_LANG": name})
    assert bool(CHINESE.search(done.stdout)) is chinese
    assert ("connected directly" in done.stdout) is not chinese
    assert ("0 failed, " in done.stdout) is not chinese
    assert "\x1b" not in done.stdout
    assert "\t" not in done.stdout


@needs_terminals
@pytest.mark.parametrize(("name", "headings"), [("en", ("used", "left")), ("zh", ("已用", "剩余"))])
def test_the_quota_table_has_headings_in_one_language(service: Simulator, name: str, headings: tuple[str, str]) -> None:
    """The table of quotas has its headings in the chosen language."""
    text = plain(on_terminal("quota", env=variables(service) | {"WXASSET_LANG": name}))
    assert all(heading in text for heading in headings)
    assert bool(CHINESE.search(text)) is (name == "zh")
