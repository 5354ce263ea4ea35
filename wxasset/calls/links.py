"""What is behind a URL that the server gave (wire reference 2.2, 2.8). Pure."""

from typing import ClassVar

from attrs import field, frozen

from wxasset.calls.base import Ack, Download, Effect, Route

__all__ = ["FetchLink"]


@frozen(kw_only=True)
class FetchLink(Download[Ack]):
    """Get a file from a signed URL; no token goes there."""

    # A link can be answered with 404 for some seconds after it was given (wire reference 2.8).
    route: ClassVar[Route] = Route(
        path="down_url", effect=Effect.READ, method="GET", authorized=False, not_yet=frozenset({404})
    )

    url: str = field(repr=False)
    fallback: str
