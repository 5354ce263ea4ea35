"""Root of all errors, and the error of a wrong call."""

from typing import Any, ClassVar

from attrs import define, fields

from wxasset.errors.hints import Hint
from wxasset.errors.text import printable

__all__ = ["UsageError", "WxAssetError"]


def _rebuild(cls: "type[WxAssetError]", values: dict[str, Any], args: tuple[Any, ...] = ()) -> "WxAssetError":
    """Restore an error without `__init__`, as a subclass outside of this package may have its own."""
    error = cls.__new__(cls, *args)
    error.__dict__.update(values)
    return error


@define(eq=False, repr=False, slots=False)
class WxAssetError(Exception):
    """The root: ``except WxAssetError`` catches every failure of this package.

    Attributes:
        message: What happened, in one English sentence.
        hint: What to do about it, in English and in Chinese.
    """

    message: str

    _hint: ClassVar[Hint] = Hint("See the message.", "请查看错误说明。")
    _exact: ClassVar[frozenset[str]] = frozenset()

    def __attrs_post_init__(self) -> None:
        """Make all texts printable, except for `_exact` fields, by which something is searched."""
        for one in fields(type(self)):
            text = getattr(self, one.name)
            if isinstance(text, str) and one.name not in self._exact:
                setattr(self, one.name, printable(text))

    @property
    def hint(self) -> Hint:
        """Remedy, in English (`hint.english`) and Chinese (`hint.chinese`): its own one, or that of its class."""
        return getattr(self, "remedy", None) or self._hint

    def __repr__(self) -> str:  # one for all errors: attrs would compile one for each class
        shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(type(self)) if one.repr)
        return f"{type(self).__qualname__}({shown})"

    def __str__(self) -> str:
        """Say what happened, then what to do."""
        return f"{self.message} {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name, with the notes: the default rebuilds from positions, which keyword-only fields refuse."""
        return _rebuild, (type(self), dict(self.__dict__), self.args)


class UsageError(WxAssetError, ValueError):
    """The call itself is wrong: a bad argument, missing credentials, a closed session. Nothing was sent."""

    _hint = Hint("Correct the arguments; nothing was sent.", "参数有误，请更正后再试；请求未发出。")
