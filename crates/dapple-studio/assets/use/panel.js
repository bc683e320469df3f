/**
 * Beside the picture: how it is shown, the classes with their areas, and the files.
 */
import { fault } from "../core/dialog.js";
import { h, put } from "../core/dom.js";
import { percent } from "../core/format.js";
import { icon } from "../core/icons.js";
import { slider } from "../label/controls.js";
import { countsOf, GROUNDS } from "./cutout.js";
import { saveAll, saveAreas, saveCutout, saveMask, saveOverlay } from "./files.js";
import { MODES } from "./panes.js";

export class Panel {
  /** @param view the Use view, which holds the choices */
  constructor(view) {
    this.view = view;
    const mode = ([name, text]) =>
      h("button", { type: "button", role: "radio", "data-mode": name, onclick: () => view.choose({ mode: name }) }, text);
    this.modes = h("div", { class: "segments", role: "radiogroup", "aria-label": "Show" }, MODES.map(mode));
    const { choices } = view;
    const share = (text, key, least, toText) =>
      slider({
        text,
        min: least,
        max: 100 - least,
        step: 1,
        get: () => 100 * choices[key],
        set: (v) => view.choose({ [key]: v / 100 }),
        toText,
      });
    this.opacity = share("Opacity", "opacity", 0, (v) => `${v} %`);
    this.threshold = share("Threshold", "threshold", 1, (v) => (v / 100).toFixed(2));
    this.grounds = h("div", { class: "grounds", role: "radiogroup", "aria-label": "Background of the cut-out" });
    this.legend = h("ul", { class: "legend", "aria-label": "Classes and their areas" });
    const title = "Adds the photograph to your data and opens the editor";
    this.wrong = h(
      "button",
      { type: "button", class: "full", title, onclick: () => view.wrong() },
      icon("flag"),
      "This one is wrong",
    );
    this.element = h(
      "aside",
      { class: "use-side", "aria-label": "Result" },
      this.modes,
      this.opacity.element,
      this.threshold.element,
      this.grounds,
      h("h3", {}, "Classes"),
      this.legend,
      h("h3", {}, "Download"),
      this.#downloads(),
      this.wrong,
    );
  }

  #downloads() {
    const { view } = this;
    const button = (text, make, items = () => [view.shown]) =>
      h("button", { type: "button", class: "small", onclick: () => make(items(), view.choices).catch(fault) }, text);
    this.all = button("All as ZIP", saveAll, () => view.items.filter((i) => i.result));
    return h(
      "div",
      { class: "downloads" },
      button("Mask", saveMask),
      button("Overlay", saveOverlay),
      button("Cut-out", saveCutout),
      button("Areas", saveAreas),
      this.all,
    );
  }

  /** While there is no result, nothing can be chosen. */
  waits(on) {
    this.element.classList.toggle("waiting", on);
    this.element.inert = on;
  }

  several(on) {
    this.all.hidden = !on;
  }

  show(result, labels) {
    const { mode } = this.view.choices;
    for (const b of this.modes.children) b.setAttribute("aria-checked", b.dataset.mode === mode);
    this.opacity.element.hidden = mode === "cutout";
    this.opacity.refresh();
    this.threshold.element.hidden = result.classes.length !== 2;
    this.threshold.refresh();
    this.grounds.hidden = mode !== "cutout";
    this.#showGrounds();
    this.#showLegend(result, labels);
  }

  #showGrounds() {
    const { view } = this;
    const chosen = view.choices.ground;
    // The own colour's field stays: a browser closes its dialog if the field goes.
    this.own ??= h("input", {
      type: "color",
      value: "#3d7bff",
      "aria-label": "Own colour",
      oninput: () => view.choose({ ground: this.own.value }),
    });
    if (!this.grounds.childElementCount) {
      const ground = ({ name, color }) =>
        h("button", {
          type: "button",
          role: "radio",
          class: `ground ${color ? "" : "chequered"}`,
          style: color ? { background: color } : {},
          title: name,
          "aria-label": name,
          "data-color": color ?? "",
          onclick: () => view.choose({ ground: color }),
        });
      put(this.grounds, GROUNDS.map(ground), h("span", { class: "ground own", title: "Own colour" }, this.own));
    }
    for (const b of this.grounds.querySelectorAll("button")) b.setAttribute("aria-checked", b.dataset.color === (chosen ?? ""));
  }

  #showLegend(result, labels) {
    const counts = countsOf(labels);
    // Rows that are made anew keep the focus.
    const focused = this.legend.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    put(
      this.legend,
      result.classes.map((c) => this.#row(c, counts[c.id], result)),
    );
    if (focused !== null) this.legend.querySelector(`[data-id="${focused}"]`)?.focus();
  }

  #row(c, pixels, result) {
    const { view } = this;
    const { mode, kept, hidden, scale } = view.choices;
    const cut = mode === "cutout";
    const flip = () => {
      const set = cut ? kept : hidden;
      if (set.has(c.id)) set.delete(c.id);
      else set.add(c.id);
      view.choose({});
    };
    const share = pixels / (result.width * result.height);
    const area = scale ? `${(pixels * scale.per_pixel ** 2).toPrecision(3)} ${scale.unit}²` : `${pixels.toLocaleString("en")} px`;
    return h(
      "li",
      { hidden: pixels === 0 && result.classes.length > 8 },
      h(
        "button",
        {
          type: "button",
          "data-id": c.id,
          "aria-pressed": cut ? kept.has(c.id) : !hidden.has(c.id),
          title: cut ? "Keep in the cut-out" : "Show or hide",
          onclick: flip,
        },
        h("i", { class: "swatch", style: { background: c.color } }),
        h("span", {}, c.name),
        h("b", {}, percent(share, 1)),
        h("small", {}, area),
        h("span", { class: "area-bar", style: { "--part": String(share), "--color": c.color } }),
      ),
    );
  }
}
