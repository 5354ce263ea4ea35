"""Uploads to cloud storage and links to what is there (wire reference 3.1, 3.2). Pure."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from attrs import field, frozen

from wxasset.calls.base import Ack, Download, Effect, Route, Upload
from wxasset.calls.cloud import (
    MISSING,
    BatchDownloadFile,
    FoundFile,
    FoundFiles,
    UploadGrant,
)
from wxasset.errors import APIError, DecodeError, MediaNotFoundError, WxAssetError
from wxasset.wire.error_replies import api_error
from wxasset.wire.limits import CLOUD_FILE, UploadLimit
from wxasset.wire.multipart import Frame, frame

__all__ = ["FetchFile", "FetchLink", "FileURL", "PutFile", "links"]


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


@frozen(kw_only=True)
class FetchLink(Download[Ack]):
    """Get a file from a signed URL; no token goes there."""

    # A link can be answered with 404 for some seconds after it was given (wire reference 2.8).
    route: ClassVar[Route] = Route(
        path="down_url", effect=Effect.READ, method="GET", authorized=False, not_yet=frozenset({404})
    )

    url: str = field(repr=False)
    fallback: str
