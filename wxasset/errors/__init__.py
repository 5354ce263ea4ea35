"""Every failure of wxasset: one tree, whose data is all in plain attributes.

::

    WxAssetError
    ├── UsageError                the call itself is wrong; nothing was sent
    ├── RequestError              no complete answer
    │   ├── ConnectError          nothing was sent
    │   ├── TransferError         broke on the way
    │   │   └── TransferTimeout
    │   └── UploadOutcomeUnknown  a create may or may not have happened
    ├── ReplyError                an answer that cannot be used
    │   ├── HTTPStatusError       the status was not 200
    │   │   ├── StorageError      object storage said no
    │   │   └── NotListedError    cloud hosting did not pass the call on
    │   ├── DecodeError  TruncatedDownload  ReplyTooLarge  UnsafeURLError  NotAFileError
    ├── APIError                  WeChat said no
    │   ├── TokenRejectedError    CredentialError    IPNotAllowedError
    │   ├── PermissionDeniedError BusyError          QuotaExceededError   RateLimitedError
    │   ├── InvalidMediaError     MediaNotFoundError
    ├── SourceError               the thing to upload
    ├── DestinationError          the place to download to
    ├── TokenUnavailableError     no access token is available
    │   └── TokenStoreError       the store that shares tokens failed
    ├── LedgerError               the file with the record of uploads
    ├── Later                     not decided yet: when to try again
    │   └── BudgetSpentError      no call is left of the day
    ├── StreamConsumedError       read twice
    └── PartialDeleteError        some cloud files were not deleted

Errors name the API's path, never its URL: an access token rides in the query. They pickle, and they carry a hint
in English and Chinese. Their texts are printable: servers and file names can contain line ends and escapes.
"""

from wxasset.errors.api import (
    APIError,
    BusyError,
    CredentialError,
    InvalidMediaError,
    IPNotAllowedError,
    MediaNotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    TokenRejectedError,
)
from wxasset.errors.base import UsageError, WxAssetError, _rebuild
from wxasset.errors.deletion import DeletionOutcome, PartialDeleteError, UndeletedFile
from wxasset.errors.hints import Hint
from wxasset.errors.local import (
    BudgetSpentError,
    DestinationError,
    Later,
    LedgerError,
    SourceError,
    StreamConsumedError,
    TokenStoreError,
    TokenUnavailableError,
)
from wxasset.errors.replies import (
    DecodeError,
    HTTPStatusError,
    NotAFileError,
    NotListedError,
    ReplyError,
    ReplyTooLarge,
    StorageError,
    TruncatedDownload,
    UnsafeURLError,
)
from wxasset.errors.transfer import (
    ConnectError,
    RequestError,
    Resolver,
    TransferError,
    TransferTimeout,
    UploadOutcomeUnknown,
)

__all__ = [
    "APIError",
    "BudgetSpentError",
    "BusyError",
    "ConnectError",
    "CredentialError",
    "DecodeError",
    "DeletionOutcome",
    "DestinationError",
    "HTTPStatusError",
    "Hint",
    "IPNotAllowedError",
    "InvalidMediaError",
    "Later",
    "LedgerError",
    "MediaNotFoundError",
    "NotAFileError",
    "NotListedError",
    "PartialDeleteError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitedError",
    "ReplyError",
    "ReplyTooLarge",
    "RequestError",
    "Resolver",
    "SourceError",
    "StorageError",
    "StreamConsumedError",
    "TokenRejectedError",
    "TokenStoreError",
    "TokenUnavailableError",
    "TransferError",
    "TransferTimeout",
    "TruncatedDownload",
    "UndeletedFile",
    "UnsafeURLError",
    "UploadOutcomeUnknown",
    "UsageError",
    "WxAssetError",
]

# Tracebacks, traces and pickles name the public module, in whichever module of this package a class is.
for _public in (*(globals()[_name] for _name in __all__), _rebuild):
    _public.__module__ = __name__
