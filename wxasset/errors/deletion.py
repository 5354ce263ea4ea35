"""Error of a deletion that left some cloud files in place."""

from typing import Protocol

from attrs import define

from wxasset.errors.base import WxAssetError
from wxasset.errors.hints import Hint

__all__ = ["DeletionOutcome", "PartialDeleteError", "UndeletedFile"]


class DeletionOutcome(Protocol):
    """The result of deleting cloud files; a `DeleteReport` is one."""

    @property
    def deleted(self) -> tuple[str, ...]:
        """The ids of the deleted files."""
        ...

    @property
    def failed(self) -> tuple["UndeletedFile", ...]:
        """The files that were not deleted."""
        ...


class UndeletedFile(Protocol):
    """A cloud file that was not deleted; a `FailedDelete` is one."""

    @property
    def fileid(self) -> str:
        """The id of the file."""
        ...

    @property
    def status(self) -> int | None:
        """WeChat's status for it; None if the request failed."""
        ...

    @property
    def errmsg(self) -> str:
        """WeChat's message, or the failure of the request."""
        ...


@define(eq=False, repr=False, slots=False, kw_only=True)
class PartialDeleteError(WxAssetError):
    """Some cloud files were not deleted.

    Attributes:
        report: The outcome of every id.
    """

    report: DeletionOutcome

    _hint = Hint(
        "The failed files still exist; delete them again. The other files are deleted.",
        "列出的文件未删除，请重新删除；其余文件已删除。",
    )
