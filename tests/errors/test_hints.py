"""The hints for WeChat's error codes: complete, short, in both languages, and sorted into groups without overlap."""

import re
from itertools import combinations
from typing import Final

import pytest
from attrs.exceptions import FrozenInstanceError

from wxasset.errors import codes
from wxasset.errors.hints import HINTS, STORAGE_HINTS, Hint

# Every code that the token, quota, material, temporary-media and cloud-storage endpoints can answer.
ANSWERED: Final = (
    # WeChat itself is in trouble.
    -1,
    -1000,
    -601001,
    -601002,
    -601003,
    -601004,
    # Cloud development.
    -501001,
    -501002,
    -501003,
    -501004,
    -501005,
    -501006,
    -501007,
    -501008,
    -501009,
    -501015,
    -501016,
    -501017,
    -501018,
    -501019,
    -501020,
    -501021,
    -503001,
    -503002,
    -503003,
    -503004,
    # Cloud calls of cloud functions.
    -604100,
    -604101,
    -604102,
    -604103,
    -604104,
    # Credentials, arguments and media that are wrong.
    40001,
    40002,
    40004,
    40005,
    40006,
    40007,
    40008,
    40009,
    40010,
    40011,
    40012,
    40013,
    40014,
    40033,
    40035,
    40038,
    40066,
    40090,
    40091,
    40094,
    40097,
    40101,
    40113,
    40125,
    40137,
    40164,
    40243,
    # Something is missing.
    41001,
    41002,
    41003,
    41004,
    41005,
    41006,
    41011,
    41018,
    41021,
    # Something is out of date.
    42001,
    42002,
    42006,
    42007,
    # Methods, bodies, sizes, quotas, and what is stored.
    43001,
    43002,
    43003,
    44001,
    44002,
    44006,
    45001,
    45002,
    45003,
    45004,
    45007,
    45009,
    45011,
    45034,
    45035,
    45060,
    45074,
    45103,
    45106,
    46001,
    46007,
    47001,
    47002,
    # What the account may not do.
    48001,
    48004,
    48005,
    48006,
    48017,
    50001,
    50002,
    50004,
    50007,
    # Third-party platforms.
    61003,
    61004,
    61005,
    61006,
    61007,
    61008,
    61009,
    61010,
    61011,
    61012,
    61013,
    61014,
    61015,
    61016,
    61017,
    61023,
    61024,
    # Diagnosis.
    76001,
    76002,
    76003,
    76004,
    76021,
    76022,
    # Cloud development is off.
    85088,
    # Cloud hosting.
    85105,
    85107,
    85112,
    85113,
    # An administrator must approve the address.
    89501,
    89502,
    89503,
    89504,
    89505,
    89506,
    89507,
)

GROUPS: Final = {
    "TOKEN_REJECTED": codes.TOKEN_REJECTED,
    "CREDENTIAL": codes.CREDENTIAL,
    "IP_NOT_ALLOWED": codes.IP_NOT_ALLOWED,
    "PERMISSION_DENIED": codes.PERMISSION_DENIED,
    "BUSY": codes.BUSY,
    "QUOTA_EXCEEDED": codes.QUOTA_EXCEEDED,
    "RATE_LIMITED": codes.RATE_LIMITED,
    "INVALID_MEDIA": codes.INVALID_MEDIA,
    "MEDIA_NOT_FOUND": codes.MEDIA_NOT_FOUND,
}

# Published for article publishing or plain success: neither is an answer of these endpoints.
FOREIGN: Final = (0, 53500, 53501, 53502)

EACH: Final = (*HINTS.items(), *STORAGE_HINTS.items())

ENGLISH_LIMIT: Final = 200
CHINESE_LIMIT: Final = 90
CJK: Final = re.compile(r"[\u4e00-\u9fff]")


def test_every_answered_code_has_a_hint() -> None:
    """No code that the endpoints can answer is left without advice."""
    assert set(ANSWERED) - set(HINTS) == set()


def test_every_hint_is_for_an_answered_code() -> None:
    """No hint is kept for a code that these endpoints never answer."""
    assert set(HINTS) - set(ANSWERED) == set()


def test_the_list_of_codes_names_each_once() -> None:
    """The list that the other tests rely on has no repetitions."""
    assert len(ANSWERED) == len(set(ANSWERED))


@pytest.mark.parametrize("code", FOREIGN)
def test_success_and_foreign_codes_have_no_hint(code: int) -> None:
    """Success and the codes of article publishing get no advice about media."""
    assert code not in HINTS


@pytest.mark.parametrize(("code", "hint"), EACH)
def test_english_is_plain_and_short(code: int | str, hint: Hint) -> None:
    """English is one line of ASCII, has at most 200 characters, starts like a sentence and ends with a period."""
    text = hint.english
    assert text.isascii(), code
    assert text.isprintable(), code
    assert text == " ".join(text.split()), code
    assert len(text) <= ENGLISH_LIMIT, code
    assert text[0].isupper(), code
    assert text.endswith("."), code


@pytest.mark.parametrize(("code", "hint"), EACH)
def test_chinese_is_chinese_and_short(code: int | str, hint: Hint) -> None:
    """Chinese is one line with Chinese characters, has at most 90 characters and ends with an ideographic full stop."""
    text = hint.chinese
    assert len(CJK.findall(text)) >= 4, code
    assert text.isprintable(), code
    assert text == text.strip(), code
    assert len(text) <= CHINESE_LIMIT, code
    assert text.endswith("。"), code


@pytest.mark.parametrize(("code", "hint"), EACH)
def test_hints_name_no_argument_or_method(code: int | str, hint: Hint) -> None:
    """A hint fits the Python API, the command line and web pages, so it has no code in backquotes."""
    assert "`" not in str(hint), code


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_no_two_codes_share_a_text(language: str) -> None:
    """Every code gets advice of its own."""
    texts = [getattr(hint, language) for _, hint in EACH]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(("first", "second"), list(combinations(GROUPS, 2)))
def test_groups_are_disjoint(first: str, second: str) -> None:
    """One code chooses one error class."""
    assert GROUPS[first] & GROUPS[second] == frozenset()


@pytest.mark.parametrize("name", GROUPS)
def test_every_member_of_a_group_has_a_hint(name: str) -> None:
    """A code that is sorted into a group is explained as well."""
    assert GROUPS[name]
    assert GROUPS[name] - set(HINTS) == set()


def test_every_group_is_public() -> None:
    """The module announces its groups, and these tests look at all of them."""
    assert set(GROUPS) == set(codes.__all__)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (40001, "TOKEN_REJECTED"),
        (40014, "TOKEN_REJECTED"),
        (42001, "TOKEN_REJECTED"),
        (40013, "CREDENTIAL"),
        (40125, "CREDENTIAL"),
        (41004, "CREDENTIAL"),
        (40164, "IP_NOT_ALLOWED"),
        (61004, "IP_NOT_ALLOWED"),
        (48001, "PERMISSION_DENIED"),
        (61007, "PERMISSION_DENIED"),
        (85088, "PERMISSION_DENIED"),
        (85105, "PERMISSION_DENIED"),
        (85107, "PERMISSION_DENIED"),
        (85113, "BUSY"),
        (-1, "BUSY"),
        (45009, "QUOTA_EXCEEDED"),
        (45011, "RATE_LIMITED"),
        (40005, "INVALID_MEDIA"),
        (40113, "INVALID_MEDIA"),
        (41005, "INVALID_MEDIA"),
        (44001, "INVALID_MEDIA"),
        (45001, "INVALID_MEDIA"),
        (45007, "INVALID_MEDIA"),
        (40007, "MEDIA_NOT_FOUND"),
    ],
)
def test_the_well_known_codes_are_in_their_groups(code: int, name: str) -> None:
    """The codes that callers branch on keep their error class."""
    assert code in GROUPS[name]


@pytest.mark.parametrize("code", [-501007, 40066, 40097, 41006, 43002, 44002, 45034, 47001, 48005])
def test_programming_errors_and_full_stores_are_in_no_group(code: int) -> None:
    """A wrong call, a full store or material in use is a plain API error, which nothing retries."""
    assert not any(code in group for group in GROUPS.values())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (40001, ("AppSecret", "stable")),
        (40113, ("filename", "jpg", "amr", "mp4")),
        (40164, ("allow-list", "30 seconds")),
        (41005, ("filename", "title")),
        (45007, ("60 seconds",)),
        (45009, ("Do not retry", "midnight", "clear_quota")),
        (45011, ("minute",)),
        (40013, ("WeChat Developer Platform",)),
        (40125, ("WeChat Developer Platform", "Development Keys")),
        (40164, ("WeChat Developer Platform", "CIDR")),
        (41001, ("off", "new deployment", "started")),
        (45009, ("component/clear_quota/v2",)),
        (45106, ("draft",)),
        (48001, ("from_appid", "WeChat Developer Platform")),
        (61007, ("permission set", "later", "authorizes again")),
        (85107, ("Nothing was carried out", "cloud.weixin.qq.com/cloudrun/openapi")),
        (85113, ("minutes", "nothing was carried out")),
        (-604100, ("wx-server-sdk", "HTTP API")),
        (85088, ("Cloud development", "environment")),
    ],
)
def test_hints_name_the_cure(code: int, words: tuple[str, ...]) -> None:
    """The hints that are read most name the value, the page or the limit that matters."""
    assert [word for word in words if word not in HINTS[code].english] == []


@pytest.mark.parametrize("text", ["Basic Configuration", "基本配置"])
def test_no_hint_names_the_console_of_the_past(text: str) -> None:
    """AppSecret, IP list and permissions have moved to the WeChat Developer Platform (wire reference 8.3)."""
    assert [code for code, hint in EACH if text in str(hint)] == []


@pytest.mark.parametrize("code", [*range(61003, 61018), 42007, 45009, 40001])
def test_platforms_find_their_remedy(code: int) -> None:
    """The codes that third-party platforms meet have hints for platforms (wire reference 8.4)."""
    words = ("platform", "component", "authoriz", "option")
    assert any(word in HINTS[code].english.lower() for word in words)


def test_str_is_english_then_chinese() -> None:
    """Printed, a hint says its English and then its Chinese."""
    assert str(Hint("Try again.", "请重试。")) == "Try again. 请重试。"


def test_hints_cannot_be_changed() -> None:
    """A program cannot change what another part of it is told."""
    with pytest.raises(FrozenInstanceError):
        HINTS[-1].english = "Gone."  # type: ignore[misc]  # the refusal is what is tested
    with pytest.raises(TypeError):
        HINTS[-1] = Hint("Gone.", "没了。")  # type: ignore[index]  # the same
