"""Switches of the simulator, each labelled with the kind of evidence behind its default."""

from typing import Literal

from attrs import field, frozen
from attrs.validators import ge, gt, in_


@frozen(kw_only=True)
class SimulatorOptions:
    """What can be changed about the simulated service.

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
