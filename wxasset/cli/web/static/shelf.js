/** One tab: cards that can be searched, selected, copied and deleted. */

import { $, about, complain, confirmed, copy, copyOf, mention } from "./page.js";
import { materialCard, nameOf } from "./cards.js";
import { Queue } from "./queue.js";
import { ask } from "./server.js";
import { bytes, count, live, words } from "./words.js";

const PAGES = 10; // pages of 20 for one search: each is a call of the day's quota
const ACCEPT = { image: "image/png,image/jpeg,image/gif,image/bmp", voice: ".mp3,.wma,.wav,.amr", video: ".mp4" };

/** Cards with a selection; `remove(card)` deletes one. */
export class Shelf {
  constructor(kind, panel) {
    Object.assign(this, { kind, panel, total: 0 });
    this.cards = $(".cards", panel);
    this.bar = $(".selection", panel);
    this.cards.addEventListener("change", () => this.selected());
    this.cards.addEventListener("click", (event) => {
      const button = event.target.closest('[data-action="deleteNamed"]');
      if (button) this.delete([button.closest(".card")]);
    });
    $(".select-all", panel).addEventListener("click", () => this.select(true));
    $(".clear", this.bar).addEventListener("click", () => {
      this.select(false);
      $(".select-all", panel).focus();
    });
    $(".copy-ids", this.bar).addEventListener("click", () => copy(this.picked().map((card) => card.dataset.mediaId).join("\n")));
    $(".delete-all", this.bar).addEventListener("click", () => this.delete(this.picked()));
    live($(".chosen", this.bar), () => this.selected());
  }

  get all() {
    return [...this.cards.children];
  }

  get visible() {
    return this.all.filter((card) => !card.hidden);
  }

  picked() {
    return this.all.filter((card) => $(".pick input", card)?.checked);
  }

  select(wanted) {
    for (const card of wanted ? this.visible : this.all) {
      const box = $(".pick input", card);
      if (box) box.checked = wanted;
    }
    this.selected();
  }

  selected() {
    const picked = this.picked();
    this.bar.hidden = picked.length === 0;
    $(".chosen", this.bar).textContent = words().selected(count(picked.length));
    for (const card of this.all) card.classList.toggle("picked", picked.includes(card));
    this.tell();
  }

  /** Delete cards after a question; those that WeChat refuses stay. */
  async delete(cards) {
    const waiting = cards.filter((card) => !card.classList.contains("going"));
    if (!waiting.length || !(await confirmed(waiting.map(nameOf)))) return;
    waiting.forEach((card) => card.classList.add("going"));
    const after = this.visible[this.visible.indexOf(waiting.at(-1)) + 1];
    const gone = await this.remove(waiting);
    waiting.forEach((card) => card.classList.remove("going"));
    gone.forEach((card) => card.remove());
    this.total = Math.max(0, this.total - gone.length);
    this.selected();
    if (gone.length) mention(words().deleted(count(gone.length)));
    const next = after?.isConnected && !after.hidden ? after : this.visible.at(-1); // a search hides cards
    ((next && $("[data-action=deleteNamed]", next)) ?? $(".search input, textarea", this.panel)).focus();
  }

  tell() {
    $(".select-all", this.panel).hidden = !this.visible.some((card) => $(".pick", card));
  }
}

/** Materials of a type. */
export class Materials extends Shelf {
  constructor(kind) {
    const panel = copyOf("shelf");
    super(kind, panel);
    this.offset = 0;
    this.line = Promise.resolve();
    this.prepare(panel);
    live($(".total", panel), () => this.tell());
    $(".more", panel).addEventListener("click", () => this.work(() => this.list()));
    $(".further", panel).addEventListener("click", () => this.work(() => this.look()));
    let pause;
    this.query = $(".search input", panel);
    this.query.addEventListener("input", () => {
      this.filter();
      clearTimeout(pause);
      pause = setTimeout(() => this.work(() => this.look()), 500);
    });
  }

  prepare(panel) {
    const uploads = this.kind in ACCEPT;
    panel.id = `panel-${this.kind}`;
    panel.setAttribute("aria-labelledby", `tab-${this.kind}`);
    panel.dataset.kind = this.kind;
    if (uploads) this.queue = new Queue(this.kind, $(".queue", panel), (file, answer) => this.added(file, answer));
    else panel.querySelectorAll(".changes").forEach((part) => part.remove());
    if (this.kind !== "video") $(".describing", panel)?.remove();
    if (!uploads) return;
    const [input, label] = [$("input[type=file]", panel), $(".drop label", panel)];
    Object.assign(input, { id: `files-${this.kind}`, accept: ACCEPT[this.kind] });
    label.htmlFor = input.id;
    $(".rules", label).id = `rules-${this.kind}`;
    input.setAttribute("aria-describedby", `rules-${this.kind}`);
    input.addEventListener("change", () => {
      this.take([...input.files]);
      input.value = "";
    });
    live(label, () => {
      $("strong", label).textContent = words().drop(this.kind);
      $(".rules", label).textContent = words().rules(this.kind, bytes(about.limits[this.kind]?.max_bytes ?? 0));
    });
  }

  take(files) {
    if (!this.queue || about.read_only) return;
    const [title, introduction] = this.panel.querySelectorAll(".describing input");
    this.queue.take(files, (file) =>
      this.kind === "video"
        ? { title: title.value.trim() || file.name.replace(/\.\w+$/, ""), introduction: introduction.value.trim() }
        : {},
    );
  }

  added(file, { media_id, url }) {
    const item = { media_id, url, name: file.name, time: Date.now() / 1000, size: file.size };
    this.cards.prepend(materialCard(this.kind, item));
    this.total += 1;
    this.offset += 1;
    this.filter();
  }

  /** Requests of this tab, one after the other. */
  work(request) {
    this.line = this.line.then(request).catch((error) => complain(error));
    return this.line;
  }

  async list() {
    const page = await ask(`api/materials?type=${this.kind}&offset=${this.offset}`);
    const known = new Set(this.all.map((card) => card.dataset.mediaId));
    this.cards.append(...page.items.filter((item) => !known.has(item.media_id)).map((item) => materialCard(this.kind, item)));
    this.offset += page.items.length;
    this.total = page.items.length ? Math.max(page.total, this.all.length) : this.all.length;
    this.filter();
  }

  get rest() {
    return Math.max(0, this.total - this.offset);
  }

  /** Load further pages while there is a search, some at a time. */
  async look() {
    const wanted = this.query.value;
    for (let page = 0; page < PAGES && this.rest && wanted && wanted === this.query.value; page += 1) await this.list();
  }

  filter() {
    const wanted = this.query.value.trim().toLowerCase();
    for (const card of this.all) card.hidden = !card.dataset.name.toLowerCase().includes(wanted);
    this.tell();
  }

  async remove(cards) {
    const gone = [];
    for (const card of cards) {
      try {
        await ask(`api/materials/${encodeURIComponent(card.dataset.mediaId)}`, "DELETE");
        gone.push(card);
      } catch (error) {
        complain(error, nameOf(card));
        if (error.status === 404) gone.push(card);
      }
    }
    this.offset = Math.max(0, this.offset - gone.length);
    return gone;
  }

  tell() {
    super.tell();
    if (!this.query) return;
    const [shown, searching] = [this.visible.length, this.query.value.trim() !== ""];
    const { total, rest, panel } = this;
    $(".total", panel).textContent = searching
      ? words().matches(count(shown), count(this.all.length), count(total))
      : rest ? words().shown(count(shown), count(total)) : total ? words().total(count(total)) : "";
    $(".more", panel).hidden = searching || !rest;
    $(".further", panel).hidden = !searching || !rest;
    $(".further", panel).textContent = words().searchFurther(count(rest));
    $(".empty", panel).hidden = shown > 0 || !this.asked || (searching && rest > 0);
    $(".empty", panel).textContent = searching ? words().noMatch : words().empty;
  }

  /** List the first page, when the tab is shown for the first time. */
  async show() {
    if (this.asked) return;
    await this.work(() => this.list());
    this.asked = true;
    this.tell();
  }
}
