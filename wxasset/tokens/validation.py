"""Validate tokens, their lifetimes, and the arguments of token sources."""

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from wxasset.errors import Hint, TokenUnavailableError, UsageError, WxAssetError
from wxasset.tokens.token import LONGEST, Token, is_placeholder, is_token
from wxasset.wire.json_bodies import LARGEST

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = [
    "TokenParameter",
    "ask",
    "credential",
    "filled",
    "is_async",
    "is_life",
    "is_same",
    "issued",
    "parameter_name",
    "positive",
]

TokenParameter: TypeAlias = Literal["access_token", "component_access_token", "cloudbase_access_token"]
"""Query parameters of tokens: of an account, of a third-party platform, of cloud hosting (wire reference 1.3, 1.6)."""


def filled(remedy: str) -> Callable[[object, "Attribute[Any]", object], None]:
    """Return a validator for non-empty strings; its error ends with the remedy."""

    def check(instance: object, attribute: "Attribute[Any]", value: object) -> None:
        del instance
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"{attribute.name} is missing: {remedy}")

    return check


credential: Final = filled(
    "pass it to WxSession(appid, secret), or set WXASSET_APPID and WXASSET_SECRET and use WxSession.from_env()."
)


def positive(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    """Validate a number of seconds."""
    del instance
    if not is_life(value):
        raise UsageError(f"{attribute.name}= has to be a number of seconds above 0, not {value!r:.40}.")


def parameter_name(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    """Validate the name of the query parameter of a token."""
    del instance
    names = get_args(TokenParameter)
    if value not in names:
        raise UsageError(f"{attribute.name}= has to be one of {', '.join(map(repr, names))}, not {value!r:.40}.")


def is_life(value: object) -> bool:
    """Return True for a valid token lifetime in seconds."""
    if isinstance(value, int):
        return not isinstance(value, bool) and 0 < value <= LARGEST
    return isinstance(value, float) and value > 0


def is_same(token: Token, previous: Token | None) -> bool:
    """Return True for the token that was there before."""
    return previous is not None and token.value == previous.value


def is_async(function: object) -> bool:
    """Return True for an async function, or an object called like one."""
    called = type(function).__call__ if callable(function) else None
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


async def ask(function: Callable[[], Awaitable[object]], name: str, remedy: Hint) -> Any:
    """Await a function of the user's.

    Raises:
        TokenUnavailableError: It failed; its own error is the cause. One of this package passes unchanged.
    """
    try:
        return await function()
    except WxAssetError:
        raise
    except Exception as error:
        # Not its text, which may hold a secret.
        raise TokenUnavailableError(f"The {name} function failed with {type(error).__name__}.", remedy) from error


def issued(token: Token, path: str) -> Token:
    """Return a token issued by WeChat.

    Raises:
        DecodeError: It cannot be a token, or its lifetime is not between 0 seconds and 30 days.
    """
    life = token.expires_in
    if not is_token(token.value) or is_placeholder(token.value):
        problem = "an empty access token" if not token.value.strip() else "a string that cannot be an access token"
    elif not 0 < life <= LONGEST:
        problem = f"an access token with an invalid lifetime (expires_in {life})"
    else:
        return token
    from wxasset.calls.tokens import no_token  # noqa: PLC0415 - loaded with the call that failed

    del token  # a crash reporter shows the variables of the frame that raises
    raise no_token(f"{path} returned {problem}.", path)
