"""The application: routes, and checks of each request."""

from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from wxasset.cli.web import cloud, library, status
from wxasset.cli.web.door import Door, Keys
from wxasset.cli.web.guard import Guard
from wxasset.cli.web.site import Site, answer_failure, answer_refusal, changes
from wxasset.errors import WxAssetError

__all__ = ["STATIC", "make_app"]

STATIC: Final = Path(__file__).with_name("static")
_FILES: Final = StaticFiles(directory=STATIC, html=True)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


def make_app(site: Site, keys: Keys) -> Starlette:
    """Make the application of an account.

    Args:
        site: The account, with an open session.
        keys: The tokens or the password that open it. Without a password the Host header must name this machine: other
            names may come from pages of other sites (DNS rebinding).
    """
    hosts = ("*",) if keys.password else _LOOPBACK
    app = Starlette(
        routes=[
            Route("/api/about", status.about),
            Route("/api/quota", status.quota),
            Route("/api/doctor", status.doctor),
            Route("/api/materials", library.listed),
            Route("/api/materials", changes(library.add), methods=["POST"]),
            Route("/api/materials/{media_id}", changes(library.delete), methods=["DELETE"]),
            Route("/materials/{media_id}", library.show),
            Route("/api/cloud/links", cloud.links, methods=["POST"]),
            Route("/api/cloud/delete", changes(cloud.delete), methods=["POST"]),
            Mount("/", _FILES),
        ],
        middleware=[
            Middleware(Guard),
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
            Middleware(Door, keys=keys),
        ],
        exception_handlers={WxAssetError: answer_failure, HTTPException: answer_refusal},
    )
    app.state.site = site
    return app
