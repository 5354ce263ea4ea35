"""The account: its name, its quotas, and the findings of the doctor."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from wxasset import __version__
from wxasset.cli.doctor.checks import Context, run_checks
from wxasset.cli.doctor.findings import LABELS, document
from wxasset.cli.runtime.usage import library_usage, query_quotas
from wxasset.cli.web.site import NO_STORE, failure, site_of
from wxasset.cli.web.uploads import upload_limits
from wxasset.errors import WxAssetError

__all__ = ["about", "doctor", "quota"]


async def about(request: Request) -> Response:
    """Describe the account and the limits of uploads; no call is made."""
    site = site_of(request)
    limits = {
        kind: {"max_bytes": limit.max_bytes, "formats": sorted(limit.formats)}
        for kind, limit in upload_limits().items()
    }
    return JSONResponse(
        {
            "appid": site.credentials.appid,
            "name": site.credentials.name,
            "host": site.credentials.host,
            "simulated": site.controls is not None,
            "controls": site.controls,
            "read_only": site.read_only,
            "limits": limits,
            "version": __version__,
        },
        headers=NO_STORE,
    )


async def quota(request: Request) -> Response:
    """Return the usage of the library and of the daily calls, as `wxasset quota` does."""
    wx = site_of(request).wx
    refusals: list[dict[str, object]] = []
    usages: list[dict[str, object]] = []
    try:
        usages += [one.record("library") for one in library_usage(await wx.count_materials())]
    except WxAssetError as error:  # a mini program has quotas but no library
        refusals.append(failure(error))
    calls, refused = await query_quotas(wx)
    usages += [one.record("calls") for one in calls]
    refusals += [{**failure(error), "item": path} for path, error in refused.items()][:1]
    return JSONResponse({"usages": usages, "refusals": refusals}, headers=NO_STORE)


async def doctor(request: Request) -> Response:
    """Run the checks of `wxasset doctor` and return the findings."""
    site = site_of(request)
    context = Context(environ=site.environ, account=site.credentials, connection=site.credentials.connection)
    findings = []
    async for finding in run_checks(context):
        label = LABELS[finding.check]
        findings.append({**document(finding), "label": label.english, "label_zh": label.chinese})
    return JSONResponse({"findings": findings}, headers=NO_STORE)
