/** Parts of the page that all others use. Names come from others, so they are only ever text. */

import { Problem } from "./server.js";
import { language, live, problemWords, words } from "./words.js";

export const $ = (selector, within = document) => within.querySelector(selector);
export const copyOf = (id) => $(`#${id}`).content.firstElementChild.cloneNode(true);

/** What `GET api/about` told. */
export const about = { limits: {}, read_only: false };

/** The problem in plain words, and the server's own explanation. */
export function explain(error) {
  const { hint, hint_zh: chinese, message, errcode, rid } = error.explanation;
  const codes = [errcode && `errcode ${errcode}`, rid && `rid ${rid}`].filter(Boolean).join(", ");
  const parts = [message, language === "zh" ? chinese : hint, codes && `(${codes})`];
  return [problemWords(error.status), parts.filter(Boolean).join(" ")];
}

export function complain(error, name = "") {
  if (!(error instanceof Problem)) throw error;
  const item = copyOf("problem");
  const [said, explained] = item.querySelectorAll("p");
  live(item, () => {
    const [plain, details] = explain(error);
    said.textContent = (name ? words().failed(name) : "") + plain;
    explained.textContent = details;
    $("details", item).hidden = !details;
    $("summary", item).textContent = words().details;
    $("button", item).textContent = words().dismiss;
  });
  $("button", item).addEventListener("click", () => {
    item.remove();
    $('[role="tab"][aria-selected="true"]').focus();
  });
  $("#problems").append(item);
}

let silence;
/** Say something in passing, to the eye and to a screen reader. */
export function mention(text) {
  $("#toast").textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => ($("#toast").textContent = ""), 3000);
}

/** Copy a text; where the browser has no clipboard for plain http, the old way. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return mention(words().copied);
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "unseen" });
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    mention(done ? words().copied : words().copyFailed);
  }
}

let answer = () => {};
/** Ask before a deletion; resolves to true where it is wanted. */
export function confirmed(names) {
  const dialog = $("#confirm");
  live($("#question"), () => ($("#question").textContent = words().question(names.length)));
  const listed = names.slice(0, 5).map((name) => Object.assign(document.createElement("li"), { textContent: name }));
  $("#doomed").replaceChildren(...listed);
  $("#rest").textContent = names.length > 5 ? words().andMore(names.length - 5) : "";
  if (!dialog.open) dialog.showModal();
  answer(false); // of a question that was left
  return new Promise((resolve) => (answer = resolve));
}
// The dialog's close comes later, when somebody quick may have opened it again.
$("#confirm form").addEventListener("submit", (event) => answer(event.submitter.value === "delete"));
$("#confirm").addEventListener("cancel", () => answer(false));

/** An address that others gave, if it is one of the web. */
export const webAddress = (url) => (/^https?:\/\//i.test(url ?? "") ? url : null);
