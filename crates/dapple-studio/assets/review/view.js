/**
 * The Review view: labelled images, those first whose labels a model that did not see them finds wrong.
 */
import { api, pictureUrl } from "../core/api.js";
import { fault } from "../core/dialog.js";
import { h, put, say } from "../core/dom.js";
import { count, fileName, percent } from "../core/format.js";
import { icon } from "../core/icons.js";
import { decode } from "../core/workers.js";
import { rect } from "../pixels/rect.js";
import { axis, coloursOf, compose } from "../label/compose.js";

const WIDTH = 480;

export class ReviewView {
  /** @param open called with an image's id and the box to look at */
  constructor(studio, open) {
    Object.assign(this, { studio, open });
    this.review = { state: "none", images: [] };
    this.text = h("p", {});
    this.button = h(
      "button",
      { class: "main", type: "button", onclick: () => this.#start() },
      icon("review"),
      (this.buttonText = h("span", {}, "Check the labels")),
    );
    this.bar = h("progress", { max: 1, hidden: true, "aria-label": "Progress of the check" });
    this.hide = h(
      "label",
      { class: "switch" },
      h("input", { type: "checkbox", checked: true, onchange: (e) => this.element.classList.toggle("plain", !e.target.checked) }),
      h("i", {}),
      h("span", {}, "Labels"),
    );
    this.grid = h("div", { class: "review-grid", role: "list" });
    this.element = h(
      "section",
      { class: "review-view page", "aria-label": "Review", hidden: true },
      h(
        "header",
        { class: "page-head" },
        h("div", {}, h("h2", {}, "Review"), this.text),
        h("div", { class: "page-actions" }, this.hide, this.button),
      ),
      this.bar,
      this.grid,
    );
    studio.on("review", (news) => this.#take(news));
    studio.on("images", (id) => {
      if (id) this.#renew(id);
      this.#says();
    });
    this.watcher = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries)
          if (isIntersecting) {
            this.watcher.unobserve(target);
            this.#picture(target);
          }
      },
      { rootMargin: "300px" },
    );
  }

  async enter() {
    try {
      this.review = await api.review();
    } catch (error) {
      fault(error);
    }
    this.#draw();
  }

  async #start() {
    try {
      await api.startReview();
      this.review = { ...this.review, state: "running", done: 0, of: 0, message: null };
      this.#says();
    } catch (error) {
      fault(error);
    }
  }

  async #take(news) {
    this.review = { ...this.review, ...news, images: this.review.images };
    if (news.state === "done" && !this.element.hidden) await this.enter();
    else this.#says();
  }

  #says() {
    const { state, done = 0, of = 0, images = [], message } = this.review;
    const busy = state === "running";
    const labelled = this.studio.state.images.filter((i) => i.labelled > 0).length;
    this.bar.hidden = !busy;
    if (busy && of > 0) this.bar.value = done / of;
    else this.bar.removeAttribute("value");
    this.button.disabled = busy || labelled < 2;
    say(this.buttonText, state === "done" ? "Check again" : busy ? "Checking …" : "Check the labels");
    say(
      this.text,
      message && state !== "done"
        ? message
        : busy
          ? "Networks are learning from some images and look at the others. You can go on labelling."
          : state === "done" && images.length
            ? `${count(images.length, "labelled image")}, the largest disagreement first. The box shows where; click to open the editor there.${message ? ` (${message})` : ""}`
            : labelled < 2
              ? "Label at least two images; a network that has not seen an image can then check its labels."
              : "A network that has not seen an image looks at it; where it disagrees with your labels, one of the two is wrong.",
    );
  }

  #draw() {
    this.#says();
    this.watcher.disconnect();
    put(
      this.grid,
      (this.review.images ?? []).map((item, i) => this.#card(item, i)),
    );
    for (const canvas of this.grid.querySelectorAll("canvas")) this.watcher.observe(canvas);
  }

  #card(item, index) {
    const image = this.studio.image(item.id);
    if (!image) return null;
    const share = (part, whole) => `${(100 * part) / whole}%`;
    const box =
      item.width > 0 &&
      h("i", {
        class: "review-box",
        style: {
          left: share(item.x, image.width),
          top: share(item.y, image.height),
          width: share(item.width, image.width),
          height: share(item.height, image.height),
        },
      });
    const ratio = 4 / 3;
    return h(
      "div",
      { role: "listitem" },
      h(
        "button",
        {
          class: "review-card",
          type: "button",
          onclick: () => this.open(item.id, item.width > 0 ? item : null),
          "aria-label": `${index + 1}: ${fileName(item.id)}, disagreement ${percent(item.disagreement)}`,
        },
        h(
          "span",
          { class: "review-picture", style: { "aspect-ratio": String(ratio) } },
          h(
            "span",
            {
              class: "review-fit",
              style: {
                "aspect-ratio": `${image.width} / ${image.height}`,
                [image.width / image.height > ratio ? "width" : "height"]: "100%",
              },
            },
            h("img", { src: pictureUrl(item.id, WIDTH), alt: "", loading: "lazy", decoding: "async" }),
            h("canvas", { "data-id": item.id }),
            box,
          ),
        ),
        h(
          "span",
          { class: "review-text" },
          h("b", {}, fileName(item.id)),
          h("span", { class: "meter", style: { "--part": String(Math.min(1, item.disagreement)) } }),
          h("output", {}, percent(item.disagreement)),
        ),
      ),
    );
  }

  /** Paints the labels of a card. */
  async #picture(canvas) {
    try {
      const { bytes } = await api.mask(canvas.dataset.id);
      const { width, height, data } = await decode(bytes);
      const w = Math.min(WIDTH, width),
        k = Math.max(1, Math.round((w * height) / width));
      canvas.width = w;
      canvas.height = k;
      const pixels = new ImageData(w, k);
      const image = { width, labels: data, proposal: null, doubt: null, ignore: this.studio.state.ignore };
      compose(
        new Uint32Array(pixels.data.buffer),
        w,
        rect(0, 0, w, k),
        axis(w, 0, w / width, width),
        axis(k, 0, k / height, height),
        image,
        coloursOf(this.studio.state.classes, 0.5),
        1,
      );
      canvas.getContext("2d").putImageData(pixels, 0, 0);
    } catch (error) {
      fault(error);
    }
  }

  #renew(id) {
    const canvas = [...this.grid.querySelectorAll("canvas")].find((c) => c.dataset.id === id);
    if (!canvas || !canvas.width) return;
    this.watcher.unobserve(canvas);
    this.watcher.observe(canvas);
  }
}
