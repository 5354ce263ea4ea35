/** The page: tabs, the language, and files that are dropped. */

import { Account } from "./account.js";
import { CloudFiles } from "./cloud.js";
import { $, about, complain } from "./page.js";
import { ask } from "./server.js";
import { Materials } from "./shelf.js";
import { language, live, speak, words } from "./words.js";

const KINDS = ["image", "voice", "video", "news"];
const tabs = [...document.querySelectorAll('[role="tab"]')];
let parts = [];
let current = null;

/** Show the part that the address names. */
function open(kind, { focus = false } = {}) {
  current = parts.find((part) => part.kind === kind) ?? parts[0];
  for (const tab of tabs) {
    const chosen = tab.dataset.kind === current.kind;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen && focus) tab.focus();
  }
  for (const part of parts) {
    part.panel.hidden = part !== current;
    if (part !== current) part.panel.querySelectorAll("audio, video").forEach((media) => media.pause());
  }
  history.replaceState(null, "", `#${current.kind}`);
  return current.show();
}

for (const [number, tab] of tabs.entries()) {
  tab.addEventListener("click", () => open(tab.dataset.kind));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: number + 1, ArrowLeft: number - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    open(tabs.at(step % tabs.length).dataset.kind, { focus: true });
  });
}
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => speak(button.dataset.language));
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
  current?.take([...event.dataTransfer.files]);
}));
addEventListener("beforeunload", (event) => {
  if (parts.some((part) => part.queue?.running)) event.preventDefault();
});

function introduce() {
  document.body.dataset.account = about.simulated ? "simulated" : "real";
  document.body.classList.toggle("read-only", about.read_only);
  live($("#account"), () => ($("#account").textContent = about.simulated ? words().simulated : words().real));
  $("#appid").textContent = about.appid;
  $("#host").textContent = about.host;
  $("#read-only").hidden = !about.read_only;
  $("#controls").hidden = !about.controls;
  if (about.controls) $("#controls").href = about.controls;
  $(".whose").hidden = false;
}

speak(language);
try {
  Object.assign(about, await ask("api/about"));
  introduce();
} catch (error) {
  complain(error);
}
parts = [...KINDS.map((kind) => new Materials(kind)), new CloudFiles(), new Account()];
if (about.read_only) parts.forEach((part) => part.panel.querySelectorAll(".changes").forEach((one) => one.remove()));
$("main").append(...parts.map((part) => part.panel));
speak(language);
open(location.hash.slice(1));
