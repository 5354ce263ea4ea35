"""Identifiers in WeChat's formats, drawn from a seed for repeatable runs."""

import random
import string

_ALPHABET = string.ascii_letters + string.digits + "_-"
_HEX = string.hexdigits[:16]
_ACCOUNT_PREFIX_LENGTH = 21  # wire reference 2.1: common prefix of the material ids of one account
_MEDIA_ID_LENGTH = 64  # the same: ids created since 2021


def _source(seed: int | str, purpose: str) -> random.Random:
    """Return a generator per purpose: an additional error response does not change later media ids."""
    return random.Random(f"{seed} {purpose}")  # noqa: S311  # repeatable on purpose; used by a test double only


class Identifiers:
    """Generator of media ids, tokens, links, and the hints and request ids in error messages.

    Args:
        seed: The seed.
        start: Number of earlier runs with the same state: each run draws other ids, and has the same credentials.
    """

    def __init__(self, seed: int | str, start: int = 0) -> None:
        account = _source(seed, "account")
        self.appid: str = "wx" + "".join(account.choices(_HEX, k=16))
        self.secret: str = "".join(account.choices(_HEX, k=32))
        platform = _source(seed, "platform")
        self.component_appid: str = "wx" + "".join(platform.choices(_HEX, k=16))
        self.component_appsecret: str = "".join(platform.choices(_HEX, k=32))
        self._account_prefix = "".join(account.choices(_ALPHABET, k=_ACCOUNT_PREFIX_LENGTH))
        self._seed = f"{seed} run {start}" if start else seed
        self._sources = {} if start else {"platform": platform}

    def media_id(self) -> str:
        """Return an id of a permanent material: 64 characters, the first 21 common to the account."""
        rest = _MEDIA_ID_LENGTH - _ACCOUNT_PREFIX_LENGTH
        return self._account_prefix + "".join(self._from("media").choices(_ALPHABET, k=rest))

    def temporary_media_id(self) -> str:
        """Return an id of a temporary medium: 64 characters."""
        return "".join(self._from("media").choices(_ALPHABET, k=_MEDIA_ID_LENGTH))

    def access_token(self) -> str:
        """Return a token of 136 to 157 characters; it begins with a number, as in the service."""
        length = self._from("tokens").randint(136, 157)
        head = f"{self._from('tokens').randint(10, 99)}_"
        return head + "".join(self._from("tokens").choices(_ALPHABET, k=length - len(head)))

    def link_part(self, length: int) -> str:
        """Return an unguessable part of a URL: letters and digits."""
        return "".join(self._from("links").choices(_ALPHABET[:-2], k=length))

    def ticket(self) -> str:
        """Return a ticket as pushed to a third-party platform, for example `ticket@@@Xk3...`."""
        return "ticket@@@" + "".join(self._from("platform").choices(_ALPHABET, k=86))

    def refresh_token(self) -> str:
        """Return a refresh token, for example `refreshtoken@@@rXyDP5mf...` (wire reference 1.3)."""
        return "refreshtoken@@@" + "".join(self._from("platform").choices(_ALPHABET, k=43))

    def pre_auth_code(self) -> str:
        """Return a pre-authorization code, for example `preauthcode@@@Cx_Dk6...`."""
        return "preauthcode@@@" + "".join(self._from("codes").choices(_ALPHABET, k=86))

    def authorization_code(self) -> str:
        """Return an authorization code, for example `queryauthcode@@@xD...`."""
        return "queryauthcode@@@" + "".join(self._from("codes").choices(_ALPHABET, k=86))

    def nonce(self, length: int = 10) -> str:
        """Return digits of a nonce."""
        return "".join(self._from("codes").choices(string.digits, k=length))

    def storage_part(self, length: int) -> str:
        """Return a part of the signature of an upload to cloud storage: letters and digits."""
        return "".join(self._from("storage").choices(_ALPHABET[:-2], k=length))

    def sequence_id(self) -> str:
        """Return the x-openapi-seqid of a response through cloud hosting; its form is not known."""
        return "".join(self._from("sequence").choices(_HEX, k=32))

    def rid(self, now: float) -> str:
        """Return a request id for an error message: the time in hex and two more groups (wire reference 0.3)."""
        groups = ("".join(self._from("marks").choices(_HEX, k=8)) for _ in range(2))
        return "-".join((f"{int(now):08x}", *groups))

    def hint(self) -> str:
        """Return a hint for an error message, for example `giHBpA075141`."""
        letters = "".join(self._from("marks").choices(string.ascii_letters, k=6))
        return letters + "".join(self._from("marks").choices(string.digits, k=8))

    def _from(self, purpose: str) -> random.Random:
        """Return the generator of a purpose, created at its first use: most of 1,000 accounts need none."""
        if purpose not in self._sources:
            self._sources[purpose] = _source(self._seed, purpose)
        return self._sources[purpose]
