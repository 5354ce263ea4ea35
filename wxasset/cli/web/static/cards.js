/** One card for each material, and one for each cloud file. */

import { $, about, copy, copyOf, webAddress } from "./page.js";
import { sizeOf } from "./server.js";
import { bytes, date, duration, live, words } from "./words.js";

const UNPLAYABLE = /\.(amr|wma)$/i; // no browser plays them
performance.setResourceTimingBufferSize(10_000); // sizes of images come from there

export const nameOf = (card) => card.dataset.name || words().unnamed;

/** What is known of a card, in the language of the reader. */
function describe(card) {
  const name = nameOf(card);
  const { time, size, seconds } = card.dataset;
  const title = $(".about .name", card);
  if (title) title.textContent = title.title = name;
  $(".pick input", card)?.setAttribute("aria-label", words().select(name));
  const moment = $("time", card);
  if (time) {
    moment.dateTime = new Date(time * 1000).toISOString();
    moment.textContent = date(time);
  }
  $(".facts", card).textContent = [size && bytes(Number(size)), seconds && duration(Number(seconds))].filter(Boolean).join(" · ");
  for (const button of card.querySelectorAll("[data-action]")) {
    const label = words()[button.dataset.action](name);
    button.setAttribute("aria-label", label);
    button.title = label;
  }
}

function newCard({ id, name, time, url, size, actions }) {
  const card = copyOf("card");
  Object.assign(card.dataset, { mediaId: id, name: name ?? "" });
  if (time) card.dataset.time = time;
  if (size) card.dataset.size = size;
  const [copyId, copyUrl, remove] = card.querySelectorAll(".actions button");
  [copyId, copyUrl, remove].forEach((button, number) => (button.dataset.action = actions[number]));
  copyId.addEventListener("click", () => copy(id));
  copyUrl.addEventListener("click", () => copy(url));
  copyUrl.hidden = !url;
  if (about.read_only) remove.remove();
  return card;
}

function preview(card, address) {
  const link = Object.assign(document.createElement("a"), { href: address, target: "_blank", rel: "noopener" });
  const image = Object.assign(new Image(), { loading: "lazy", decoding: "async" });
  image.addEventListener("load", () => {
    const size = performance.getEntriesByName(image.src).at(-1)?.decodedBodySize;
    if (size) card.dataset.size = size;
    card.retell();
  });
  image.src = address;
  link.append(image);
  live(link, () => (image.alt = words().open(nameOf(card))));
  return link;
}

/** A link to the file, for formats that the browser does not play. */
function instead(card, address) {
  const note = document.createElement("p");
  const [text, link] = [document.createElement("span"), Object.assign(document.createElement("a"), { href: address })];
  link.download = "";
  note.className = "instead";
  note.append(text, " ", link);
  live(note, () => {
    text.textContent = words().unplayable;
    link.textContent = words().download;
    link.setAttribute("aria-label", `${words().download}: ${nameOf(card)}`);
  });
  return note;
}

function player(card, kind, address) {
  if (UNPLAYABLE.test(card.dataset.name)) return instead(card, address);
  const media = document.createElement(kind === "voice" ? "audio" : "video");
  Object.assign(media, { controls: true, preload: "none", playsInline: true, src: address });
  media.addEventListener("loadedmetadata", async () => {
    card.dataset.seconds = media.duration;
    card.dataset.size = (await sizeOf(address)) ?? "";
    card.retell();
  });
  media.addEventListener("error", () => media.replaceWith(instead(card, address)));
  live(media, () => media.setAttribute("aria-label", words().play(nameOf(card))));
  return media;
}

function articles(items) {
  const list = document.createElement("ol");
  for (const { title, author, digest, url } of items) {
    const [item, about] = [document.createElement("li"), document.createElement("p")];
    const address = webAddress(url);
    const heading = document.createElement(address ? "a" : "span");
    if (address) Object.assign(heading, { href: address, target: "_blank", rel: "noopener noreferrer" });
    live(heading, () => (heading.textContent = title || words().unnamed));
    about.textContent = [author, digest].filter(Boolean).join(" · ");
    item.append(heading, about);
    list.append(item);
  }
  return list;
}

/** The card of a material. */
export function materialCard(kind, { media_id: id, name, time, url, size, articles: parts = [] }) {
  const shown = kind === "news" ? parts.map((part) => part.title).filter(Boolean).join(" / ") : name;
  const card = newCard({ id, name: shown, time, url, size, actions: ["copyId", "copyUrl", "deleteNamed"] });
  const address = `materials/${encodeURIComponent(id)}`;
  const content = kind === "image" ? preview(card, address) : kind === "news" ? articles(parts) : player(card, kind, address);
  $(".content", card).append(content);
  if (kind === "news") {
    card.querySelectorAll(".pick, .about .name, .actions button:last-child").forEach((part) => part.remove()); // read only
  }
  live(card, () => describe(card));
  return card;
}

/** The card of a cloud file. */
export function cloudCard({ fileid, url, status, message, failure }) {
  const address = webAddress(url);
  const name = fileid.split("/").at(-1);
  const card = newCard({ id: fileid, name, url: address, actions: ["copyFileId", "copyLink", "deleteNamed"] });
  const content = $(".content", card);
  const [id, link] = [document.createElement("code"), document.createElement(address ? "a" : "span")];
  id.textContent = fileid;
  if (address) Object.assign(link, { href: address, target: "_blank", rel: "noopener noreferrer" });
  live(link, () => {
    const reason = [failure?.message ?? message, status && `(${status})`].filter(Boolean).join(" ");
    link.textContent = address ? words().linkFor : words().noLink(reason);
    if (address) link.setAttribute("aria-label", `${name}: ${words().linkFor}`);
  });
  content.append(id, link);
  live(card, () => describe(card));
  return card;
}
