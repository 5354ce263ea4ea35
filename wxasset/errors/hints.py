"""Hints for WeChat's error codes, in English and Chinese.

Pure data. The hints fit users of the Python API and of the command line alike: they name no argument, method or
command. A code without an entry has no hint and belongs to no group; it is still reported, with WeChat's own text.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

__all__ = ["HINTS", "STORAGE_HINTS", "Hint"]


@frozen(eq=False, repr=False)  # attrs would compile three methods with each import
class Hint:
    """Remedy for an error code, in English and in Chinese."""

    english: str
    chinese: str

    def __eq__(self, other: object) -> bool:
        """Compare both texts."""
        if not isinstance(other, Hint):
            return NotImplemented
        return (self.english, self.chinese) == (other.english, other.chinese)

    def __hash__(self) -> int:
        """Hash both texts."""
        return hash((self.english, self.chinese))

    def __repr__(self) -> str:
        return f"Hint(english={self.english!r}, chinese={self.chinese!r})"

    def __str__(self) -> str:
        return f"{self.english} {self.chinese}"


_HINTS: Final = {
    # WeChat itself is in trouble.
    -1: Hint(
        "WeChat is busy. Try again in a few seconds; after an upload, first check whether it was stored.",
        "微信系统繁忙，几秒后重试；若是上传，先确认素材是否已存入。",
    ),
    -1000: Hint(
        "The cloud backend failed. Try again in a few seconds; report the rid if it keeps failing.",
        "云开发后台出错，几秒后重试；若一直失败，请带上 rid 反馈。",
    ),
    -601001: Hint(
        "The WeChat backend behind cloud development failed. Try again in a few seconds.",
        "云开发背后的微信后台出错，几秒后重试。",
    ),
    -601002: Hint(
        "The WeChat backend rejected an argument. Check the environment id and the form of every file id.",
        "微信后台不接受某个参数，检查环境 ID 以及每个文件 ID 的格式。",
    ),
    -601003: Hint(
        "The network inside the WeChat backend failed. Try again in a few seconds.",
        "微信后台内部网络出错，几秒后重试。",
    ),
    -601004: Hint(
        "The WeChat backend behind cloud development reported a common error. Check environment id, "
        "permissions and file ids, then try again in a few seconds.",
        "云开发背后的微信后台返回通用错误：核对环境 ID、权限与文件 ID，几秒后重试。",
    ),
    # Cloud development.
    -501001: Hint(
        "The cloud environment failed inside. Try again in a few seconds, then look at its status in the cloud "
        "console.",
        "云环境内部出错，几秒后重试；仍失败就到云开发控制台查看环境状态。",
    ),
    -501002: Hint(
        "The cloud environment answered too late, so the work may be done. Try again with fewer files.",
        "云环境响应超时，操作可能已完成；减少文件数后重试。",
    ),
    -501003: Hint(
        "The environment has used up the requests of its plan. Wait for the quota to renew or choose a larger plan.",
        "环境套餐的请求次数已用完，等额度恢复，或升级套餐。",
    ),
    -501004: Hint(
        "Too many requests run at once for this environment. Run fewer at once and try again.",
        "该环境的并发请求过多，减少并发后再试。",
    ),
    -501005: Hint(
        "The environment is wrong or not in service. Use its id, not its display name, and the appid of its owner.",
        "环境有误或异常：填环境 ID 而非名称，并使用该环境所属的 appid。",
    ),
    -501006: Hint(
        "A parameter common to all cloud calls is wrong. Check the environment id, then the other fields of the "
        "request.",
        "云开发公共参数有误，先查环境 ID，再查请求的其他字段。",
    ),
    -501007: Hint(
        "The cloud rejected an argument. Check the environment id and the path; every file id starts with cloud://.",
        "云端不接受某个参数：检查环境 ID 和路径，文件 ID 应以 cloud:// 开头。",
    ),
    -501008: Hint(
        "The cloud refused where the request came from. Check the security settings of the environment in the cloud "
        "console.",
        "云端拒绝了请求来源，到云开发控制台检查该环境的安全设置。",
    ),
    -501009: Hint(
        "The cloud resource is missing or was never set up. Check the environment id, and open its storage page in "
        "the console once.",
        "云资源不存在或未初始化：核对环境 ID，并在控制台打开一次存储页。",
    ),
    -501015: Hint(
        "The read quota of the environment is spent. Wait for it to renew or choose a larger plan.",
        "环境的读请求配额已用完，等额度恢复，或升级套餐。",
    ),
    -501016: Hint(
        "The write quota of the environment is spent. Wait for it to renew or choose a larger plan.",
        "环境的写请求配额已用完，等额度恢复，或升级套餐。",
    ),
    -501017: Hint(
        "The disk of the environment is full. Delete files or choose a larger plan.",
        "环境的存储空间已满，请清理文件，或升级套餐。",
    ),
    -501018: Hint(
        "The cloud resource is out of service. Look at the status and the bill of the environment in the cloud "
        "console.",
        "云资源当前不可用，到云开发控制台查看该环境的状态和账单。",
    ),
    -501019: Hint(
        "The caller may not do this in the environment. Check that the appid owns the environment or has access to it.",
        "无权在该环境执行此操作，确认该环境属于此 appid 或已授权给它。",
    ),
    -501020: Hint(
        "The cloud rejected an argument without naming it. Compare environment id, path and file ids with a working "
        "call.",
        "云端报参数错误但未说明是哪个，逐一核对环境 ID、路径和文件 ID。",
    ),
    -501021: Hint(
        "The environment does not support this operation. Check its type and plan in the cloud console.",
        "该环境不支持此操作，到云开发控制台查看环境类型和套餐。",
    ),
    -503001: Hint(
        "Cloud storage could not serve this file. Check the file id and the environment id, then try again later.",
        "云存储无法处理该文件，核对文件 ID 与环境 ID，稍后再试。",
    ),
    -503002: Hint(
        "The caller may not touch this file. Check that it belongs "
        "to the environment, and the storage permissions in "
        "the "
        "cloud console.",
        "无权访问该文件：确认它属于该环境，并检查控制台中的存储权限。",
    ),
    -503003: Hint(
        "No such file in cloud storage. It was deleted or never uploaded, or its id belongs to another environment.",
        "云存储中没有该文件：已删除、从未传成，或文件 ID 属于别的环境。",
    ),
    -503004: Hint(
        "The storage signature is not valid. Do not reuse old links or upload forms; request new ones.",
        "存储签名无效，旧链接和旧表单不要复用，请重新获取。",
    ),
    # Cloud calls of cloud functions (wx-server-sdk).
    -604100: Hint(
        "The cloud call of wx-server-sdk knows no such API. It is for cloud functions alone; a server calls "
        "the HTTP API, with a token or through WeChat cloud hosting.",
        "云函数的云调用没有该接口；云调用仅限云函数（wx-server-sdk），"
        "服务端请直接调用 HTTP 接口，带 token 或经微信云托管。",
    ),
    -604101: Hint(
        "The cloud function may not call this API. Add it to permissions.openapi in its config.json and "
        "upload it again; permissions are cached for 10 minutes.",
        "云函数无权调用此接口：在 config.json 的 permissions.openapi 中加入并重新上传，权限缓存 10 分钟。",
    ),
    -604102: Hint(
        "The cloud call of a cloud function was not carried out as expected. Compare its arguments with the "
        "official page, and report the time and the request id if it stays so.",
        "云函数的云调用失败：请对照官方文档检查参数；若持续失败，请带上时间和 requestId 反馈。",
    ),
    -604103: Hint(
        "The cloud call of a cloud function failed inside WeChat. Try again a little later, and report the "
        "time and the request id if it keeps failing.",
        "云函数的云调用在微信内部出错：稍后重试；若一直失败，请带上时间和 requestId 反馈。",
    ),
    -604104: Hint(
        "The cloud call of a cloud function was not answered properly. Try again a little later; a server "
        "that is no cloud function calls the HTTP API instead.",
        "云函数的云调用未得到正常响应，稍后重试；非云函数的服务端请改用 HTTP 接口。",
    ),
    # Credentials, arguments and media that are wrong.
    40001: Hint(
        "The AppSecret is wrong, or another program's fetches end this token: use stable tokens; on a "
        "platform let one program fetch. An account that authorized again has a new refresh token.",
        "AppSecret 有误，或别处取 token 使其失效：请统一用 stable_token，"
        "第三方平台只由一处获取；账号重新授权后须用新的 refresh_token。",
    ),
    40002: Hint(
        "The grant_type of a token request is wrong. It must be "
        "client_credential; check the program behind the token "
        "source.",
        "取 token 的 grant_type 不对，应为 client_credential，检查 token 来源的程序。",
    ),
    40004: Hint(
        "This type is not allowed here: upload image, voice, video or thumb; list image, voice, video or news.",
        "类型不合法：上传可用 image、voice、video、thumb；列表可用 image、voice、video、news。",
    ),
    40005: Hint(
        "The file does not match its type, such as an mp4 sent as image. Change the type or the file.",
        "文件与类型不符（如把 mp4 当 image 上传），请改类型或换文件。",
    ),
    40006: Hint(
        "The temporary file is too large: image and video 10 MB, voice 2 MB, thumb 64 KB. Compress it.",
        "临时素材过大：图片、视频 10 MB，语音 2 MB，缩略图 64 KB，请压缩。",
    ),
    40007: Hint(
        "No such media_id in this account: mistyped, already deleted, another account's, or a temporary one where a "
        "permanent one is needed (or expired after 3 days).",
        "本账号没有这个 media_id：写错、已删除、属于别的账号，或误用了临时素材的 id（3 天后失效）。",
    ),
    40008: Hint(
        "WeChat does not know this type. Use image, voice, video or thumb, in lower case.",
        "微信不认识这个类型，请用小写的 image、voice、video 或 thumb。",
    ),
    40009: Hint(
        "The picture is too large: 10 MB as a material, under 1 MB inside an article. Shrink it.",
        "图片过大：素材上限 10 MB，图文内图片须小于 1 MB，请缩小。",
    ),
    40010: Hint(
        "The voice file is too large: at most 2 MB and 60 seconds. Cut it or lower the bit rate.",
        "语音文件过大：不超过 2 MB、60 秒，请剪短或降低码率。",
    ),
    40011: Hint(
        "The video is too large: at most 10 MB. Compress it or cut it.",
        "视频过大，不超过 10 MB，请压缩或剪短。",
    ),
    40012: Hint(
        "The thumb is too large: it must be a jpg of at most 64 KB. Shrink it.",
        "缩略图过大：须为不超过 64 KB 的 jpg，请缩小。",
    ),
    40013: Hint(
        "WeChat does not know this appid. Copy it from the WeChat Developer Platform (My Business, Basic "
        "Information; sandbox accounts: their own page); check case, blanks, and that it is no gh_... id.",
        "微信不认识这个 appid：到「微信开发者平台 - 我的业务 - "
        "基础信息」（测试号见其管理页）重新复制，注意大小写、空格，不要填 gh_ 开头的原始 ID。",
    ),
    40014: Hint(
        "The access token is malformed. Check whether the token source or token store returns a cut, quoted or "
        "foreign string.",
        "access_token 格式不对，检查 token 来源或 token 存储是否返回了截断、带引号或别处的字符串。",
    ),
    40033: Hint(
        "The JSON contains \\u escapes. Send Chinese text as raw UTF-8.",
        "JSON 中含有 \\u 转义，请直接发送 UTF-8 中文。",
    ),
    40035: Hint(
        "An argument has a wrong length or range. Check page size (1 to 20), offset, ids, and the length of texts.",
        "参数长度或范围不对，检查每页数量（1 到 20）、偏移量、各 id 和文字长度。",
    ),
    40038: Hint(
        "WeChat cannot read this form of request. Check the Content-Type and the body of the request.",
        "微信不接受这种请求格式，检查请求的 Content-Type 和正文。",
    ),
    40066: Hint(
        "WeChat has no such path. Remove any path from the base URL, and check the path of the request.",
        "接口路径不存在：基础地址（base URL）不要带路径，并核对请求的路径。",
    ),
    40090: Hint(
        "WeChat refused the address the request came from. Check the outgoing address, the proxy and the IP "
        "allow-list (WeChat Developer Platform, Basic Information, Development Keys).",
        "微信拒绝了请求来源 IP：检查出口 IP、代理，以及「微信开发者平台 - 基础信息 - 开发密钥」中的 IP 白名单。",
    ),
    40091: Hint(
        "The component_verify_ticket is not valid. Use the newest one that WeChat pushed to this platform.",
        "component_verify_ticket 无效，请使用微信最近一次推送给本平台的 ticket。",
    ),
    40094: Hint(
        "The platform's component_appid and component_appsecret do not fit. Copy both again: "
        "open.weixin.qq.com, Management Center, Third-party Platform, Details.",
        "component_appid 与 component_appsecret 不匹配，到「微信开放平台 - 管理中心 - 第三方平台 - 详情」重新复制。",
    ),
    40097: Hint(
        "An argument is not valid. Lists: 1 to 20 a page, offset from 0; cloud files: environment id and file ids.",
        "参数不合法：列表查每页数量（1 到 20）和偏移量（从 0 起），云文件查环境 ID 和文件 ID。",
    ),
    40101: Hint(
        "A required argument is missing. Cloud files need an environment id and a path or file ids.",
        "有必填参数没传：云文件接口需要环境 ID，以及路径或文件 ID。",
    ),
    40113: Hint(
        "WeChat reads jpg, png, gif, bmp, mp3, wma, wav, amr and mp4 only. Give the filename such an extension; "
        "convert webp and HEIC first.",
        "仅支持 jpg、png、gif、bmp、mp3、wma、wav、amr、mp4：文件名须带这些扩展名，webp、HEIC 先转换。",
    ),
    40125: Hint(
        "The AppSecret is wrong, or was reset. Set the present one: WeChat Developer Platform, Basic "
        "Information, Development Keys (mini programs: mp.weixin.qq.com, Development Settings).",
        "AppSecret 有误或已被重置，当前值见「微信开发者平台 - 基础信息 "
        "- 开发密钥」（小程序：公众平台 - 开发管理 - 开发设置）。",
    ),
    40137: Hint(
        "WeChat does not take this picture format. Convert images inside articles to jpg or png.",
        "图片格式不支持，图文内图片请转成 jpg 或 png。",
    ),
    40164: Hint(
        "Add the address in the message to the IP allow-list: WeChat Developer Platform, Development Keys "
        "(mini programs: mp.weixin.qq.com, Development Settings). It takes CIDR entries; wait 30 seconds.",
        "把信息中的 IP 加入「微信开发者平台 - 基础信息 - 开发密钥」（小程序："
        "公众平台 - 开发设置）的 IP 白名单，支持 CIDR 网段，等 30 秒生效。",
    ),
    40243: Hint(
        "The AppSecret is frozen. An administrator must unfreeze it (WeChat Developer Platform, Development "
        "Keys; mini programs: mp.weixin.qq.com, Development Settings); it takes 10 minutes to act.",
        "AppSecret 已冻结：请管理员到「微信开发者平台 - 基础信息 - "
        "开发密钥」（小程序：公众平台 - 开发设置）解冻，10 分钟后生效。",
    ),
    # Something is missing.
    41001: Hint(
        "No token was sent. Check the token source; in WeChat cloud hosting the open API service is off, was "
        "switched on without a new deployment, or the container has only just started.",
        "请求没有带 token：检查 token 来源；云托管内可能是「开放接口服务」未开启、开启后未重新发布，或容器刚启动。",
    ),
    41002: Hint(
        "The appid is empty. Pass it, or set WXASSET_APPID; it is on the WeChat Developer Platform (My "
        "Business, Basic Information).",
        "appid 为空，请填写 appid 或环境变量 WXASSET_APPID；它在「微信开发者平台 - 我的业务 - 基础信息」。",
    ),
    41003: Hint(
        "The refresh token is missing. Send the authorizer_refresh_token that you stored for this account.",
        "缺少 refresh_token，请带上为该账号保存的 authorizer_refresh_token。",
    ),
    41004: Hint(
        "The AppSecret is empty. Pass it, or set WXASSET_SECRET; it is on the WeChat Developer Platform (My "
        "Business, Basic Information, Development Keys).",
        "AppSecret 为空，请填写 AppSecret 或环境变量 WXASSET_SECRET；"
        "它在「微信开发者平台 - 我的业务 - 基础信息 - 开发密钥」。",
    ),
    41005: Hint(
        "WeChat found no named file in the upload, or no title for a video. Give a filename, and a title for videos.",
        "上传中没有带文件名的文件，或视频缺标题：请填写文件名，视频还要填写标题。",
    ),
    41006: Hint(
        "The media_id is empty. Check the value returned by the upload or the list.",
        "media_id 为空，请检查上传或列表返回的值。",
    ),
    41011: Hint(
        "A required field is missing. Compare the JSON of the request with the official page.",
        "缺少必填字段，对照官方文档检查请求的 JSON。",
    ),
    41018: Hint(
        "The component_appid is missing. Send the appid of the third-party platform.",
        "缺少 component_appid，请带上第三方平台的 appid。",
    ),
    41021: Hint(
        "The component_access_token is missing. Put it into the query of third-party platform calls.",
        "缺少 component_access_token，第三方平台接口要把它放在 URL 参数里。",
    ),
    # Something is out of date.
    42001: Hint(
        "The token is still out of date after one refresh: its source or store returns an old one. Clear it "
        "and check the clock. In cloud hosting, with the open API service on, send no token at all.",
        "刷新一次后 token 仍过期：来源或存储返回了旧值，"
        "请清除并核对系统时间；云托管开启「开放接口服务」后不应再带 token。",
    ),
    42002: Hint(
        "The refresh token has expired. Look it up in api_get_authorizer_list, or ask the account's "
        "administrator to renew the authorization for your platform.",
        "refresh_token 已过期：用 api_get_authorizer_list 查询，或请账号管理员在第三方平台「更新授权」。",
    ),
    42006: Hint(
        "The component_access_token has expired after 2 hours. Fetch a new one with api_component_token.",
        "component_access_token 已过期（2 小时），用 api_component_token 重新获取。",
    ),
    42007: Hint(
        "The account's user changed the WeChat password, which voids access and refresh tokens. Own accounts "
        "fetch a new token; a platform has the account authorize again.",
        "用户修改了微信密码，access_token 与 refresh_token 均失效：自有账号重新获取，第三方平台须请账号「更新授权」。",
    ),
    # Methods, bodies, sizes, quotas, and what is stored.
    43001: Hint(
        "This path takes GET only. Correct the method of the request.",
        "该接口只接受 GET，请修正请求方法。",
    ),
    43002: Hint(
        "This path takes POST only. Correct the request, and look for a redirect or proxy turning POST into GET.",
        "该接口只接受 POST：修正请求方法，并检查是否有跳转或代理把 POST 变成 GET。",
    ),
    43003: Hint(
        "Start the base URL with https://. Plain http works only inside WeChat cloud hosting.",
        "基础地址（base URL）请用 https:// 开头，只有在微信云托管内才能用 http。",
    ),
    44001: Hint(
        "The file has no bytes. See whether it was written out and closed before the upload.",
        "文件是空的，检查上传前是否已写完并关闭。",
    ),
    44002: Hint(
        "The POST body arrived empty. Check the fields of the request and proxies on the way.",
        "POST 正文为空，检查请求的字段以及途中的代理。",
    ),
    44006: Hint(
        "The uploaded file has no bytes. See whether the source was already read to its end.",
        "上传的文件没有内容，检查数据源是否已被读完。",
    ),
    45001: Hint(
        "The permanent file is too large: image and video 10 MB, voice 2 MB, thumb 64 KB. Compress it.",
        "永久素材过大：图片、视频 10 MB，语音 2 MB，缩略图 64 KB，请压缩。",
    ),
    45002: Hint(
        "The body is too long for this API. Shorten its texts.",
        "内容超过接口允许的长度，请缩短其中的文字。",
    ),
    45003: Hint(
        "The title is too long. Shorten it.",
        "标题过长，请缩短标题。",
    ),
    45004: Hint(
        "The introduction of the video is too long. Shorten it.",
        "视频简介过长，请缩短简介。",
    ),
    45007: Hint(
        "The voice plays too long: at most 60 seconds. Cut it.",
        "语音过长，不能超过 60 秒，请剪短。",
    ),
    45009: Hint(
        "The daily quota of this API is spent. Do not retry: wait until midnight Beijing time, or reset it "
        "with clear_quota (10 a month); a platform's own calls with component/clear_quota/v2.",
        "该接口当天额度已用完，不要重试：等北京时间零点，或用 clear_quota（每月 "
        "10 次）清零；第三方平台自身的调用用 component/clear_quota/v2。",
    ),
    45011: Hint(
        "Too many calls in this minute. Wait for the next minute, then call more slowly.",
        "本分钟调用过多，等到下一分钟并放慢速度。",
    ),
    45034: Hint(
        "The material store is full. List it, and delete the entries no longer in use.",
        "素材数量已满，请列出素材并删除不再使用的。",
    ),
    45035: Hint(
        "Your address is not registered for this API. Add it to the IP allow-list (WeChat Developer Platform, "
        "Basic Information, Development Keys), then wait up to 30 seconds.",
        "调用 IP 未登记，到「微信开发者平台 - 基础信息 - 开发密钥」加入 IP 白名单，最多等 30 秒生效。",
    ),
    45060: Hint(
        "A menu or an auto-reply uses this material. Take it out there on mp.weixin.qq.com, then delete it again.",
        "该素材正用于菜单或自动回复，先在微信公众平台移除引用，再删除。",
    ),
    45074: Hint(
        "The material list is full: 100,000 images and news, 1,000 voices or videos. Delete what is not used.",
        "素材列表已满：图文与图片共 10 万，语音、视频各 1000，请删除不用的素材。",
    ),
    45103: Hint(
        "WeChat has retired this API (an earlier wording of 45106). Articles are drafts now: use draft/add "
        "and freepublish.",
        "该接口已停用（45106 的早期错误码）：图文请改用草稿箱 draft/add 与发布接口 freepublish。",
    ),
    45106: Hint(
        "WeChat has retired this API, such as add_news, update_news and uploadnews. Articles are drafts now: "
        "use the draft and freepublish APIs.",
        "微信已停用该接口（如 add_news、update_news、uploadnews）：图文请改用草稿箱与发布接口。",
    ),
    46001: Hint(
        "Nothing is stored under this media_id. It was deleted, or was temporary and expired after 3 days: upload "
        "it again.",
        "该 media_id 下没有数据：已被删除，或临时素材过了 3 天有效期，请重新上传。",
    ),
    46007: Hint(
        "The video is still being transcoded. Wait a few minutes, then get it again.",
        "视频仍在转码，等几分钟再取。",
    ),
    47001: Hint(
        "WeChat cannot read the body, or a field is missing. Send valid JSON in UTF-8, and files as multipart.",
        "正文无法解析或缺少字段：请发送合法的 UTF-8 JSON，上传文件须用 multipart。",
    ),
    47002: Hint(
        "The JSON escapes Chinese as \\uXXXX. Serialize it without escaping.",
        "JSON 把中文写成了 \\uXXXX，序列化时请不要转义。",
    ),
    # What the account may not do.
    48001: Hint(
        "This account may not call this API: see Interface Permissions on the WeChat Developer Platform; mini "
        "programs cannot manage materials. In shared cloud hosting, name the account by from_appid.",
        "该账号无权调用此接口：见「微信开发者平台 - 接口管理 - 接口权限与额度」，"
        "小程序不能管理永久素材；云托管资源复用时用 from_appid 指定账号。",
    ),
    48004: Hint(
        "WeChat has banned this API for the account. Read the notice on mp.weixin.qq.com; its administrator can "
        "appeal.",
        "该账号的此接口已被封禁，登录 mp.weixin.qq.com 查看通知，由管理员申诉。",
    ),
    48005: Hint(
        "An auto-reply or a menu uses this material. Remove it there on mp.weixin.qq.com before deleting.",
        "自动回复或菜单引用了该素材，先在微信公众平台取消引用再删除。",
    ),
    48006: Hint(
        "The 10 quota resets of this month are used up. Wait until midnight Beijing time for the daily quota.",
        "本月 10 次清零机会已用完，等北京时间零点额度恢复。",
    ),
    48017: Hint(
        "The request went to a retired Hong Kong address. Use a host name in the base URL, not an IP, and clear "
        "hosts entries.",
        "请求发到了已停用的香港旧 IP：基础地址（base URL）请用域名而非 IP，并清理 hosts。",
    ),
    50001: Hint(
        "Nobody granted this API to the caller. Check the account's permissions and the authorization it gave.",
        "该接口未获授权，检查账号的接口权限和授权范围。",
    ),
    50002: Hint(
        "The account is restricted, perhaps frozen or closed. Log in to mp.weixin.qq.com and read its notices.",
        "账号受限，可能已冻结或注销，登录 mp.weixin.qq.com 查看通知。",
    ),
    50004: Hint(
        "WeChat bars this account from fetching tokens, perhaps as a penalty. Read the notices on mp.weixin.qq.com.",
        "该账号被禁止获取 token，可能因违规，登录 mp.weixin.qq.com 查看通知。",
    ),
    50007: Hint(
        "The account is frozen. Its administrator must have it restored on mp.weixin.qq.com.",
        "账号已冻结，请管理员登录 mp.weixin.qq.com 申请恢复。",
    ),
    # Third-party platforms.
    61003: Hint(
        "The account has not authorized your platform, or withdrew it. Check authorizer_appid and the "
        "platform that calls; have the account authorize again.",
        "该账号未授权给本第三方平台或已取消授权：核对 authorizer_appid 与所用平台，请其重新授权。",
    ),
    61004: Hint(
        "This machine's address, named in the message, is not on the platform's IP allow-list. Add it on "
        "open.weixin.qq.com (Third-party Platform, Details, Development Information).",
        "本机 IP（见错误信息）不在第三方平台的白名单内：到「微信开放平台 "
        "- 第三方平台 - 详情 - 开发信息」添加，即刻生效。",
    ),
    61005: Hint(
        "The component_verify_ticket has expired: it lives for 12 hours. Store each push (every 10 minutes, "
        "answered with success), or start pushes with api_start_push_ticket.",
        "component_verify_ticket 已过期（12 小时）：保存每次推送（每 "
        "10 分钟，响应 success），或用 api_start_push_ticket 启动。",
    ),
    61006: Hint(
        "The component_verify_ticket is wrong. Send the whole string that was last pushed to this platform, "
        "and not to another one.",
        "component_verify_ticket 不对，请完整使用最近推送给本平台（而非其他平台）的值。",
    ),
    61007: Hint(
        "The account did not grant the permission set: 11 or 100 for materials, 49 for cloud files. A set "
        "added to the platform later reaches an account only once it authorizes again.",
        "账号未授予所需权限集（素材 11 或 100，云文件 49）：平台后来增加的权限集，须账号「更新授权」后才生效。",
    ),
    61008: Hint(
        "A key occurs twice in the platform request. Send every field once.",
        "第三方平台请求中有重复的 key，每个字段只传一次。",
    ),
    61009: Hint(
        "The authorization code is wrong. Use the one from the latest redirect or authorization event, and only once.",
        "授权码无效，请使用最近一次回调或授权事件带来的授权码，且只用一次。",
    ),
    61010: Hint(
        "The authorization code has expired. Exchange the code for tokens at once; have the account's "
        "administrator authorize again.",
        "授权码已过期：收到后应立即换取 token，请账号管理员重新授权。",
    ),
    61011: Hint(
        "WeChat does not know this platform. Check component_appid (open.weixin.qq.com, Management Center, "
        "Third-party Platform), and that it is not the appid of an account.",
        "微信不认识这个第三方平台：到「微信开放平台 - 管理中心 "
        "- 第三方平台」核对 component_appid，不要填账号的 appid。",
    ),
    61012: Hint(
        "WeChat does not know this option of an authorized account. Check option_name: location_report, "
        "voice_recognize or customer_service.",
        "授权方选项名无效，option_name 应为 location_report、voice_recognize 或 customer_service。",
    ),
    61013: Hint(
        "WeChat does not take this value for the option. Compare option_value with the official page of the option.",
        "授权方选项的取值无效，请对照官方文档检查 option_value。",
    ),
    61014: Hint(
        "This API needs the component_access_token, and the token of an account was sent. Let the call carry "
        "the platform's token.",
        "该接口要用 component_access_token，而收到的是账号的 token，请改用平台的 token。",
    ),
    61015: Hint(
        "This API needs the token of the account (authorizer_access_token). The component_access_token was sent.",
        "该接口要用账号的 authorizer_access_token，而收到的是 component_access_token。",
    ),
    61016: Hint(
        "The platform must first confirm this permission set. Do so on the WeChat Developer Platform "
        "(Third-party Platform, Permission Sets), then have the account authorize again.",
        "平台须先确认该权限集：到「微信开发者平台 - 第三方平台 - 权限集」确认，再请账号「更新授权」。",
    ),
    61017: Hint(
        "The permission set of this API was not granted. Add it to the platform (WeChat Developer Platform, "
        "Third-party Platform, Permission Sets), then have the account authorize again.",
        "该接口所属权限集未获授权：到「微信开发者平台 - 第三方平台 - 权限集」添加，再请账号「更新授权」。",
    ),
    61023: Hint(
        "The authorizer_refresh_token is not valid, and no newer one is known. Store the newest (api_query_auth), or "
        "send the administrator of the account a new link to update the authorization.",
        "authorizer_refresh_token 无效，且没有更新的值："
        "请保存 api_query_auth 返回的最新值，或发送授权链接请账号管理员「更新授权」。",
    ),
    61024: Hint(
        "This appid is a platform: fetch its token with api_component_token, not as an account's.",
        "该 appid 是第三方平台，应用 api_component_token 取 token，不能当作账号使用。",
    ),
    # Diagnosis.
    76001: Hint(
        "WeChat has no such rid. Copy it whole from the error message, as three groups of 8 characters.",
        "查不到该 rid，请从错误信息里完整复制（三段，每段 8 位）。",
    ),
    76002: Hint(
        "The rid is empty or malformed. It has three groups of 8 hexadecimal digits joined by hyphens.",
        "rid 为空或格式错误，应为三段 8 位十六进制数，以连字符相连。",
    ),
    76003: Hint(
        "Another account made that call. Ask with the token of the account that received the rid.",
        "该 rid 属于其他账号的调用，请用产生它的账号的 token 查询。",
    ),
    76004: Hint(
        "The rid is too old: WeChat keeps 7 days. Provoke the error again and use the new rid.",
        "rid 已过期，只保留 7 天；重现错误后用新的 rid 查询。",
    ),
    76021: Hint(
        "WeChat has no such cgi_path. Write the path alone, such as /cgi-bin/material/add_material.",
        "cgi_path 填写有误，只写路径，如 /cgi-bin/material/add_material。",
    ),
    76022: Hint(
        "This token may not ask about that cgi_path. Use the token of the kind of account the API belongs to.",
        "该 token 无权查询此 cgi_path，请用接口所属账号类型的 token。",
    ),
    # Cloud development is off.
    85088: Hint(
        "Cloud development is off for this appid. Enable it in "
        "WeChat DevTools, or use the appid of the environment's "
        "owner.",
        "该 appid 未开通云开发，在微信开发者工具中开通，或改用环境所属的 appid。",
    ),
    # Cloud hosting.
    85105: Hint(
        "The account is of the wrong kind for this API, such as an official account calling a mini program's, "
        "or lacks the permission. Check from_appid and the account's interface permissions.",
        "账号类型与接口不符（如用公众号 appid 调用小程序接口），或缺少接口权限：请核对 from_appid 与该账号的接口权限。",
    ),
    85107: Hint(
        "Nothing was carried out. Add the API's path to the list of the cloud hosting console "
        "(cloud.weixin.qq.com/cloudrun/openapi, Cloud Call, WeChat token permissions), without host and "
        "query.",
        "请求未被执行：请在微信云托管控制台（cloud.weixin.qq.com/cloudrun/openapi）「云调用 "
        "- 微信令牌权限配置」中加入该接口路径。",
    ),
    85112: Hint(
        "The link of cloud hosting to WeChat is broken. File a ticket with the environment id, the appid, the "
        "time of the call and the rid.",
        "云托管与微信之间的链路异常：请提交工单，附上环境 ID、appid、调用时间和 rid。",
    ),
    85113: Hint(
        "Cloud hosting has just been deployed, and its token is not ready; nothing was carried out. Try again "
        "in a few minutes; file a ticket if it stays so.",
        "云托管刚发布，云调用尚未初始化，请求未被执行：等几分钟再试，一直如此请提交工单。",
    ),
    # An administrator must approve the address.
    89501: Hint(
        "A request to confirm your address is still open. Have the administrator answer it in WeChat, then try again.",
        "有未处理的 IP 确认请求，请管理员先在微信里处理，再重试。",
    ),
    89502: Hint(
        "The administrator has not yet confirmed the call. Wait for the answer; do not retry in a loop.",
        "管理员尚未确认此次调用，等待答复，不要循环重试。",
    ),
    89503: Hint(
        "The administrator must confirm calls from this address. Ask for it, or add the address to the IP allow-list.",
        "此 IP 的调用须管理员确认，请联系确认，或把它加入 IP 白名单。",
    ),
    89504: Hint(
        "The confirmation is waiting for the administrator. Remind them, or add the address to the IP allow-list.",
        "正等待管理员确认，请提醒，或把该 IP 加入白名单。",
    ),
    89505: Hint(
        "The administrator is still being asked. Try again after the confirmation.",
        "仍在等管理员确认，确认后再重试。",
    ),
    89506: Hint(
        "The administrator refused this address. Talk to them, add it to the IP allow-list, and wait 24 hours.",
        "管理员拒绝了此 IP：先沟通，加入 IP 白名单，24 小时后再试。",
    ),
    89507: Hint(
        "The administrator refused this address. Talk to them, add it to the IP allow-list, and wait 1 hour.",
        "管理员拒绝了此 IP：先沟通，加入 IP 白名单，1 小时后再试。",
    ),
}
HINTS: Final[Mapping[int, Hint]] = MappingProxyType(_HINTS)
# The codes of object storage: https://cloud.tencent.com/document/product/436/7730
STORAGE_HINTS: Final[Mapping[str, Hint]] = MappingProxyType(
    {
        "AccessDenied": Hint(
            "The upload or download credentials have expired or belong to another file. Try again to get new ones.",
            "上传或下载凭据已过期或与该文件不符，请重试以获取新的凭据。",
        ),
        "SignatureDoesNotMatch": Hint(
            "The signature does not match the request. Try again; a proxy may have altered the request.",
            "签名与请求不符，请重试；也可能有代理改动了请求。",
        ),
        "RequestTimeTooSkewed": Hint(
            "The clocks differ by more than 15 minutes. Set the clock of this machine.",
            "时间相差超过 15 分钟，请校准本机时钟。",
        ),
        "ExpiredToken": Hint(
            "The upload or download credentials have expired. Try again to get new ones.",
            "上传或下载凭据已过期，请重试以获取新的凭据。",
        ),
        "NoSuchKey": Hint(
            "The file does not exist. Check the file id; it may have been deleted.",
            "文件不存在，请检查文件 ID；文件可能已被删除。",
        ),
        "NoSuchBucket": Hint(
            "The storage of this environment does not exist. Check the environment in the cloud console.",
            "该环境的存储空间不存在，请在云开发控制台检查该环境。",
        ),
        "EntityTooLarge": Hint(
            "One upload holds at most 5 GB. Cut the file into several.",
            "单次上传最大 5 GB，请拆分文件。",
        ),
        "InvalidArgument": Hint(
            "COS rejects a part of the request. Check the path for unusual characters.",
            "请求参数不被接受，请检查路径中是否有特殊字符。",
        ),
        "KeyTooLong": Hint(
            "The path is too long: COS accepts 850 bytes. Shorten it.",
            "路径过长，COS 最多支持 850 字节，请缩短。",
        ),
        "MalformedPOSTRequest": Hint(
            "The form did not arrive as it was sent. Look for a proxy altering requests.",
            "表单到达时已不完整，请检查中间代理是否改动了请求。",
        ),
        "MissingContentLength": Hint(
            "The length of the upload was lost on the way. Look for a proxy sending chunks instead.",
            "请求缺少 Content-Length，请检查代理是否改成了分块传输。",
        ),
        "RequestTimeout": Hint(
            "The bytes came too slowly for COS. Check the network, then try again.",
            "数据到达过慢，请检查网络后重试。",
        ),
        "InternalError": Hint(
            "COS failed. Try again a little later.",
            "COS 内部错误，请稍后重试。",
        ),
        "ServiceUnavailable": Hint(
            "COS is busy. Try again a little later.",
            "COS 暂时不可用，请稍后重试。",
        ),
        "SlowDown": Hint(
            "Too many requests at once. Run fewer at once, and try again a little later.",
            "请求过于频繁，请减少并发，稍后重试。",
        ),
    }
)
