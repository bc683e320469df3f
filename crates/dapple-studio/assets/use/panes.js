/**
 * The photograph and the result: beside each other, over each other, compared, or as a cut-out.
 */
import { h, paint } from "../core/dom.js";
import { Pointer } from "../label/pointer.js";
import { Screen } from "../label/screen.js";
import { coverOf } from "./cutout.js";

export const MODES = [
  ["side", "Side by side"],
  ["overlay", "Overlay"],
  ["compare", "Compare"],
  ["cutout", "Cut-out"],
];

export class Panes {
  constructor() {
    this.before = new Screen();
    this.after = new Screen();
    // Both show the same part of the picture.
    this.after.viewport = this.before.viewport;
    // Names above, the state below.
    this.before.room = this.after.room = () => ({ side: 12, top: 40, bottom: 46 });
    this.mode = "overlay";
    this.split = 0.5;
    this.handle = h("input", {
      type: "range",
      class: "split over-stage",
      min: 0,
      max: 1,
      step: 0.005,
      value: 0.5,
      "aria-label": "Before and after",
      oninput: () => {
        this.split = Number(this.handle.value);
        this.#split();
      },
    });
    this.line = h("i", { class: "split-line" });
    const name = (text) => h("b", { class: "pane-name" }, text);
    const first = h("div", { class: "pane first" }, this.before.element, name("Photograph"));
    const second = h("div", { class: "pane second" }, this.after.element, name("Result"), this.line, this.handle);
    this.element = h("div", { class: "panes" }, first, second);
    this.#join(first, this.before, this.after);
    this.#join(second, this.after, this.before);
  }

  /** Dragging moves the picture in both panes. */
  #join(pane, screen, other) {
    const nothing = () => {};
    const hand = { down: nothing, move: nothing, up: nothing, cancel: nothing, hover: nothing, double: () => this.fit() };
    new Pointer(pane, screen, hand).space = true;
    screen.onmove = () => {
      other.stale = true;
      other.refresh();
      this.#split();
    };
  }

  /** Shows a photograph without a result yet. */
  open(item, width, height) {
    // One above the other where that shows the picture larger.
    const { clientWidth, clientHeight } = this.element;
    const beside = Math.min(clientWidth / 2 / width, clientHeight / height);
    const above = Math.min(clientWidth / width, clientHeight / 2 / height);
    this.element.classList.toggle("stacked", above > beside);
    for (const screen of [this.before, this.after]) {
      screen.open(width, height);
      screen.layers = { labels: null };
      if (item.bitmap) screen.addLevel(item.bitmap);
    }
  }

  /** Shows labels by the choices of the view. */
  show(result, labels, { mode, opacity, hidden, kept, threshold, ground }) {
    this.mode = mode;
    this.element.dataset.mode = mode;
    const unseen = new Set(hidden);
    // The background of two classes keeps the photograph's colours, as in the files of dapple predict.
    if (result.classes.length === 2) unseen.add(result.classes[0].id);
    const seen = result.classes.filter((c) => !unseen.has(c.id));
    this.after.setColours(seen, opacity, null);
    this.after.layers = mode === "cutout" ? { cover: coverOf(result, kept, threshold, ground) } : { labels };
    this.after.refresh();
    this.#split();
  }

  #split() {
    const on = this.mode === "compare";
    const { width } = this.after.element.getBoundingClientRect();
    paint(this.after.overlay, { "clip-path": on ? `inset(0 0 0 ${100 * this.split}%)` : "none" });
    paint(this.line, { left: `${this.split * width}px` });
    this.line.hidden = this.handle.hidden = !on;
  }

  zoom(factor) {
    this.before.viewport.zoom(factor);
    this.before.moved();
  }

  fit() {
    this.before.viewport.fit();
    this.before.moved();
  }
}
