"""The side of WeChat that a third-party platform with many accounts sees, on a `RawServer`."""

import json
from collections import Counter
from urllib.parse import parse_qs, urlsplit

from attrs import define, field

from raw_server import Connection, RawRequest, reply
from wxasset import ComponentToken

COMPONENT = ComponentToken("wxplatform", "CANARYSECRET", "ticket@@@1")
COUNT = {"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0}
REJECTED = {"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest"}
REFUSED = {"errcode": 61023, "errmsg": "refresh_token is invalid"}


@define
class PlatformServer:
    """Issues tokens; a fetch ends the token before, and an account's refresh token stays as it is.

    Attributes:
        components: The number of component tokens issued.
        refreshes: The number of tokens issued for each account.
        calls: The number of accepted API calls for each account.
        rotate: Whether a refresh ends the refresh token.
    """

    components: int = 0
    refreshes: Counter[str] = field(factory=Counter)
    calls: Counter[str] = field(factory=Counter)
    rotate: bool = False

    async def __call__(self, request: RawRequest, connection: Connection) -> None:
        """Answer a request."""
        query = parse_qs(urlsplit(request.line.split(" ")[1]).query)
        if request.path.endswith("/api_component_token"):
            self.components += 1
            answer: dict[str, object] = {"component_access_token": f"platform-{self.components}", "expires_in": 7200}
        elif request.path.endswith("/api_authorizer_token"):
            answer = self.refresh(json.loads(request.body), query["component_access_token"][0])
        elif request.path.endswith("/api_get_authorizer_list"):
            answer = self.listed(int(json.loads(request.body)["offset"]))
        else:
            answer = self.count(*query["access_token"][0].split("."))
        await connection.send(reply(answer))

    def refresh(self, body: dict[str, str], component: str) -> dict[str, object]:
        """Refresh the token of an account."""
        appid = body["authorizer_appid"]
        if component != f"platform-{self.components}":
            return dict(REJECTED)
        if body["authorizer_refresh_token"] != self.refresh_token(appid):
            return dict(REFUSED)
        self.refreshes[appid] += 1
        token = {"authorizer_access_token": f"{appid}.{self.refreshes[appid]}", "expires_in": 7200}
        return {**token, "authorizer_refresh_token": self.refresh_token(appid)}

    def listed(self, offset: int) -> dict[str, object]:
        """Return a page of the accounts that were asked for."""
        page = [
            {"authorizer_appid": appid, "refresh_token": self.refresh_token(appid), "auth_time": 1}
            for appid in self.refreshes
        ]
        return {"total_count": len(page), "list": page[offset : offset + 500]}

    def refresh_token(self, appid: str) -> str:
        """Return the refresh token of an account."""
        return f"refreshtoken@@@{appid}-{self.refreshes[appid] if self.rotate else 0}"

    def count(self, appid: str, number: str) -> dict[str, object]:
        """Count materials with the newest token of an account."""
        if self.refreshes[appid] != int(number):
            return dict(REJECTED)
        self.calls[appid] += 1
        return dict(COUNT)
