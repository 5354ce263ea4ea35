/** Which account this is, what of its quotas is used, and the findings of the doctor. */

import { $, about, complain, copyOf } from "./page.js";
import { ask } from "./server.js";
import { count, language, live, words } from "./words.js";

const NEAR = 0.9; // of a limit

function fact(list, name, text) {
  const [term, value] = [document.createElement("dt"), document.createElement("dd")];
  live(term, () => (term.textContent = words()[name]));
  live(value, () => (value.textContent = text()));
  list.append(term, value);
}

function gauge({ name, used, limit }) {
  const item = copyOf("gauge");
  const meter = $("meter", item);
  if (limit === null) meter.remove();
  else Object.assign(meter, { min: 0, max: limit, low: limit * NEAR, high: limit * 0.999, optimum: 0, value: used });
  live(item, () => {
    const text = limit === null ? words().noLimit(count(used)) : words().used(count(used), count(limit));
    $(".name", item).textContent = words().usageOf(name);
    $(".used", item).textContent = text;
    meter.setAttribute("aria-label", `${words().usageOf(name)}: ${text}`);
  });
  return item;
}

function finding(one) {
  const item = copyOf("finding");
  item.dataset.status = one.status;
  live(item, () => {
    const chinese = language === "zh";
    $(".status", item).textContent = words()[one.status === "failed" ? "failedCheck" : one.status];
    $("strong", item).textContent = chinese ? one.label_zh : one.label;
    $(".message", item).textContent = chinese ? one.message_zh : one.message;
    $(".hint", item).textContent = (chinese ? one.hint_zh : one.hint) ?? "";
    $(".hint", item).hidden = !one.hint;
  });
  return item;
}

export class Account {
  constructor() {
    this.kind = "account";
    this.panel = copyOf("account-panel");
    $(".refresh", this.panel).addEventListener("click", (event) => this.busy(event.currentTarget, () => this.measure()));
    $(".run", this.panel).addEventListener("click", (event) => this.busy(event.currentTarget, () => this.check()));
  }

  async busy(button, work) {
    button.disabled = true;
    this.panel.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      complain(error);
    }
    this.panel.removeAttribute("aria-busy");
    button.disabled = false;
    button.focus();
  }

  async measure() {
    const { usages, refusals } = await ask("api/quota");
    for (const kind of ["library", "calls"]) {
      $(`.${kind}`, this.panel).replaceChildren(...usages.filter((one) => one.kind === kind).map(gauge));
    }
    const note = $(".refused", this.panel);
    note.hidden = refusals.length === 0;
    live(note, () => {
      const [first] = refusals;
      const hint = language === "zh" ? first?.hint_zh : first?.hint;
      note.textContent = first ? [first.item && words().quotaRefused(first.item), first.message, hint].filter(Boolean).join(" ") : "";
    });
  }

  async check() {
    const note = $(".doctor-note", this.panel);
    live(note, () => (note.textContent = `${words().running}…`));
    try {
      const { findings } = await ask("api/doctor");
      $(".findings", this.panel).replaceChildren(...findings.map(finding));
    } finally {
      live(note, () => (note.textContent = words().doctorNote));
    }
  }

  take() {}

  async show() {
    if (this.shown) return;
    this.shown = true;
    const facts = $("dl", this.panel);
    fact(facts, "appid", () => about.appid);
    fact(facts, "host", () => about.host);
    if (about.name) fact(facts, "accountName", () => about.name);
    fact(facts, "version", () => about.version);
    await this.measure().catch((error) => complain(error));
  }
}
