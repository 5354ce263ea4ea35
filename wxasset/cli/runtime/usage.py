"""Compute the usage of WeChat's limits: materials of the library and daily calls of each API. Pure."""

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
"""Capacity of the library; thumbs count as images.

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
"""Paths of the APIs called by this package."""


@frozen(kw_only=True)
class Usage:
    """Usage of one limit.

    Attributes:
        name: A kind of material, or the path of an API.
        used: The used amount.
        limit: The limit; 0 if WeChat reports none.
        left: The remaining amount; 0 without a limit.
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
        """Return the used part, from 0 to 1; None without a limit."""
        return min(1.0, max(0.0, self.used / self.limit)) if self.limit > 0 else None


def library_usage(count: MaterialCount) -> tuple[Usage, ...]:
    """Compare a count of the library with its capacity."""
    used = {"image + news": count.image + count.news, "voice": count.voice, "video": count.video}
    return tuple(Usage(name=name, used=used[name], limit=cap) for name, cap in CAPS.items())


def call_usage(path: str, found: CallQuota) -> Usage:
    """Convert WeChat's report on the daily calls of an API."""
    quota = found.quota
    return Usage(name=path, used=quota.used, limit=quota.daily_limit, left=quota.remain)


def bar(share: float, *, plain: bool = False) -> str:
    """Draw a share as a bar; a used or remaining part, however small, is visible.

    Args:
        share: The used part, from 0 to 1.
        plain: Whether to use ASCII only.
    """
    full, empty = ("#", ".") if plain else ("█", "░")
    filled = round(share * _BAR)
    if 0 < share < 1:
        filled = min(_BAR - 1, max(1, filled))
    return full * filled + empty * (_BAR - filled)
