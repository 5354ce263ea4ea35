/** Cloud files, by their ids. */

import { $, complain, copyOf } from "./page.js";
import { cloudCard, nameOf } from "./cards.js";
import { Problem, ask } from "./server.js";
import { Shelf } from "./shelf.js";
import { count, live, words } from "./words.js";

export class CloudFiles extends Shelf {
  constructor() {
    const panel = copyOf("cloud-files");
    super("cloud", panel);
    live($(".total", panel), () => this.tell());
    $("form", panel).addEventListener("submit", (event) => {
      event.preventDefault();
      this.find().catch((error) => complain(error));
    });
  }

  async find() {
    const env = $("input[name=env]", this.panel).value.trim();
    const fileids = $("textarea", this.panel).value.split(/[\s,]+/).filter(Boolean);
    const { items } = await ask("api/cloud/links", "POST", { env, fileids });
    this.env = env;
    this.total = items.length;
    this.cards.replaceChildren(...items.map(cloudCard));
    this.selected();
  }

  async remove(cards) {
    const fileids = cards.map((card) => card.dataset.mediaId);
    try {
      const { deleted, failed } = await ask("api/cloud/delete", "POST", { env: this.env, fileids });
      for (const one of failed) complain(new Problem(502, { message: `${one.message} (${one.status})` }), one.fileid);
      return cards.filter((card) => deleted.includes(card.dataset.mediaId));
    } catch (error) {
      complain(error, nameOf(cards[0]));
      return [];
    }
  }

  tell() {
    super.tell();
    $(".total", this.panel).textContent = this.total ? words().total(count(this.total)) : "";
  }

  take() {}

  show() {}
}
