"""Remove secrets from errors."""

import re
from collections.abc import Iterable
from typing import Any, Final

from attrs import fields

from wxasset.calls.base import Call
from wxasset.errors import DestinationError, SourceError, WxAssetError
from wxasset.tokens.token import Token

__all__ = ["hide", "without_secrets"]

_SECRET: Final = 8  # characters; real ones have 32 and more, and to blot out a shorter one would spoil the text
_LINK: Final = r"""(?i:https?:[\\/]+[^\s"'<>]*)"""  # in JSON a slash can have a backslash before it


def hide(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets in a text by asterisks; the longest first, since one can be a part of another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***") if len(secret) >= _SECRET else text
    return text


def without_secrets(error: WxAssetError, call: Call[Any], token: Token | None) -> WxAssetError:
    """Remove echoed and issued secrets from an error."""
    hidden = [str(getattr(call, one.name)) for one in fields(type(call)) if one.repr is False]
    hidden += [token.value] if token is not None else []
    for one in fields(type(error)):
        text = getattr(error, one.name)
        if isinstance(text, str):
            if one.name == "excerpt" and (call.route.confidential or not call.route.authorized):
                text = ""  # a broken answer of a token endpoint may hold the token
            elif one.name == "excerpt":
                text = re.sub(_LINK, "***", text)  # the address of a video is signed
            setattr(error, one.name, hide(text, hidden))
    error.args = ()  # attrs keeps a copy of the fields there
    if not isinstance(error, SourceError | DestinationError):
        # A crash reporter shows the variables of each frame: those below hold the request and the answer.
        error.__traceback__ = error.__context__ = error.__cause__ = None
    return error
