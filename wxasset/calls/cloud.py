"""Files in the cloud storage of a Mini Program (wire reference 3). Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from attrs import Attribute, evolve, field, frozen

from wxasset.calls.base import Call, Effect, Route
from wxasset.calls.material import present
from wxasset.errors import (
    CredentialError,
    IPNotAllowedError,
    PartialDeleteError,
    PermissionDeniedError,
    QuotaExceededError,
    TokenRejectedError,
    UsageError,
    WxAssetError,
)
from wxasset.wire.codec import wire_name

__all__ = [
    "BATCH",
    "MISSING",
    "BatchDeleteFile",
    "DeleteReport",
    "DeletedFile",
    "DeletedFiles",
    "FailedDelete",
    "check_fileid",
    "outcomes",
    "report",
    "stops_all",
]

BATCH: Final = 50  # the most ids WeChat takes in one request
# wire reference 3.4: the statuses by which a file is said not to exist.
MISSING: Final = frozenset({-503003, 1})


@frozen(kw_only=True)
class DeletedFile:
    """WeChat's word on one file; a status other than 0 means that it was not deleted."""

    fileid: str
    status: int = 0
    errmsg: str = ""


@frozen(kw_only=True)
class DeletedFiles:
    """The reply to one request."""

    files: tuple[DeletedFile, ...] = field(default=(), metadata=wire_name("delete_list"))


def check_fileid(value: object) -> str:
    """Refuse what is no file id, before WeChat does."""
    if not isinstance(value, str) or not value:
        raise UsageError(f"A file id is a text that is not empty; not {value!r}.")
    return value


def _are_fileids(instance: object, attribute: "Attribute[tuple[str, ...]]", value: Sequence[object]) -> None:
    del instance, attribute
    if isinstance(value, str) or not 1 <= len([check_fileid(one) for one in value]) <= BATCH:
        raise UsageError(f"fileid_list= is a list of 1 to {BATCH} ids.")


@frozen(kw_only=True)
class BatchDeleteFile(Call[DeletedFiles]):
    """Delete up to 50 cloud files.

    https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/cloudbase-common/file-management/deleteTcbCloudFile.html
    """

    route: ClassVar[Route] = Route(path="/tcb/batchdeletefile", effect=Effect.DELETE)

    env: str = field(validator=present)
    fileid_list: tuple[str, ...] = field(validator=_are_fileids)

    def settle(self, reply: Any, *, repeated: bool) -> Any:
        """Count a file that is missing on a repetition as deleted: the first attempt may have done it."""
        if not repeated:
            return reply
        files = (evolve(one, status=0) if one.status in MISSING else one for one in reply.files)
        return evolve(reply, files=tuple(files))


@frozen(kw_only=True)
class FailedDelete:
    """A cloud file that was not deleted, as far as is known.

    Attributes:
        fileid: Its id.
        status: WeChat's status for it, such as -503003; None where the request itself failed.
        errmsg: What WeChat said, or what happened to the request.
        error: The error of the request, or None where WeChat answered for this file.
    """

    fileid: str
    status: int | None
    errmsg: str
    error: WxAssetError | None = None


@frozen(kw_only=True)
class DeleteReport:
    """The outcome for every id that was asked for; each is in one of the two.

    Attributes:
        deleted: The ids that are gone.
        failed: The others, each with its reason.
    """

    deleted: tuple[str, ...] = ()
    failed: tuple[FailedDelete, ...] = ()

    def raise_for_failed(self) -> None:
        """Raise `PartialDeleteError` if any file was not deleted."""
        if self.failed:
            first = self.failed[0]
            total = len(self.deleted) + len(self.failed)
            raise PartialDeleteError(
                f"{len(self.failed)} of {total} cloud files were not deleted; the first is {first.fileid}"
                f" ({first.status}: {first.errmsg}).",
                report=self,
            )


def stops_all(answer: WxAssetError) -> bool:
    """Tell whether an answer means that the remaining requests would be refused as well."""
    return isinstance(
        answer,
        CredentialError | IPNotAllowedError | PermissionDeniedError | QuotaExceededError | TokenRejectedError,
    )


def report(parts: Iterable[DeleteReport]) -> DeleteReport:
    """Join the outcomes of batches, in their order."""
    known = tuple(parts)
    return DeleteReport(
        deleted=tuple(fileid for part in known for fileid in part.deleted),
        failed=tuple(failed for part in known for failed in part.failed),
    )


def outcomes(batch: Sequence[str], answer: DeletedFiles | WxAssetError) -> DeleteReport:
    """Give every id of a batch its outcome, whatever was answered or not."""
    if isinstance(answer, WxAssetError):
        lost = (FailedDelete(fileid=one, status=None, errmsg=answer.message, error=answer) for one in batch)
        return DeleteReport(failed=tuple(lost))
    said = {one.fileid: one for one in answer.files}
    silent = DeletedFile(fileid="", status=-1, errmsg="WeChat's answer does not mention this file")
    words = [(fileid, said.get(fileid, silent)) for fileid in batch]
    return DeleteReport(
        deleted=tuple(fileid for fileid, word in words if word.status == 0),
        failed=tuple(
            FailedDelete(fileid=fileid, status=None if word is silent else word.status, errmsg=word.errmsg)
            for fileid, word in words
            if word.status != 0
        ),
    )
