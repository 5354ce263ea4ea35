"""What a declared call is: its route, its fields, its reply. Users declare endpoints the same way. Pure."""

import enum
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar, get_args, get_origin

from attrs import frozen

from wxasset.errors import UsageError
from wxasset.wire.codec import dumps, unstructure
from wxasset.wire.limits import KIB, MIB, UploadLimit
from wxasset.wire.multipart import Frame, frame

__all__ = ["LARGE_REPLY", "Ack", "Call", "Download", "Effect", "ListedType", "MediaType", "Route", "Upload"]

R_co = TypeVar("R_co", covariant=True)
_REPLY: Final = 256 * KIB
"""The cap of an ordinary reply, in bytes: the largest of them, 50 download links, has some 40 KiB."""
LARGE_REPLY: Final = 32 * MIB
"""The cap of a reply with articles, in bytes: eight articles of up to 1 MiB each make one material."""


class Effect(enum.Enum):
    """What repeating a call would do; `wxasset.engine.retry.decide` is built on it."""

    READ = "read"
    REPLACE = "replace"  # the same bytes in the same place: the second time changes nothing
    DELETE = "delete"
    CREATE = "create"


@frozen(kw_only=True)
class Route:
    """Where a call goes.

    Attributes:
        path: The API's path.
        effect: What a repetition does.
        method: A GET carries its fields in the query, a POST in a JSON body.
        authorized: Whether the call carries an access token.
        max_reply: The largest JSON reply read, in bytes; `Limits.max_reply` may lower it.
        gone: Codes by which WeChat says that what a DELETE names does not exist: on a repetition, a success, for which
            the reply is made without arguments.
        confidential: Whether the reply holds secrets, such as signed links: no error shows any of it then.
        not_yet: HTTP statuses by which a READ is told that what it names is not there yet.
    """

    path: str
    effect: Effect
    method: Literal["GET", "POST"] = "POST"
    authorized: bool = True
    max_reply: int = _REPLY
    gone: frozenset[int] = frozenset()
    not_yet: frozenset[int] = frozenset()
    confidential: bool = False


@frozen
class Ack:
    """An answer that says no more than "done"."""


@frozen(kw_only=True)
class Call(Generic[R_co]):
    """A call with a JSON reply; the type argument is the reply's attrs class, or a union of such classes.

    A subclass is frozen, sets `route`, and has the API's parameters as its fields, under WeChat's names. A field
    that is None is not sent.
    """

    route: ClassVar[Route]
    reply: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        """Take the reply's class from the type argument."""
        for base in getattr(cls, "__orig_bases__", ()):
            origin, arguments = get_origin(base), get_args(base)
            if isinstance(origin, type) and issubclass(origin, Call) and not isinstance(arguments[0], TypeVar):
                cls.reply = arguments[0]

    def query(self) -> dict[str, str]:
        """Return the query, without the access token."""
        return _texts(unstructure(self)) if self.route.method == "GET" else {}

    def body(self) -> bytes | None:
        """Return the encoded JSON body, or None for a GET."""
        return None if self.route.method == "GET" else dumps(unstructure(self))

    def settle(self, reply: Any, *, repeated: bool) -> Any:
        """Correct a reply in the light of an earlier attempt that may have taken effect."""
        del repeated
        return reply


@frozen(kw_only=True)
class Upload(Call[R_co]):
    """A multipart call with one file in the part ``media``.

    Plain fields ride in the query; a field that is itself an attrs instance is a form field of JSON text.
    """

    limits: ClassVar[Mapping[str, UploadLimit]] = {}

    @property
    def media_type(self) -> str:
        """The type whose documented limits hold."""
        return str(getattr(self, "type", "media"))

    @property
    def limit(self) -> UploadLimit | None:
        """What is documented for this endpoint and type; None where nothing is."""
        return self.limits.get(self.media_type)

    @property
    def listing(self) -> str | None:
        """The type under which the library lists what this call makes; None where it lists nothing.

        A call that has one gives a reply with a ``media_id``, and can `recover` it from the list.
        """
        return None

    def recover(self, item: Any) -> R_co:
        """Make the reply, which was lost, of what the library lists.

        Args:
            item: A `MaterialItem`.
        """
        raise NotImplementedError(f"{type(self).__name__} has a listing, but cannot make a reply of it: {item!r}")

    def query(self) -> dict[str, str]:
        """Return the plain fields."""
        return _texts({name: value for name, value in unstructure(self).items() if not isinstance(value, dict)})

    def body(self) -> None:
        """Return nothing: the body is the multipart frame around the media."""

    def frame(self, filename: str, content_type: str) -> Frame:
        """Return what goes around the media."""
        return frame(filename, content_type, self.form())

    def form(self) -> dict[str, str]:
        """Return the form fields that follow the media."""
        return {name: dumps(value).decode() for name, value in unstructure(self).items() if isinstance(value, dict)}


@frozen(kw_only=True)
class Download(Call[R_co]):
    """A call that answers with a file, or with JSON that the type argument describes."""


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    for name, value in values.items():
        if not isinstance(value, str | int):
            raise UsageError(f"{name}= cannot ride in a query: pass a string or a number, not {type(value).__name__}.")
    return {name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in values.items()}


ListedType = Literal["image", "voice", "video", "news"]
MediaType = Literal["image", "voice", "video", "thumb"]
