"""The asyncio-native SDK for WeChat (微信) media assets."""

from wxasset._version import __version__
from wxasset.calls.base import Ack, Call, Download, Effect, Route, Upload
from wxasset.calls.cloud import DeleteReport, FailedDelete
from wxasset.calls.material import (
    AddedMaterial,
    Article,
    MaterialCount,
    MaterialItem,
    MaterialPage,
    News,
    Video,
)
from wxasset.calls.media import TemporaryMedia
from wxasset.errors import UploadOutcomeUnknown, WxAssetError
from wxasset.retry import RetryPolicy
from wxasset.session import ListedType, MediaType, WxSession
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.sources import ClassicToken, StableToken
from wxasset.tokens.token import Token, TokenSource
from wxasset.transfer.download import MaterialStream, SavedMaterial
from wxasset.transfer.transport import Timeouts
from wxasset.wire.codec import wire_name
from wxasset.wire.limits import Limits

__all__ = [
    "Ack",
    "AddedMaterial",
    "Article",
    "Call",
    "ClassicToken",
    "DeleteReport",
    "Download",
    "Effect",
    "FailedDelete",
    "Limits",
    "ListedType",
    "MaterialCount",
    "MaterialItem",
    "MaterialPage",
    "MaterialStream",
    "MediaType",
    "News",
    "RetryPolicy",
    "Route",
    "SavedMaterial",
    "StableToken",
    "TemporaryMedia",
    "Timeouts",
    "Token",
    "TokenCache",
    "TokenSource",
    "Upload",
    "UploadOutcomeUnknown",
    "Video",
    "WxAssetError",
    "WxSession",
    "__version__",
    "wire_name",
]
