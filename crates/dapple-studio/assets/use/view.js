/**
 * The Use view: photographs in, the network's answer beside them.
 */
import { api } from "../core/api.js";
import { fault, save, toast } from "../core/dialog.js";
import { h, paint, put, say } from "../core/dom.js";
import { count, fileName, percent, stem } from "../core/format.js";
import { icon } from "../core/icons.js";
import { shortcut } from "../core/keys.js";
import { decode } from "../core/workers.js";
import { zip } from "../core/zip.js";
import { rgbOf } from "../pixels/colour.js";
import { slider } from "../label/controls.js";
import { Pointer } from "../label/pointer.js";
import { Screen } from "../label/screen.js";
import { areasCsv, atThreshold, countsOf, coverOf, cutoutPng, GROUNDS, maskPng, overlayPng } from "./cutout.js";

const MODES = [["side", "Side by side"], ["overlay", "Overlay"], ["compare", "Compare"], ["cutout", "Cut-out"]];

export class UseView {
  constructor(studio, show, editor) {
    Object.assign(this, { studio, show, editor });
    /** { name, blob, url, button, result, bitmap, fault } */
    this.items = [];
    this.shown = null;
    this.mode = matchMedia("(max-width: 640px)").matches ? "overlay" : "side";
    this.opacity = 0.55;
    this.threshold = 0.5;
    this.split = 0.5;
    this.ground = null;
    this.hidden = new Set();
    this.kept = null;
    this.model = "";
    this.element = h("section", { class: "use-view", "aria-label": "Use", hidden: true }, this.#drop(), this.#work());
    this.#listen();
  }

  #drop() {
    const input = h("input", { type: "file", accept: "image/*", multiple: true, class: "unseen", onchange: () => { this.#add(input.files); input.value = ""; } });
    this.models = h("select", { "aria-label": "Network", onchange: () => { this.model = this.models.value; this.#again(); } });
    this.modelField = h("label", { class: "field" }, h("span", {}, "Network"), this.models);
    this.drop = h("div", { class: "drop" },
      h("div", { class: "drop-text" }, icon("use", 44), h("h2", {}, "Drop photographs here"), h("p", {}, "One or many, or paste a picture. They go to the studio on this computer and nowhere else.")),
      (this.pick = h("label", { class: "button main" }, icon("plus"), "Choose photographs", input)), this.modelField,
      (this.none = h("p", { class: "soft", hidden: true }, "There is no trained network yet. ", h("a", { href: "#train", onclick: (e) => { e.preventDefault(); this.show("train"); } }, "Train one"), " first.")));
    return this.drop;
  }

  #work() {
    this.before = new Screen();
    this.after = new Screen();
    // Both show the same part of the picture.
    this.after.viewport = this.before.viewport;
    this.handle = h("input", { type: "range", class: "split over-stage", min: 0, max: 1, step: 0.005, value: 0.5, "aria-label": "Before and after", oninput: () => { this.split = Number(this.handle.value); this.#split(); } });
    this.line = h("i", { class: "split-line" });
    this.status = h("p", { class: "use-status over-stage", role: "status" });
    this.panes = h("div", { class: "panes" }, h("div", { class: "pane first" }, this.before.element, h("b", { class: "pane-name" }, "Photograph")),
      h("div", { class: "pane second" }, this.after.element, h("b", { class: "pane-name" }, "Result"), this.line, this.handle));
    this.stage = h("div", { class: "use-stage" }, this.panes, this.status);
    this.modes = h("div", { class: "segments", role: "radiogroup", "aria-label": "Show" }, MODES.map(([name, text]) =>
      h("button", { type: "button", role: "radio", "data-mode": name, onclick: () => this.#setMode(name) }, text)));
    this.opacitySlider = slider({ text: "Opacity", min: 0, max: 100, step: 1, get: () => 100 * this.opacity, set: (v) => { this.opacity = v / 100; this.#paint(); }, toText: (v) => `${v} %` });
    this.thresholdSlider = slider({ text: "Threshold", min: 1, max: 99, step: 1, get: () => 100 * this.threshold, set: (v) => { this.threshold = v / 100; this.#threshold(); }, toText: (v) => (v / 100).toFixed(2) });
    this.grounds = h("div", { class: "grounds", role: "radiogroup", "aria-label": "Background of the cut-out" });
    this.legend = h("ul", { class: "legend", "aria-label": "Classes and their areas" });
    const download = (text, run) => h("button", { type: "button", class: "small", onclick: () => run().catch(fault) }, text);
    this.wrong = h("button", { type: "button", class: "full", title: "Adds the photograph to your data and opens the editor", onclick: () => this.#wrong() }, icon("flag"), "This one is wrong");
    this.side = h("aside", { class: "use-side", "aria-label": "Result" }, this.modes, this.opacitySlider.element, this.thresholdSlider.element, this.grounds,
      h("h3", {}, "Classes"), this.legend,
      h("h3", {}, "Download"), h("div", { class: "downloads" }, download("Mask", () => this.#saveMask()), download("Overlay", () => this.#saveOverlay()), download("Cut-out", () => this.#saveCutout()), download("Areas", () => this.#saveAreas()),
        (this.all = download("All as ZIP", () => this.#saveAll()))), this.wrong);
    this.strip = h("nav", { class: "use-strip", "aria-label": "Photographs so far" });
    this.work = h("div", { class: "use-work", hidden: true }, this.stage, this.side, this.strip);
    const nothing = () => {};
    for (const [pane, screen] of [[this.panes.children[0], this.before], [this.panes.children[1], this.after]]) {
      const pointer = new Pointer(pane, screen, { down: nothing, move: nothing, up: nothing, cancel: nothing, hover: nothing, double: () => this.#fit() });
      pointer.space = true;
      const other = screen === this.before ? this.after : this.before;
      screen.onmove = () => {
        other.stale = true;
        other.refresh();
        this.#split();
      };
    }
    return this.work;
  }

  #listen() {
    const { element } = this;
    element.addEventListener("dragover", (e) => { e.preventDefault(); this.drop.classList.add("over"); });
    element.addEventListener("dragleave", (e) => { if (!element.contains(e.relatedTarget)) this.drop.classList.remove("over"); });
    element.addEventListener("drop", (e) => { e.preventDefault(); this.drop.classList.remove("over"); this.#add(e.dataTransfer.files); });
    addEventListener("paste", (e) => { if (!element.hidden && e.clipboardData?.files.length) this.#add(e.clipboardData.files); });
    const key = (keys, text, run) => shortcut(keys, "Use", text, run, { view: "use" });
    MODES.forEach(([name, text], i) => key(String(i + 1), text, () => this.#setMode(name)));
    key([",", "ArrowLeft"], "Previous photograph", () => this.#step(-1));
    key([".", "ArrowRight"], "Next photograph", () => this.#step(1));
    key(["+", "="], "Zoom in", () => this.#zoom(1.25));
    key("-", "Zoom out", () => this.#zoom(1 / 1.25));
    key("F", "Fit to the window", () => this.#fit());
    key("W", "This one is wrong", () => this.#wrong());
  }

  enter({ model } = {}) {
    const list = this.studio.state.runs.filter((r) => r.score !== null && r.score !== undefined && r.state !== "failed").map((r) => r.name);
    const before = this.model;
    if (model) this.model = model;
    if (!list.includes(this.model)) this.model = list[0] ?? "";
    put(this.models, list.map((name) => h("option", { value: name }, name)));
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
      item.button = h("button", { type: "button", class: "thumb", title: item.name, "aria-label": item.name, onclick: () => this.#show(item) }, h("img", { src: item.url, alt: "", decoding: "async" }), h("i", { class: "done" }));
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
    for (let item; (item = this.#waiting()); ) {
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
    const { model } = this;
    item.running = true;
    this.#strip();
    this.#status();
    try {
      const begin = performance.now();
      const answer = await api.predict(model, item.blob);
      const labels = (await decode(bytesOf(answer.labels))).data;
      const binary = answer.classes.length === 2;
      const probability = answer.probability && binary ? (await decode(bytesOf(answer.probability))).data : null;
      item.result = { model, width: answer.width, height: answer.height, classes: answer.classes, labels, probability, threshold: 0.5, seconds: (performance.now() - begin) / 1000 };
      item.bitmap ??= await createImageBitmap(item.blob).catch(() => null);
    } catch (error) {
      item.fault = error;
    }
    item.running = false;
  }

  #again() {
    for (const item of this.items) item.fault = null;
    this.hidden.clear();
    this.kept = null;
    if (this.shown) this.#show(this.shown);
    this.#queue();
  }

  async #show(item) {
    this.shown = item;
    this.#strip();
    this.#open();
    if (!item.result) {
      item.bitmap ??= await createImageBitmap(item.blob).catch(() => null);
      if (this.shown === item && !item.result && item.bitmap) this.#picture(item, item.bitmap.width, item.bitmap.height);
    }
    this.#queue();
  }

  #picture(item, width, height) {
    for (const screen of [this.before, this.after]) {
      screen.open(width, height);
      screen.layers = { labels: null };
      if (item.bitmap) screen.addLevel(item.bitmap);
    }
  }

  #open() {
    const { result } = this.shown;
    this.#status();
    this.side.classList.toggle("waiting", !result);
    this.wrong.disabled = !result;
    if (!result) return;
    this.#picture(this.shown, result.width, result.height);
    if (!this.kept) this.kept = new Set(result.classes.slice(1).map((c) => c.id));
    this.#threshold();
    this.#setMode(this.mode);
  }

  /** Labels of the shown photograph at the threshold. */
  #labels({ result } = this.shown) {
    if (!result.probability || this.threshold === 0.5) return result.labels;
    return atThreshold(result.probability, this.threshold, result.classes.map((c) => c.id));
  }

  #threshold() {
    const result = this.shown?.result;
    if (!result) return;
    this.labels = this.#labels();
    this.thresholdSlider.element.hidden = result.classes.length !== 2;
    this.#askThreshold(this.shown);
    this.thresholdSlider.refresh();
    this.#legend();
    this.#paint();
  }

  /** Without a probability the server applies the threshold, when the slider rests. */
  #askThreshold(item) {
    const { result } = item;
    clearTimeout(this.asking);
    if (result.classes.length !== 2 || result.probability || result.threshold === this.threshold) return;
    this.asking = setTimeout(async () => {
      const { threshold } = this;
      try {
        const answer = await api.predict(result.model, item.blob, threshold);
        Object.assign(result, { labels: (await decode(bytesOf(answer.labels))).data, threshold });
        if (item === this.shown) this.#threshold();
      } catch (error) {
        fault(error);
      }
    }, 250);
  }

  #setMode(mode) {
    this.mode = mode;
    this.panes.dataset.mode = mode;
    for (const b of this.modes.children) b.setAttribute("aria-checked", b.dataset.mode === mode);
    this.opacitySlider.element.hidden = mode === "cutout";
    this.opacitySlider.refresh();
    this.grounds.hidden = mode !== "cutout";
    this.#groundButtons();
    this.#legend();
    this.#paint();
    this.#split();
  }

  #groundButtons() {
    const own = h("input", { type: "color", value: this.own ?? "#3d7bff", "aria-label": "Own colour", oninput: () => { this.own = own.value; this.ground = own.value; this.#paint(); } });
    const choose = (color) => { this.ground = color; this.#groundButtons(); this.#paint(); };
    put(this.grounds, GROUNDS.map(({ name, color }) => h("button", { type: "button", role: "radio", class: `ground ${color ? "" : "chequered"}`, style: color ? { background: color } : {}, title: name, "aria-label": name, "aria-checked": this.ground === color, onclick: () => choose(color) })),
      h("span", { class: "ground own", title: "Own colour" }, own));
  }

  #paint() {
    const result = this.shown?.result;
    if (!result) return;
    const background = result.classes.length > 1 ? result.classes[0].id : null;
    const unseen = new Set(this.hidden);
    // The background keeps the photograph's colours, as in the files of dapple predict.
    if (background !== null && result.classes.length === 2) unseen.add(background);
    const { after } = this;
    after.ignore = 255;
    after.setColours(result.classes.filter((c) => !unseen.has(c.id)), this.opacity, null);
    after.layers = this.mode === "cutout" ? { cover: coverOf(result, this.kept, this.threshold, this.ground) } : { labels: this.labels };
    after.refresh();
  }

  #split() {
    const on = this.mode === "compare";
    const { width } = this.after.element.getBoundingClientRect();
    paint(this.after.overlay, { "clip-path": on ? `inset(0 0 0 ${100 * this.split}%)` : "none" });
    paint(this.line, { left: `${this.split * width}px` });
    this.line.hidden = this.handle.hidden = !on;
  }

  #legend() {
    const result = this.shown?.result;
    if (!result) return;
    const counts = countsOf(this.labels);
    const total = result.width * result.height;
    const { scale } = this.studio.state;
    const cut = this.mode === "cutout";
    const row = (c) => {
      const on = cut ? this.kept.has(c.id) : !this.hidden.has(c.id);
      const flip = () => {
        const set = cut ? this.kept : this.hidden;
        if (set.has(c.id)) set.delete(c.id);
        else set.add(c.id);
        this.#legend();
        this.#paint();
        [...this.legend.querySelectorAll("button")].find((b) => b.dataset.id === String(c.id))?.focus();
      };
      const units = scale ? `${(counts[c.id] * scale.per_pixel ** 2).toPrecision(3)} ${scale.unit}²` : `${counts[c.id].toLocaleString("en")} px`;
      return h("li", { hidden: counts[c.id] === 0 && result.classes.length > 8 }, h("button", { type: "button", "data-id": c.id, "aria-pressed": on, title: cut ? "Keep in the cut-out" : "Show or hide", onclick: flip },
        h("i", { class: "swatch", style: { background: c.color, "border-color": `rgb(${rgbOf(c.color).map((v) => Math.round(0.7 * v)).join(" ")})` } }),
        h("span", {}, c.name), h("b", {}, percent(counts[c.id] / total, 1)), h("small", {}, units), h("span", { class: "area-bar", style: { "--part": String(counts[c.id] / total), "--color": c.color } })));
    };
    put(this.legend, result.classes.map(row));
  }

  #status() {
    const item = this.shown;
    if (!item) return;
    const left = this.items.filter((i) => !i.result && !i.fault).length;
    const text = item.fault ? `${item.name}: ${item.fault.message}` : item.result ? `${item.name} · ${item.result.width} × ${item.result.height} · ${item.result.seconds.toFixed(2)} s` : `${item.name}: looking …`;
    say(this.status, left > 1 ? `${text} · ${count(left, "photograph")} to go` : text);
    this.status.classList.toggle("bad", Boolean(item.fault));
    this.all.hidden = this.items.filter((i) => i.result).length < 2;
  }

  #strip() {
    for (const item of this.items) {
      item.button.setAttribute("aria-current", item === this.shown);
      item.button.dataset.state = item.fault ? "bad" : item.running ? "busy" : item.result ? "all" : "none";
    }
    this.shown?.button.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #step(by) {
    const to = this.items[this.items.indexOf(this.shown) + by];
    if (to) this.#show(to);
  }

  #zoom(factor) {
    this.before.viewport.zoom(factor);
    this.before.moved();
  }

  #fit() {
    this.before.viewport.fit();
    this.before.moved();
  }

  /** The shown photograph, where it has a result. */
  #ready() {
    const item = this.shown;
    if (!item?.result) throw new Error("there is no result yet");
    return item;
  }

  async #saveMask() {
    const item = this.#ready();
    save(new Blob([await maskPng(item.result, this.labels)], { type: "image/png" }), `${stem(item.name)}-mask.png`);
  }

  async #saveOverlay() {
    const item = this.#ready();
    save(new Blob([await overlayPng(item.bitmap, item.result, this.labels, this.opacity, this.#faint(item))], { type: "image/png" }), `${stem(item.name)}-overlay.png`);
  }

  #faint({ result }) {
    return new Set([...this.hidden, ...(result.classes.length === 2 ? [result.classes[0].id] : [])]);
  }

  async #saveCutout() {
    const item = this.#ready();
    save(new Blob([await cutoutPng(item.bitmap, item.result, this.kept, this.threshold, this.ground)], { type: "image/png" }), `${stem(item.name)}-cutout.png`);
  }

  #rows(item) {
    const counts = countsOf(this.#labels(item));
    const total = item.result.width * item.result.height;
    return item.result.classes.map((c) => ({ image: item.name, name: c.name, pixels: counts[c.id], share: counts[c.id] / total }));
  }

  async #saveAreas() {
    const item = this.#ready();
    save(new Blob([areasCsv(this.#rows(item), this.studio.state.scale ?? null)], { type: "text/csv" }), `${stem(item.name)}-areas.csv`);
  }

  async #saveAll() {
    const done = this.items.filter((i) => i.result);
    const names = new Map();
    const files = [];
    for (const item of done) {
      const base = stem(item.name);
      const again = names.get(base) ?? 0;
      names.set(base, again + 1);
      const name = again ? `${base}-${again + 1}` : base;
      files.push({ name: `masks/${name}.png`, bytes: await maskPng(item.result, this.#labels(item)) });
      if (item.bitmap) files.push({ name: `cutouts/${name}.png`, bytes: await cutoutPng(item.bitmap, item.result, this.kept, this.threshold, this.ground) });
    }
    files.push({ name: "areas.csv", bytes: new TextEncoder().encode(areasCsv(done.flatMap((item) => this.#rows(item)), this.studio.state.scale ?? null)) });
    save(zip(files), "results.zip");
  }

  /** Adds the photograph to the data and opens the editor, with the result as a proposal to correct. */
  async #wrong() {
    const item = this.shown;
    if (!item?.result) return;
    this.wrong.disabled = true;
    try {
      const { id } = await api.addImage(fileName(item.name), item.blob);
      await this.studio.load();
      this.show("label", { image: id });
      await this.editor.suggest(id, this.#asProposal(item));
      toast(`${fileName(id)} is part of your data now. Accept what is right and correct the rest.`);
    } catch (error) {
      fault(error);
    }
    this.wrong.disabled = false;
  }

  /** The labels of a result in the numbers of the studio's classes. */
  #asProposal(item) {
    const { classes, ignore } = this.studio.state;
    const to = new Uint8Array(256).fill(ignore);
    for (const c of item.result.classes) to[c.id] = classes.find((own) => own.name === c.name)?.id ?? ignore;
    return this.#labels(item).map((v) => to[v]);
  }
}

/** The bytes of a data URL, which the policy does not let `fetch` read. */
function bytesOf(url) {
  const text = atob(url.slice(url.indexOf(",") + 1));
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}
