"""Search the newest materials of the library for an upload whose response was lost."""

import copy
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from attrs import define, frozen

from wxasset.calls.base import Upload
from wxasset.calls.materials import PAGE, MaterialItem, MaterialPage
from wxasset.engine.pager import Pager
from wxasset.engine.uploads import Pending, UploadRegister, Window, candidates, polls
from wxasset.errors import Hint, SourceError, UploadOutcomeUnknown, WxAssetError
from wxasset.transfer.uploads.source import Source

__all__ = ["Ambiguous", "Found", "Listing", "Lost", "Missing", "Search", "Unseen", "cannot_resend", "still_unknown"]

PAGES: Final = 10
"""Pages of 20 that are looked through while a call waits: each is a call of its own, of which some accounts have a
thousand a day."""
MORE_PAGES: Final = 250
"""The same when the caller asks later, and waits for nothing else."""


class Listing(Protocol):
    """Lists materials."""

    async def __call__(self, kind: str, offset: int, /) -> tuple[MaterialPage, float | None]:
        """Return a page, and the seconds by which WeChat's clock is ahead; None if unknown."""
        ...


@frozen
class Found:
    """The only matching material."""

    item: MaterialItem


@frozen
class Missing:
    """The library does not have it."""


@frozen
class Ambiguous:
    """Any of these may be it."""

    media_ids: tuple[str, ...]


@frozen
class Unseen:
    """The library could not be searched, or not far enough.

    Attributes:
        reason: Why.
        error: The failure of the search, if any.
    """

    reason: str
    error: WxAssetError | None = None


Finding = Found | Missing | Ambiguous | Unseen


@define
class Search:
    """Looks for one upload.

    Attributes:
        listing: How to list.
        register: The session's uploads.
        upload: The upload to find.
        end: Unix time in seconds of the latest possible creation.
        unique: Whether its name is of no other.
        pages: The most pages to look through.
    """

    listing: Listing
    register: UploadRegister
    upload: Pending
    end: Callable[[], float]
    unique: bool
    pages: int = PAGES

    async def find(self, visibility: float, sleep: Callable[[float], Awaitable[None]], patience: float) -> Finding:
        """Look at once, and again for `visibility` seconds until the result is certain.

        Args:
            visibility: Maximum delay in seconds before a new material is listed.
            sleep: How to wait.
            patience: The most seconds to spend on waiting.
        """
        finding: Finding = Unseen("there was no time left to search the library")
        spent = 0.0
        for wait in polls(visibility):
            spent += wait
            if spent > patience:
                break
            if wait:
                await sleep(wait)
            finding = await self._look()
            if isinstance(finding, Found | Unseen):
                break
        return finding

    async def _look(self) -> Finding:
        try:
            items, whole, window = await self._newest()
        except WxAssetError as error:
            return Unseen(f"listing failed with {error.message.rstrip('.')}", error)
        found = candidates(items, self.upload.name, None if self.unique else window, self.register)
        certain = self.unique or (whole and not self.register.has_rival(self.upload))
        if len(found) == 1 and certain:
            self.register.own(found[0].media_id)
            return Found(found[0])
        if found:
            return Ambiguous(tuple(item.media_id for item in found))
        return Missing() if whole else Unseen(f"{len(items)} newer materials hide it")

    async def _newest(self) -> tuple[list[MaterialItem], bool, Window]:
        """List back to where the upload began; say whether that was reached, and when it was on WeChat's clock."""
        items: list[MaterialItem] = []
        pager = Pager()
        while True:
            page, ahead = await self.listing(self.upload.listing, pager.offset)
            window = Window(begin=self.upload.begun, end=self.end()).on_their_clock(ahead)
            new = pager.take(page)
            items += new
            if pager.ended or (new and new[-1].update_time < window.begin):
                return items, True, window
            if pager.offset >= self.pages * PAGE:
                return items, False, window


@frozen
class Lost:
    """An upload whose response was lost.

    Attributes:
        call: The upload.
        source: The media of the upload; None for a create without media.
        started_at: Unix time in seconds of the request.
        failure: The failure of the request.
    """

    call: Any
    source: Source | None
    started_at: float
    failure: WxAssetError

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
        )


def _said(finding: Finding | None) -> str:
    """Describe the result of a search."""
    match finding:
        case Missing():
            return " The library does not list it, so far."
        case Ambiguous(media_ids):
            return f" In the library it may be {' or '.join(media_ids)}."
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
