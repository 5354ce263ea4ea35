"""Transfers of files with signed URLs (wire reference 3.1, 3.2). Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

from attrs import field, frozen

from wxasset.calls.base import Ack, Download, Effect, Route, Upload
from wxasset.wire.limits import CLOUD_FILE, UploadLimit
from wxasset.wire.multipart import Frame, frame

if TYPE_CHECKING:
    from wxasset.calls.cloud import UploadGrant

__all__ = ["FetchFile", "FetchLink", "PutFile"]


@frozen(kw_only=True, eq=False, repr=False)
class PutFile(Upload[Ack]):
    """Post a file to object storage with the credentials from `StartUpload`; the file comes last (wire reference 3.1).

    https://cloud.tencent.com/document/product/436/14690
    """

    # Path and bytes are the same each time, and an existing file is replaced.
    route: ClassVar[Route] = Route(path="object storage", effect=Effect.REPLACE, authorized=False)
    limits: ClassVar[Mapping[str, UploadLimit]] = {"media": CLOUD_FILE}

    url: str = field(repr=False)
    key: str
    authorization: str = field(repr=False)
    token: str = field(repr=False)
    cos_file_id: str = field(repr=False)

    @classmethod
    def under(cls, grant: "UploadGrant", path: str) -> Self:
        """Create the call from upload credentials."""
        return cls(
            url=grant.url,
            key=path,
            authorization=grant.authorization,
            token=grant.token,
            cos_file_id=grant.cos_file_id,
        )

    def query(self) -> dict[str, str]:
        """Return no parameters: all of them are form fields."""
        return {}

    def form(self) -> dict[str, str]:
        """Return the form fields sent before the file."""
        return {
            "key": self.key,
            "Signature": self.authorization,
            "x-cos-security-token": self.token,
            "x-cos-meta-fileid": self.cos_file_id,
        }

    def frame(self, filename: str, content_type: str) -> Frame:
        """Return the multipart frame around the file."""
        return frame(filename, content_type, self.form(), part="file", last=True)


@frozen(kw_only=True, eq=False, repr=False)
class FetchFile(Download[Ack]):
    """Download a cloud file from its signed URL, without an access token."""

    route: ClassVar[Route] = Route(path="download_url", effect=Effect.READ, method="GET", authorized=False)
    expired: ClassVar[frozenset[int]] = frozenset({403})
    """HTTP statuses of object storage for an expired signature."""

    url: str = field(repr=False)
    fallback: str


@frozen(kw_only=True, eq=False, repr=False)
class FetchLink(Download[Ack]):
    """Download a file from a signed URL, without an access token."""

    # A new link can return 404 for some seconds (wire reference 2.8).
    route: ClassVar[Route] = Route(
        path="down_url", effect=Effect.READ, method="GET", authorized=False, not_yet=frozenset({404})
    )
    expired: ClassVar[frozenset[int]] = frozenset({403, 404, 410})
    """HTTP statuses of a CDN for an expired signature."""

    url: str = field(repr=False)
    fallback: str
