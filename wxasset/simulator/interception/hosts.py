"""Hosts of WeChat, and the paths that stand for them in the simulator."""

import re
from typing import Final

from yarl import URL

__all__ = ["IMAGE_HOSTS", "LISTED_HOSTS", "PATTERN", "inner_url", "is_wechat", "refusal"]

IMAGE_HOSTS: Final = ("mmbiz.qpic.cn", "mmbiz.qlogo.cn")
_LINK_HOSTS: Final = ("vweixinp.tc.qq.com", "cos.ap-shanghai.myqcloud.com", "tcb.qcloud.la")
LISTED_HOSTS: Final = (
    # Wire reference 0.1: the general host, its sister hosts, and the media host of older clients.
    "api.weixin.qq.com",
    "api2.weixin.qq.com",
    "sh.api.weixin.qq.com",
    "sz.api.weixin.qq.com",
    "hk.api.weixin.qq.com",
    "file.api.weixin.qq.com",
    # Pages of videos (2.2), images (2.1), videos (2.2) and cloud files (3.1, 3.2).
    "mp.weixin.qq.com",
    *IMAGE_HOSTS,
    *_LINK_HOSTS,
)
# Buckets are part of the host in links of cloud storage (3.2); regions of COS are many.
_PATTERNS: Final = (
    r"([a-z0-9-]+\.)?cos\.[a-z0-9-]+\.myqcloud\.com",
    r"[a-z0-9-]+\.tcb\.qcloud\.la",
    r"[a-z0-9-]+\.tc\.qq\.com",
)
PATTERN: Final = "|".join((*map(re.escape, LISTED_HOSTS), *_PATTERNS))
"""Regular expression of all hosts that the simulator answers for."""
_WECHAT: Final = re.compile(PATTERN)


def is_wechat(host: str) -> bool:
    """Return True for a host that the simulator answers for."""
    return _WECHAT.fullmatch(host.lower()) is not None


def refusal(host: str) -> str:
    """Return the reason to refuse a host."""
    return f"{host[:253]} is not a host of WeChat; this proxy of the simulator answers for hosts of WeChat only"


def inner_url(host: str, url: URL) -> URL | None:
    """Return the path and query that stand for a URL of a host of files; None for those of the URL itself.

    The simulator has the host of a file as the first part of its path. Its own links have that part already.
    """
    name = IMAGE_HOSTS[0] if host in IMAGE_HOSTS else host
    if name in (*IMAGE_HOSTS, *_LINK_HOSTS) and not url.raw_path.startswith(f"/{name}/"):
        return URL(f"/{name}{url.raw_path_qs}", encoded=True)
    return None
