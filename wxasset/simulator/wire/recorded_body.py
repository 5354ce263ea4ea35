"""Bodies of requests as recorded in the journal: their first bytes, without secrets."""

import re

from wxasset.simulator.wire.requests import SECRET_PARAMETERS

__all__ = ["appid_in", "recorded"]

# The fields of a form of COS are signed; the rest are the names of secrets in queries and JSON.
_NAMES = b"|".join(
    re.escape(name.encode()) for name in sorted({*SECRET_PARAMETERS, "signature", "x-cos-security-token"})
)
# A value cut off at the end of the recorded bytes is hidden as well.
_SECRET = re.compile(
    rb'("(?:' + _NAMES + rb')"\s*:\s*")(?:[^"\\]|\\.)*'
    rb'|(name="(?:' + _NAMES + rb')"\r\n(?:[^\r\n]+\r\n)*\r\n)[^\r\n]*'
    rb"|((?:\A|&)(?:" + _NAMES + rb")=)[^&\r\n]*",
    re.IGNORECASE | re.DOTALL,
)
_APPID = re.compile(rb'"(?:component_|authorizer_)?appid"\s*:\s*"(\w{1,64})"')


def recorded(body: bytes, most: int) -> bytes:
    """Return the first `most` bytes of a body, with secrets replaced by `***`."""
    return _SECRET.sub(lambda match: (match[1] or match[2] or match[3]) + b"***", body[:most])


def appid_in(body: bytes) -> str | None:
    """Return the appid in a JSON body, or None."""
    found = _APPID.search(body[:4096])
    return found and found[1].decode()
