"""Files in the cloud storage of a Mini Program (wire reference 3). Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from attrs import Attribute, evolve, field, frozen
from attrs.validators import min_len

from wxasset.calls.arguments import present
from wxasset.calls.base import Call, Effect, Route
from wxasset.calls.fileids import BATCH, check_fileid
from wxasset.errors import (
    APIError,
    DecodeError,
    MediaNotFoundError,
    PartialDeleteError,
    UsageError,
    WxAssetError,
)
from wxasset.errors.text import printable
from wxasset.wire.codec import wire_name
from wxasset.wire.error_replies import api_error

__all__ = [
    "MISSING",
    "BatchDeleteFile",
    "BatchDownloadFile",
    "ComponentBatchDeleteFile",
    "ComponentBatchDownloadFile",
    "ComponentStartUpload",
    "DeleteReport",
    "DeletedFile",
    "DeletedFiles",
    "FailedDelete",
    "FoundFile",
    "FoundFiles",
    "StartUpload",
    "UploadGrant",
    "WantedFile",
    "outcomes",
    "refusal",
    "report",
]

# wire reference 3.4: the statuses for a missing file.
MISSING: Final = frozenset({-503003, 1})


@frozen(kw_only=True)
class DeletedFile:
    """Per-file result from WeChat; the file was deleted only if the status is 0.

    The official sample names the id ``files``, captured responses ``fileid`` (wire reference 8.2).
    """

    fileid: str = field(default="", metadata=wire_name("fileid", "files"))
    status: int | None = None
    errmsg: str = ""


@frozen(kw_only=True)
class DeletedFiles:
    """Response to one request."""

    files: tuple[DeletedFile, ...] = field(default=(), metadata=wire_name("delete_list"))


def _are_fileids(instance: object, attribute: "Attribute[tuple[str, ...]]", value: Sequence[object]) -> None:
    del instance, attribute
    if isinstance(value, str) or not 1 <= len([check_fileid(one) for one in value]) <= BATCH:
        raise UsageError(f"fileid_list= must be a list of 1 to {BATCH} ids.")


@frozen(kw_only=True)
class BatchDeleteFile(Call[DeletedFiles]):
    """Delete up to 50 cloud files.

    https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/cloudbase-common/file-management/deleteTcbCloudFile.html
    """

    route: ClassVar[Route] = Route(path="/tcb/batchdeletefile", effect=Effect.DELETE)

    env: str = field(validator=present)
    fileid_list: tuple[str, ...] = field(validator=_are_fileids)

    def settle(self, reply: Any, *, repeated: bool) -> Any:
        """Count a file missing on a repetition as deleted, since the first attempt may have deleted it."""
        if not repeated:
            return reply
        files = (evolve(one, status=0) if one.status in MISSING else one for one in reply.files)
        return evolve(reply, files=tuple(files))


@frozen(kw_only=True)
class ComponentBatchDeleteFile(BatchDeleteFile):
    """`BatchDeleteFile` for a third-party platform, with its own token.

    https://developers.weixin.qq.com/doc/oplatform/openApi/cloudbase-batch/file-mgnt/api_deletetcbfile
    """

    route: ClassVar[Route] = Route(path="/componenttcb/batchdeletefile", effect=Effect.DELETE)


@frozen(kw_only=True)
class FailedDelete:
    """A cloud file not deleted, as far as is known.

    Attributes:
        fileid: Id of the file.
        status: WeChat's status of the file, such as -503003; None if the request failed, or WeChat returned no status.
        errmsg: Message of WeChat, or of the failed request.
        error: Error of the request, or None if WeChat returned a result for this file.
    """

    fileid: str
    status: int | None
    errmsg: str = field(converter=printable)
    error: WxAssetError | None = None

    def reason(self) -> WxAssetError:
        """Return the error of the request, or WeChat's result for this file as an error."""
        return self.error or refusal(self.status, self.errmsg, BatchDeleteFile.route.path)


def refusal(status: int | None, errmsg: str, path: str) -> APIError | DecodeError:
    """Return WeChat's result for one file as an error."""
    if status in MISSING:
        return MediaNotFoundError(errcode=status, errmsg=errmsg, path=path)
    if not status:
        return DecodeError(f"{path} returned no result: {errmsg}.", path)
    return api_error(status, errmsg, path)


@frozen(kw_only=True)
class DeleteReport:
    """Outcome of every requested id, either deleted or failed.

    Attributes:
        deleted: Ids of the deleted files.
        failed: The other files, each with its reason.
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
    """Combine the outcomes of batches, in order."""
    known = tuple(parts)
    return DeleteReport(
        deleted=tuple(fileid for part in known for fileid in part.deleted),
        failed=tuple(failed for part in known for failed in part.failed),
    )


def outcomes(batch: Sequence[str], result: DeletedFiles | WxAssetError) -> DeleteReport:
    """Return the outcome of every id of a batch, from the response or the error of its request."""
    if isinstance(result, WxAssetError):
        failed = (FailedDelete(fileid=one, status=None, errmsg=result.message, error=result) for one in batch)
        return DeleteReport(failed=tuple(failed))
    # Of several entries for one file, a failure counts.
    found = {one.fileid: one for one in sorted(result.files, key=lambda one: one.status != 0)}
    files = [(fileid, found.get(fileid)) for fileid in batch]
    return DeleteReport(
        deleted=tuple(fileid for fileid, file in files if file is not None and file.status == 0),
        failed=tuple(_not_deleted(fileid, file) for fileid, file in files if file is None or file.status != 0),
    )


def _not_deleted(fileid: str, file: DeletedFile | None) -> FailedDelete:
    if file is None:
        return FailedDelete(fileid=fileid, status=None, errmsg="WeChat's response does not mention this file")
    errmsg = file.errmsg if file.status is not None else "WeChat's response contains no status of this file"
    return FailedDelete(fileid=fileid, status=file.status, errmsg=errmsg)


@frozen(kw_only=True)
class UploadGrant:
    """Upload credentials for one file, valid for 900 seconds; treat them as a secret.

    Attributes:
        url: URL to post the form to.
        token: Form field.
        authorization: Form field with the signature.
        file_id: Id of the file; the file exists only after the upload.
        cos_file_id: Form field.
    """

    url: str = field(repr=False)
    token: str = field(repr=False)
    authorization: str = field(repr=False)
    file_id: str = field(validator=min_len(1))
    cos_file_id: str = field(repr=False)


@frozen(kw_only=True)
class StartUpload(Call[UploadGrant]):
    """Request the upload credentials for a file in cloud storage.

    https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudbase-common/file-management/getUploadTcbFileLink.html
    """

    # Credentials are independent of each other, and requesting them has no effect.
    route: ClassVar[Route] = Route(path="/tcb/uploadfile", effect=Effect.READ, confidential=True)

    env: str = field(validator=present)
    path: str = field(validator=present)


@frozen(kw_only=True)
class ComponentStartUpload(StartUpload):
    """`StartUpload` for a third-party platform, with its own token (wire reference 3)."""

    route: ClassVar[Route] = Route(path="/componenttcb/uploadfile", effect=Effect.READ, confidential=True)


@frozen(kw_only=True)
class WantedFile:
    """A file to request a download link for."""

    fileid: str
    max_age: int


@frozen(kw_only=True)
class FoundFile:
    """Per-file result from WeChat; there is a link only if the status is 0."""

    fileid: str = ""
    download_url: str = field(default="", repr=False)
    status: int | None = None
    errmsg: str = ""


@frozen(kw_only=True)
class FoundFiles:
    """Response to one request."""

    files: tuple[FoundFile, ...] = field(default=(), metadata=wire_name("file_list"))


def _are_wanted(instance: object, attribute: "Attribute[tuple[WantedFile, ...]]", value: Sequence[WantedFile]) -> None:
    del instance, attribute
    if not 1 <= len([check_fileid(one.fileid) for one in value]) <= BATCH:
        raise UsageError(f"file_list= must be a list of 1 to {BATCH} files.")


@frozen(kw_only=True)
class BatchDownloadFile(Call[FoundFiles]):
    """Request download links to up to 50 cloud files.

    https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudbase-common/file-management/getTcbDownloadLink.html
    """

    route: ClassVar[Route] = Route(path="/tcb/batchdownloadfile", effect=Effect.READ, confidential=True)

    env: str = field(validator=present)
    file_list: tuple[WantedFile, ...] = field(validator=_are_wanted)


@frozen(kw_only=True)
class ComponentBatchDownloadFile(BatchDownloadFile):
    """`BatchDownloadFile` for a third-party platform, with its own token (wire reference 3)."""

    route: ClassVar[Route] = Route(path="/componenttcb/batchdownloadfile", effect=Effect.READ, confidential=True)
