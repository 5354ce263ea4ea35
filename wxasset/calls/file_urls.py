"""Links to cloud files (wire reference 3.2). Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import field, frozen

from wxasset.errors import WxAssetError
from wxasset.errors.text import printable
from wxasset.wire.values import Value

if TYPE_CHECKING:
    from wxasset.calls.cloud import FoundFile, FoundFiles

__all__ = ["FileURL", "links"]


@frozen(kw_only=True, eq=False, repr=False)
class FileURL(Value):
    """Outcome of the request for a link to one cloud file.

    Attributes:
        fileid: Id of the file.
        url: Download link, valid for `max_age` seconds without further authentication: treat it as a secret. None if
            there is no link.
        status: WeChat's status of the file: 0 for success, or an error such as -503003; None if WeChat returned none.
        errmsg: Message of WeChat, or of the failed request.
        max_age: Lifetime of the link in seconds, counted from the request.
        error: Error of the request, or None if it succeeded.
    """

    fileid: str
    url: str | None = field(repr=False)
    status: int | None
    errmsg: str = field(converter=printable)
    max_age: int
    error: WxAssetError | None = None

    def require(self) -> str:
        """Return the link, or raise an error if there is none.

        Raises:
            MediaNotFoundError: The file does not exist.
            APIError: WeChat returned another error for the file.
            WxAssetError: The request failed.
        """
        if self.url is None:
            raise self.reason()
        return self.url

    def reason(self) -> WxAssetError:
        """Return the error of the request, or WeChat's result for this file as an error."""
        from wxasset.calls.cloud import BatchDownloadFile, refusal  # noqa: PLC0415 - loaded with the call before

        return self.error or refusal(self.status, self.errmsg, BatchDownloadFile.route.path)


def links(batch: Sequence[str], result: "FoundFiles | WxAssetError", max_age: int) -> tuple[FileURL, ...]:
    """Return the outcome of every id of a batch, from the response or the error of its request."""
    if isinstance(result, WxAssetError):
        return tuple(
            FileURL(fileid=one, url=None, status=None, errmsg=result.message, max_age=max_age, error=result)
            for one in batch
        )
    found = {one.fileid: one for one in result.files}
    return tuple(_link(fileid, found.get(fileid), max_age) for fileid in batch)


def _link(fileid: str, found: "FoundFile | None", max_age: int) -> FileURL:
    if found is None:
        missing = "WeChat's response does not mention this file"
        return FileURL(fileid=fileid, url=None, status=None, errmsg=missing, max_age=max_age)
    if found.status is None or (found.status == 0 and not found.download_url):
        missing = f"WeChat's response contains no {'status of' if found.status is None else 'link to'} this file"
        return FileURL(fileid=fileid, url=None, status=None, errmsg=missing, max_age=max_age)
    url = found.download_url if found.status == 0 else None
    return FileURL(fileid=fileid, url=url, status=found.status, errmsg=found.errmsg, max_age=max_age)
