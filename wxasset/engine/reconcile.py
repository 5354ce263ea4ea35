"""Search the newest materials of the library for an upload whose response was lost."""

import copy
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import anyio
from attrs import define, frozen

from wxasset.calls.base import Upload
from wxasset.calls.library import MaterialItem, MaterialPage
from wxasset.engine.evidence import Evidence
from wxasset.engine.register import Pending, UploadRegister
from wxasset.engine.uploads import polls
from wxasset.engine.windows import Window
from wxasset.errors import Hint, SourceError, UploadOutcomeUnknown, WxAssetError
from wxasset.transfer.uploads.source import Source
from wxasset.wire.values import Value

__all__ = ["Ambiguous", "Found", "Listing", "Lost", "Missing", "Search", "Unseen", "cannot_resend", "still_unknown"]

PAGES: Final = 10
"""Pages of 20 that are looked through while a call waits: each is a call of its own, of which some accounts have a
thousand a day."""
MORE_PAGES: Final = 250
"""The same when the caller asks later, and waits for nothing else."""
_COMPARED: Final = 5
"""Materials of one name whose bytes are compared: each is a download of up to 10 MiB."""


class Listing(Protocol):
    """Lists materials."""

    async def __call__(self, kind: str, offset: int, /) -> tuple[MaterialPage, float | None]:
        """Return a page, and WeChat's unix time in seconds; None if unknown."""
        ...


@frozen(eq=False, repr=False)
class Found(Value):
    """The only matching material."""

    item: MaterialItem


@frozen(eq=False, repr=False)
class Missing(Value):
    """The list does not have it; after a thorough search this is proven."""


@frozen(eq=False, repr=False)
class Ambiguous(Value):
    """Any of these may be it, the newest first."""

    items: tuple[MaterialItem, ...]

    @property
    def media_ids(self) -> tuple[str, ...]:
        """Ids of the materials."""
        return tuple(item.media_id for item in self.items)


@frozen(eq=False, repr=False)
class Unseen(Value):
    """It was not found, and the list does not prove that it is absent.

    Attributes:
        reason: Why.
        error: The failure of the search, if any.
        hidden: Whether another look would stop at the same place.
    """

    reason: str
    error: WxAssetError | None = None
    hidden: bool = False


Finding = Found | Missing | Ambiguous | Unseen


@define(eq=False, repr=False)
class Search:
    """Looks for one upload.

    Attributes:
        listing: How to list.
        hashing: Returns the hash of a material; None if it has no bytes to compare.
        register: The uploads of the account in this process.
        upload: The upload to find.
        window: Returns the time of the upload, given WeChat's time.
        sha256: The hash of its bytes; None if unknown.
        owned: Ids of other calls in the process of the upload.
        pages: The most pages to read.
        thorough: Whether to read further pages before absence is concluded.
    """

    listing: Listing
    hashing: Callable[[str], Awaitable[str | None]]
    register: UploadRegister
    upload: Pending
    window: Callable[[float | None], Window]
    sha256: str | None = None
    owned: frozenset[str] = frozenset()
    pages: int = PAGES
    thorough: bool = False

    async def find(self, visibility: float, sleep: Callable[[float], Awaitable[None]], patience: float) -> Finding:
        """Look at once, and again for `visibility` seconds until the result is certain.

        Args:
            visibility: Maximum delay in seconds before a new material is listed.
            sleep: How to wait.
            patience: The most seconds to spend on the search.
        """
        finding: Finding = Unseen("there was no time left to search the library", hidden=True)
        if patience <= 0:
            return finding
        until = time.monotonic() + patience
        with anyio.move_on_after(patience):
            for wait in polls(visibility):
                if wait and time.monotonic() + wait > until:
                    break
                if wait:
                    await sleep(wait)
                finding = await self.look()
                if isinstance(finding, Found) or (isinstance(finding, Unseen) and (finding.error or finding.hidden)):
                    break
        return finding

    async def look(self) -> Finding:
        """Search the list once."""
        evidence = Evidence(self.upload, self.register, self.owned)
        try:
            hidden = await self._read(evidence)
            named, equal = await self._with_its_bytes(evidence)
        except WxAssetError as error:
            return Unseen(f"listing failed with {error.message.rstrip('.')}", error)
        if not self.upload.marked:  # another call may have got its response in the meantime
            named = [item for item in named if not self.register.is_anothers(item.media_id, self.upload.owner)]
        certain = self.upload.marked or (equal and evidence.whole and not self.register.has_rival(self.upload))
        if len(named) == 1 and certain:
            self.register.own(named[0].media_id, self.upload.owner)
            return Found(named[0])
        if named:
            return Ambiguous(tuple(named))
        if hidden and evidence.flaw is None:
            return Unseen(f"{evidence.count} newer materials hide it", hidden=True)
        return Missing() if evidence.doubt is None else Unseen(evidence.doubt, hidden=hidden)

    async def _read(self, evidence: Evidence) -> bool:
        """Read the list until it shows the upload, or is old enough; return True if it goes on beyond `pages`."""
        for _ in range(self.pages):
            page, now = await self.listing(self.upload.listing, evidence.pager.offset)
            evidence.take(page, self.window(now))
            marked = self.upload.marked and evidence.named
            if marked or evidence.thorough or (evidence.whole and (evidence.named or not self.thorough)):
                return False
        return True

    async def _with_its_bytes(self, evidence: Evidence) -> tuple[list[MaterialItem], bool]:
        """Return the materials that may have its bytes, and True if all of them have; a mark needs no comparison."""
        named = evidence.named
        if self.upload.marked or self.sha256 is None or len(named) > _COMPARED:
            return named, False
        hashes = {item.media_id: await self.hashing(item.media_id) for item in named}
        other = [item for item in named if hashes[item.media_id] not in {None, self.sha256}]
        evidence.unknown += other  # WeChat may have changed its bytes
        return [item for item in named if item not in other], None not in hashes.values()


@frozen(eq=False, repr=False)
class Lost(Value):
    """An upload whose response was lost.

    Attributes:
        call: The upload.
        source: The media of the upload; None for a create without media.
        started_at: Unix time in seconds of the request.
        failure: The failure of the request.
        sha256: The hash of the media; None if unknown or not needed.
        owned: Ids that other calls of the process have.
        ahead: Seconds by which WeChat's clock is ahead; None if unknown.
    """

    call: Any
    source: Source | None
    started_at: float
    failure: WxAssetError
    sha256: str | None = None
    owned: tuple[str, ...] = ()
    ahead: float | None = None

    def unknown(self, finding: Finding | None = None, *, unique: bool) -> UploadOutcomeUnknown:
        """Return the error, with all facts for a later search."""
        path = self.call.route.path
        name, size = (self.source.filename, self.source.size) if self.source is not None else ("", 0)
        what = f"The upload of {name}" if name else "The request"
        return UploadOutcomeUnknown(
            f"{what} to {path} may or may not have happened; it was not sent again."
            f" ({self.failure.message}){_said(finding)}",
            path,
            filename=name,
            type=getattr(self.call, "media_type", ""),
            size=size,
            started_at=self.started_at,
            ended_at=time.time(),
            reason=self.failure.message,
            listing=self.call.listing if isinstance(self.call, Upload) else None,
            unique_name=unique,
            candidates=finding.media_ids if isinstance(finding, Ambiguous) else (),
            owned=self.owned,
            sha256=self.sha256,
            clock_ahead=self.ahead,
        )


def _said(finding: Finding | None) -> str:
    """Describe the result of a search."""
    match finding:
        case Missing():
            return " The library does not list it, so far."
        case Ambiguous(items):
            return f" In the library it may be {' or '.join(item.media_id for item in items)}."
        case Unseen(reason):
            return f" It could not be looked up: {reason}."
    return ""


def still_unknown(error: UploadOutcomeUnknown, finding: Finding) -> UploadOutcomeUnknown:
    """Return the error after a later search without a result."""
    again = copy.copy(error)
    again.message = f"The upload of {error.filename} to {error.path} is still in doubt.{_said(finding)}"
    again.candidates = finding.media_ids if isinstance(finding, Ambiguous) else ()
    return again


def cannot_resend(failure: WxAssetError) -> SourceError:
    """Return the error for a rejected token after the body was consumed."""
    return SourceError(
        f"WeChat refused the access token after the stream had been read, so it could not be sent again."
        f" ({failure.message})",
        Hint(
            "Try again from the start of the data: the next call fetches a new token. A stream without a declared size"
            " is cached and sent again automatically.",
            "请从头重新提供数据后重试，届时会获取新的 token；未声明大小的数据流会先缓存，可自动重发。",
        ),
    )
