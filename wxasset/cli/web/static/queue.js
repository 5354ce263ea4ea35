/** The uploads of a shelf: one after the other, in the order in which they were asked for. */

import { $, about, copyOf, explain } from "./page.js";
import { Problem, send } from "./server.js";
import { bytes, live, words } from "./words.js";

export class Queue {
  /** `added(file, answer)` is called for each upload that is done. */
  constructor(kind, section, added) {
    Object.assign(this, { kind, section, added, done: 0, running: false });
    this.list = $("ul", section);
    live($(".tally", section), () => this.tell());
    $(".cancel-all", section).addEventListener("click", () => this.cancelAll());
    $(".retry-all", section).addEventListener("click", () => this.jobs("failed").forEach((job) => this.again(job)));
  }

  jobs(...states) {
    return [...this.list.children].filter((job) => states.includes(job.dataset.state));
  }

  take(files, texts) {
    if (!this.jobs("waiting", "running").length) this.done = 0;
    for (const file of files) this.add(file, texts(file));
    this.run();
  }

  add(file, texts) {
    const job = copyOf("job");
    Object.assign(job, { file, texts });
    $(".name", job).textContent = file.name;
    $(".size", job).textContent = bytes(file.size);
    for (const [action, act] of [["cancel", () => this.cancel(job)], ["retry", () => this.again(job)], ["dismiss", () => this.leave(job)]]) {
      $(`.${action}`, job).addEventListener("click", act);
    }
    job.dataset.state = "waiting";
    live(job, () => this.describe(job));
    this.list.append(job);
    const most = about.limits[this.kind]?.max_bytes ?? Infinity;
    if (file.size > most) this.fail(job, new Problem(413));
    this.tell();
  }

  describe(job) {
    const { state, stage } = job.dataset;
    const name = job.file.name;
    for (const action of ["cancel", "retry", "dismiss"]) {
      $(`.${action}`, job).textContent = words()[action];
      $(`.${action}`, job).setAttribute("aria-label", words()[`${action}Named`](name));
    }
    $(".cancel", job).hidden = state === "failed";
    $(".retry", job).hidden = $(".dismiss", job).hidden = state !== "failed";
    $("progress", job).hidden = state !== "running";
    $("progress", job).setAttribute("aria-label", `${name}: ${words()[stage] ?? ""}`);
    const [plain, details] = job.problem ? explain(job.problem) : [words()[state === "running" ? stage : "waiting"], ""];
    $(".state", job).textContent = job.stopped ? words().stopped : plain;
    $(".state", job).setAttribute("role", state === "failed" ? "alert" : "presentation");
    $("details", job).hidden = !details;
    $("summary", job).textContent = words().details;
    $("details p", job).textContent = details;
  }

  tell() {
    const failed = this.jobs("failed").length;
    const left = this.jobs("waiting", "running").length;
    this.section.hidden = left + failed === 0;
    $(".tally", this.section).textContent = words().uploading(this.done, this.done + left + failed, failed);
    Object.assign($(".all", this.section), { max: Math.max(1, this.done + left + failed), value: this.done });
    $(".cancel-all", this.section).hidden = left === 0;
    $(".retry-all", this.section).hidden = failed < 2;
  }

  async run() {
    if (this.running) return;
    this.running = true;
    for (let job; (job = this.jobs("waiting")[0]); ) await this.upload(job);
    this.running = false;
  }

  async upload(job) {
    const canceller = new AbortController();
    job.canceller = canceller;
    const move = (stage, fraction) => {
      if (job.dataset.state !== "running") return;
      const told = job.dataset.stage !== stage;
      job.dataset.stage = stage;
      $("progress", job).value = (stage === "toWeChat" ? 50 : 0) + fraction * 50;
      if (told) job.retell();
    };
    job.dataset.state = "running";
    move("toServer", 0);
    job.scrollIntoView({ block: "nearest" });
    try {
      const answer = await send(this.kind, job.file, job.texts, move, canceller.signal);
      this.done += 1;
      this.leave(job);
      this.added(job.file, answer);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (!canceller.signal.aborted) this.fail(job, error);
      else if (job.dataset.stage !== "toWeChat") this.leave(job);
      else this.fail(Object.assign(job, { stopped: true }), new Problem(504));
    }
    this.tell();
  }

  fail(job, problem) {
    job.problem = problem;
    job.dataset.state = "failed";
    job.retell();
  }

  again(job) {
    Object.assign(job, { problem: null, stopped: false });
    job.dataset.state = "waiting";
    job.dataset.stage = "";
    job.retell();
    $(".cancel", job).focus();
    this.tell();
    this.run();
  }

  cancel(job) {
    if (job.dataset.state === "running") job.canceller.abort();
    else this.leave(job);
  }

  cancelAll() {
    for (const job of this.jobs("waiting")) job.remove();
    for (const job of this.jobs("running")) job.canceller.abort();
    this.tell();
  }

  /** Take a job off the list; the focus goes to the next one. */
  leave(job) {
    const focused = job.contains(document.activeElement);
    const next = job.nextElementSibling ?? job.previousElementSibling;
    job.remove();
    this.tell();
    if (focused) (next ? $("button:not([hidden])", next) : $('[role="tab"][aria-selected="true"]')).focus();
  }
}
