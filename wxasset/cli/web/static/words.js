/** Texts of the page, in two languages. */

const WORDS = {
  en: {
    title: "Picture library", drop: "Drop pictures here, or choose them",
    rules: "PNG, JPEG, GIF or BMP, up to 10 MB each", library: "In the library", empty: "Nothing is here yet.",
    more: "Show more", question: "Delete this picture?",
    forGood: "It is deleted from the WeChat account for good.", keep: "Keep it", delete: "Delete",
    deleteNamed: (name) => `Delete ${name}`, simulated: "Simulator", real: "Live account",
    total: (count) => `${count} ${count === 1 ? "picture" : "pictures"}`,
    toServer: "Sending to the server", toWeChat: "Sending to WeChat",
    dismiss: "Dismiss", details: "Details", unnamed: "Picture",
    failed: (name) => `${name}: `,
    problems: {
      file: "WeChat does not take this file. Choose a PNG, JPEG, GIF or BMP of at most 10 MB.",
      large: "This picture is too large. WeChat takes at most 10 MB.",
      gone: "This picture is no longer in the library.",
      later: "WeChat accepts no more requests at the moment. Try again later.",
      unsure: "WeChat did not respond in time. Check whether the picture is in the library before you upload it again.",
      wechat: "WeChat could not be reached, or refused this server. Try again; if the error remains, tell the operator.",
      network: "The server could not be reached. Check your connection and try again.",
      closed: "Open the gallery with the address that it printed last.",
      other: "Something went wrong. Reload the page and try again.",
    },
  },
  zh: {
    title: "图片素材库", drop: "将图片拖到这里，或点击选择", rules: "支持 PNG、JPEG、GIF、BMP，每张不超过 10 MB",
    library: "素材库中的图片", empty: "这里还没有图片。", more: "显示更多", question: "删除这张图片？",
    forGood: "图片将从微信账号中永久删除。", keep: "保留", delete: "删除",
    deleteNamed: (name) => `删除 ${name}`, simulated: "模拟器", real: "真实账号",
    total: (count) => `共 ${count} 张`, toServer: "正在上传到服务器", toWeChat: "正在上传到微信",
    dismiss: "知道了", details: "详情", unnamed: "图片",
    failed: (name) => `${name}：`,
    problems: {
      file: "微信不接受此文件。请选择不超过 10 MB 的 PNG、JPEG、GIF 或 BMP 图片。",
      large: "图片太大，微信最多接受 10 MB。",
      gone: "这张图片已不在素材库中。",
      later: "微信暂时不再接受请求，请稍后再试。",
      unsure: "微信未及时响应。再次上传前，请先查看素材库中是否已有这张图片。",
      wechat: "无法连接微信，或微信拒绝了本服务器的请求。请重试；若仍然失败，请联系管理员。",
      network: "无法连接服务器，请检查网络后重试。",
      closed: "请用图库最近打印的地址打开。",
      other: "出错了，请刷新页面后重试。",
    },
  },
};

const KINDS = { 0: "network", 401: "closed", 404: "gone", 413: "large", 422: "file", 429: "later", 502: "wechat", 503: "later", 504: "unsure" };

export let language = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
if (!Object.hasOwn(WORDS, language)) language = "en";

export const words = () => WORDS[language];

/** The message for an HTTP status; 0 means no response. */
export const problemWords = (status) => words().problems[KINDS[status] ?? "other"];

export function speak(next) {
  language = next;
  localStorage.setItem("language", next);
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  document.title = words().title;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = words()[element.dataset.text];
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === next));
  }
}
