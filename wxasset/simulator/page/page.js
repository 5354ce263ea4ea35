// The page of the simulator: asks for what is there, waits for requests, and sets faults and the clock.

import {Refused, blob, get, post, remove, useToken} from "./server.js";
import {chinese, words} from "./words.js";

const PAGE = 12;
const MOST_ENTRIES = 200;
const EVERY = 2000; // milliseconds between two looks at the overview
const $ = id => document.getElementById(id);
const state = {account: undefined, offset: 0, next: undefined, requests: 0, drawn: {}, trouble: false};

function element(name, content = "", attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...(Array.isArray(content) ? content : [content]));
  return made;
}

const option = (value, text) => element("option", text, {value});
const time = seconds => new Date(seconds * 1000).toLocaleString(chinese ? "zh-CN" : "en-GB");
const last = path => path.split("/").filter(Boolean).pop() ?? path;
const tell = text => { $("message").textContent = text; };
const parameters = () => (state.account ? {appid: state.account} : {});

// Draws a list again only if its content has changed, as the focus would be lost.
function draw(list, items, make) {
  const content = JSON.stringify(items);
  if (state.drawn[list] === content) return false;
  state.drawn[list] = content;
  $(list).replaceChildren(...(items.length ? items.map(make) : [element("li", words.none, {className: "soft"})]));
  return true;
}

function act(run) {
  return async event => {
    event?.preventDefault();
    try {
      await run(event);
      await look();
    } catch (error) {
      explain(error);
    }
  };
}

function explain(error) {
  const refused = error instanceof Refused;
  tell(refused ? error.message : words.lost());
  state.trouble = true;
  if (refused && (error.status === 401 || error.status === 403)) $("token").hidden = false;
}

// Faults and clock

async function setFault(fault) {
  const endpoint = $("endpoint").value;
  await post("faults", {endpoint, fault, times: $("times").value ? $("times").valueAsNumber : null});
  tell(words.was_set({fault, endpoint}));
}

function rule(one) {
  return element("li", [element("code", words.rule(one)), " ", element("span", words.left(one), {className: "soft"})]);
}

// Overview

async function look() {
  const [seen, rules] = await Promise.all([get("overview", parameters()), get("faults")]);
  $("token").hidden = true;
  if (state.trouble) tell("");
  state.trouble = false;
  if (seen.requests < state.next) restart();
  $("now").textContent = time(seen.now);
  $("totals").textContent = words.totals(seen);
  state.account ??= seen.account;
  state.requests = seen.requests;
  $("accounts").hidden = seen.accounts.length < 2;
  if (draw("account", seen.accounts, appid => option(appid, appid))) $("account").value = state.account;
  draw("rules", rules, rule);
  draw("quotas", seen.quotas, one => element("li", [
    element("code", one.path.replace("/cgi-bin/", "")), ` ${one.used} / ${one.limit ?? words.no_limit}`,
  ]));
  draw("tokens", seen.tokens, one => element("li", [
    `#${one.number} `, element("code", one.value), ` ${one.kind}, `, one.errcode ? words.invalid(one) : words.valid(one),
  ]));
  for (const choice of $("type").options) choice.textContent = `${words.types[choice.value]} (${seen.counts[choice.value]})`;
  await showLibrary();
}

// Library

async function showLibrary() {
  const asked = {...parameters(), type: $("type").value, offset: state.offset, count: PAGE};
  const {total, items} = await get("items", asked);
  if (state.offset && state.offset >= total) {
    state.offset = 0;
    return showLibrary();
  }
  $("shown").textContent = words.shown({first: total && state.offset + 1, last: state.offset + items.length, total});
  $("newer").disabled = state.offset === 0;
  $("older").disabled = state.offset + PAGE >= total;
  draw("items", items, card);
}

function card(one) {
  const made = element("li", [element("strong", one.name), element("code", one.id), element("span", about(one), {className: "soft"})]);
  if (one.type === "image" || one.type === "thumb") {
    const image = element("img", [], {alt: one.name});
    made.prepend(image);
    show(image, one).catch(() => image.remove());
  } else if (one.type === "voice" || one.type === "video") {
    const button = element("button", words.load(one), {type: "button"});
    button.addEventListener("click", act(async () => {
      const player = element(one.type === "voice" ? "audio" : "video", [], {controls: true});
      await show(player, one);
      button.replaceWith(player);
      player.focus();
    }));
    made.prepend(button);
  }
  return made;
}

const about = one => [one.type, `${one.size.toLocaleString()} B`, one.time && time(one.time)].filter(Boolean).join(" · ");

async function show(media, one) {
  const url = URL.createObjectURL(await blob("bytes", {...parameters(), id: one.id}));
  media.addEventListener(media.tagName === "IMG" ? "load" : "emptied", () => URL.revokeObjectURL(url), {once: true});
  media.src = url;
}

// Journal

function restart() {
  state.next = undefined;
  state.waiting?.abort();
}

async function follow() {
  if (state.next === undefined) $("entries").replaceChildren();
  state.next = Math.max(state.next ?? 0, state.requests - MOST_ENTRIES);
  state.waiting = new AbortController();
  const entries = await get("journal/wait", {since: state.next, count: 1, timeout: 20}, state.waiting.signal);
  enter(entries);
  const unfinished = [...document.querySelectorAll("#entries [data-open]")].map(one => Number(one.id.slice(1)));
  if (unfinished.length) enter(await get("journal", {since: Math.min(...unfinished)}));
}

function enter(entries) {
  for (const entry of entries) {
    const earlier = $(`n${entry.number}`);
    const made = journalEntry(entry);
    if (earlier) earlier.replaceWith(made);
    else $("entries").prepend(made);
    state.next = Math.max(state.next, entry.number + 1);
  }
  while ($("entries").children.length > MOST_ENTRIES) $("entries").lastChild.remove();
  filter();
}

function journalEntry(entry) {
  const bad = entry.status === null || entry.status >= 400 || entry.errcode;
  const head = element("summary", [
    element("span", `${entry.number} · ${time(entry.at)}`, {className: "soft"}),
    element("b", entry.method),
    element("code", last(entry.path), {title: entry.path}),
    element("span", entry.status === null ? words.no_response : String(entry.status), {className: bad ? "bad" : "good"}),
  ]);
  if (entry.errcode !== null) head.append(element("span", `errcode ${entry.errcode}`, {className: bad ? "bad" : "good"}));
  if (entry.fault) head.append(element("code", entry.fault, {className: "fault"}));
  const {query, headers, body, body_base64, ...rest} = entry;
  const details = element("details", [
    head,
    element("pre", JSON.stringify({...rest, query, headers}, null, 1), {tabIndex: 0}),
    element("p", words.body(entry)),
    element("pre", body, {tabIndex: 0}),
  ]);
  const made = element("li", [details], {id: `n${entry.number}`});
  made.dataset.text = [entry.method, entry.path, entry.status, entry.errcode, entry.account, entry.fault].join(" ").toLowerCase();
  if (entry.status === null && !entry.sent) made.dataset.open = "";
  return made;
}

function filter() {
  const wanted = $("filter").value.trim().toLowerCase();
  for (const one of $("entries").children) one.hidden = !one.dataset.text.includes(wanted);
}

// Start

async function repeatedly(run) {
  for (;;) {
    const wait = document.hidden ? EVERY * 5 : EVERY;
    try {
      await run();
    } catch (error) {
      if (error.name !== "AbortError") explain(error);
      await new Promise(resume => setTimeout(resume, wait));
      continue;
    }
    if (run === look) await new Promise(resume => setTimeout(resume, wait));
  }
}

function prepare() {
  document.documentElement.lang = chinese ? "zh" : "en";
  document.title = `wxasset: ${words.title}`;
  for (const one of document.querySelectorAll("[data-t]")) one.textContent = words[one.dataset.t];
  for (const [value, text] of Object.entries(words.types)) $("type").append(option(value, text));
  for (const [fault, text] of Object.entries(words.quick)) {
    const button = element("button", text, {type: "button", title: fault});
    button.addEventListener("click", act(() => setFault(fault)));
    $("quick").append(button);
  }
  for (const [seconds, name] of Object.entries(words.times_forward)) {
    const button = element("button", name, {type: "button"});
    button.addEventListener("click", act(async () => {
      await post("advance", {seconds: Number(seconds)});
      tell(words.moved({name}));
    }));
    $("advance").append(button);
  }
  $("own").addEventListener("submit", act(() => setFault($("fault").value.trim())));
  $("clear-faults").addEventListener("click", act(async () => {
    await remove("faults");
    tell(words.were_removed());
  }));
  $("delete-journal").addEventListener("click", act(async () => {
    tell(words.was_deleted(await remove("journal")));
    $("entries").replaceChildren();
  }));
  $("reset").addEventListener("click", () => $("sure").showModal());
  $("sure").addEventListener("close", act(async () => {
    if ($("sure").returnValue !== "yes") return;
    await post("reset");
    restart();
    tell(words.was_cleared());
  }));
  $("token").addEventListener("submit", act(async () => {
    useToken($("control-token").value);
    $("control-token").value = "";
    await choose();
  }));
  $("type").addEventListener("change", act(() => { state.offset = 0; }));
  $("account").addEventListener("change", act(() => { state.account = $("account").value; state.offset = 0; }));
  $("newer").addEventListener("click", act(() => { state.offset = Math.max(0, state.offset - PAGE); }));
  $("older").addEventListener("click", act(() => { state.offset += PAGE; }));
  $("filter").addEventListener("input", filter);
}

async function choose() {
  const {endpoints, faults} = await get("choices");
  $("endpoint").replaceChildren(option("add_material", "add_material"), option("*", words.all), option("link", words.links));
  const named = new Map();
  for (const path of endpoints) named.set(last(path), [...(named.get(last(path)) ?? []), path]);
  for (const [name, paths] of [...named].sort()) {
    if (name === "add_material") continue;
    for (const path of paths) $("endpoint").append(option(path, paths.length > 1 ? path : name));
  }
  $("known").replaceChildren(...faults.map(word => option(word, "")));
}

prepare();
await choose().catch(explain);
await look().catch(explain);
repeatedly(look);
repeatedly(follow);
