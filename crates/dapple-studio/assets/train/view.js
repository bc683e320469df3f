/**
 * The Train view: one button, and what comes of it.
 */
import { api } from "../core/api.js";
import { fault } from "../core/dialog.js";
import { h, put, say } from "../core/dom.js";
import { count, duration, figure, percent } from "../core/format.js";
import { icon } from "../core/icons.js";
import { Chart } from "./chart.js";

const TIMES = [
  { minutes: 2, text: "Quick", note: "2 minutes" },
  { minutes: 10, text: "Good", note: "10 minutes" },
  { minutes: 45, text: "Best", note: "45 minutes" },
];

const STATES = { waiting: "Waiting", running: "Training", stopped: "Stopped", done: "Finished", failed: "Failed" };

/** Colours of lines: they differ in hue and lightness, and read on both backgrounds. */
const LINES = ["var(--line-1)", "var(--line-2)", "var(--line-3)", "var(--line-4)", "var(--line-5)"];

export class TrainView {
  constructor(studio, show) {
    Object.assign(this, { studio, show });
    this.chosen = null;
    this.compared = new Set();
    /** State and epoch at which the curves of a run were fetched. */
    this.fetched = new Map();
    this.minutes = 10;
    this.score = new Chart("Mean IoU", "on images kept aside; higher is better");
    this.edge = new Chart("Boundary IoU", "how well edges fit, on images kept aside");
    this.loss = new Chart("Loss", "what the training lowers");
    this.runs = h("div", { class: "run-list" });
    this.detail = h("div", { class: "run-detail" });
    this.element = h(
      "section",
      { class: "train-view page", "aria-label": "Train", hidden: true },
      h("div", { class: "train-side" }, this.#form(), h("section", { class: "card runs-card" }, h("h2", {}, "Runs"), this.runs)),
      this.detail,
    );
    studio.on("runs", (name) => {
      this.#draw();
      this.#follow(name);
    });
    studio.on("images", () => this.#says());
  }

  enter() {
    this.#says();
    this.chosen ??= this.studio.state.runs[0]?.name ?? null;
    this.#draw();
    if (this.chosen) this.#fetch(this.chosen);
  }

  #form() {
    this.ready = h("p", { class: "soft" });
    const own = h("input", { type: "number", min: 1, max: 600, step: 1, value: this.minutes, "aria-label": "Minutes" });
    const name = h("input", { type: "text", maxlength: 60, placeholder: "chosen for you", autocomplete: "off" });
    const radio = (minutes, text, note) =>
      h(
        "label",
        { class: "choice" },
        h("input", {
          type: "radio",
          name: "time",
          value: minutes,
          checked: minutes === this.minutes,
          onchange: () => {
            this.minutes = minutes;
            own.value = minutes;
          },
        }),
        h("span", {}, h("b", {}, text), h("small", {}, note)),
      );
    const radios = TIMES.map((t) => radio(t.minutes, t.text, t.note));
    own.addEventListener("input", () => {
      this.minutes = Math.round(Number(own.value));
      for (const r of radios) r.querySelector("input").checked = Number(r.querySelector("input").value) === this.minutes;
    });
    this.startButton = h("button", { class: "main large", type: "submit" }, icon("play"), "Train");
    return h(
      "form",
      {
        class: "card train-form",
        onsubmit: (e) => {
          e.preventDefault();
          this.#start(name);
        },
      },
      h("h2", {}, "Train a network"),
      this.ready,
      h("fieldset", { class: "choices three" }, h("legend", { class: "unseen" }, "Time and quality"), radios),
      h(
        "details",
        {},
        h("summary", {}, "Own time and name"),
        h("div", { class: "fields" }, h("label", {}, "Minutes", own), h("label", {}, "Name of the run", name)),
      ),
      this.startButton,
    );
  }

  #says() {
    const { images } = this.studio.state;
    const begun = images.filter((i) => i.labelled > 0);
    const share = begun.reduce((sum, i) => sum + i.labelled, 0) / Math.max(1, begun.length);
    say(
      this.ready,
      begun.length
        ? `${count(begun.length, "labelled image")} of ${images.length}, ${percent(share)} of their pixels.${begun.length < 5 ? " A few more make the score more reliable." : ""}`
        : "Label some images first: a network learns from them.",
    );
    this.startButton.disabled = begun.length === 0;
  }

  async #start(name) {
    if (!(this.minutes >= 1 && this.minutes <= 600)) return fault(new Error("choose from 1 to 600 minutes"));
    this.startButton.disabled = true;
    try {
      const run = await api.train({ minutes: this.minutes, ...(name.value.trim() ? { name: name.value.trim() } : {}) });
      name.value = "";
      this.chosen = run.name;
      this.studio.takeRun(run);
    } catch (error) {
      fault(error);
    }
    this.#says();
  }

  async #fetch(name) {
    try {
      const run = await api.training(name);
      this.fetched.set(name, `${run.state} ${run.epoch}`);
      this.studio.takeRun(run);
    } catch (error) {
      fault(error);
    }
  }

  /** News of a run come without its curves: those in view are fetched where there is a new epoch. */
  #follow(name) {
    const run = this.studio.state.runs.find((r) => r.name === name);
    if (!run || this.element.hidden || (name !== this.chosen && !this.compared.has(name))) return;
    const now = `${run.state} ${run.epoch}`;
    if (this.fetched.get(name) === now) return;
    this.fetched.set(name, now);
    this.#fetch(name);
  }

  async #act(work) {
    try {
      const run = await work();
      if (run?.name) this.studio.takeRun(run);
    } catch (error) {
      fault(error);
    }
  }

  #draw() {
    if (this.element.hidden) return;
    const { runs } = this.studio.state;
    this.chosen ??= runs[0]?.name ?? null;
    // The rows are new: the one with the focus keeps it.
    const focused = this.runs.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    put(
      this.runs,
      runs.length === 0 && h("p", { class: "soft" }, "None yet."),
      runs.map((run) => this.#row(run)),
    );
    if (focused) [...this.runs.querySelectorAll("[data-focus]")].find((e) => e.dataset.focus === focused)?.focus();
    const run = runs.find((r) => r.name === this.chosen);
    if (!run)
      return void put(
        this.detail,
        h(
          "div",
          { class: "empty" },
          icon("train", 40),
          h("h2", {}, "No run yet"),
          h(
            "p",
            {},
            "Progress, scores and curves appear here while a network learns. The settings are chosen for your images, and the reasons are given.",
          ),
        ),
      );
    if (this.detail.dataset.run !== run.name) this.#build(run);
    this.#fill(run);
  }

  #row(run) {
    const best = run.score ?? null;
    const part = run.epochs ? run.epoch / run.epochs : 0;
    const choose = () => {
      this.chosen = run.name;
      this.#draw();
      this.#fetch(run.name);
    };
    const color = this.#colour(run.name);
    return h(
      "div",
      { class: `run-row ${run.name === this.chosen ? "on" : ""}`, "data-state": run.state },
      h(
        "button",
        {
          type: "button",
          class: "run-button",
          "data-focus": `run ${run.name}`,
          "aria-pressed": run.name === this.chosen,
          onclick: choose,
        },
        h("span", { class: "run-name" }, run.name),
        h("span", { class: "run-score" }, best === null ? "" : figure(best)),
        h(
          "span",
          { class: "soft run-state" },
          run.state === "running"
            ? `${percent(part)}${run.left_s ? `, ${duration(run.left_s)} left` : ""}`
            : (STATES[run.state] ?? run.state),
        ),
      ),
      runs(this.studio) > 1 &&
        h(
          "label",
          { class: "run-compare", title: "Show in the curves" },
          h("input", {
            type: "checkbox",
            "data-focus": `compare ${run.name}`,
            checked: run.name === this.chosen || this.compared.has(run.name),
            disabled: run.name === this.chosen,
            "aria-label": `Compare ${run.name}`,
            onchange: (e) => this.#compare(run.name, e.target.checked),
            style: { "accent-color": color },
          }),
        ),
    );
  }

  #compare(name, on) {
    if (on) this.compared.add(name);
    else this.compared.delete(name);
    this.#draw();
    if (on) this.#fetch(name);
  }

  #colour(name) {
    const at = this.studio.state.runs.findIndex((r) => r.name === name);
    return LINES[(this.studio.state.runs.length - 1 - at) % LINES.length];
  }

  /** The parts of a run's page; `#fill` keeps them up to date without losing the focus. */
  #build(run) {
    this.detail.dataset.run = run.name;
    this.parts = {
      state: h("span", { class: "pill" }),
      score: h("output", {}),
      scoreName: h("span", { class: "soft" }),
      bar: h("progress", { max: 1, "aria-label": "Progress" }),
      time: h("p", { class: "soft" }),
      message: h("p", { class: "run-message", role: "status" }),
      panels: h("div", { class: "panels" }),
      choices: h("dl", { class: "choices-list" }),
      stop: h("button", { type: "button", onclick: () => this.#act(() => api.stop(run.name)) }, icon("stop"), "Stop"),
      resume: h("button", { type: "button", onclick: () => this.#act(() => api.resume(run.name)) }, icon("play"), "Go on"),
      use: h(
        "button",
        { type: "button", class: "main", onclick: () => this.show("use", { model: run.name }) },
        icon("use"),
        "Use it",
      ),
      report: h("a", { class: "button", target: "_blank", rel: "noopener" }, icon("report"), "Report"),
    };
    const p = this.parts;
    p.why = h("section", { class: "card" }, h("h3", {}, "What was chosen, and why"), p.choices);
    put(
      this.detail,
      h(
        "header",
        { class: "card run-head" },
        h("div", { class: "run-title" }, h("h2", {}, run.name), p.state),
        h("div", { class: "run-figure" }, p.score, p.scoreName),
        h("div", { class: "run-progress" }, p.bar, p.time, p.message),
        h("div", { class: "run-actions" }, p.stop, p.resume, p.report, p.use),
      ),
      p.panels,
      h("div", { class: "charts" }, this.score.element, this.edge.element, this.loss.element),
      p.why,
    );
  }

  #fill(run) {
    const p = this.parts;
    say(p.state, STATES[run.state] ?? run.state);
    p.state.dataset.state = run.state;
    say(p.score, run.score === null || run.score === undefined ? "–" : figure(run.score));
    say(p.scoreName, run.score_name ?? "best mean IoU");
    const going = run.state === "running" || run.state === "waiting";
    p.bar.hidden = !going;
    const part =
      run.left_s !== null && run.left_s !== undefined && run.elapsed_s + run.left_s > 0
        ? run.elapsed_s / (run.elapsed_s + run.left_s)
        : run.epochs
          ? run.epoch / run.epochs
          : null;
    if (part === null || run.state === "waiting") p.bar.removeAttribute("value");
    else p.bar.value = part;
    const times = [
      run.epoch ? `Epoch ${run.epoch}${run.epochs ? ` of ${run.epochs}` : ""}` : "",
      run.elapsed_s ? `${duration(run.elapsed_s)} so far` : "",
      going && run.left_s ? `${duration(run.left_s)} left` : "",
    ];
    say(p.time, times.filter(Boolean).join(" · "));
    say(p.message, run.message ?? "");
    p.message.hidden = !run.message;
    p.message.classList.toggle("bad", run.state === "failed");
    p.stop.hidden = !going;
    p.resume.hidden = run.state !== "stopped";
    p.use.hidden = run.score === null || run.score === undefined;
    p.report.hidden = !run.report;
    if (run.report) p.report.href = run.report;
    p.why.hidden = !run.choices?.length;
    put(
      p.choices,
      (run.choices ?? []).map((c) =>
        h("div", {}, h("dt", {}, c.key), h("dd", {}, h("b", {}, String(c.value)), h("span", {}, c.reason))),
      ),
    );
    put(
      p.panels,
      (run.pictures ?? []).map((url) =>
        h("img", {
          src: going ? `${url}?epoch=${run.epoch}` : url,
          alt: "Photograph, label and prediction of an image kept aside",
          loading: "lazy",
        }),
      ),
    );
    this.#curves(run);
  }

  #curves(run) {
    const shown = this.studio.state.runs.filter((r) => r === run || this.compared.has(r.name));
    const line = (r, key, name, more = {}) => ({
      name,
      color: this.#colour(r.name),
      points: (r.curves ?? []).map((c) => [c.epoch, c[key]]),
      ...more,
    });
    const name = (r, text) => (shown.length > 1 ? `${r.name}${text ? `, ${text}` : ""}` : text || r.name);
    this.score.show(shown.map((r) => line(r, "val_iou", name(r, ""))));
    this.edge.show(shown.map((r) => line(r, "val_biou", name(r, ""))));
    this.loss.show(
      shown.flatMap((r) => [line(r, "loss", name(r, "training")), line(r, "val_loss", name(r, "kept aside"), { dashed: true })]),
    );
  }
}

const runs = (studio) => studio.state.runs.length;
