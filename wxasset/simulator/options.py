"""Switches of the simulator, each with the kind of evidence for its default."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Literal

from attrs import define, field, frozen
from attrs.validators import and_, deep_mapping, ge, gt, in_, instance_of, matches_re, optional

_limits = deep_mapping(and_(instance_of(str), matches_re(r"/.+")), and_(instance_of(int), ge(0)))


def _addresses(_instance: object, _attribute: object, addresses: frozenset[str] | None) -> None:
    """Raise ValueError for an entry of another form than an address or a CIDR range."""
    for address in addresses or ():
        ip_network(address, strict=False)


@frozen(kw_only=True)
class SimulatorOptions:
    """Options of the simulated service.

    "Documented" means stated by WeChat, "observed" means shown by captures or several codebases, and "chosen" means
    unknown: the stricter reading was taken. Sections refer to the wire reference.

    Attributes:
        headers: Headers of the raw bytes sent by get_material. "modern" has the real Content-Type and a
            Content-disposition; "2016" has text/plain and no filename. Observed (2.2).
        video_link: Target of `down_url`: the "file" itself, or the HTML "page" some accounts got. Observed (2.2).
        video_link_seconds: Lifetime of a `down_url` or `video_url` in seconds; the CDN returns 403 afterwards.
            Chosen (2.2 says "life unknown; treat as short").
        allowed_addresses: Client addresses and CIDR ranges on the whitelist; any other gets 40164 at the token
            endpoints, and 61004 at those of a third-party platform. None disables the whitelist. Documented (1.1,
            1.5). For a platform and its authorizers the options of the simulator apply.
        addresses_for_calls: The whitelist holds for calls with a token as well, with 61004. Documented (1.5, 8.3).
        kilobyte: Bytes in the "K" of "64K"; "M" is its square. Chosen: 1024 (6).
        image_and_news_cap: Maximum number of images, thumbs and news in the library together. Documented (2.1);
            chosen: a full library returns 45074 (2.1).
        voice_cap: Maximum number of voices in the library. Documented (2.1).
        video_cap: Maximum number of videos in the library. Documented (2.1).
        temporary_seconds: Lifetime of temporary media in seconds. Documented (2.7).
        description_in_query: Read the description of a video from the query if the form has none, as wechatpy
            1.8.18 sends it. Observed from one client (2.1), off because the documentation asks for a form field.
        accept_quoted_boundary: Accept `boundary="..."`. Rejection is observed at sibling services (4.4).
        count_above_20: A `count` above 20 in batchget_material is reduced to 20 ("clamp"), rejected with 40097
            ("refuse"), or used as given ("obey", seen once in 2018). Chosen: "clamp" (2.5).
        missing_file_status: Status of a missing cloud file. Chosen: -503003; 1 was seen once (3.4).
        force_refresh_interval: Seconds between two forced refreshes of the stable token. Documented (1.2).
        force_refreshes_per_day: Forced refreshes in one day of China Standard Time. Documented (1.2); chosen: a
            throttled one returns the unchanged token.
        daily_limits: Calls of an endpoint in one day of China Standard Time, by path; further calls get 45009. Other
            paths keep their defaults. Documented: 2,000 for token, 500,000 for stable_token, 100,000 for
            media/upload, 200,000 for media/get (0.7). Chosen: no limit for other paths. One source names about 1,000
            a day for material/*; this is unconfirmed, and would end a long test.
        minute_limits: The same for one minute; further calls get 45011. Documented: 10,000 for stable_token (0.7).
        account_kind: "official_account" or "mini_program". A mini program gets 48001 for the library. Documented (2).
        verified: The account is verified; media/get/jssdk returns 48001 to other accounts. Documented (2).
        unauthorized_paths: Endpoints with the result 48001. Observed for accounts without a privilege (2).
        permission_sets: Numbers of the permission sets of the third-party platform. An endpoint of other sets returns
            61007 to the platform's token, also one of a set added after the authorization. None stands for all.
            Documented (1.3, 8.4).
        refresh_tokens: "stay": a refresh token is valid until a new authorization. Documented (8.4). "rotate": each use
            returns a new one, and the old one is valid for 5 minutes, as stated once by WeChat's staff (8.4).
            "rotate_at_once": the old one ends at once; chosen.
        component_token_overlap: Seconds of validity of a platform's token after a newer one was fetched. 0 is observed
            (8.4).
        authorizer_token_overlap: The same for a platform's token of an account. Chosen: 300, as for the account's own
            tokens (1.1, 8.4).
        authorization_code_seconds: Lifetime of an authorization code. Chosen: 600, as in the sample of the redirect.
        withdrawn_token_errcode: Error code of calls with the token of an ended authorization, 61003 or 40001. Chosen.
        authorizer_list_refresh_tokens: api_get_authorizer_list returns the refresh tokens. Documented; they are known
            to be missing at times (8.4).
        token_refusal: Error code of the token endpoints for valid credentials: 50004 or 50007 (account frozen), 40243
            (secret frozen), 89501, 89503, 89506 or 89507 (an administrator has not yet confirmed, or has rejected,
            the address). Documented; chosen: it is checked before the whitelist (1.1).
        transcoding_seconds: Seconds after the upload of a video with error 46007 from get_material. The code is
            documented, the default 0 chosen (2.2, 4.9).
        longest_voice: Maximum duration of a voice in seconds; longer ones get 45007. Documented (2.1, 2.7); chosen:
            fractions count, and a voice of unknown duration is accepted.
        cloud_hosting: Paths listed in the console of WeChat cloud hosting. They need no token, and a
            cloudbase_access_token is valid for them only. Documented (1.6, 8.5). None means that its sidecar is
            switched off: calls without a token return 41001, and a cloudbase_access_token works for every path. The
            environment is that of the first account; `from_appid` names another account of the simulator.
        unlisted_in_hosting: Response to a path that is not in `cloud_hosting`: status 502 or error code 85107. Both
            are documented (8.5). A cloudbase_access_token gets 85107.
        hosting_ready_after: Seconds after a deployment in which calls from cloud hosting return 85113. The code is
            documented (8.5), the default 0 chosen.
    """

    headers: Literal["modern", "2016"] = field(default="modern", validator=in_(("modern", "2016")))
    video_link: Literal["file", "page"] = field(default="file", validator=in_(("file", "page")))
    video_link_seconds: float = field(default=3600, validator=gt(0))
    allowed_addresses: frozenset[str] | None = field(default=None, validator=_addresses)
    addresses_for_calls: bool = True
    kilobyte: int = field(default=1024, validator=gt(0))
    image_and_news_cap: int = field(default=100_000, validator=ge(0))
    voice_cap: int = field(default=1_000, validator=ge(0))
    video_cap: int = field(default=1_000, validator=ge(0))
    temporary_seconds: float = field(default=3 * 86_400, validator=gt(0))
    description_in_query: bool = False
    accept_quoted_boundary: bool = False
    count_above_20: Literal["clamp", "refuse", "obey"] = field(
        default="clamp", validator=in_(("clamp", "refuse", "obey"))
    )
    missing_file_status: int = -503003
    force_refresh_interval: float = field(default=30, validator=ge(0))
    force_refreshes_per_day: int = field(default=20, validator=ge(0))
    daily_limits: Mapping[str, int] = field(factory=dict, validator=_limits)
    minute_limits: Mapping[str, int] = field(factory=dict, validator=_limits)
    account_kind: Literal["official_account", "mini_program"] = field(
        default="official_account", validator=in_(("official_account", "mini_program"))
    )
    verified: bool = True
    unauthorized_paths: frozenset[str] = frozenset()
    permission_sets: frozenset[int] | None = None
    refresh_tokens: Literal["stay", "rotate", "rotate_at_once"] = field(
        default="stay", validator=in_(("stay", "rotate", "rotate_at_once"))
    )
    component_token_overlap: float = field(default=0, validator=ge(0))
    authorizer_token_overlap: float = field(default=300, validator=ge(0))
    authorization_code_seconds: float = field(default=600, validator=gt(0))
    withdrawn_token_errcode: Literal[61003, 40001] = field(default=61003, validator=in_((61003, 40001)))
    authorizer_list_refresh_tokens: bool = True
    token_refusal: int | None = field(
        default=None, validator=optional(in_((40243, 50004, 50007, 89501, 89503, 89506, 89507)))
    )
    transcoding_seconds: float = field(default=0, validator=ge(0))
    longest_voice: float = field(default=60, validator=gt(0))
    cloud_hosting: frozenset[str] | None = None
    unlisted_in_hosting: Literal[502, 85107] = field(default=502, validator=in_((502, 85107)))
    hosting_ready_after: float = field(default=0, validator=ge(0))


@define
class Switches:
    """Options in force, shared by all accounts without options of their own."""

    options: SimulatorOptions
