"""Compute the usage of WeChat's limits: the library's places, and the day's calls of each API. Pure."""

from typing import Final

from attrs import field, frozen

from wxasset import CallQuota, MaterialCount
from wxasset.calls.cloud import BatchDeleteFile, BatchDownloadFile, StartUpload
from wxasset.calls.materials import AddMaterial, CountMaterials, DeleteMaterial, GetMaterial, ListMaterials, UploadImage
from wxasset.calls.media import GetMedia, UploadMedia
from wxasset.calls.tokens import GetAccessToken, GetStableAccessToken

__all__ = ["CAPS", "ENDPOINTS", "Usage", "bar", "call_usage", "library_usage"]

_BAR: Final = 8  # characters: a table with the longest path fits into 80

CAPS: Final = {"image + news": 100_000, "voice": 1_000, "video": 1_000}
"""Capacity of the library; thumbs are counted among the images.

https://developers.weixin.qq.com/doc/service/api/material/permanent/api_addmaterial.html
"""

ENDPOINTS: Final = tuple(
    call.route.path
    for call in (
        *(AddMaterial, GetMaterial, DeleteMaterial, CountMaterials, ListMaterials, UploadImage),
        *(UploadMedia, GetMedia, StartUpload, BatchDownloadFile, BatchDeleteFile),
        *(GetStableAccessToken, GetAccessToken),
    )
)
"""The APIs that the package calls for an account."""


@frozen(kw_only=True)
class Usage:
    """Usage of one limit.

    Attributes:
        name: What it is of: a kind of material, or the path of an API.
        used: How much is used.
        limit: How much there is in all; 0 where WeChat names no limit.
        left: How much is left; 0 where there is no limit.
    """

    name: str
    used: int
    limit: int
    left: int = field()

    @left.default
    def _difference(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def share(self) -> float | None:
        """The used part, from 0 to 1; None where there is no limit."""
        return min(1.0, max(0.0, self.used / self.limit)) if self.limit > 0 else None


def library_usage(count: MaterialCount) -> tuple[Usage, ...]:
    """Set a count of the library against its caps."""
    used = {"image + news": count.image + count.news, "voice": count.voice, "video": count.video}
    return tuple(Usage(name=name, used=used[name], limit=cap) for name, cap in CAPS.items())


def call_usage(path: str, found: CallQuota) -> Usage:
    """Say how much of the day's calls of an API is used, in WeChat's own numbers."""
    quota = found.quota
    return Usage(name=path, used=quota.used, limit=quota.daily_limit, left=quota.remain)


def bar(share: float, *, plain: bool = False) -> str:
    """Draw a part of a whole, from 0 to 1; what is used at all shows, and so does what is left at all.

    Args:
        share: The part.
        plain: Whether to draw with ASCII alone.
    """
    full, empty = ("#", ".") if plain else ("█", "░")
    filled = round(share * _BAR)
    if 0 < share < 1:
        filled = min(_BAR - 1, max(1, filled))
    return full * filled + empty * (_BAR - filled)
