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
from wxasset.tokens.file import FileTokenStore
from wxasset.tokens.foreign import RedisToken
from wxasset.tokens.hosting import CloudHostingToken, NoToken
from wxasset.tokens.platform import AuthorizerToken, ComponentToken
from wxasset.tokens.redis import RedisTokenStore
from wxasset.tokens.sources import CallableToken, ClassicToken, StableToken, StaticToken
from wxasset.tokens.stores import MemoryTokenStore, TokenStore
from wxasset.tokens.token import Token, TokenRecord, TokenSource
from wxasset.transfer.download import MaterialStream, SavedMaterial
from wxasset.transfer.integrity import Integrity
from wxasset.transfer.transport import Timeouts
from wxasset.wire.codec import wire_name
from wxasset.wire.limits import Limits

__all__ = [
    "Ack",
    "AddedMaterial",
    "Article",
    "AuthorizerToken",
    "Call",
    "CallableToken",
    "ClassicToken",
    "CloudHostingToken",
    "ComponentToken",
    "DeleteReport",
    "Download",
    "Effect",
    "FailedDelete",
    "FileTokenStore",
    "Integrity",
    "Limits",
    "ListedType",
    "MaterialCount",
    "MaterialItem",
    "MaterialPage",
    "MaterialStream",
    "MediaType",
    "MemoryTokenStore",
    "News",
    "NoToken",
    "RedisToken",
    "RedisTokenStore",
    "RetryPolicy",
    "Route",
    "SavedMaterial",
    "StableToken",
    "StaticToken",
    "TemporaryMedia",
    "Timeouts",
    "Token",
    "TokenCache",
    "TokenRecord",
    "TokenSource",
    "TokenStore",
    "Upload",
    "UploadOutcomeUnknown",
    "Video",
    "WxAssetError",
    "WxSession",
    "__version__",
    "wire_name",
]
