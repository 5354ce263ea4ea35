/** The page: what is dropped is sent, what is in the library is shown. Names come from others, so they are only ever text. */

import { ask, Problem, send } from "./server.js";
import { language, problemWords, speak, words } from "./words.js";

const MOST_BYTES = 10 * 1024 * 1024;
const TYPES = ["image/png", "image/jpeg", "image/gif", "image/bmp"];

const $ = (selector, within = document) => within.querySelector(selector);
const copyOf = (id) => $(`#${id}`).content.firstElementChild.cloneNode(true);
let total = 0;
let simulated = null;

function describe(card) {
  const { name, time } = card.dataset;
  const shown = name || words().unnamed;
  $(".name", card).textContent = shown;
  $(".name", card).title = shown;
  $("a img", card).alt = shown;
  $(".delete", card).setAttribute("aria-label", words().deleteNamed(shown));
  const date = new Date(time * 1000);
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  const format = { year, month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };
  $("time", card).dateTime = date.toISOString();
  $("time", card).textContent = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en", format).format(date);
}

function pictureOf({ name, time }) {
  const card = copyOf("picture");
  Object.assign(card.dataset, { name, time });
  $(".delete", card).addEventListener("click", () => confirmDelete(card));
  describe(card);
  return card;
}

function keep(card, mediaId) {
  card.dataset.mediaId = mediaId;
  const address = `images/${encodeURIComponent(mediaId)}`;
  $("a", card).href = address;
  $("a img", card).src = address;
}

function count(number) {
  total = Math.max(0, number);
  $("#total").textContent = total ? words().total(total) : "";
  $("#empty").hidden = total > 0 || $("#pictures").childElementCount > 0;
  $("#more").hidden = document.querySelectorAll("[data-media-id]").length >= total;
}

function complain(error, name = "") {
  if (!(error instanceof Problem)) throw error;
  const item = copyOf("problem");
  const [said, explained] = item.querySelectorAll("p");
  const close = $("button", item);
  item.retell = () => {
    const { hint, hint_zh: chinese, error: what } = error.explanation;
    said.textContent = (name ? words().failed(name) : "") + problemWords(error.status);
    explained.textContent = (language === "zh" ? chinese : [what, hint].filter(Boolean).join(" ")) ?? "";
    $("details", item).hidden = !explained.textContent;
    $("summary", item).textContent = words().details;
    close.textContent = words().dismiss;
  };
  item.retell();
  close.addEventListener("click", () => {
    item.remove();
    $("#files").focus();
  });
  $("#problems").append(item);
}

async function list(offset) {
  try {
    const page = await ask(`api/images?offset=${offset}`);
    for (const item of page.items) {
      if ($(`[data-media-id="${CSS.escape(item.media_id)}"]`)) continue;
      const card = pictureOf(item);
      keep(card, item.media_id);
      $("#pictures").append(card);
    }
    count(page.total);
  } catch (error) {
    complain(error);
  }
}

async function upload(file) {
  if (file.size > MOST_BYTES) return complain(new Problem(413), file.name);
  if (file.type && !TYPES.includes(file.type)) return complain(new Problem(422), file.name);
  const card = pictureOf({ name: file.name, time: Date.now() / 1000 });
  const local = URL.createObjectURL(file);
  const [passage, bar] = [$(".passage", card), $("progress", card)];
  card.classList.add("coming");
  $("a img", card).src = local;
  passage.hidden = false;
  const move = (stage, fraction) => {
    passage.dataset.stage = stage;
    $("span", passage).textContent = words()[stage];
    bar.setAttribute("aria-label", `${file.name}: ${words()[stage]}`);
    bar.value = (stage === "toWeChat" ? 50 : 0) + fraction * 50;
  };
  move("toServer", 0);
  $("#pictures").prepend(card);
  $("#empty").hidden = true;
  try {
    keep(card, (await send(file, move)).media_id);
    card.classList.remove("coming");
    passage.hidden = true;
    count(total + 1);
  } catch (error) {
    card.remove();
    count(total);
    complain(error, file.name);
  } finally {
    URL.revokeObjectURL(local);
  }
}

/** One after the other, in the order in which they were asked for: the last picture ends up as the newest. */
let line = Promise.resolve();
function queue(work) {
  line = line.then(work);
  return line;
}
function take(files) {
  for (const file of files) queue(() => upload(file));
}

/** The picture that the dialog asks about. */
let doomed = null;
function confirmDelete(card) {
  doomed = card;
  $("#name").textContent = card.dataset.name;
  $("#doomed").src = $("a img", card).src;
  $("#confirm").showModal();
}

async function remove(card) {
  if (card.classList.contains("going")) return;
  card.classList.add("going");
  try {
    await ask(`api/images/${encodeURIComponent(card.dataset.mediaId)}`, "DELETE");
  } catch (error) {
    complain(error, card.dataset.name);
    if (error.status !== 404) return card.classList.remove("going");
  }
  const next = card.nextElementSibling ?? card.previousElementSibling;
  card.remove();
  count(total - 1);
  (next ? $(".delete", next) : $("#files")).focus();
}

function tell(next) {
  speak(next);
  document.querySelectorAll(".picture").forEach(describe);
  for (const item of $("#problems").children) item.retell();
  $("#account").textContent = simulated === null ? "" : simulated ? words().simulated : words().real;
  $("#account").hidden = simulated === null;
  count(total);
}

$("#files").addEventListener("change", (event) => {
  take([...event.target.files]);
  event.target.value = "";
});
// The dialog's close comes later, when somebody quick may have opened it again.
$("#confirm form").addEventListener("submit", (event) => {
  if (event.submitter.value === "delete") remove(doomed);
});
$("#more").addEventListener("click", () => queue(() => list(document.querySelectorAll("[data-media-id]").length)));
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => tell(button.dataset.language));
}

let depth = 0; // enter and leave are told for every element under the pointer
const over = (change) => {
  depth = Math.max(0, depth + change);
  document.body.classList.toggle("over", depth > 0);
};
const withFiles = (handle) => (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  handle(event);
};
addEventListener("dragenter", withFiles(() => over(1)));
addEventListener("dragleave", withFiles(() => over(-1)));
addEventListener("dragover", withFiles(() => {}));
addEventListener("drop", withFiles((event) => {
  over(-depth);
  take([...event.dataTransfer.files]);
}));

tell(language);
$("#empty").hidden = true; // until it is known
await queue(() => list(0));
try {
  ({ simulated } = await ask("api/about"));
} catch (error) {
  complain(error);
}
tell(language);
