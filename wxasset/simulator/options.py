"""Switches of the simulator, each with the kind of evidence for its default."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Literal

from attrs import define, field, frozen
from attrs.validators import and_, deep_mapping, ge, gt, in_, instance_of, matches_re, optional

# Error codes without evidence, by the name of their cause; all of them are chosen.
CHOSEN_ERRCODES: dict[str, int] = {
    "empty_file": 44001,  # documented; 41005 was measured once (8.1)
    "file_conflict": 40113,  # extension and bytes disagree (4.2)
    "missing_type": 40004,  # add_material without a type; one report says "40007 or similar" (2.1)
    "unknown_deletion": 40007,  # del_material for an id that is not in the library (2.3)
    "full_library": 45074,  # 45034 is in the table as well (2.1)
    "page_size": 40097,  # offset or count of a list out of range (2.5)
    "speex_by_get": 40007,  # media/get for a voice of a web page; the service converts it
    "other_by_jssdk": 40007,  # media/get/jssdk for anything else
    "cloud_path": 40097,  # a path of tcb/uploadfile with a slash at its start or end
    "too_many_cloud_files": -501007,  # more than 50 files in a batch (3.2)
    "unknown_env": -501005,  # a cloud environment that does not exist (3.5)
    "clear_quota_secret": 40125,  # clear_quota/v2 with a wrong secret (1.4)
    "cleared_too_often": 45009,  # openapi/quota/clear after 50 calls in a month (1.4)
    "token_name": 40001,  # a kind of token under the name of another (1.6)
    "from_appid": 85105,  # cloud hosting for an account outside its environment (8.5)
    "draft_title": 44003,  # a draft without a title
    "draft_content": 44003,  # a draft without content
    "draft_type": 40097,  # an article_type other than news and newspic
    "draft_images": 40007,  # newspic with more than 20 images
    "draft_index": 40007,  # draft/update for an article that the draft does not have
    "article_index": 53600,  # freepublish/delete for an article that the publication does not have
}

_limits = deep_mapping(and_(instance_of(str), matches_re(r"/.+")), and_(instance_of(int), ge(0)))


def _addresses(_instance: object, _attribute: object, addresses: frozenset[str] | None) -> None:
    """Raise ValueError for an entry of another form than an address or a CIDR range."""
    for address in addresses or ():
        ip_network(address, strict=False)


def _errcodes(_instance: object, _attribute: object, errcodes: Mapping[str, int]) -> None:
    """Raise ValueError for an unknown cause, or for a code of success."""
    for cause, errcode in errcodes.items():
        if cause not in CHOSEN_ERRCODES:
            raise ValueError(f"unknown cause {cause!r}; known are {', '.join(CHOSEN_ERRCODES)}")
        if type(errcode) is not int or errcode == 0:
            raise ValueError(f"the code of {cause} must be a whole number other than 0, got {errcode!r}")


@frozen(kw_only=True)
class SimulatorOptions:
    """Options of the simulated service.

    "Documented" means stated by WeChat, "observed" means shown by captures or several codebases, and "chosen" means
    that nothing is known. Sections refer to the wire reference.

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
        accept_preamble: Accept bytes before the first boundary of a form. Chosen, as nothing speaks against it (8.1).
        accept_unquoted_names: Accept `name=media; filename=a.png`. Chosen in the same way.
        accept_attachment: Accept `Content-Disposition: attachment` in a form. Chosen in the same way.
        accept_bare_end: Accept a form ending in `--boundary--` without a line end. Chosen: accepted; servers of
            Tencent refused it at times, for which 41005 was reported (8.1).
        refuse_chunked_json: A JSON body without a Content-Length gets 412 like a form. Chosen (4.1).
        require_https: Plain HTTP gets 43003, except for calls from cloud hosting. The code is documented (0.2), off
            because tests call the simulator by plain HTTP.
        empty_video_url: The response to a permanent video has `"url": ""`. Documented by its sample; live ones have
            no url (5).
        deleted_file_key: Key of the file id in the delete_list of batchdeletefile. "fileid" is observed, "files" is
            in the official sample (8.2).
        errcode_in_uploads: The responses of media/upload and uploadimg begin with errcode and errmsg. Documented by
            their samples; live ones have none (0.3).
        gif_article_images: uploadimg accepts GIF, as a support answer says (8.1). Documented: JPEG and PNG only (2.6).
        temporary_image_megabytes: Maximum size of a temporary image, 10 or 2. Both are on the official page (8.5).
        retired_errcode: Error code of the retired add_news, update_news and uploadnews: 45106 is observed, 45103 was
            seen in 2022 (8.3).
        cloud_open: Cloud development is switched on; otherwise its calls get 85088. Documented (3).
        cloud_envs: The environments that exist; calls for another one get -501005 (`chosen_errcodes`). None accepts
            every name, which is chosen.
        cloud_failure: Error code of all cloud calls: -1000, -501001 (system error), -501002 (timeout), -501003 or
            -501004 (too many requests). Documented (3, 3.5); None for a service in order.
        video_ranges: Links of videos serve parts. Chosen (2.2).
        list_order: Order of batchget_material, draft/batchget and freepublish/batchget by time of creation. Chosen:
            the newest first, which is stated nowhere (8.2).
        token_in_form: The access_token of an upload may be a field of its form, as weixin-popular sends it. Observed
            from one client (2.1).
        throttled_refresh_errcode: Error code of a forced refresh beyond its limits, 45009 or 45011. Chosen: None
            returns the unchanged token (1.2).
        rejected_calls_count: Calls rejected for their quota count as well. Chosen: they do not (0.7).
        draft_title: Maximum number of characters of a draft's title, further ones get 45003. Documented (8.3).
        draft_author: The same for its author, with 45110. The limit is documented (8.3), the code observed.
        draft_digest: The same for its digest, with 45004. The limit is documented (8.3), the code observed.
        draft_content: The content of a draft has fewer characters, tags included; otherwise 45002. Documented (8.3),
            though one public report measured 183,914 accepted. 1 MB or more gets 45002 as well.
        newspic_content: Maximum number of characters in the content of a newspic draft; longer ones, and links in it,
            get 45166. The code is documented (8.3), the number chosen.
        draft_articles: Maximum number of articles in a draft; more get 45008. The limit is documented for
            the retired uploadnews, the code observed.
        foreign_images: Images of other hosts in the content of a draft: "filter" removes their src, "keep" does not.
            Documented: they are filtered (4.11); the form is chosen.
        drafts_open: The draft box is switched on; otherwise draft/switch switches it on. Documented (8.3).
        comment_privilege: The account has comments; without it a draft with need_open_comment gets 88000. Observed.
        product_refusal: Error code of drafts with product_info: 53404, 53405 or 53406. Documented (8.3); None accepts
            them.
        publishing_seconds: Seconds from freepublish/submit to its end, by the simulator's clock. Chosen: 2.
        publish_status: Status at the end: 0, or 2, 3 or 4 for a failure. Documented (8.3).
        publish_refusal: Error code of freepublish/submit: 53500, 53501, 53503, 53504 or 53505. Documented (2.10).
        chosen_errcodes: Error codes in place of chosen ones, by the names in `CHOSEN_ERRCODES`.
        journal_cap: Maximum number of requests in the journal; older ones are dropped, and counts continue. It applies
            to all accounts, from the options of the first one. The default is chosen.
        journal_body_cap: Maximum number of bytes of a request's body in the journal, likewise. The default is chosen.
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
    accept_preamble: bool = True
    accept_unquoted_names: bool = True
    accept_attachment: bool = True
    accept_bare_end: bool = True
    refuse_chunked_json: bool = True
    require_https: bool = False
    empty_video_url: bool = False
    deleted_file_key: Literal["fileid", "files"] = field(default="fileid", validator=in_(("fileid", "files")))
    errcode_in_uploads: bool = False
    gif_article_images: bool = False
    temporary_image_megabytes: Literal[10, 2] = field(default=10, validator=in_((10, 2)))
    retired_errcode: Literal[45106, 45103] = field(default=45106, validator=in_((45106, 45103)))
    cloud_open: bool = True
    cloud_envs: frozenset[str] | None = None
    cloud_failure: int | None = field(
        default=None, validator=optional(in_((-1000, -501001, -501002, -501003, -501004)))
    )
    video_ranges: bool = True
    list_order: Literal["newest", "oldest"] = field(default="newest", validator=in_(("newest", "oldest")))
    token_in_form: bool = True
    throttled_refresh_errcode: int | None = field(default=None, validator=optional(in_((45009, 45011))))
    rejected_calls_count: bool = False
    draft_title: int = field(default=32, validator=ge(1))
    draft_author: int = field(default=16, validator=ge(0))
    draft_digest: int = field(default=128, validator=ge(0))
    draft_content: int = field(default=20_000, validator=ge(1))
    newspic_content: int = field(default=1_000, validator=ge(0))
    draft_articles: int = field(default=8, validator=ge(1))
    foreign_images: Literal["filter", "keep"] = field(default="filter", validator=in_(("filter", "keep")))
    drafts_open: bool = True
    comment_privilege: bool = True
    product_refusal: int | None = field(default=None, validator=optional(in_((53404, 53405, 53406))))
    publishing_seconds: float = field(default=2, validator=ge(0))
    publish_status: Literal[0, 2, 3, 4] = field(default=0, validator=in_((0, 2, 3, 4)))
    publish_refusal: int | None = field(default=None, validator=optional(in_((53500, 53501, 53503, 53504, 53505))))
    chosen_errcodes: Mapping[str, int] = field(factory=dict, validator=_errcodes)

    def errcode(self, cause: str) -> int:
        """Return the error code of a cause in `CHOSEN_ERRCODES`."""
        return self.chosen_errcodes.get(cause, CHOSEN_ERRCODES[cause])

    journal_cap: int = field(default=100_000, validator=ge(1))
    journal_body_cap: int = field(default=4_096, validator=ge(0))


@define
class Switches:
    """Options in force, shared by all accounts without options of their own."""

    options: SimulatorOptions
