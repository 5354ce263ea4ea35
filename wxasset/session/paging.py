"""Read lists of materials and of accounts page by page."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from wxasset.engine.pager import Page, Pager
from wxasset.errors import UsageError, WxAssetError

__all__ = ["iterate"]

T = TypeVar("T")


async def iterate(
    pager: Pager[T], list_page: Callable[[int], Awaitable[Page[T]]], items: str
) -> AsyncGenerator[T, None]:
    """Yield the items of all pages.

    Args:
        pager: The offset to start with.
        list_page: Requests the page at an offset.
        items: Name of the items, for errors.

    Raises:
        WxAssetError: A page could not be listed. The message says how many items came before, and with which `offset`
            to continue.
    """
    given = 0
    while not pager.ended:
        try:
            page = await list_page(pager.offset)
        except UsageError:
            raise
        except WxAssetError as error:
            error.message += f" {given} {items} came before; continue with offset={pager.offset}."
            raise
        for item in pager.take(page):
            given += 1
            yield item
