"""Signature and encryption of pushes (消息加解密). Pure; needs the extra ``platform``.

https://developers.weixin.qq.com/doc/oplatform/developers/dev/push/encryption.html
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from attrs import Attribute, field, frozen
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from wxasset.errors import UsageError
from wxasset.errors.frames import conceals_arguments
from wxasset.wire.push_events import InvalidPushError, PlatformEvent, parse_event, parse_xml

__all__ = ["PushKey"]

_AES_KEY: Final = re.compile(r"[A-Za-z0-9+/]{43}", re.ASCII)
_CONSOLE: Final = "it stands on open.weixin.qq.com, with the platform's settings."
_BLOCK: Final = 16  # bytes
_PADDING: Final = 32  # the largest padding in bytes: WeChat pads to multiples of 32
_RANDOM: Final = 16  # random bytes before the length of the message
_HEAD: Final = _RANDOM + 4  # with the length, 4 bytes in network order


def _filled(_: object, attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{attribute.name}= is missing: {_CONSOLE}")


def _aes_key(_: object, attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str) or not _AES_KEY.fullmatch(value):
        raise UsageError(f"{attribute.name}= must be the EncodingAESKey, 43 letters and digits: {_CONSOLE}")


@conceals_arguments
@frozen(kw_only=True)
class PushKey:
    """The settings with which a platform verifies and decrypts pushes.

    Attributes:
        token: The token for verification (消息校验 Token).
        aes_key: The key for decryption (消息加解密 Key, EncodingAESKey), 43 characters.
        appid: The platform's appid.
    """

    token: str = field(validator=_filled, repr=False)
    aes_key: str = field(validator=_aes_key, repr=False)
    appid: str = field(validator=_filled)

    def open(self, body: bytes, query: Mapping[str, str], now: float, max_age: float) -> PlatformEvent | None:
        """Verify and decrypt a push, and return its event; None for an event of another kind.

        Args:
            body: The body of the request.
            query: Its query parameters.
            now: Unix time in seconds.
            max_age: Largest difference of the timestamp, in seconds, in either direction.

        Raises:
            InvalidPushError: It is not a push for this platform, or too old.
        """
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        encrypted = parse_xml(body).get("Encrypt", "")
        expected = self.signature(timestamp, nonce, encrypted).encode()
        # The signature first: nobody learns from the rest if a guess at the content was right.
        if not hmac.compare_digest(expected, query.get("msg_signature", "").encode("utf-8", "replace")):
            raise InvalidPushError("the signature")
        if not timestamp.isascii() or not timestamp.isdigit() or abs(float(timestamp) - now) > max_age:
            raise InvalidPushError("the timestamp")
        return parse_event(self.decrypt(encrypted), self.appid)

    def signature(self, timestamp: str, nonce: str, encrypted: str) -> str:
        """Return the signature of a push, in hexadecimal."""
        parts = sorted(one.encode("utf-8", "replace") for one in (self.token, timestamp, nonce, encrypted))
        return hashlib.sha1(b"".join(parts), usedforsecurity=False).hexdigest()

    def decrypt(self, encrypted: str) -> bytes:
        """Decrypt a message: AES-256-CBC, PKCS#7 padding to multiples of 32 bytes, the appid at the end.

        Raises:
            InvalidPushError: The key or the appid is another one, or the message is broken.
        """
        key = base64.b64decode(f"{self.aes_key}=")
        data = _decoded(encrypted)
        if not data or len(data) % _BLOCK:
            raise InvalidPushError("the length")
        decryptor = Cipher(algorithms.AES256(key), modes.CBC(key[:_BLOCK])).decryptor()
        plain = _unpadded(decryptor.update(data) + decryptor.finalize())
        end = _HEAD + int.from_bytes(plain[_RANDOM:_HEAD])
        if len(plain) < _HEAD or not hmac.compare_digest(plain[end:], self.appid.encode()):
            raise InvalidPushError("the key or the appid")
        return plain[_HEAD:end]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _unpadded(plain: bytes) -> bytes:
    count = plain[-1]
    if not 1 <= count <= min(_PADDING, len(plain)) or plain[-count:] != bytes([count]) * count:
        raise InvalidPushError("the padding")
    return plain[:-count]
