/**
 * The images of the folder in one row, with how much of each is labelled and which to label next.
 */
import { pictureUrl } from "../core/api.js";
import { h, paint, put } from "../core/dom.js";
import { count, fileName, percent } from "../core/format.js";
import { icon } from "../core/icons.js";
import { rove, tabStop } from "../core/roving.js";

const THUMB = 192;

export class Strip {
  /** @param open called with the id of an image */
  constructor(studio, open) {
    Object.assign(this, { studio, open });
    this.current = null;
    this.buttons = new Map();
    this.row = h("div", { class: "strip-row", role: "listbox", "aria-label": "Images", "aria-orientation": "horizontal" });
    rove(this.row);
    this.summary = h("p", { class: "strip-summary" });
    this.nextButton = h(
      "button",
      {
        class: "next-button",
        type: "button",
        title: "The image from which the network learns most (N)",
        onclick: () => this.goNext(),
      },
      icon("spark"),
      h("span", {}, "Next"),
    );
    this.element = h(
      "nav",
      { class: "strip", "aria-label": "Images of the folder" },
      h("div", { class: "strip-side" }, this.summary, this.nextButton),
      this.row,
    );
    // Pictures are loaded when they come near.
    this.watcher = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (!isIntersecting) continue;
          this.watcher.unobserve(target);
          target.querySelector("img").src = pictureUrl(target.dataset.id, THUMB, this.studio.image(target.dataset.id)?.photograph);
        }
      },
      { root: this.row, rootMargin: "600px" },
    );
    studio.on("images", (id) => (id ? this.#update(id) : this.#draw()));
    studio.on("next", () => this.#all());
    this.#draw();
  }

  #draw() {
    const { images } = this.studio.state;
    // The same images in the same order keep their thumbnails.
    if (images.length === this.buttons.size && [...this.buttons.keys()].every((id, i) => id === images[i].id)) return this.#all();
    this.watcher.disconnect();
    this.buttons.clear();
    put(
      this.row,
      images.map((image) => {
        const button = h(
          "button",
          { class: "thumb", type: "button", role: "option", "data-id": image.id, onclick: () => this.open(image.id) },
          h("img", { alt: "", draggable: "false", decoding: "async" }),
          h("i", { class: "done" }),
          h("b", { class: "badge", hidden: true }, "next"),
        );
        this.buttons.set(image.id, button);
        this.watcher.observe(button);
        return button;
      }),
    );
    this.#all();
  }

  #all() {
    for (const { id } of this.studio.state.images) this.#update(id);
    // A thumbnail that has the focus stays the one that Tab reaches.
    const focused = this.row.contains(document.activeElement) ? document.activeElement : this.buttons.get(this.current);
    tabStop(this.buttons.values(), focused);
  }

  #update(id) {
    const image = this.studio.image(id);
    const button = this.buttons.get(id);
    if (!button) return;
    const { next } = this.studio.state;
    const state = image.problem ? "bad" : image.labelled >= 0.999 ? "all" : image.labelled > 0 ? "part" : "none";
    button.dataset.state = state;
    const version = String(image.photograph ?? 0);
    const picture = button.querySelector("img");
    if (picture.src && button.dataset.version !== version) picture.src = pictureUrl(id, THUMB, image.photograph);
    button.dataset.version = version;
    paint(button, { "--labelled": String(image.labelled ?? 0) });
    button.querySelector(".badge").hidden = next !== id || id === this.current;
    const doubt =
      image.uncertainty === null || image.uncertainty === undefined ? "" : `, uncertainty ${percent(image.uncertainty)}`;
    button.title = image.problem
      ? `${fileName(id)}: ${image.problem}`
      : `${fileName(id)}: ${percent(image.labelled ?? 0)} labelled${doubt}`;
    button.setAttribute("aria-label", `${button.title}${next === id ? ", suggested next" : ""}`);
    button.setAttribute("aria-selected", id === this.current);
    const { images } = this.studio.state;
    const begun = images.filter((i) => i.labelled > 0).length;
    const text = `${begun} of ${count(images.length, "image")} labelled`;
    if (this.summary.textContent !== text) this.summary.textContent = text;
    this.nextButton.disabled = !next || next === this.current;
  }

  select(id) {
    this.current = id;
    this.#all();
    this.buttons.get(id)?.scrollIntoView({ block: "nearest", inline: "center", behavior: "instant" });
  }

  step(by) {
    const { images } = this.studio.state;
    const at = images.findIndex((i) => i.id === this.current);
    const to = images[at + by];
    if (to) this.open(to.id);
  }

  goNext() {
    const { next } = this.studio.state;
    if (next && next !== this.current) this.open(next);
    else this.step(1);
  }
}
