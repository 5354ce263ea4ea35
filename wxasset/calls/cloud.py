"""Files in the cloud storage of a Mini Program (wire reference 3). Pure."""

from collections.abc import AsyncIterable, Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

from attrs import Attribute, define, evolve, field, frozen

from wxasset.calls.base import Call, Effect, Route
from wxasset.calls.materials import present
from wxasset.errors import (
    PartialDeleteError,
    UsageError,
    WxAssetError,
)
from wxasset.errors.classify import stops_everything
from wxasset.wire.codec import wire_name

__all__ = [
    "BATCH",
    "MAX_AGE",
    "MISSING",
    "Asking",
    "BatchDeleteFile",
    "BatchDownloadFile",
    "Collected",
    "DeleteReport",
    "DeletedFile",
    "DeletedFiles",
    "FailedDelete",
    "FileIds",
    "FoundFile",
    "FoundFiles",
    "StartUpload",
    "UploadGrant",
    "WantedFile",
    "check_fileid",
    "checked",
    "outcomes",
    "report",
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


MAX_AGE: Final = 7200  # seconds that a link lives where the caller does not say; that of WeChat's sample


@frozen(kw_only=True)
class UploadGrant:
    """The leave to upload one file, for 900 seconds; whoever has it can upload.

    Attributes:
        url: Where to post the form.
        token: A part of the form.
        authorization: The signature, another part.
        file_id: The id of the file, which does not exist before its bytes do.
        cos_file_id: A part of the form as well.
    """

    url: str = field(repr=False)
    token: str = field(repr=False)
    authorization: str = field(repr=False)
    file_id: str
    cos_file_id: str = field(repr=False)


@frozen(kw_only=True)
class StartUpload(Call[UploadGrant]):
    """Ask for the leave to upload a file to cloud storage.

    https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudbase-common/file-management/getUploadTcbFileLink.html
    """

    # Each leave is good by itself, and asking for one changes nothing.
    route: ClassVar[Route] = Route(path="/tcb/uploadfile", effect=Effect.READ, confidential=True)

    env: str = field(validator=present)
    path: str = field(validator=present)


@frozen(kw_only=True)
class WantedFile:
    """A file to which a link is wanted."""

    fileid: str
    max_age: int


@frozen(kw_only=True)
class FoundFile:
    """WeChat's word on one file; a status other than 0 means that there is no link."""

    fileid: str
    download_url: str = field(default="", repr=False)
    status: int = 0
    errmsg: str = ""


@frozen(kw_only=True)
class FoundFiles:
    """The reply to one request."""

    files: tuple[FoundFile, ...] = field(default=(), metadata=wire_name("file_list"))


def _are_wanted(instance: object, attribute: "Attribute[tuple[WantedFile, ...]]", value: Sequence[WantedFile]) -> None:
    del instance, attribute
    if not 1 <= len([check_fileid(one.fileid) for one in value]) <= BATCH:
        raise UsageError(f"file_list= is a list of 1 to {BATCH} files.")


@frozen(kw_only=True)
class BatchDownloadFile(Call[FoundFiles]):
    """Ask for links to up to 50 cloud files.

    https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudbase-common/file-management/getTcbDownloadLink.html
    """

    route: ClassVar[Route] = Route(path="/tcb/batchdownloadfile", effect=Effect.READ, confidential=True)

    env: str = field(validator=present)
    file_list: tuple[WantedFile, ...] = field(validator=_are_wanted)


R = TypeVar("R")
S = TypeVar("S")
FileIds: TypeAlias = Iterable[str] | AsyncIterable[str]
"""Ids of cloud files, from anything that can be iterated over."""


def checked(fileids: FileIds) -> FileIds:
    """Refuse what are no ids, before anything is sent where all of them are there already."""
    if isinstance(fileids, str | bytes) or not isinstance(fileids, Iterable | AsyncIterable):
        raise UsageError("fileids= is a list of ids, or something else that gives them; not a single text.")
    if isinstance(fileids, Collection):
        for one in fileids:
            check_fileid(one)
    return fileids


@define
class Collected:
    """Ids on their way into a batch."""

    _seen: set[str] = field(factory=set)
    _batch: list[str] = field(factory=list)

    def add(self, fileid: str) -> tuple[str, ...] | None:
        """Take the next id; give a batch that is full."""
        if check_fileid(fileid) not in self._seen:
            self._seen.add(fileid)
            self._batch.append(fileid)
        return self.rest() if len(self._batch) == BATCH else None

    def rest(self) -> tuple[str, ...]:
        """Give what is there."""
        batch, self._batch = tuple(self._batch), []
        return batch


@define
class Asking(Generic[R, S]):
    """Requests about batches, and their outcomes.

    Attributes:
        make: Makes the request about a batch.
        stop: The error for which no more are sent, if there was one.
    """

    make: Callable[[tuple[str, ...]], Call[R]]
    _settle: Callable[[Sequence[str], R | WxAssetError], S]
    stop: WxAssetError | None = field(default=None, init=False)
    _parts: dict[int, S] = field(factory=dict, init=False)
    _errors: dict[int, WxAssetError] = field(factory=dict, init=False)

    def take(self, number: int, batch: Sequence[str], answer: R | WxAssetError) -> None:
        """Give every id of a batch its outcome, whatever was answered or not."""
        if isinstance(answer, WxAssetError):
            self._errors[number] = answer
            if stops_everything(answer):
                self.stop = answer
        self._parts[number] = self._settle(batch, answer)

    def outcomes(self) -> list[S]:
        """Give the outcomes of all batches, in order.

        Raises:
            WxAssetError: The first error, where not one request was answered.
        """
        if self._errors and len(self._errors) == len(self._parts):
            raise self._errors[min(self._errors)]
        return [self._parts[number] for number in sorted(self._parts)]
