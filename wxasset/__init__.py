"""The asyncio-native SDK for WeChat (微信) media assets."""

import logging
from importlib import import_module
from typing import Final

from wxasset._version import __version__

# Each public name is imported at its first use, so that programs load only what they use. `__init__.pyi` gives the
# same names to type checkers; a test compares the two.
_HOMES: Final = {
    "wxasset.batch.budget": ("CallBudget",),
    "wxasset.batch.outcomes": ("BatchReport", "Failed", "NotTried", "Unknown"),
    "wxasset.batch.pool": ("Batch",),
    "wxasset.batch.tally": ("BatchProgress",),
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
    "wxasset.calls.authorization": ("authorization_url",),
    "wxasset.calls.base": ("Ack", "Call", "Download", "Effect", "ListedType", "MediaType", "Route", "Upload"),
    "wxasset.calls.cloud": ("DeleteReport", "FailedDelete"),
    "wxasset.calls.file_urls": ("FileURL",),
    "wxasset.calls.library": ("Article", "MaterialCount", "MaterialItem", "MaterialPage", "News", "Video"),
    "wxasset.calls.materials": ("AddedMaterial",),
    "wxasset.calls.media": ("TemporaryMedia",),
    "wxasset.calls.platform": (
        "Authorization",
        "AuthorizerInfo",
        "AuthorizerPage",
        "AuthorizerProfile",
        "ClearComponentQuota",
        "CreatePreauthCode",
        "GetAuthorizerInfo",
        "GetAuthorizerList",
        "ListedAuthorizer",
        "PreauthCode",
        "QueriedAuthorization",
        "QueryAuth",
        "StartPushTicket",
    ),
    "wxasset.engine.retry": ("RetryPolicy",),
    "wxasset.engine.uploads": ("UploadPolicy",),
    "wxasset.errors": (
        "APIError",
        "BudgetSpentError",
        "Later",
        "RequestError",
        "SourceError",
        "UploadOutcomeUnknown",
        "WxAssetError",
    ),
    "wxasset.instrumentation.hooks": ("Hooks",),
    "wxasset.ledger.ledger": ("Ledger", "LedgerCounts", "LedgerRow"),
    "wxasset.ledger.library": ("Verified",),
    "wxasset.ledger.new_material": ("NewMaterial",),
    "wxasset.ledger.postgres_store": ("PostgresStore",),
    "wxasset.ledger.sqlite_store": ("SqliteStore",),
    "wxasset.ledger.store": ("LedgerStore",),
    "wxasset.session": ("WxSession",),
    "wxasset.session.accounts": ("Platform",),
    "wxasset.session.fetched": ("Fetched",),
    "wxasset.session.file_batch": ("FileBatch", "FileOutcomes"),
    "wxasset.session.outcomes": ("Added", "Deleted", "Downloaded", "Uploaded"),
    "wxasset.tokens.cache": ("TokenCache",),
    "wxasset.tokens.classic_source": ("ClassicToken",),
    "wxasset.tokens.component_source": ("ComponentToken",),
    "wxasset.tokens.file_store": ("FileTokenStore",),
    "wxasset.tokens.given_sources": ("CallableToken", "StaticToken"),
    "wxasset.tokens.hosting_source": ("CloudHostingToken",),
    "wxasset.tokens.platform_source": ("AuthorizerToken",),
    "wxasset.tokens.records": ("TokenRecord",),
    "wxasset.tokens.redis_source": ("RedisToken",),
    "wxasset.tokens.redis_store": ("RedisTokenStore",),
    "wxasset.tokens.sources": ("NoToken", "StableToken"),
    "wxasset.tokens.store": ("MemoryTokenStore", "TokenStore"),
    "wxasset.tokens.tickets": ("TicketKeeper",),
    "wxasset.tokens.token": ("Token", "TokenSource"),
    "wxasset.transfer.downloads.download": ("MaterialStream", "SavedMaterial"),
    "wxasset.transfer.http": ("Timeouts",),
    "wxasset.transfer.integrity": ("Integrity",),
    "wxasset.wire.codec": ("wire_name",),
    "wxasset.wire.limits": ("Limits",),
    "wxasset.wire.url_policy": ("DownloadPolicy",),
}
_MODULES: Final = ("errors", "events", "otel", "simulator", "starlette")  # imported at their first use as well
_HOME: Final = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - the keys are strings

# Without a handler, Python would print warnings to stderr in programs that do not configure logging.
logging.getLogger("wxasset").addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return [name for name in globals() if name.startswith("__")] + __all__
