"""Permits for uploads to cloud storage, limited in time (wire reference 3.1)."""

from collections.abc import Mapping
from urllib.parse import quote

from attrs import field, frozen

from wxasset.simulator.identifiers import Identifiers
from wxasset.simulator.state.clock import Clock
from wxasset.simulator.state.objects import CloudFiles
from wxasset.simulator.wire.replies import RawReply

PREFIX = "/cos.ap-shanghai.myqcloud.com/"
STORAGE_ACCOUNT = "1258717764"  # the number of the storage account in WeChat's own samples
_LIFE = 900  # documented: the span of q-sign-time


_ERROR = (
    "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>{code}</Code>\n\t<Message>{message}</Message>\n"
    "\t<RequestId>{request_id}</RequestId>\n</Error>\n"
)


class CosError(Exception):
    """An error of COS: HTTP status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


def cos_error_reply(error: CosError, identifiers: Identifiers, *, close: bool = False) -> RawReply:
    """Return an error reply as COS writes it: XML with a request id."""
    text = _ERROR.format(code=error.code, message=error.message, request_id=identifiers.storage_part(40))
    return RawReply(status=error.status, headers={"Content-Type": "application/xml"}, body=text.encode(), close=close)


@frozen(kw_only=True)
class UploadPermit:
    """Permit to upload one file; the file id is known before the file exists."""

    files: CloudFiles = field(repr=False)
    path: str
    key: str
    file_id: str
    authorization: str = field(repr=False)
    token: str = field(repr=False)
    cos_file_id: str = field(repr=False)
    expires_at: float


class UploadPermits:
    """Upload permits, issued and looked up by form."""

    def __init__(self, clock: Clock, identifiers: Identifiers) -> None:
        self._clock = clock
        self._identifiers = identifiers
        self._permits: dict[str, UploadPermit] = {}

    def issue(self, files: CloudFiles, env: str, key: str) -> UploadPermit:
        """Issue a permit for one upload into `files`, valid for 900 seconds."""
        now, draw = int(self._clock.now()), self._identifiers.storage_part
        span = f"{now};{now + _LIFE}"
        permit = UploadPermit(
            files=files,
            path=f"{PREFIX}7465-{env}-{STORAGE_ACCOUNT}/{key}",
            key=key,
            file_id=file_id(env, key),
            authorization=(
                f"q-sign-algorithm=sha1&q-ak=AKID{draw(32)}&q-sign-time={span}&q-key-time={span}"
                f"&q-header-list=&q-url-param-list=&q-signature={draw(40)}"
            ),
            token=draw(120),
            cos_file_id=f"{draw(86)}==",
            expires_at=now + _LIFE,
        )
        self._permits[permit.authorization] = permit
        return permit

    def find(self, path: str, fields: Mapping[str, str]) -> UploadPermit:
        """Return the permit of a form. The codes are those of COS, their order is chosen.

        Raises:
            CosError: 403 for a mismatched signature, token or name, or an expired permit; 400 without a key.
        """
        if "key" not in fields:
            raise CosError(400, "InvalidArgument", "Bucket POST must contain a field named 'key'.")
        permit = self._permits.get(fields.get("Signature", ""))
        if permit is None or fields.get("x-cos-security-token") != permit.token:
            raise CosError(403, "AccessDenied", "Access Denied.")
        if self._clock.now() >= permit.expires_at:
            raise CosError(403, "AccessDenied", "Request has expired")
        if (path, fields["key"], fields.get("x-cos-meta-fileid")) != (permit.path, permit.key, permit.cos_file_id):
            raise CosError(403, "SignatureDoesNotMatch", "The Signature you specified is invalid.")
        return permit


def file_id(env: str, key: str) -> str:
    """Return the id of a file in cloud storage."""
    return f"cloud://{env}.7465-{env}-{STORAGE_ACCOUNT}/{key}"


def address(base_url: str, permit: UploadPermit) -> str:
    """Return the URL for the form."""
    return base_url + quote(permit.path)
