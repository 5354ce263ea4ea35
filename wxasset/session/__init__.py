"""`WxSession`: one short method for each thing that can be done with an account's media."""

from wxasset.calls.base import ListedType, MediaType
from wxasset.session.batches import Bulk
from wxasset.session.cloud_trees import CloudTrees
from wxasset.session.media import TemporaryFiles
from wxasset.session.platform import Authorizers

__all__ = ["ListedType", "MediaType", "WxSession"]


class WxSession(Bulk, TemporaryFiles, CloudTrees, Authorizers):
    """The media of one account, and the one access token that all its calls share.

    ::

        async with WxSession(appid, secret) as wx:
            added = await wx.add_material("image", "poster.png")

    It opens by itself on first use; end it with ``async with`` or `aclose`. It serves one event loop after the
    other, and any number of its tasks at once.
    """
