"""Switches of the simulator, each labelled with the kind of evidence behind its default."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen
from attrs.validators import and_, deep_mapping, ge, gt, in_, instance_of, matches_re, optional

_limits = deep_mapping(and_(instance_of(str), matches_re(r"/.+")), and_(instance_of(int), ge(0)))


@frozen(kw_only=True)
class SimulatorOptions:
    """Options of the simulated service.

    "documented" means WeChat states the default, "observed" that captures or several codebases show it, "chosen" that
    nobody knows and the stricter reading was taken. Sections are those of the wire reference.

    Attributes:
        headers: Headers of the raw bytes sent by get_material. "modern" has the real Content-Type and a
            Content-disposition; "2016" says text/plain and gives no name. Observed (2.2).
        video_link: What `down_url` leads to: the "file" itself, or the HTML "page" some accounts got. Observed (2.2).
        video_link_seconds: Life of a `down_url` or `video_url` in seconds; the CDN answers 403 afterwards.
            Chosen (2.2 says "life unknown; treat as short").
        allowed_addresses: Client addresses on the whitelist; any other gets 40164 at the token endpoints. None
            switches the list off. Documented (1.1, 1.5).
        kilobyte: Bytes in the "K" of "64K"; "M" is its square. Chosen: 1024 (6).
        image_and_news_cap: Images, thumbs and news that fit in the library together. Documented (2.1); that a full
            library answers 45074 is chosen (2.1).
        voice_cap: Voices that fit in the library. Documented (2.1).
        video_cap: Videos that fit in the library. Documented (2.1).
        temporary_seconds: Life of temporary media in seconds. Documented (2.7).
        description_in_query: Take the description of a video from the query where the form has none, as wechatpy
            1.8.18 sends it. Observed from one client (2.1), off because the documentation asks for a form field.
        accept_quoted_boundary: Accept `boundary="..."`. Refusal is observed at sibling services (4.4).
        count_above_20: A `count` above 20 in batchget_material is cut to 20 ("clamp"), answered with 40097
            ("refuse"), or obeyed ("obey", seen once in 2018). Chosen: "clamp" (2.5).
        missing_file_status: Status of a cloud file that does not exist. Chosen: -503003; 1 was seen once (3.4).
        force_refresh_interval: Seconds between two forced refreshes of the stable token. Documented (1.2).
        force_refreshes_per_day: Forced refreshes in one day of China Standard Time. Documented (1.2); what a
            throttled one answers, the unchanged token, is chosen.
        daily_limits: Calls of an endpoint in one day of China Standard Time, by its path; beyond them 45009. What is
            not named keeps its default. Documented: 2,000 for token, 500,000 for stable_token, 100,000 for
            media/upload, 200,000 for media/get (0.7). Chosen: no limit for any other; for material/* one source
            names about 1,000 a day, which nobody has confirmed and which would end a long test.
        minute_limits: The same for one minute; beyond them 45011. Documented: 10,000 for stable_token (0.7).
        account_kind: "official_account" or "mini_program", which gets 48001 for the library. Documented (2).
        verified: Whether the account is; without that media/get/jssdk answers 48001. Documented (2).
        unauthorized_paths: Endpoints that answer 48001. Observed for accounts without a privilege (2).
        permission_sets: Numbers of the permission sets that the account has granted to the third-party platform; an
            endpoint of other sets answers 61007 to the platform's token. None grants all. Documented (1.3).
        rotate_refresh_token: Let each authorizer token bring a new refresh token, whose use ends those before it.
            Chosen: the documentation asks to store it on every reply (1.3).
        token_refusal: What the token endpoints answer to right credentials: 50004 or 50007 (account frozen), 40243
            (secret frozen), 89501, 89503, 89506 or 89507 (an administrator has yet to confirm, or has refused, the
            address). Documented; that it comes before the whitelist is chosen (1.1).
        transcoding_seconds: Time after its upload for which get_material answers 46007 for a video. The code is
            documented, the default 0 chosen (2.2, 4.9).
        longest_voice: Playing time of a voice in seconds; 45007 beyond. Documented (2.1, 2.7); that a fraction
            counts, and that a voice whose playing time cannot be read passes, is chosen.
        cloud_hosting: Paths listed in the console of WeChat cloud hosting: they need no token, and a
            cloudbase_access_token works for them alone. Documented (1.6); chosen: others answer 41001 without and
            48001 with such a token. With None nothing comes from cloud hosting but its tokens, good for every path.
    """

    headers: Literal["modern", "2016"] = field(default="modern", validator=in_(("modern", "2016")))
    video_link: Literal["file", "page"] = field(default="file", validator=in_(("file", "page")))
    video_link_seconds: float = field(default=3600, validator=gt(0))
    allowed_addresses: frozenset[str] | None = None
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
    rotate_refresh_token: bool = True
    token_refusal: int | None = field(
        default=None, validator=optional(in_((40243, 50004, 50007, 89501, 89503, 89506, 89507)))
    )
    transcoding_seconds: float = field(default=0, validator=ge(0))
    longest_voice: float = field(default=60, validator=gt(0))
    cloud_hosting: frozenset[str] | None = None
