/** Texts of the page, in two languages. */

const WORDS = {
  en: {
    title: "Library", tabs: "Parts of the library", image: "Images", voice: "Voices", video: "Videos", news: "Articles",
    cloud: "Cloud files", account: "Account", simulated: "Simulator", real: "Live account", readOnly: "Read only",
    controls: "Simulator controls",
    drop: (kind) => ({ image: "Drop images here, or choose them", voice: "Drop voices here, or choose them", video: "Drop videos here, or choose them" })[kind],
    rules: (kind, size) => ({ image: `PNG, JPEG, GIF or BMP, up to ${size} each`, voice: `MP3, WMA, WAV or AMR, up to ${size} and 60 seconds each`, video: `MP4, up to ${size} each` })[kind],
    videoTitle: "Title of the next videos", titleHint: "Default: file name", introduction: "Introduction",
    uploads: "Uploads", uploading: (done, all, failed) => `${done} of ${all} uploaded${failed ? `, ${failed} failed` : ""}`,
    cancelAll: "Cancel all", retryAll: "Retry failed", waiting: "Waiting", toServer: "Sending to the server", toWeChat: "Sending to WeChat",
    cancel: "Cancel", cancelNamed: (name) => `Cancel ${name}`, retry: "Retry", retryNamed: (name) => `Retry ${name}`,
    dismiss: "Dismiss", dismissNamed: (name) => `Dismiss ${name}`,
    stopped: "Cancelled while WeChat was receiving it. Check whether it is in the library before you send it again.",
    search: "Search by name", searchFurther: (rest) => `Search ${rest} more`, selectAll: "Select all shown",
    total: (count) => `${count} in all`, shown: (count, all) => `${count} of ${all} shown`,
    matches: (count, searched, all) => `${count} found; ${searched} of ${all} searched`,
    empty: "Nothing is here yet.", noMatch: "No name has this text.", more: "Show more",
    selected: (count) => `${count} selected`, copyIds: "Copy IDs", clear: "Clear selection", deleteSelected: "Delete",
    select: (name) => `Select ${name}`, copyId: (name) => `Copy the media_id of ${name}`, copyUrl: (name) => `Copy the URL of ${name}`,
    copied: "Copied", copyFailed: "The browser refused to copy.", deleteNamed: (name) => `Delete ${name}`, open: (name) => `Open ${name}`,
    play: (name) => `Player of ${name}`, unplayable: "This browser cannot play this format.", download: "Download", unnamed: "Unnamed",
    question: (count) => (count === 1 ? "Delete this item?" : `Delete these ${count} items?`),
    forGood: "They are deleted from the WeChat account for good.", andMore: (count) => `and ${count} more`, keep: "Keep", delete: "Delete",
    deleted: (count) => `${count} deleted`, failed: (name) => `${name}: `, details: "Details",
    env: "Environment ID", fileids: "File IDs, one a line", find: "Find the files", cloudNote: "WeChat has no list of cloud files. Enter the IDs that you know.",
    copyFileId: (name) => `Copy the ID of ${name}`, copyLink: (name) => `Copy the link to ${name}`, linkFor: "Link for 2 hours", noLink: (why) => `No link: ${why}`,
    appid: "AppID", host: "API host", accountName: "Name in the credentials file", version: "Version",
    usageOf: (name) => name, usage: "Usage", refresh: "Refresh", libraryUsage: "Library", callUsage: "Calls today, until midnight in Beijing",
    used: (used, limit) => `${used} of ${limit}`, noLimit: (used) => `${used}, no limit`, quotaRefused: (path) => `WeChat told no quota (${path})`, doctor: "Checks", runDoctor: "Run the checks",
    doctorNote: "Some 20 calls that only read; nothing is changed.", running: "Checking", ok: "ok", warning: "warning", skipped: "skipped", failedCheck: "failed",
    problems: {
      file: "WeChat does not take this file. Check its format and its size.",
      large: "This file is too large.",
      gone: "This is no longer in the library.",
      later: "WeChat accepts no more requests at the moment. Try again later.",
      unsure: "WeChat did not respond in time. Check whether it is in the library before you send it again.",
      wechat: "WeChat could not be reached, or refused the request.",
      network: "wxasset web could not be reached. Check whether it is still running.",
      closed: "Open the page with the address that wxasset web printed last.",
      refused: "The page is open for reading only.",
      other: "Something went wrong. Reload the page and try again.",
    },
  },
  zh: {
    title: "素材库", tabs: "素材库的各部分", image: "图片", voice: "语音", video: "视频", news: "图文",
    cloud: "云文件", account: "账号", simulated: "模拟器", real: "真实账号", readOnly: "只读",
    controls: "模拟器控制接口",
    drop: (kind) => ({ image: "将图片拖到这里，或点击选择", voice: "将语音拖到这里，或点击选择", video: "将视频拖到这里，或点击选择" })[kind],
    rules: (kind, size) => ({ image: `支持 PNG、JPEG、GIF、BMP，每张不超过 ${size}`, voice: `支持 MP3、WMA、WAV、AMR，每段不超过 ${size}、60 秒`, video: `支持 MP4，每个不超过 ${size}` })[kind],
    videoTitle: "后续视频的标题", titleHint: "默认使用文件名", introduction: "简介",
    uploads: "上传", uploading: (done, all, failed) => `已上传 ${done} / ${all}${failed ? `，失败 ${failed}` : ""}`,
    cancelAll: "全部取消", retryAll: "重试失败项", waiting: "等待中", toServer: "正在上传到服务器", toWeChat: "正在上传到微信",
    cancel: "取消", cancelNamed: (name) => `取消 ${name}`, retry: "重试", retryNamed: (name) => `重试 ${name}`,
    dismiss: "移除", dismissNamed: (name) => `移除 ${name}`,
    stopped: "取消时微信正在接收。再次上传前，请先查看素材库中是否已有。",
    search: "按名称搜索", searchFurther: (rest) => `继续搜索其余 ${rest} 项`, selectAll: "全选已显示项",
    total: (count) => `共 ${count} 项`, shown: (count, all) => `已显示 ${count} / ${all} 项`,
    matches: (count, searched, all) => `找到 ${count} 项，已搜索 ${searched} / ${all} 项`,
    empty: "这里还没有内容。", noMatch: "没有名称包含此文字。", more: "显示更多",
    selected: (count) => `已选 ${count} 项`, copyIds: "复制 ID", clear: "清除选择", deleteSelected: "删除",
    select: (name) => `选择 ${name}`, copyId: (name) => `复制 ${name} 的 media_id`, copyUrl: (name) => `复制 ${name} 的 URL`,
    copied: "已复制", copyFailed: "浏览器拒绝复制。", deleteNamed: (name) => `删除 ${name}`, open: (name) => `打开 ${name}`,
    play: (name) => `${name} 的播放器`, unplayable: "此浏览器无法播放这种格式。", download: "下载", unnamed: "未命名",
    question: (count) => (count === 1 ? "删除这一项？" : `删除这 ${count} 项？`),
    forGood: "将从微信账号中永久删除。", andMore: (count) => `以及另外 ${count} 项`, keep: "保留", delete: "删除",
    deleted: (count) => `已删除 ${count} 项`, failed: (name) => `${name}：`, details: "详情",
    env: "环境 ID", fileids: "文件 ID，每行一个", find: "查找文件", cloudNote: "微信没有列出云文件的接口，请输入已知的文件 ID。",
    copyFileId: (name) => `复制 ${name} 的 ID`, copyLink: (name) => `复制 ${name} 的链接`, linkFor: "链接 2 小时内有效", noLink: (why) => `没有链接：${why}`,
    appid: "AppID", host: "接口主机", accountName: "凭据文件中的名称", version: "版本",
    usageOf: (name) => ["图片 + 图文", "语音", "视频"][["image + news", "voice", "video"].indexOf(name)] ?? name, usage: "用量", refresh: "刷新", libraryUsage: "素材库", callUsage: "今日调用次数（北京时间零点重置）",
    used: (used, limit) => `${used} / ${limit}`, noLimit: (used) => `${used}，无上限`, quotaRefused: (path) => `微信未返回额度（${path}）`, doctor: "检查", runDoctor: "开始检查",
    doctorNote: "约 20 次只读调用，不作任何修改。", running: "正在检查", ok: "正常", warning: "警告", skipped: "跳过", failedCheck: "失败",
    problems: {
      file: "微信不接受此文件，请检查格式和大小。",
      large: "文件太大。",
      gone: "这一项已不在素材库中。",
      later: "微信暂时不再接受请求，请稍后再试。",
      unsure: "微信未及时响应。再次上传前，请先查看素材库中是否已有。",
      wechat: "无法连接微信，或微信拒绝了请求。",
      network: "无法连接 wxasset web，请确认它仍在运行。",
      closed: "请用 wxasset web 最近打印的地址打开。",
      refused: "页面以只读方式打开。",
      other: "出错了，请刷新页面后重试。",
    },
  },
};

const KINDS = { 0: "network", 401: "closed", 403: "refused", 404: "gone", 413: "large", 422: "file", 429: "later", 502: "wechat", 503: "later", 504: "unsure" };

export let language = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
if (!Object.hasOwn(WORDS, language)) language = "en";

export const words = () => WORDS[language];
export const locale = () => (language === "zh" ? "zh-CN" : "en");

/** The message for an HTTP status; 0 means no response. */
export const problemWords = (status) => words().problems[KINDS[status] ?? "other"];

/** Show text that changes with the language: `tell` is called now, and again for each switch. */
export function live(element, tell) {
  element.retell = tell;
  element.dataset.live = "";
  tell();
}

export function speak(next) {
  language = next;
  localStorage.setItem("language", next);
  document.documentElement.lang = locale();
  document.title = words().title;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = words()[element.dataset.text];
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", words()[element.dataset.label]);
  for (const element of document.querySelectorAll("[data-hint]")) element.placeholder = words()[element.dataset.hint];
  for (const element of document.querySelectorAll("[data-live]")) element.retell();
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === next));
  }
}

const number = (value, digits = 0) => new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);
export const count = (value) => number(value);

/** Bytes in the units of WeChat's limits. */
export function bytes(size) {
  if (size < 1024) return `${size} B`;
  return size < 1024 * 1024 ? `${number(size / 1024)} KB` : `${number(size / 1024 / 1024, 1)} MB`;
}

export function date(seconds) {
  const moment = new Date(seconds * 1000);
  const year = moment.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  const format = { year, month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };
  return new Intl.DateTimeFormat(locale(), format).format(moment);
}

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "";
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
