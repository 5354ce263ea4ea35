"""Events of a third-party platform, encrypted as pushed to its receiver (wire reference 8.4)."""

import base64
import binascii
import hashlib
from collections import deque

from attrs import field, frozen

from wxasset.simulator.identifiers import Identifiers

_KEY_LENGTH = 43  # documented: base64 of 32 bytes without its "="
_BLOCK = 32  # documented: padding of PKCS#7 to 32 bytes, although blocks of AES have 16
_MOST = 10_000  # bounds memory in long runs; the oldest events are dropped


@frozen
class Event:
    """One event; the XML has its fields in this order.

    Attributes:
        info_type: "component_verify_ticket", "authorized", "updateauthorized" or "unauthorized".
        created_at: Time of the event, in unix seconds.
        fields: Further fields by name.
    """

    info_type: str
    created_at: int
    fields: dict[str, str | int] = field(repr=False)

    def xml(self, appid: str) -> str:
        """Return the document before its encryption."""
        fields = {"AppId": appid, "CreateTime": self.created_at, "InfoType": self.info_type, **self.fields}
        lines = (f"<{name}>{_value(value)}</{name}>" for name, value in fields.items())
        return "<xml>\n" + "\n".join(lines) + "\n</xml>"


@frozen(kw_only=True)
class Push:
    """One encrypted event, as WeChat posts it to the receiver of a platform.

    Attributes:
        info_type: The type of the event.
        xml: The document before its encryption.
        query: The query of the request: signature, timestamp, nonce, encrypt_type, msg_signature.
        body: The XML body with the encrypted document.
    """

    info_type: str
    xml: str = field(repr=False)
    query: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@frozen(kw_only=True)
class PushResponse:
    """Response of a receiver to a push.

    Attributes:
        push: The push.
        status: The HTTP status, or None without a response.
        body: The body, or the reason for its absence.
    """

    push: Push
    status: int | None
    body: str

    @property
    def accepted(self) -> bool:
        """True for the documented response: status 200 and exactly `success`."""
        return (self.status, self.body) == (200, "success")


@frozen(kw_only=True)
class Receiver:
    """Receiver of pushes, as configured on WeChat's console.

    Attributes:
        url: The URL for pushes, or None to only collect them.
        token: The token for signatures.
        aes_key: The EncodingAESKey of 43 characters.
    """

    url: str | None
    token: str = field(repr=False)
    aes_key: str = field(repr=False)

    def __attrs_post_init__(self) -> None:
        _ = self.key

    @property
    def key(self) -> bytes:
        """The key of 32 bytes.

        Raises:
            ValueError: `aes_key` has another form than 43 characters of base64.
        """
        try:
            key = base64.b64decode(f"{self.aes_key}=", validate=True) if len(self.aes_key) == _KEY_LENGTH else b""
        except (binascii.Error, ValueError):
            key = b""
        if not key:
            raise ValueError("aes_key must be an EncodingAESKey: 43 characters of a-z, A-Z and 0-9")
        return key

    def push(self, event: Event, appid: str, now: float, identifiers: Identifiers) -> Push:
        """Encrypt and sign an event.

        Raises:
            ImportError: The extra `platform` is not installed.
        """
        xml, timestamp, nonce = event.xml(appid), str(int(now)), identifiers.nonce()
        text = xml.encode()
        plain = identifiers.nonce(16).encode() + len(text).to_bytes(4, "big") + text + appid.encode()
        encrypted = base64.b64encode(_encrypt(self.key, plain)).decode()
        query = {
            "signature": _signature(self.token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "encrypt_type": "aes",
            "msg_signature": _signature(self.token, timestamp, nonce, encrypted),
        }
        body = f"<xml>\n<AppId>{_value(appid)}</AppId>\n<Encrypt>{_value(encrypted)}</Encrypt>\n</xml>\n"
        return Push(info_type=event.info_type, xml=xml, query=query, body=body.encode())


class Outbox:
    """Events not yet pushed; without a receiver none are kept.

    Attributes:
        receiver: The receiver of the platform, or None.
    """

    def __init__(self) -> None:
        self.receiver: Receiver | None = None
        self._events: deque[Event] = deque(maxlen=_MOST)

    def add(self, event: Event) -> None:
        """Keep an event for the receiver."""
        if self.receiver is not None:
            self._events.append(event)

    def take(self) -> list[Event]:
        """Return and remove the events, oldest first."""
        events = list(self._events)
        self._events.clear()
        return events


def _value(value: str | int) -> str:
    return str(value) if isinstance(value, int) else f"<![CDATA[{value}]]>"


def _signature(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def _encrypt(key: bytes, plain: bytes) -> bytes:
    """Encrypt with AES-256-CBC; documented: the first 16 bytes of the key are the initialization vector."""
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415  # an extra
    except ImportError:
        raise ImportError("pushes are encrypted; to enable them, run: pip install 'wxasset[platform]'") from None
    missing = _BLOCK - len(plain) % _BLOCK
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return encryptor.update(plain + bytes([missing]) * missing) + encryptor.finalize()
