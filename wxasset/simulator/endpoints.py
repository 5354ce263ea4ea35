"""The table of endpoints: which path takes which method, needs a token, and is answered by whom."""

from collections.abc import Callable

from attrs import frozen

from wxasset.simulator import cloud, credentials, materials, media
from wxasset.simulator.replies import ApiError, Document, RawReply
from wxasset.simulator.requests import ApiRequest
from wxasset.simulator.state import Account

Handler = Callable[[Account, ApiRequest], Document | RawReply]

_GET = frozenset({"GET"})
_POST = frozenset({"POST"})


@frozen
class Endpoint:
    """One endpoint of the API."""

    methods: frozenset[str]
    handler: Handler
    needs_token: bool = True

    def check_method(self, method: str) -> None:
        """Judge the method of a request.

        Raises:
            ApiError: 43001 where GET is wanted, 43002 where POST is.
        """
        if method not in self.methods:
            raise ApiError(43001 if "GET" in self.methods else 43002)


ENDPOINTS: dict[str, Endpoint] = {
    "/cgi-bin/token": Endpoint(_GET, credentials.token, needs_token=False),
    "/cgi-bin/stable_token": Endpoint(_POST, credentials.stable_token, needs_token=False),
    "/cgi-bin/material/add_material": Endpoint(_POST, materials.add),
    "/cgi-bin/material/get_material": Endpoint(_POST, materials.get),
    "/cgi-bin/material/del_material": Endpoint(_POST, materials.delete),
    # Several SDKs call this one by POST without trouble (wire reference 0.5).
    "/cgi-bin/material/get_materialcount": Endpoint(_GET | _POST, materials.count),
    "/cgi-bin/material/batchget_material": Endpoint(_POST, materials.list_page),
    "/cgi-bin/media/uploadimg": Endpoint(_POST, media.upload_image),
    "/cgi-bin/media/upload": Endpoint(_POST, media.upload),
    "/cgi-bin/media/get": Endpoint(_GET, media.get),
    "/tcb/batchdeletefile": Endpoint(_POST, cloud.delete_files),
    "/tcb/batchdownloadfile": Endpoint(_POST, cloud.file_links),
}


def answer(account: Account, request: ApiRequest) -> Document | RawReply:
    """Validate and answer a complete request, in the order of wire reference 0.5: path, method, token, body.

    Raises:
        ApiError: Any of the service's refusals.
    """
    if account.links.owns(request.path):
        return account.links.serve(request)
    endpoint = ENDPOINTS.get(request.path)
    if endpoint is None:
        raise ApiError(40066)
    endpoint.check_method(request.method)
    if endpoint.needs_token:
        account.tokens.check(request.query.get("access_token"))
    return endpoint.handler(account, request)


def is_token_endpoint(path: str) -> bool:
    """Whether a path is one of the two that hand out tokens."""
    endpoint = ENDPOINTS.get(path)
    return endpoint is not None and not endpoint.needs_token
