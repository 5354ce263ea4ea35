"""Uploads to cloud storage and links to what is there (wire reference 3.1, 3.2). Pure."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Self

from attrs import Attribute, field, frozen

from wxasset.calls.base import Ack, Call, Download, Effect, Route, Upload
from wxasset.calls.cloud import BATCH, MISSING, check_fileid
from wxasset.calls.material import present
from wxasset.errors import APIError, DecodeError, MediaNotFoundError, UsageError, WxAssetError, api_error
from wxasset.wire.codec import wire_name
from wxasset.wire.limits import CLOUD_FILE, UploadLimit
from wxasset.wire.multipart import Frame, frame

__all__ = [
    "MAX_AGE",
    "BatchDownloadFile",
    "FetchFile",
    "FileURL",
    "FoundFile",
    "FoundFiles",
    "PutFile",
    "StartUpload",
    "UploadGrant",
    "WantedFile",
    "links",
]

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
class PutFile(Upload[Ack]):
    """Post a file to object storage, with the leave that `StartUpload` gave: the file comes last (wire reference 3.1).

    https://cloud.tencent.com/document/product/436/14690
    """

    # Path and bytes are the same each time, and what is there already is replaced.
    route: ClassVar[Route] = Route(path="object storage", effect=Effect.REPLACE, authorized=False)
    limits: ClassVar[Mapping[str, UploadLimit]] = {"media": CLOUD_FILE}

    url: str = field(repr=False)
    key: str
    authorization: str = field(repr=False)
    token: str = field(repr=False)
    cos_file_id: str = field(repr=False)

    @classmethod
    def under(cls, grant: UploadGrant, path: str) -> Self:
        """Make the call that a leave is for."""
        return cls(
            url=grant.url,
            key=path,
            authorization=grant.authorization,
            token=grant.token,
            cos_file_id=grant.cos_file_id,
        )

    def query(self) -> dict[str, str]:
        """Return nothing: all of it is in the form."""
        return {}

    def form(self) -> dict[str, str]:
        """Return the fields, which come before the file."""
        return {
            "key": self.key,
            "Signature": self.authorization,
            "x-cos-security-token": self.token,
            "x-cos-meta-fileid": self.cos_file_id,
        }

    def frame(self, filename: str, content_type: str) -> Frame:
        """Return what goes around the file."""
        return frame(filename, content_type, self.form(), part="file", last=True)


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


@frozen(kw_only=True)
class FileURL:
    """The outcome for one cloud file that a link was asked for.

    Attributes:
        fileid: Its id.
        url: Where it can be downloaded, by anybody, for `max_age` seconds: treat it as a secret. None where there is
            no link.
        status: WeChat's status for it, 0 for success, such as -503003; None where nothing was said of this file.
        errmsg: What WeChat said, or what happened to the request.
        max_age: Seconds that the link lives, from when it was asked for.
        error: The error of the request, or None where it was answered.
    """

    fileid: str
    url: str | None = field(repr=False)
    status: int | None
    errmsg: str
    max_age: int
    error: WxAssetError | None = None

    def require(self) -> str:
        """Return the link, or raise what kept the file from having one.

        Raises:
            MediaNotFoundError: There is no such file.
            APIError: WeChat has another reason.
            WxAssetError: The request failed.
        """
        if self.error is not None:
            raise self.error
        if self.url is None:
            raise self._refusal()
        return self.url

    def _refusal(self) -> APIError | DecodeError:
        path = BatchDownloadFile.route.path
        if self.status in MISSING:
            return MediaNotFoundError(errcode=self.status, errmsg=self.errmsg, path=path)
        if not self.status:
            return DecodeError(f"{path} gave no link: {self.errmsg}.", path)
        return api_error(self.status, self.errmsg, path)


def links(batch: Sequence[str], answer: FoundFiles | WxAssetError, max_age: int) -> tuple[FileURL, ...]:
    """Give every id of a batch its outcome, whatever was answered or not."""
    if isinstance(answer, WxAssetError):
        return tuple(
            FileURL(fileid=one, url=None, status=None, errmsg=answer.message, max_age=max_age, error=answer)
            for one in batch
        )
    said = {one.fileid: one for one in answer.files}
    return tuple(_link(fileid, said.get(fileid), max_age) for fileid in batch)


def _link(fileid: str, word: FoundFile | None, max_age: int) -> FileURL:
    if word is None:
        silent = "WeChat's answer does not mention this file"
        return FileURL(fileid=fileid, url=None, status=None, errmsg=silent, max_age=max_age)
    if word.status == 0 and not word.download_url:
        nothing = "WeChat's answer holds no link to this file"
        return FileURL(fileid=fileid, url=None, status=None, errmsg=nothing, max_age=max_age)
    url = word.download_url if word.status == 0 else None
    return FileURL(fileid=fileid, url=url, status=word.status, errmsg=word.errmsg, max_age=max_age)


@frozen(kw_only=True)
class FetchFile(Download[Ack]):
    """Get a cloud file from its signed URL; no token goes there."""

    route: ClassVar[Route] = Route(path="download_url", effect=Effect.READ, method="GET", authorized=False)

    url: str = field(repr=False)
    fallback: str
