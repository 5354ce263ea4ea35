"""State of the simulated account: library, temporary media, and cloud files."""

import re
from collections.abc import Mapping, Sequence

from attrs import Factory, asdict, define, field, frozen

from wxasset.simulator.identifiers import Identifiers
from wxasset.simulator.options import SimulatorOptions, Switches
from wxasset.simulator.state.clock import Clock
from wxasset.simulator.state.drafts import DraftBox
from wxasset.simulator.state.library import Library, SharedMapping
from wxasset.simulator.state.links import LinkTable
from wxasset.simulator.state.objects import CloudFiles
from wxasset.simulator.state.platform import Platform
from wxasset.simulator.state.quotas import QuotaCounts
from wxasset.simulator.state.request_ids import RequestIdRecords
from wxasset.simulator.state.tokens import TokenIssuer
from wxasset.simulator.state.upload_permits import UploadPermits, file_id
from wxasset.simulator.wire.replies import ApiError, Document, error_document
from wxasset.simulator.wire.requests import TOKEN_PARAMETERS, ApiRequest

_FILE_ID = re.compile(r"cloud://([^./]+)\.[^/]+/.+", re.DOTALL)


@frozen(kw_only=True)
class Article:
    """One article of a news material; the fields are those of a live `news_item` (wire reference 2.2)."""

    title: str
    author: str = ""
    digest: str = ""
    content: str = ""
    content_source_url: str = ""
    thumb_media_id: str = ""
    show_cover_pic: int = 0
    url: str = ""
    thumb_url: str = ""
    need_open_comment: int = 0
    only_fans_can_comment: int = 0


@frozen(kw_only=True)
class Material:
    """One permanent material.

    Attributes:
        media_id: The id, 64 characters.
        type: "image", "voice", "video", "thumb" or "news".
        filename: The filename of the upload, exactly as sent; empty for news.
        content: The bytes; empty for news.
        content_type: The MIME type of the bytes; empty for news.
        title: The title of a video, else empty.
        introduction: The introduction of a video, else empty.
        url: The URL of an image or thumb, else None.
        update_time: Time of creation, in unix seconds.
        articles: The articles of a news material.
    """

    media_id: str
    type: str
    filename: str = ""
    content: bytes = field(default=b"", repr=False)
    content_type: str = ""
    title: str = ""
    introduction: str = ""
    url: str | None = None
    update_time: int
    articles: tuple[Article, ...] = ()

    @property
    def listed_as(self) -> str:
        """The type in counts and lists: a thumb is an image (wire reference 2.4)."""
        return "image" if self.type == "thumb" else self.type


@frozen(kw_only=True)
class TemporaryMedia:
    """One temporary medium.

    Attributes:
        media_id: The id, 64 characters.
        type: "image", "voice", "video" or "thumb".
        filename: The filename of the upload, exactly as sent.
        content: The bytes.
        content_type: The MIME type of the bytes.
        extension: The usual extension for the MIME type, without a dot.
        created_at: Time of creation, in unix seconds.
    """

    media_id: str
    type: str
    filename: str
    content: bytes = field(repr=False)
    content_type: str
    extension: str
    created_at: int


@define(kw_only=True, eq=False)
class Account:
    """Complete state of one account; the attributes after `links` up to `directory` are common to all accounts."""

    appid: str
    secret: str = field(repr=False)
    switches: Switches
    clock: Clock
    identifiers: Identifiers
    tokens: TokenIssuer
    links: LinkTable
    request_ids: RequestIdRecords
    upload_permits: UploadPermits
    platform: Platform
    directory: Mapping[str, "Account"] = field(repr=False)
    materials: Library[Material] = Factory(Library)
    temporary_media: SharedMapping[TemporaryMedia] = Factory(SharedMapping)
    cloud_files: CloudFiles = Factory(CloudFiles)
    article_images: SharedMapping[bytes] = Factory(SharedMapping)
    drafts: DraftBox = Factory(DraftBox)
    hidden_until: dict[str, float] = Factory(dict)
    materials_in_use: SharedMapping[int] = Factory(SharedMapping)
    quotas: QuotaCounts = field(default=Factory(lambda self: QuotaCounts(self.clock), takes_self=True))
    deployed_at: float = field(default=Factory(lambda self: self.clock.now(), takes_self=True))

    @property
    def options(self) -> SimulatorOptions:
        """The switches in force."""
        return self.switches.options

    def named(self, appid: str) -> "Account":
        """Return the account of an appid, this one or another.

        Raises:
            ApiError: 40013, there is no such account.
        """
        found = self.directory.get(appid)
        if found is None:
            raise ApiError(40013)
        return found

    def refuse(self, error: ApiError, request: ApiRequest) -> Document:
        """Return the document of an error, and record it under its request id."""
        document = error_document(error, self.identifiers, self.clock.now())
        self.request_ids.enter(error, document, request, self.appid)
        return document

    def token_number(self, query: Mapping[str, str]) -> int | None:
        """Return the number of the token in a query, under any of its names; None without one or for an unknown one."""
        token = self.tokens.registry.find(next((query[name] for name in TOKEN_PARAMETERS if query.get(name)), None))
        return None if token is None else token.number

    def add_news(self, articles: Sequence[Article]) -> str:
        """Add a news material to the library and return its media_id."""
        media_id = self.identifiers.media_id()
        self.materials[media_id] = Material(
            media_id=media_id, type="news", update_time=int(self.clock.now()), articles=tuple(articles)
        )
        return media_id

    def add_cloud_file(self, env: str, path: str, content: bytes) -> str:
        """Add a file to cloud storage and return its file id (wire reference 3.1)."""
        fileid = file_id(env, path)
        self.cloud_files[fileid] = content
        return fileid

    def listed(self, kind: str) -> Sequence[Material]:
        """Return the materials listed under a type, newest first, without hidden ones."""
        listed, now = self.materials.newest_first(kind), self.clock.now()
        for name, until in list(self.hidden_until.items()):
            if now >= until:
                del self.hidden_until[name]
        if not self.hidden_until:
            return listed
        return [material for material in listed[:] if material.media_id not in self.hidden_until]


def env_of(fileid: str) -> str | None:
    """Return the environment of a cloud file id, or None for an invalid id."""
    match = _FILE_ID.fullmatch(fileid)
    return match and match[1]


def article_document(article: Article) -> dict[str, object]:
    """Return an article as included in a response."""
    return asdict(article)
