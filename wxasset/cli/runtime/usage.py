"""Usage of WeChat's limits: materials of the library and daily calls of each API."""

from collections.abc import Sequence
from typing import Final

from attrs import field, frozen

from wxasset import CallQuota, GetQuota, MaterialCount, WxSession
from wxasset.batch.pool import Batch
from wxasset.batch.work import Work
from wxasset.calls.cloud import BatchDeleteFile, BatchDownloadFile, StartUpload
from wxasset.calls.images import UploadImage
from wxasset.calls.library import CountMaterials, DeleteMaterial, GetMaterial, ListMaterials
from wxasset.calls.materials import AddMaterial
from wxasset.calls.media import GetMedia, UploadMedia
from wxasset.calls.tokens import GetAccessToken, GetStableAccessToken
from wxasset.errors import WxAssetError

__all__ = ["CAPS", "ENDPOINTS", "Usage", "bar", "call_usage", "library_usage", "query_quotas"]

_NEAR: Final = 0.9  # of a limit: shown while there is time to act
_CONCURRENCY: Final = 4  # a browser opens six connections to a host
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

    @property
    def is_spent(self) -> bool:
        """Return whether there is a limit and nothing is left of it."""
        return self.limit > 0 and self.left <= 0

    @property
    def is_nearly_spent(self) -> bool:
        """Return whether little is left of a limit."""
        return not self.is_spent and self.share is not None and self.share >= _NEAR

    def record(self, kind: str) -> dict[str, object]:
        """Return stable keys for JSON; limit and left are None without a limit."""
        limit, left = (self.limit, self.left) if self.share is not None else (None, None)
        return {"kind": kind, "name": self.name, "used": self.used, "limit": limit, "left": left}


def library_usage(count: MaterialCount) -> tuple[Usage, ...]:
    """Compare a count of the library with its capacity."""
    used = {"image + news": count.image + count.news, "voice": count.voice, "video": count.video}
    return tuple(Usage(name=name, used=used[name], limit=cap) for name, cap in CAPS.items())


def call_usage(path: str, found: CallQuota) -> Usage:
    """Convert WeChat's report on the daily calls of an API."""
    quota = found.quota
    return Usage(name=path, used=quota.used, limit=quota.daily_limit, left=quota.remain)


async def query_quotas(wx: WxSession, paths: Sequence[str] = ENDPOINTS) -> tuple[list[Usage], dict[str, WxAssetError]]:
    """Query the remaining daily calls of APIs.

    Returns:
        Usages in the order of `paths`, and the errors of failed queries by path.
    """

    async def query(path: str, _: Work) -> Usage:
        return call_usage(path, await wx.call(GetQuota(cgi_path=path)))

    found: dict[str, Usage] = {}
    refused: dict[str, WxAssetError] = {}
    async with Batch(paths, query, concurrency=_CONCURRENCY) as outcomes:
        async for outcome in outcomes:
            if isinstance(outcome, Usage):
                found[outcome.name] = outcome
            else:
                refused[outcome.item] = outcome.error
    return [found[path] for path in paths if path in found], {path: refused[path] for path in paths if path in refused}


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
