"""Tokens of accounts, cloud hosting, and the third-party platform over HTTP."""

from attrs import field, frozen

from wxasset.simulator.control.routes import ControlError, ControlRequest, Nothing, Reply
from wxasset.simulator.control.settings import OfAccount

__all__ = [
    "Authorize",
    "SetReceiver",
    "authorize",
    "deliver",
    "deploy_hosting",
    "expire_tokens",
    "list_authorizations",
    "push_cloudbase_token",
    "push_ticket",
    "revoke_tokens",
    "set_receiver",
    "take_pushes",
    "unauthorize",
]


@frozen(kw_only=True)
class Authorize:
    """An authorization of the platform by an account."""

    appid: str | None = None
    permission_sets: frozenset[int] | None = None
    pre_auth_code: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class SetReceiver:
    """The receiver of pushes, as on WeChat's console."""

    token: str = field(repr=False)
    aes_key: str = field(repr=False)
    url: str | None = None


def push_cloudbase_token(control: ControlRequest, chosen: OfAccount) -> Reply:
    """Issue a token of cloud hosting."""
    return {"token": control.account(chosen.appid).push_cloudbase_token()}


def deploy_hosting(control: ControlRequest, chosen: OfAccount) -> Reply:
    """Deploy a new version in cloud hosting."""
    control.account(chosen.appid).deploy_hosting()
    return {}


def revoke_tokens(control: ControlRequest, chosen: OfAccount) -> Reply:
    """Reject all tokens issued so far with 40001, of one account or of all."""
    return _reject(control, chosen, 40001)


def expire_tokens(control: ControlRequest, chosen: OfAccount) -> Reply:
    """Reject all tokens issued so far with 42001, of one account or of all."""
    return _reject(control, chosen, 42001)


def push_ticket(control: ControlRequest, _arguments: Nothing) -> Reply:
    """Create a component_verify_ticket."""
    platform = control.simulator.platform
    return {
        "component_appid": platform.appid,
        "component_appsecret": platform.secret,
        "component_verify_ticket": platform.push_ticket(),
    }


def list_authorizations(control: ControlRequest, _arguments: Nothing) -> Reply:
    """Return the authorizations in force with their refresh tokens."""
    return [
        {
            "appid": one.appid,
            "refresh_token": one.refresh_token,
            "permission_sets": None if one.permission_sets is None else sorted(one.permission_sets),
            "authorized_at": one.authorized_at,
        }
        for one in control.simulator.platform.authorizations.values()
    ]


def authorize(control: ControlRequest, given: Authorize) -> Reply:
    """Let an account authorize the platform."""
    appid = control.account(given.appid).appid
    platform = control.simulator.platform
    code = platform.authorize(appid, permission_sets=given.permission_sets, pre_auth_code=given.pre_auth_code)
    return {"authorization_code": code, "refresh_token": platform.refresh_token(appid)}


def unauthorize(control: ControlRequest, chosen: OfAccount) -> Reply:
    """Let an account withdraw its authorization."""
    control.simulator.platform.unauthorize(control.account(chosen.appid).appid)
    return {}


def set_receiver(control: ControlRequest, receiver: SetReceiver) -> Reply:
    """Set the receiver of pushes."""
    control.simulator.platform.set_receiver(receiver.url, token=receiver.token, aes_key=receiver.aes_key)
    return {}


def take_pushes(control: ControlRequest, _arguments: Nothing) -> Reply:
    """Return and remove the pushes not yet delivered."""
    try:
        pushes = control.simulator.platform.take_pushes()
    except ImportError as error:
        raise ControlError(501, str(error)) from None
    return [
        {"info_type": one.info_type, "xml": one.xml, "query": one.query, "body": one.body.decode()} for one in pushes
    ]


async def deliver(control: ControlRequest, _arguments: Nothing) -> Reply:
    """Post the pushes not yet delivered to the receiver."""
    try:
        responses = await control.simulator.platform.deliver()
    except ImportError as error:
        raise ControlError(501, str(error)) from None
    return [{"info_type": one.push.info_type, "status": one.status, "accepted": one.accepted} for one in responses]


def _reject(control: ControlRequest, chosen: OfAccount, errcode: int) -> Reply:
    owner = None if chosen.appid is None else control.account(chosen.appid).appid
    with control.shared.lock:
        control.shared.service.registry.reject_all(errcode, owner)
    return {}
