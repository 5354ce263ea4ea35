"""`wxasset count | ls | rm`: what is in the library, and what goes out of it."""

from wxasset import WxSession
from wxasset.cli.report import Report
from wxasset.cli.work import Options, perform

__all__ = ["count_command"]

_COUNTED = ("image", "voice", "video", "news")


def count_command(*, options: Options = Options()) -> int:  # noqa: B008 - frozen
    """Count the materials of each type.

    JSON keys: type, count.
    """

    async def work(wx: WxSession, report: Report) -> None:
        count = await wx.count_materials()
        for kind in _COUNTED:
            report.did({"type": kind, "count": getattr(count, kind)})

    return perform(options, ("type", "count"), work)
