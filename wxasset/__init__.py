"""The asyncio-native SDK for WeChat (微信) media assets."""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Final

from wxasset._version import __version__

if TYPE_CHECKING:
    from wxasset.batch.pool import BatchProgress, Failed, NotTried
    from wxasset.calls.account import (
        ApiDomainIps,
        CallbackCheck,
        CallQuota,
        CheckCallback,
        FoundRequest,
        GetApiDomainIp,
        GetQuota,
        GetRid,
        Quota,
        RateLimit,
        RecordedRequest,
    )
    from wxasset.calls.base import Ack, Call, Download, Effect, Route, Upload
    from wxasset.calls.cloud import DeleteReport, FailedDelete
    from wxasset.calls.materials import AddedMaterial, Article, MaterialCount, MaterialItem, MaterialPage, News, Video
    from wxasset.calls.media import TemporaryMedia
    from wxasset.calls.object_storage import FileURL
    from wxasset.engine.retry import RetryPolicy
    from wxasset.engine.uploads import UploadPolicy
    from wxasset.errors import UploadOutcomeUnknown, WxAssetError
    from wxasset.instrumentation.hooks import Hooks
    from wxasset.ledger.ledger import Ledger, LedgerCounts, LedgerRow
    from wxasset.session import ListedType, MediaType, WxSession
    from wxasset.session.batches import Added, Deleted, Fetched
    from wxasset.session.ensure import NewMaterial
    from wxasset.tokens.cache import TokenCache
    from wxasset.tokens.file_store import FileTokenStore
    from wxasset.tokens.hosting_source import CloudHostingToken
    from wxasset.tokens.platform_source import AuthorizerToken, ComponentToken
    from wxasset.tokens.redis_source import RedisToken
    from wxasset.tokens.redis_store import RedisTokenStore
    from wxasset.tokens.sources import CallableToken, ClassicToken, NoToken, StableToken, StaticToken
    from wxasset.tokens.store import MemoryTokenStore, TokenStore
    from wxasset.tokens.token import Token, TokenRecord, TokenSource
    from wxasset.transfer.downloads.download import MaterialStream, SavedMaterial
    from wxasset.transfer.http import Timeouts
    from wxasset.transfer.integrity import Integrity
    from wxasset.wire.codec import wire_name
    from wxasset.wire.limits import Limits
    from wxasset.wire.url_policy import DownloadPolicy

__all__ = [
    "Ack",
    "Added",
    "AddedMaterial",
    "ApiDomainIps",
    "Article",
    "AuthorizerToken",
    "BatchProgress",
    "Call",
    "CallQuota",
    "CallableToken",
    "CallbackCheck",
    "CheckCallback",
    "ClassicToken",
    "CloudHostingToken",
    "ComponentToken",
    "DeleteReport",
    "Deleted",
    "Download",
    "DownloadPolicy",
    "Effect",
    "Failed",
    "FailedDelete",
    "Fetched",
    "FileTokenStore",
    "FileURL",
    "FoundRequest",
    "GetApiDomainIp",
    "GetQuota",
    "GetRid",
    "Hooks",
    "Integrity",
    "Ledger",
    "LedgerCounts",
    "LedgerRow",
    "Limits",
    "ListedType",
    "MaterialCount",
    "MaterialItem",
    "MaterialPage",
    "MaterialStream",
    "MediaType",
    "MemoryTokenStore",
    "NewMaterial",
    "News",
    "NoToken",
    "NotTried",
    "Quota",
    "RateLimit",
    "RecordedRequest",
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
    "UploadPolicy",
    "Video",
    "WxAssetError",
    "WxSession",
    "__version__",
    "wire_name",
]

# Each name is imported when it is first used: a program pays for what it takes.
_HOMES: Final = {
    "wxasset.batch.pool": ("BatchProgress", "Failed", "NotTried"),
    "wxasset.calls.base": ("Ack", "Call", "Download", "Effect", "Route", "Upload"),
    "wxasset.calls.cloud": ("DeleteReport", "FailedDelete"),
    "wxasset.calls.materials": (
        "AddedMaterial",
        "Article",
        "MaterialCount",
        "MaterialItem",
        "MaterialPage",
        "News",
        "Video",
    ),
    "wxasset.calls.media": ("TemporaryMedia",),
    "wxasset.calls.account": (
        "ApiDomainIps",
        "CallQuota",
        "CallbackCheck",
        "CheckCallback",
        "FoundRequest",
        "GetApiDomainIp",
        "GetQuota",
        "GetRid",
        "Quota",
        "RateLimit",
        "RecordedRequest",
    ),
    "wxasset.calls.object_storage": ("FileURL",),
    "wxasset.errors": ("UploadOutcomeUnknown", "WxAssetError"),
    "wxasset.hooks": ("Hooks",),
    "wxasset.ledger.ledger": ("Ledger", "LedgerCounts", "LedgerRow"),
    "wxasset.engine.uploads": ("UploadPolicy",),
    "wxasset.engine.retry": ("RetryPolicy",),
    "wxasset.session": ("ListedType", "MediaType", "WxSession"),
    "wxasset.session.batches": ("Added", "Deleted", "Fetched"),
    "wxasset.session.ensure": ("NewMaterial",),
    "wxasset.tokens.cache": ("TokenCache",),
    "wxasset.tokens.file_store": ("FileTokenStore",),
    "wxasset.tokens.redis_source": ("RedisToken",),
    "wxasset.tokens.hosting_source": ("CloudHostingToken",),
    "wxasset.tokens.platform_source": ("AuthorizerToken", "ComponentToken"),
    "wxasset.tokens.redis_store": ("RedisTokenStore",),
    "wxasset.tokens.sources": ("CallableToken", "ClassicToken", "NoToken", "StableToken", "StaticToken"),
    "wxasset.tokens.store": ("MemoryTokenStore", "TokenStore"),
    "wxasset.tokens.token": ("Token", "TokenRecord", "TokenSource"),
    "wxasset.transfer.downloads.download": ("MaterialStream", "SavedMaterial"),
    "wxasset.transfer.integrity": ("Integrity",),
    "wxasset.transfer.http": ("Timeouts",),
    "wxasset.wire.codec": ("wire_name",),
    "wxasset.wire.limits": ("Limits",),
    "wxasset.wire.url_policy": ("DownloadPolicy",),
}
_HOME: Final = {name: module for module, names in _HOMES.items() for name in names}

# Silent until a program sets logging up: else Python would write warnings to stderr by itself.
logging.getLogger("wxasset").addHandler(logging.NullHandler())

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value

    def __dir__() -> list[str]:
        return [name for name in globals() if name.startswith("__")] + __all__
