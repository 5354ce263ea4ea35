"""Table of endpoints with their methods, credentials, permissions and evidence."""

from collections.abc import Collection
from functools import partial

from attrs import evolve

from wxasset.simulator.endpoints import account, cloud, drafts, images, materials, media, platform, tokens
from wxasset.simulator.endpoints.admission import Endpoint, admit
from wxasset.simulator.endpoints.hosting import check_hosting, comes_from_hosting, from_hosting, is_listed
from wxasset.simulator.state.account import Account
from wxasset.simulator.wire.replies import ApiError, Document, RawReply
from wxasset.simulator.wire.requests import ApiRequest


def _paths() -> Collection[str]:
    return ENDPOINTS


_GET = frozenset({"GET"})
_POST = frozenset({"POST"})
_get = partial(Endpoint, methods=_GET)
_download = partial(Endpoint, methods=_GET | {"HEAD"})  # the official sample is `curl -I -G` (2.8)
_post = partial(Endpoint, methods=_POST)
_quotas = account.Quotas(_paths)

# Wire reference 1.3: permission sets required from a third-party platform.
_LIBRARY = frozenset({11, 100})
_MATERIAL = frozenset({3, 11, 18, 30, 31, 100})
_MEDIA = frozenset({1, 3, 8, 9, 11, 19, 30, 31, 100})
_JSSDK = frozenset({1, 8, 9, 11, 100})
_ARTICLE_IMAGE = frozenset({1, 8, 9, 11, 18, 37, 100})
_PUBLISHING = frozenset({7})
_CLOUD = frozenset({49, 64})

_TOKENS = {
    "/cgi-bin/token": _get(
        handler=tokens.token, evidence="documented (1.1, 0.5)", credential="none", issues_token=True
    ),
    "/cgi-bin/stable_token": _post(
        handler=tokens.stable_token, evidence="documented (1.2)", credential="none", issues_token=True
    ),
    "/cgi-bin/component/api_component_token": _post(
        handler=platform.component_token, evidence="documented (1.3)", credential="none", issues_token=True
    ),
    "/cgi-bin/component/api_authorizer_token": _post(
        handler=platform.authorizer_token, evidence="documented (1.3)", credential="component", issues_token=True
    ),
}
_by_platform = partial(Endpoint, methods=_POST, credential="component", evidence="documented (8.4)")
_PLATFORM = {
    "/cgi-bin/component/api_start_push_ticket": _post(
        handler=platform.start_push_ticket, evidence="documented (8.4)", credential="none"
    ),
    "/cgi-bin/component/api_create_preauthcode": _by_platform(handler=platform.pre_auth_code),
    "/cgi-bin/component/api_query_auth": _by_platform(handler=platform.query_auth),
    "/cgi-bin/component/api_get_authorizer_info": _by_platform(handler=platform.authorizer_info),
    "/cgi-bin/component/api_get_authorizer_list": _by_platform(handler=platform.authorizer_list),
    "/cgi-bin/component/clear_quota": _post(
        handler=platform.clear_quota, evidence="observed (8.4)", credential="component"
    ),
    "/cgi-bin/component/clear_quota/v2": _post(
        handler=platform.clear_quota_v2, evidence="documented (8.4)", credential="none"
    ),
}
_DIAGNOSIS = {
    "/cgi-bin/clear_quota": _post(handler=account.clear_quota, evidence="documented (1.4)", credential="either"),
    "/cgi-bin/clear_quota/v2": _post(handler=account.clear_quota_v2, evidence="documented (1.4)", credential="none"),
    "/cgi-bin/openapi/quota/get": _post(handler=_quotas.get, evidence="documented (1.4)"),
    "/cgi-bin/openapi/quota/clear": _post(handler=_quotas.clear, evidence="documented (1.4)"),
    "/cgi-bin/openapi/rid/get": _post(handler=account.find_rid, evidence="documented (1.4)"),
    "/cgi-bin/get_api_domain_ip": _get(handler=account.addresses, evidence="documented (1.4)"),
    "/cgi-bin/getcallbackip": _get(handler=account.addresses, evidence="documented (1.4)"),
    "/cgi-bin/callback/check": _post(handler=account.check_callback, evidence="documented (1.4)"),
}
_retired = _post(handler=media.retired, evidence="observed (8.3)", audience="official_account")
_in_library = partial(Endpoint, audience="official_account", permission_sets=_LIBRARY)
_MATERIALS = {
    "/cgi-bin/material/add_material": _in_library(methods=_POST, handler=materials.add, evidence="observed (2.1, 4.2)"),
    "/cgi-bin/material/get_material": _post(
        handler=materials.get, evidence="observed (2.2)", permission_sets=_MATERIAL
    ),
    "/cgi-bin/material/del_material": _in_library(methods=_POST, handler=materials.delete, evidence="documented (2.3)"),
    # Several SDKs call this endpoint by POST without errors (0.5).
    "/cgi-bin/material/get_materialcount": _in_library(
        methods=_GET | _POST, handler=materials.count, evidence="observed (2.4, 0.5)"
    ),
    "/cgi-bin/material/batchget_material": _in_library(
        methods=_POST, handler=materials.list_page, evidence="observed (2.5)"
    ),
    "/cgi-bin/media/uploadimg": _post(
        handler=media.upload_image, evidence="documented (2.6)", permission_sets=_ARTICLE_IMAGE
    ),
    "/cgi-bin/media/upload": _post(handler=media.upload, evidence="observed (2.7)", permission_sets=_MEDIA),
    "/cgi-bin/media/get": _download(handler=media.get, evidence="documented (2.8, 0.4)", permission_sets=_MEDIA),
    "/cgi-bin/media/uploadvideo": _post(
        handler=media.upload_video, evidence="observed (2.7)", audience="official_account"
    ),
    "/cgi-bin/material/add_news": _retired,
    "/cgi-bin/material/update_news": _retired,
    "/cgi-bin/media/uploadnews": _retired,
    "/cgi-bin/media/get/jssdk": _download(
        handler=media.get_jssdk, evidence="documented (2.9)", audience="verified", permission_sets=_JSSDK
    ),
}
_draft = partial(_in_library, methods=_POST, evidence="documented (8.3)")
_published = partial(
    Endpoint, methods=_POST, evidence="documented (8.3)", audience="verified", permission_sets=_PUBLISHING
)
_DRAFTS = {
    "/cgi-bin/draft/add": _draft(handler=drafts.add, evidence="observed (8.3)"),
    "/cgi-bin/draft/get": _draft(handler=drafts.get),
    "/cgi-bin/draft/update": _draft(handler=drafts.update, evidence="observed (8.3)"),
    "/cgi-bin/draft/delete": _draft(handler=drafts.delete),
    "/cgi-bin/draft/count": _draft(handler=drafts.count, methods=_GET),
    "/cgi-bin/draft/batchget": _draft(handler=drafts.list_page),
    "/cgi-bin/draft/switch": _draft(handler=drafts.switch),
    "/cgi-bin/freepublish/submit": _published(handler=drafts.submit),
    "/cgi-bin/freepublish/get": _published(handler=drafts.state),
    "/cgi-bin/freepublish/batchget": _published(handler=drafts.list_published),
    "/cgi-bin/freepublish/getarticle": _published(handler=drafts.get_article),
    "/cgi-bin/freepublish/delete": _published(handler=drafts.delete_published),
}
_CLOUD_FILES = {
    "/tcb/uploadfile": _post(handler=cloud.permit_upload, evidence="documented (3.1)", permission_sets=_CLOUD),
    "/tcb/batchdeletefile": _post(handler=cloud.delete_files, evidence="documented (3.3, 3.4)", permission_sets=_CLOUD),
    "/tcb/batchdownloadfile": _post(handler=cloud.file_links, evidence="documented (3.2, 3.4)", permission_sets=_CLOUD),
}
# The same calls, with the token of a third-party platform (3).
_COMPONENT_CLOUD_FILES = {
    path.replace("/tcb/", "/componenttcb/"): evolve(endpoint, credential="component")
    for path, endpoint in _CLOUD_FILES.items()
}

ENDPOINTS: dict[str, Endpoint] = {
    **_TOKENS,
    **_PLATFORM,
    **_DIAGNOSIS,
    **_MATERIALS,
    **_DRAFTS,
    **_CLOUD_FILES,
    **_COMPONENT_CLOUD_FILES,
}


def answer(account: Account, request: ApiRequest) -> Document | RawReply:
    """Check and carry out a complete request: scheme, path, method, token, permission, quota, body (0.5).

    Raises:
        ApiError: Any error of the service.
    """
    if account.links.owns(request.path):
        return account.links.serve(request, video_ranges=account.options.video_ranges)
    if images.owns(request.path):
        return images.serve(account, request)
    if account.options.require_https and not request.secure and not from_hosting(account, request):
        raise ApiError(43003)
    endpoint = ENDPOINTS.get(request.path)
    refused = None if endpoint is not None and endpoint.credential == "none" else check_hosting(account, request)
    if refused is not None:
        return refused
    if endpoint is None:
        raise ApiError(40066)
    admit(account, endpoint, request)
    return endpoint.handler(account, request)


def extra_headers(account: Account, request: ApiRequest) -> dict[str, str]:
    """Return the extra headers of a response through cloud hosting; documented, the form of the value chosen (1.6)."""
    if not is_listed(account, request.path) or not comes_from_hosting(account, request):
        return {}
    return {"x-openapi-seqid": account.identifiers.sequence_id()}


def is_token_endpoint(path: str) -> bool:
    """Return True for the paths of token endpoints."""
    endpoint = ENDPOINTS.get(path)
    return endpoint is not None and endpoint.issues_token
