"""Translate the library's hints for users of the command line. Pure.

The library speaks of its arguments and verbs; here the same is said with options, variables and commands.
"""

from collections.abc import Mapping
from typing import Final

from wxasset import errors
from wxasset.errors import Hint, UploadOutcomeUnknown, WxAssetError

__all__ = ["hint_for", "reword", "reword_message"]

_BY_CLASS: Final[Mapping[type[WxAssetError], Hint]] = {
    errors.TransferTimeout: Hint("The peer stalled. Check the line, and try again.", "对端无响应，请检查网络后重试。"),
    errors.ReplyTooLarge: Hint(
        "More came than is taken. See that the id and WXASSET_BASE_URL are right; only a program can raise the limit.",
        "内容超过上限。请检查 id 和 WXASSET_BASE_URL；命令行不能调大上限，需编写程序。",
    ),
    errors.UnsafeURLError: Hint(
        "The link leads to no public media host and was not followed. See that WXASSET_BASE_URL is WeChat's, or that"
        " of a simulator on this machine.",
        "该链接不是允许的公网媒体域名，未下载。请检查 WXASSET_BASE_URL 是否为微信或本机模拟器的地址。",
    ),
    errors.NotAFileError: Hint(
        "WeChat gives some accounts the page on which a video is played, not the film: look at it on mp.weixin.qq.com.",
        "微信对部分账号返回的是视频播放页面而不是文件，请登录 mp.weixin.qq.com 查看。",
    ),
    errors.DestinationError: Hint(
        "Check that the directory exists, is writable and has room; give a file or a directory after -o.",
        "请检查目录是否存在、可写且空间充足；-o 后请填写文件或目录。",
    ),
    errors.StreamConsumedError: Hint("Run the command again.", "请重新执行该命令。"),
    errors.PartialDeleteError: Hint(
        "The files that are named are still there, the others are gone; run it again for those.",
        "列出的文件未删除，其余已删除；请对未删除的文件重新执行。",
    ),
}
"""Of classes whose hint is about Python from end to end."""

_SECRET: Final = "WXASSET_SECRET or the credentials file"  # noqa: S105 - where it is, not what
_SECRET_ZH: Final = "WXASSET_SECRET 或凭据文件"  # noqa: S105 - the same

_ENGLISH: Final = (
    ("Fill in `WxSession(appid, secret)` or WXASSET_", "Fill in the credentials file or WXASSET_"),
    ("Wrong AppSecret in `WxSession(appid, secret)`", f"Wrong AppSecret in {_SECRET}"),
    ("into `WxSession(appid, secret)`", f"into {_SECRET}"),
    ("not with `WxSession(appid, secret)`", "not as one of WXASSET_APPID and WXASSET_SECRET"),
    ("See what `tokens` returns; in", "Check WXASSET_TOKEN_STORE; in"),
    ("A `store` or `tokens` hands out", "The store of WXASSET_TOKEN_STORE hands out"),
    ("See whether `tokens` or `store` hands out", "See whether the store of WXASSET_TOKEN_STORE hands out"),
    ("`base_url`", "WXASSET_BASE_URL (or base_url in the credentials file)"),
    ("Lower `concurrency`", "Do less at once (--concurrency)"),
    ("Find old entries with `iter_materials` and remove them with `del_material`", "See: wxasset ls, wxasset rm"),
    ("Delete files with `batch_delete_file`", "Delete files (wxasset cloud rm)"),
    ("with `file_urls` or `upload_file`", "with wxasset cloud url or wxasset cloud put"),
    ("for `upload_image`", "for wxasset image"),
    ("For `upload_image`", "For wxasset image"),
    ("Give `filename=` such an extension", "Give the file such an extension (or --filename)"),
    ("Pass `filename=`, and `title=` for videos", "Give a --filename, and a --title for videos"),
    ("Shorten `title=`", "Shorten --title"),
    ("Shorten `introduction=`", "Shorten --introduction"),
    ("call clear_quota (10", "have it reset (10"),
    (" (ensure_ascii=False)", ""),
    (" with ensure_ascii=False", " as raw UTF-8"),
    ("Lists: `count` from 1 to 20 and `offset` from 0; cloud files: ", "Check the ids; of cloud files also "),
    ("Check `count` (1 to 20), `offset`, and the length", "Check the ids and the length"),
    ("`type`", "the type"),
    ("`media_id`", "MEDIA_ID"),
    ("`env`", "ENV"),
    ("every id in `fileids`", "every FILEID"),
    ("`fileids`", "FILEID"),
    ("`path`", "PATH"),
    ("your own call", "the request"),
    ("call again a little later", "try again a little later"),
    ("Call again", "Try again"),
    ("Make it smaller, or pass Limits(check_size=False).", "Make it smaller."),
    ("Convert it, choose another type, or pass Limits(check_format=False).", "Convert it, or choose another type."),
    ("Pass a file opened with open(path, 'rb') that is still open, or the path itself.", "Give a regular file."),
    ("Pass a path, bytes, a file opened in binary mode, an UploadFile, or an async iterable of bytes.", "Give a file."),
    ("Pass title=, and introduction= if you like.", "Give a --title, and an --introduction if you like."),
    ("Leave title= and introduction= out.", "Leave --title and --introduction out."),
    ("Call seek(0) on it before the upload.", "Check the file."),
    ("Pass the exact number of bytes as size=, or leave size= out.", "Leave the file alone while it is sent."),
    ("Pass the exact number, or leave size= out.", "Leave the file alone while it is sent."),
    ("Correct size=, or leave it out.", "Leave the file alone while it is sent."),
    (" with a fresh stream; a path, bytes or a seekable file could have been sent again.", "."),
    (" with a fresh stream: the next call fetches a new token. Without size= a stream is kept and sent again by itself."
     , ": that fetches a new token."),
)  # fmt: skip

_CHINESE: Final = (
    ("填写 `WxSession(appid, secret)` 或环境变量", "填写凭据文件或环境变量"),
    ("`WxSession(appid, secret)` 的 AppSecret 有误", f"{_SECRET_ZH} 中的 AppSecret 有误"),
    ("填入 `WxSession(appid, secret)`", f"填入 {_SECRET_ZH}"),
    ("而非 `WxSession(appid, secret)`", "不能填在 WXASSET_APPID 和 WXASSET_SECRET 中"),
    ("检查 `tokens` 的返回值", "检查 WXASSET_TOKEN_STORE"),
    ("`store` 或 `tokens` 给出了", "WXASSET_TOKEN_STORE 指定的存储给出了"),
    ("检查 `tokens` 或 `store` 是否给出了", "检查 WXASSET_TOKEN_STORE 指定的存储是否给出了"),
    ("`base_url`", " WXASSET_BASE_URL（或凭据文件中的 base_url）"),
    ("调小 `concurrency`", "减少并发（--concurrency）"),
    ("调低 `concurrency`", "减少并发（--concurrency）"),
    ("用 `iter_materials` 找出旧素材，再用 `del_material` 删除", "用 wxasset ls 找出旧素材，再用 wxasset rm 删除"),
    ("用 `batch_delete_file` 清理", "用 wxasset cloud rm 清理"),
    ("用 `file_urls` 或 `upload_file` 重新", "用 wxasset cloud url 或 wxasset cloud put 重新"),
    ("`upload_image`", " wxasset image "),
    ("`filename=` 须带这些扩展名", "文件名（或 --filename）须带这些扩展名"),
    ("传 `filename=`，视频还要传 `title=`", "填写 --filename，视频还要填写 --title"),
    ("缩短 `title=`", "缩短 --title"),
    ("缩短 `introduction=`", "缩短 --introduction"),
    ("调用 clear_quota（", "清零（"),
    ("（ensure_ascii=False）", ""),
    ("序列化时请用 ensure_ascii=False", "请直接发送 UTF-8 中文"),
    ("列表查 `count`（1 到 20）和 `offset`（从 0 起），云文件查 ", "请检查各 id，云文件还要检查 "),
    ("检查 `count`（1 到 20）、`offset` 和文字长度", "检查各 id 和文字长度"),
    ("`type`", "类型"),
    ("`media_id`", " MEDIA_ID"),
    ("`env`", "ENV"),
    ("`fileids`", "FILEID"),
    ("`path`", "PATH"),
    ("自定义调用", "请求"),
    ("重新调用", "重试"),
    ("请压缩文件，或传入 Limits(check_size=False)。", "请压缩文件。"),
    ("、改用其他 type，或传入 Limits(check_format=False)。", "，或改用其他类型。"),
    ("请传入以 'rb' 方式打开且未关闭的文件，或直接传入路径。", "请填写普通文件的路径。"),
    ("请传入路径、bytes、以二进制方式打开的文件、UploadFile 或产生 bytes 的异步迭代器。", "请填写文件的路径。"),
    ("上传视频须传入 title=，可另传 introduction=。", "上传视频须填写 --title，可另填 --introduction。"),
    ("只有视频才需要 title= 和 introduction=", "只有视频才需要 --title 和 --introduction"),
    ("请在上传前对文件调用 seek(0)。", "请检查文件。"),
    ("size= 必须与实际字节数一致；也可不传 size=。", "上传期间请勿改动文件。"),
    ("size= 应为准确的字节数，也可不传。", "上传期间请勿改动文件。"),
    ("请更正 size=，或不传该参数。", "上传期间请勿改动文件。"),
    ("请用新的数据流重试；若传入路径、bytes 或可 seek 的文件则可自动重发。", "请重试。"),
    ("请用新的数据流重试，届时", "请重试，届时"),
    ("；不传 size= 时数据会先缓存，可自动重发", ""),
)  # fmt: skip


_MESSAGES: Final = (
    ("base_url=", "WXASSET_BASE_URL (or base_url)"),
    ("; pass it as an open handle", ""),
)


def reword(hint: Hint) -> Hint:
    """Say a hint of the library with the words of the command line."""
    english, chinese = hint.english, hint.chinese
    for old, new in _ENGLISH:
        english = english.replace(old, new)
    for old, new in _CHINESE:
        chinese = chinese.replace(old, new)
    return Hint(english, chinese.strip())


def reword_message(message: str) -> str:
    """Say what happened without the library's arguments."""
    for old, new in _MESSAGES:
        message = message.replace(old, new)
    return message


def hint_for(error: WxAssetError) -> Hint:
    """Say what to do about an error, to whoever runs a command."""
    if isinstance(error, UploadOutcomeUnknown):
        return _outcome(error)
    found = next((_BY_CLASS[kind] for kind in type(error).__mro__ if kind in _BY_CLASS), None)
    return found or reword(error.hint)


def _outcome(error: UploadOutcomeUnknown) -> Hint:
    if error.listing is None:
        return Hint(
            "WeChat does not list these uploads: upload it again where a second copy does no harm.",
            "上传结果未知，且微信不提供此类文件的列表：若重复无妨，可再次上传。",
        )
    look = f"wxasset ls {error.listing}"
    return Hint(
        f"Look for {error.filename} in: {look}. Upload it again only if it is not there a minute from now.",
        f"请先执行 {look} 查找 {error.filename}；一分钟后仍未出现再重新上传，以免重复占用额度。",
    )
