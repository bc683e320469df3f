/**
 * The Use view: photographs in, the network's answer beside them.
 */
import { api } from "../core/api.js";
import { fault, toast } from "../core/dialog.js";
import { h, put, say } from "../core/dom.js";
import { count, fileName } from "../core/format.js";
import { icon } from "../core/icons.js";
import { shortcut } from "../core/keys.js";
import { rove, tabStop } from "../core/roving.js";
import { Panel } from "./panel.js";
import { MODES, Panes } from "./panes.js";
import { askAt, labelsAt, predict } from "./predict.js";

export class UseView {
  constructor(studio, show, editor) {
    Object.assign(this, { studio, show, editor });
    /** { name, blob, url, button, result, bitmap, fault } */
    this.items = [];
    this.shown = null;
    /** What is chosen: how the result is shown, and what the files depend on. */
    this.choices = {
      mode: matchMedia("(max-width: 640px)").matches ? "overlay" : "side",
      opacity: 0.55,
      threshold: 0.5,
      /** Colour behind a cut-out; null is transparent. */
      ground: null,
      /** Classes that the overlay leaves out, and those that a cut-out keeps. */
      hidden: new Set(),
      kept: new Set(),
      scale: studio.state.scale ?? null,
    };
    this.model = "";
    /** The next result sets the classes that a cut-out keeps. */
    this.fresh = true;
    this.panes = new Panes();
    this.panel = new Panel(this);
    this.element = h("section", { class: "use-view", "aria-label": "Use", hidden: true }, this.#drop(), this.#work());
    this.#listen();
  }

  #drop() {
    const input = h("input", {
      type: "file",
      accept: "image/*",
      multiple: true,
      class: "unseen",
      onchange: () => {
        this.#add(input.files);
        input.value = "";
      },
    });
    this.models = h("select", {
      "aria-label": "Network",
      onchange: () => {
        this.model = this.models.value;
        this.#again();
      },
    });
    this.modelField = h("label", { class: "field" }, h("span", {}, "Network"), this.models);
    this.drop = h(
      "div",
      { class: "drop" },
      h(
        "div",
        { class: "drop-text" },
        icon("use", 44),
        h("h2", {}, "Drop photographs here"),
        h("p", {}, "One or many, or paste a picture. They go to the studio on this computer and nowhere else."),
      ),
      (this.pick = h("label", { class: "button main" }, icon("plus"), "Choose photographs", input)),
      this.modelField,
      (this.none = h(
        "p",
        { class: "soft", hidden: true },
        "There is no trained network yet. ",
        h(
          "a",
          {
            href: "#train",
            onclick: (e) => {
              e.preventDefault();
              this.show("train");
            },
          },
          "Train one",
        ),
        " first.",
      )),
    );
    return this.drop;
  }

  #work() {
    this.status = h("p", { class: "use-status over-stage", role: "status" });
    this.strip = h("nav", { class: "use-strip", "aria-label": "Photographs so far" });
    rove(this.strip);
    const stage = h("div", { class: "use-stage" }, this.panes.element, this.status);
    this.work = h("div", { class: "use-work", hidden: true }, stage, this.panel.element, this.strip);
    return this.work;
  }

  #listen() {
    const { element } = this;
    element.addEventListener("dragover", (e) => {
      e.preventDefault();
      this.drop.classList.add("over");
    });
    element.addEventListener("dragleave", (e) => {
      if (!element.contains(e.relatedTarget)) this.drop.classList.remove("over");
    });
    element.addEventListener("drop", (e) => {
      e.preventDefault();
      this.drop.classList.remove("over");
      this.#add(e.dataTransfer.files);
    });
    addEventListener("paste", (e) => {
      if (!element.hidden && e.clipboardData?.files.length) this.#add(e.clipboardData.files);
    });
    const key = (keys, text, run) => shortcut(keys, "Use", text, run, { view: "use" });
    MODES.forEach(([name, text], i) => key(String(i + 1), text, () => this.choose({ mode: name })));
    key([",", "ArrowLeft"], "Previous photograph", () => this.#step(-1));
    key([".", "ArrowRight"], "Next photograph", () => this.#step(1));
    key(["+", "="], "Zoom in", () => this.panes.zoom(1.25));
    key("-", "Zoom out", () => this.panes.zoom(1 / 1.25));
    key("F", "Fit to the window", () => this.panes.fit());
    key("W", "This one is wrong", () => this.wrong());
  }

  enter({ model } = {}) {
    const list = this.studio.state.runs
      .filter((r) => r.score !== null && r.score !== undefined && r.state !== "failed")
      .map((r) => r.name);
    const before = this.model;
    if (model) this.model = model;
    if (!list.includes(this.model)) this.model = list[0] ?? "";
    put(
      this.models,
      list.map((name) => h("option", { value: name }, name)),
    );
    this.models.value = this.model;
    this.modelField.hidden = this.pick.hidden = !this.model;
    this.none.hidden = Boolean(this.model);
    if (this.model !== before && this.items.length) this.#again();
  }

  #add(files) {
    if (!this.model) return toast("Train a network first: there is none yet.", { bad: true });
    const pictures = [...files].filter((f) => f.type.startsWith("image/") || /\.(tiff?|png|jpe?g|webp|bmp)$/i.test(f.name));
    if (files.length && !pictures.length) return toast("These files are not photographs.", { bad: true });
    for (const blob of pictures) {
      const item = { name: blob.name || "picture.png", blob, url: URL.createObjectURL(blob), result: null, fault: null };
      item.button = h(
        "button",
        { type: "button", class: "thumb", title: item.name, "aria-label": item.name, onclick: () => this.#show(item) },
        h("img", { src: item.url, alt: "", decoding: "async" }),
        h("i", { class: "done" }),
      );
      this.items.push(item);
      this.strip.append(item.button);
    }
    this.drop.classList.add("small");
    this.work.hidden = false;
    this.#show(this.items[this.items.length - pictures.length]);
    this.#queue();
  }

  /** Predicts one after the other, the shown one first. */
  async #queue() {
    if (this.busy) return;
    this.busy = true;
    for (let item; (item = this.#waiting());) {
      await this.#predict(item);
      if (item === this.shown) this.#open();
      this.#strip();
    }
    this.busy = false;
    this.#status();
  }

  #waiting() {
    const todo = (item) => item && !item.fault && item.result?.model !== this.model;
    return todo(this.shown) ? this.shown : this.items.find(todo);
  }

  async #predict(item) {
    item.running = true;
    this.#strip();
    this.#status();
    try {
      item.result = await predict(item.blob, this.model);
      item.bitmap ??= await createImageBitmap(item.blob).catch(() => null);
    } catch (error) {
      item.fault = error;
    }
    item.running = false;
  }

  #again() {
    for (const item of this.items) item.fault = null;
    this.choices.hidden = new Set();
    this.fresh = true;
    if (this.shown) this.#show(this.shown);
    this.#queue();
  }

  async #show(item) {
    this.shown = item;
    item.fault = null;
    this.#strip();
    this.#open();
    if (!item.result) {
      item.bitmap ??= await createImageBitmap(item.blob).catch(() => null);
      if (this.shown === item && !item.result && item.bitmap) this.panes.open(item, item.bitmap.width, item.bitmap.height);
    }
    this.#queue();
  }

  #open() {
    const { result } = this.shown;
    this.#status();
    this.panel.waits(!result);
    if (!result) return;
    this.panes.open(this.shown, result.width, result.height);
    if (this.fresh) this.choices.kept = new Set(result.classes.slice(1).map((c) => c.id));
    this.fresh = false;
    this.choose({});
  }

  /** Takes choices, and shows what comes of them. */
  choose(values) {
    Object.assign(this.choices, values);
    const result = this.shown?.result;
    if (!result) return;
    this.labels = labelsAt(result, this.choices.threshold);
    this.#askThreshold(this.shown);
    this.panel.show(result, this.labels);
    this.panes.show(result, this.labels, this.choices);
  }

  /** Without a probability the server applies the threshold, when the slider rests. */
  #askThreshold(item) {
    const { result } = item;
    clearTimeout(this.asking);
    if (result.classes.length !== 2 || result.probability || result.threshold === this.choices.threshold) return;
    this.asking = setTimeout(async () => {
      try {
        await askAt(item, this.choices.threshold);
        if (item === this.shown) this.choose({});
      } catch (error) {
        fault(error);
      }
    }, 250);
  }

  #status() {
    const item = this.shown;
    if (!item) return;
    const left = this.items.filter((i) => !i.result && !i.fault).length;
    const text = item.fault
      ? `${item.name}: ${item.fault.message}`
      : item.result
        ? `${item.name} · ${item.result.width} × ${item.result.height} · ${item.result.seconds.toFixed(2)} s`
        : `${item.name}: looking …`;
    say(this.status, left > 1 ? `${text} · ${count(left, "photograph")} to go` : text);
    this.status.classList.toggle("bad", Boolean(item.fault));
    this.panel.several(this.items.filter((i) => i.result).length > 1);
  }

  #strip() {
    for (const item of this.items) {
      item.button.setAttribute("aria-current", item === this.shown);
      item.button.dataset.state = item.fault ? "bad" : item.running ? "busy" : item.result ? "all" : "none";
    }
    const { activeElement } = document;
    tabStop(
      this.items.map((item) => item.button),
      this.strip.contains(activeElement) ? activeElement : this.shown?.button,
    );
    this.shown?.button.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #step(by) {
    const to = this.items[this.items.indexOf(this.shown) + by];
    if (to) this.#show(to);
  }

  /** Adds the photograph to the data and opens the editor, with the result as a proposal to correct. */
  async wrong() {
    const item = this.shown;
    if (!item?.result) return;
    this.panel.waits(true);
    try {
      const { id } = await api.addImage(fileName(item.name), item.blob);
      await this.studio.load();
      this.show("label", { image: id });
      await this.editor.suggest(id, this.#asProposal(item));
      toast(`${fileName(id)} is part of your data now. Accept what is right and correct the rest.`);
    } catch (error) {
      fault(error);
    }
    this.panel.waits(false);
  }

  /** The labels of a result in the numbers of the studio's classes. */
  #asProposal(item) {
    const { classes, ignore } = this.studio.state;
    const to = new Uint8Array(256).fill(ignore);
    for (const c of item.result.classes) to[c.id] = classes.find((own) => own.name === c.name)?.id ?? ignore;
    return labelsAt(item.result, this.choices.threshold).map((v) => to[v]);
  }
}
