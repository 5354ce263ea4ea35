"""Base classes of declared calls: route, fields and response type. Users declare endpoints the same way. Pure."""

import enum
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar, get_args, get_origin

from attrs import frozen

from wxasset.errors import UsageError, WxAssetError
from wxasset.wire.codec import dumps, unstructure
from wxasset.wire.limits import KIB, MIB, UploadLimit
from wxasset.wire.multipart import Frame, frame
from wxasset.wire.values import Value

__all__ = ["LARGE_REPLY", "Ack", "Call", "Download", "Effect", "ListedType", "MediaType", "Route", "Upload"]

R_co = TypeVar("R_co", covariant=True)
_REPLY: Final = 256 * KIB
"""Size limit of an ordinary response in bytes; the largest one, with 50 download links, has about 40 KiB."""
LARGE_REPLY: Final = 32 * MIB
"""Size limit of a response with articles in bytes; a material has up to eight articles of up to 1 MiB each."""


class Effect(enum.Enum):
    """Effect of repeating a call, used by `wxasset.engine.retry.decide`."""

    READ = "read"
    REPLACE = "replace"  # the same bytes in the same place: a repetition has no effect
    DELETE = "delete"
    CREATE = "create"


@frozen(kw_only=True, eq=False, repr=False)
class Route(Value):
    """Route and properties of an endpoint.

    Attributes:
        path: Path of the API.
        effect: Effect of repeating the call.
        method: GET sends the fields in the query, POST in a JSON body.
        authorized: Whether the call carries an access token.
        max_reply: Maximum size of a JSON response in bytes; `Limits.max_reply` may lower it.
        gone: Error codes for a missing object. On a repeated DELETE they count as success, and the response type is
            created without arguments.
        confidential: Whether the response contains secrets, such as signed links; it is then not shown in errors.
        not_yet: HTTP statuses of a READ for an object not available yet.
    """

    path: str
    effect: Effect
    method: Literal["GET", "POST"] = "POST"
    authorized: bool = True
    max_reply: int = _REPLY
    gone: frozenset[int] = frozenset()
    not_yet: frozenset[int] = frozenset()
    confidential: bool = False


@frozen(eq=False, repr=False)
class Ack(Value):
    """A response without data: ``errcode`` 0 and no other key.

    Like each class without a required field, it accepts no JSON without ``errcode`` 0 or a key of the class.
    """


@frozen(kw_only=True, eq=False, repr=False)
class Call(Value, Generic[R_co]):
    """A call with a JSON response; the type argument is the attrs class of the response, or a union of such classes.

    A subclass is frozen, sets `route`, and has the parameters of the API as fields, under WeChat's names. Fields with
    the value None are not sent.
    """

    route: ClassVar[Route]
    reply: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        """Set the response type from the type argument."""
        for base in getattr(cls, "__orig_bases__", ()):
            origin, arguments = get_origin(base), get_args(base)
            if isinstance(origin, type) and issubclass(origin, Call) and not isinstance(arguments[0], TypeVar):
                cls.reply = arguments[0]

    def query(self) -> dict[str, str]:
        """Return the query parameters, without the access token."""
        if self.route.method != "GET":
            return {}
        return {name: _text(name, value) for name, value in unstructure(self).items()}

    def body(self) -> bytes | None:
        """Return the encoded JSON body, or None for a GET."""
        return None if self.route.method == "GET" else dumps(unstructure(self))

    def settle(self, reply: Any, *, repeated: bool) -> Any:
        """Correct a response, considering a possible effect of an earlier attempt."""
        del repeated
        return reply

    def explain(self, error: WxAssetError) -> WxAssetError:
        """Return the error to raise for a failed attempt: the same one, or a more precise one."""
        return error


@frozen(kw_only=True, eq=False, repr=False)
class Upload(Call[R_co]):
    """A multipart call with one file in the part ``media``.

    Plain fields are sent as query parameters; an attrs instance is sent as a form field with JSON.
    """

    limits: ClassVar[Mapping[str, UploadLimit]] = {}

    @property
    def media_type(self) -> str:
        """Media type, used to find the documented limits."""
        return str(getattr(self, "type", "media"))

    @property
    def limit(self) -> UploadLimit | None:
        """Documented limit of this endpoint and media type, or None."""
        return self.limits.get(self.media_type)

    @property
    def listing(self) -> str | None:
        """Type of the created material in the library's list; None if it is not listed.

        The response of a listed call has a ``media_id``, and `recover` can restore it from the list.
        """
        return None

    def recover(self, item: Any) -> R_co:
        """Restore a lost response from an item of the library's list.

        Args:
            item: A `MaterialItem`.
        """
        raise NotImplementedError(f"{type(self).__name__} has a listing, but does not implement recover(): {item!r}")

    def query(self) -> dict[str, str]:
        """Return the plain fields as query parameters."""
        return {name: _text(name, value) for name, value in unstructure(self).items() if not isinstance(value, dict)}

    def body(self) -> None:
        """Return None: the body is the multipart frame around the media."""

    def frame(self, filename: str, content_type: str) -> Frame:
        """Return the multipart frame around the media."""
        return frame(filename, content_type, self.form())

    def form(self) -> dict[str, str]:
        """Return the form fields sent after the media."""
        return {name: dumps(value).decode() for name, value in unstructure(self).items() if isinstance(value, dict)}


@frozen(kw_only=True, eq=False, repr=False)
class Download(Call[R_co]):
    """A call with a media file as its response, or with JSON of the type argument.

    The first bytes decide, and no header: JSON, HTML, XML and plain text are never saved as a file.
    """


def _text(name: str, value: object) -> str:
    """Return the value of a query parameter."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))  # True is 1
    raise UsageError(
        f"{name}= cannot be sent as a query parameter: pass a string or a number, not {type(value).__name__}."
    )


ListedType = Literal["image", "voice", "video", "news"]
"""Type of the materials of a list; WeChat lists thumbs as images."""
MediaType = Literal["image", "voice", "video", "thumb"]
"""Type of an uploaded file."""
