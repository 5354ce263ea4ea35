"""The page on which an account authorizes a third-party platform. Pure."""

from typing import Final, Literal
from urllib.parse import urlencode, urlsplit

from wxasset.errors import UsageError
from wxasset.errors.frames import concealed

__all__ = ["authorization_url"]

_DESKTOP: Final = "https://mp.weixin.qq.com/cgi-bin/componentloginpage"
_MOBILE: Final = "https://open.weixin.qq.com/wxaopen/safe/bindcomponent"


@concealed
def authorization_url(
    component_appid: str,
    pre_auth_code: str,
    redirect_uri: str,
    *,
    device: Literal["desktop", "mobile"] = "desktop",
    auth_type: int | None = None,
    biz_appid: str | None = None,
) -> str:
    """Return the address of the page on which the administrator of an account authorizes the platform.

    The page for desktop browsers shows a QR code, and opens only from a link on the platform's own domain
    (授权发起页域名). The page for mobile devices opens inside WeChat. Each needs a new code.
    https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Authorization_Process_Technical_Description.html

    Args:
        component_appid: The platform's appid.
        pre_auth_code: The code of `CreatePreauthCode`.
        redirect_uri: Address of the platform; WeChat adds ``auth_code`` and ``expires_in`` to it.
        device: ``desktop`` or ``mobile``.
        auth_type: Accounts to offer: 1 official accounts, 2 mini programs, 3 both; WeChat's default without it.
        biz_appid: The one account to offer; it has precedence over `auth_type`.

    Raises:
        UsageError: An argument is empty, or `redirect_uri` is no web address.
    """
    if device not in ("desktop", "mobile"):
        raise UsageError(f"device= must be 'desktop' or 'mobile', not {device!r:.40}.")
    needed: dict[str, object] = {"component_appid": component_appid, "pre_auth_code": pre_auth_code}
    for name, value in needed.items():
        if not isinstance(value, str) or not value:
            raise UsageError(f"{name}= must be a non-empty string.")
    if urlsplit(redirect_uri).scheme not in ("https", "http"):
        raise UsageError("redirect_uri= must be an address of the platform, such as https://platform.example/done.")
    mobile = device == "mobile"
    query = {"action": "bindcomponent", "no_scan": "1"} if mobile else {}
    query |= {"component_appid": component_appid, "pre_auth_code": pre_auth_code, "redirect_uri": redirect_uri}
    query |= {} if auth_type is None else {"auth_type": str(auth_type)}
    query |= {} if biz_appid is None else {"biz_appid": biz_appid}
    return f"{_MOBILE}?{urlencode(query)}#wechat_redirect" if mobile else f"{_DESKTOP}?{urlencode(query)}"
