"""The documented limits of uploads, held to the tables of wire reference 2.1, 2.6 and 2.7."""

from collections.abc import Mapping
from datetime import date
from typing import Final

import pytest
from attrs.exceptions import FrozenInstanceError

from wxasset.wire.formats import FORMATS
from wxasset.wire.limits import ADD_MATERIAL, KIB, MIB, UPLOAD_IMAGE, UPLOAD_MEDIA, Limits, UploadLimit

TABLES: Final[Mapping[str, Mapping[str, UploadLimit]]] = {
    "add_material": ADD_MATERIAL,
    "upload_media": UPLOAD_MEDIA,
    "upload_image": UPLOAD_IMAGE,
}

DOCUMENTED: Final = [
    ("add_material", "image", 10 * MIB, {"bmp", "png", "jpeg", "gif"}, None),
    ("add_material", "voice", 2 * MIB, {"mp3", "wma", "wav", "amr"}, 60),
    ("add_material", "video", 10 * MIB, {"mp4"}, None),
    ("add_material", "thumb", 64 * KIB, {"jpeg"}, None),
    ("upload_media", "image", 10 * MIB, {"png", "jpeg", "gif"}, None),
    ("upload_media", "voice", 2 * MIB, {"amr", "mp3"}, 60),
    ("upload_media", "video", 10 * MIB, {"mp4"}, None),
    ("upload_media", "thumb", 64 * KIB, {"jpeg"}, None),
    ("upload_image", "image", MIB - 1, {"jpeg", "png"}, None),  # "< 1MB", where the others say how much may be reached
]

EVERY: Final = [(table, name) for table, types in TABLES.items() for name in types]


def limit(table: str, name: str) -> UploadLimit:
    """Look a limit up."""
    return TABLES[table][name]


@pytest.mark.parametrize(("table", "name", "max_bytes", "formats", "max_seconds"), DOCUMENTED)
def test_the_documented_limits(
    table: str, name: str, max_bytes: int, formats: set[str], max_seconds: int | None
) -> None:
    """Size, formats and play time are those of the official pages."""
    found = limit(table, name)
    assert (found.max_bytes, set(found.formats), found.max_seconds) == (max_bytes, formats, max_seconds)


def test_no_other_types_are_listed() -> None:
    """The tables hold what is documented and nothing else."""
    assert sorted(EVERY) == sorted((table, name) for table, name, *_ in DOCUMENTED)


@pytest.mark.parametrize(("table", "name"), EVERY)
def test_every_format_can_be_told(table: str, name: str) -> None:
    """A format that a limit names is one that the bytes can be told as."""
    assert limit(table, name).formats <= FORMATS.keys()


@pytest.mark.parametrize(("table", "name"), EVERY)
def test_every_limit_says_where_it_comes_from(table: str, name: str) -> None:
    """A limit carries the official page and the day on which it was read."""
    found = limit(table, name)
    assert found.source.startswith("https://developers.weixin.qq.com/doc/")
    assert found.as_of >= date(2026, 1, 1)


def test_the_pages_differ_by_endpoint() -> None:
    """The three tables cite three pages, each the same for all its types."""
    pages = [{one.source for one in types.values()} for types in TABLES.values()]
    assert [len(page) for page in pages] == [1, 1, 1]
    assert len(set().union(*pages)) == 3


def test_units_are_binary() -> None:
    """WeChat's "M" is read as 2**20 bytes, so that nothing is refused which the service would take."""
    assert (KIB, MIB) == (2**10, 2**20)


def test_a_session_checks_by_default() -> None:
    """Sizes and formats are checked unless told otherwise, and what is read has a bound."""
    limits = Limits()
    assert limits.check_size
    assert limits.check_format
    assert limits.max_reply == 32 * MIB
    assert limits.max_download == limits.max_spool == 1024 * MIB


@pytest.mark.parametrize("table", TABLES)
def test_what_a_session_reads_is_no_less_than_what_it_sends(table: str) -> None:
    """Whatever may be uploaded can be downloaded again."""
    assert all(one.max_bytes <= Limits().max_download for one in TABLES[table].values())


def test_limits_cannot_be_changed_in_place() -> None:
    """A session's limits are shared by its calls, so they are frozen."""
    with pytest.raises(FrozenInstanceError):
        Limits().check_size = False  # type: ignore[misc] # the refusal is what is tested
    with pytest.raises(FrozenInstanceError):
        ADD_MATERIAL["image"].max_bytes = 1  # type: ignore[misc] # the same
