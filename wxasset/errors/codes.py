"""Sets of WeChat error codes, one for each error class."""

from typing import Final

__all__ = [
    "BUSY",
    "CREDENTIAL",
    "INVALID_MEDIA",
    "IP_NOT_ALLOWED",
    "MEDIA_NOT_FOUND",
    "PERMISSION_DENIED",
    "QUOTA_EXCEEDED",
    "RATE_LIMITED",
    "TOKEN_REJECTED",
]

# The token alone is at fault: drop it, fetch one more, send once more.
TOKEN_REJECTED: Final = frozenset(
    {
        40001,  # not the latest token; at a token endpoint also a wrong AppSecret
        40014,  # malformed
        42001,  # out of date
    }
)
# What proves who is calling is wrong, missing or frozen; no new access token can cure it.
CREDENTIAL: Final = frozenset(
    {
        40002,  # grant_type, only ever sent beside a credential
        40013,  # appid unknown
        40091,  # platform ticket
        40094,  # platform appid and secret
        40125,  # AppSecret wrong
        40243,  # AppSecret frozen
        41001,  # no token was sent, so none can be refreshed: the token source is at fault
        41002,  # appid empty
        41003,  # refresh token missing
        41004,  # AppSecret empty
        41018,  # platform appid missing
        41021,  # platform token missing
        42002,  # refresh token out of date
        42006,  # platform token out of date: the account's own token is not what must be renewed
        42007,  # everything voided by a new password
        61005,  # platform ticket out of date
        61006,  # platform ticket wrong
        61009,  # authorization code wrong
        61010,  # authorization code out of date
        61011,  # platform unknown
        61014,  # the account's token where the platform's belongs
        61015,  # and the reverse
        61023,  # refresh token wrong
        61024,  # a platform's appid at the endpoint of ordinary accounts
    }
)
# The credentials are right, the address is not: the allow-list or an administrator decides.
IP_NOT_ALLOWED: Final = frozenset(
    {
        40090,  # bad client address
        40164,  # not listed; the message names the address
        45035,  # not registered, said by an API
        61004,  # not registered with the third-party platform
        89501,  # 895xx: an administrator is asked about the address, has not answered, or has refused
        89502,
        89503,
        89504,
        89505,
        89506,
        89507,
    }
)
# WeChat knows the caller and says no.
PERMISSION_DENIED: Final = frozenset(
    {
        -604101,  # a cloud function may not call the API
        -503002,  # somebody else's cloud file
        -501019,  # not authorized in the environment
        -501008,  # the environment refuses such callers
        48001,  # the account lacks the API
        48004,  # the API is banned for the account
        50001,  # not authorized
        50002,  # account restricted
        50004,  # barred from tokens: the credentials are right, the account is being punished
        50007,  # account frozen: the same
        61003,  # the account has not authorized the platform
        61007,  # permission set not granted to the platform
        61016,  # permission not yet confirmed by the platform
        61017,  # permission not granted
        85088,  # cloud development not enabled
        85105,  # cloud hosting: the account is of another kind
        85107,  # cloud hosting: the path is not on the console's list
    }
)
# Nothing is wrong with the request: the same one may pass later.
BUSY: Final = frozenset(
    {
        -601003,  # network inside WeChat (-601002 is about arguments, hence not here)
        -601001,  # WeChat behind the cloud
        -501002,  # the cloud timed out; the work may have been done
        -501001,  # the cloud failed
        -1000,  # the cloud endpoints' way of saying -1
        -1,
        46007,  # still transcoding, only ever said to a download
        85113,  # cloud hosting has just started; the call was not carried out
    }
)
# A contingent is spent; only a reset, the next period or a larger plan helps. A full store is not a contingent.
QUOTA_EXCEEDED: Final = frozenset(
    {
        -501016,  # cloud writes
        -501015,  # cloud reads
        -501003,  # the requests in the environment's plan
        45009,  # calls of the day
        48006,  # quota resets of the month
    }
)
# Too fast, not too often: the same calls pass when they are spread out.
RATE_LIMITED: Final = frozenset(
    {
        -501004,  # too many at once
        45011,  # too many in this minute
    }
)
# What was to be uploaded, or the type or texts given with it, cannot be accepted.
INVALID_MEDIA: Final = frozenset(
    {
        40004,  # type unknown
        40005,  # file does not fit the type
        40006,  # temporary file too large
        40008,  # type unknown, in another wording
        40009,  # image too large
        40010,  # voice too large
        40011,  # video too large
        40012,  # thumb too large
        40113,  # format unknown
        40137,  # image format not supported
        41005,  # no file, no file name, or a video without a title
        44001,  # empty file
        44006,  # empty file
        45001,  # permanent file too large
        45003,  # a video's title
        45004,  # a video's introduction
        45007,  # voice plays too long
    }
)
# The thing asked for does not exist (any more); on a repeated deletion that is success.
MEDIA_NOT_FOUND: Final = frozenset(
    {
        -503003,  # cloud file
        40007,
        46001,  # the id is known, its data is gone
    }
)
