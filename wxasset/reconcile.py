"""The search for an upload whose reply was lost, among the newest materials of the library."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from attrs import define, frozen

from wxasset.calls.materials import PAGE, MaterialItem, MaterialPage
from wxasset.errors import WxAssetError
from wxasset.outcome import Pending, UploadRegister, Window, candidates, polls

__all__ = ["Ambiguous", "Found", "Listing", "Missing", "Search", "Unseen"]

PAGES: Final = 10
"""Pages of 20 that are looked through while a call waits: each is a call of its own, of which some accounts have a
thousand a day."""
MORE_PAGES: Final = 250
"""The same when the caller asks later, and waits for nothing else."""


class Listing(Protocol):
    """Lists materials."""

    async def __call__(self, kind: str, offset: int, /) -> tuple[MaterialPage, float | None]:
        """Give a page, and the seconds by which WeChat's clock is ahead; None where it does not say."""
        ...


@frozen
class Found:
    """The one material that the upload made."""

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
        error: What failed, where something did.
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
        upload: What is looked for.
        end: Unix time in seconds after which it cannot have been made.
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
        """Look at once, and again for `visibility` seconds while nothing is certain.

        Args:
            visibility: Seconds for which a material may be in the library and not yet in its list.
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
        items: dict[str, MaterialItem] = {}
        offset = 0
        while True:
            page, ahead = await self.listing(self.upload.listing, offset)
            window = Window(begin=self.upload.begun, end=self.end()).on_their_clock(ahead)
            items |= {item.media_id: item for item in page.items}
            offset += len(page.items)
            if not page.items or offset >= page.total or page.items[-1].update_time < window.begin:
                return list(items.values()), True, window
            if offset >= self.pages * PAGE:
                return list(items.values()), False, window
