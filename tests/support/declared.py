"""Endpoints as a user would declare them."""

from typing import ClassVar

from attrs import frozen

from wxasset import Ack, Call, Download, Effect, Route, Upload


@frozen(kw_only=True)
class Domains:
    """The addresses of WeChat's API hosts."""

    ip_list: tuple[str, ...]


@frozen(kw_only=True)
class GetDomains(Call[Domains]):
    """A GET without parameters."""

    route: ClassVar[Route] = Route(path="/cgi-bin/get_api_domain_ip", effect=Effect.READ, method="GET")


@frozen(kw_only=True)
class AddKefuImage(Upload[Ack]):
    """An upload with a parameter in the query."""

    route: ClassVar[Route] = Route(path="/customservice/kfaccount/uploadheadimg", effect=Effect.CREATE)

    account: str


@frozen(kw_only=True)
class Poster:
    """What comes instead of a picture."""

    title: str


@frozen(kw_only=True)
class GetPoster(Download[Poster]):
    """A picture, or JSON."""

    route: ClassVar[Route] = Route(path="/wxa/getwxacodeunlimit", effect=Effect.READ)

    scene: str
    width: int


@frozen(kw_only=True)
class MakeDraft(Call[Ack]):
    """A create without a file."""

    route: ClassVar[Route] = Route(path="/cgi-bin/draft/add", effect=Effect.CREATE)

    title: str


@frozen(kw_only=True)
class Images:
    """A part of what WeChat counts."""

    image_count: int


@frozen(kw_only=True)
class CountImages(Call[Images]):
    """An endpoint that the simulator knows as well."""

    route: ClassVar[Route] = Route(path="/cgi-bin/material/get_materialcount", effect=Effect.READ, method="GET")
