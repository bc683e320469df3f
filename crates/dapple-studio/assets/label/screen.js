/**
 * Draws the picture and its overlay: two canvases, each drawn again only where and when it changed.
 */
import { h, s, eachFrame } from "../core/dom.js";
import { wordOf } from "../pixels/colour.js";
import { intersect, isEmpty, rect, union } from "../pixels/rect.js";
import { axis, coloursOf, compose, composeCells, composeCover } from "./compose.js";
import { Viewport } from "./viewport.js";

export class Screen {
  constructor() {
    this.photo = h("canvas", { class: "layer" });
    this.overlay = h("canvas", { class: "layer", "data-layer": "overlay" });
    this.marks = s("svg", { class: "layer", "aria-hidden": "true" });
    this.ring = h("div", { class: "ring", hidden: true });
    this.element = h("div", { class: "screen" }, this.photo, this.overlay, this.marks, this.ring);
    this.viewport = new Viewport();
    /** Pictures of rising size: { bitmap, scale } with scale = width of the bitmap / width of the image. */
    this.levels = [];
    this.layers = { labels: null, proposal: null, doubt: null, cells: null };
    this.ignore = 255;
    this.colours = coloursOf([], 0.5);
    this.dirty = null;
    this.stale = true;
    /** Room for controls around a fitted picture, in CSS pixels; a function, as it depends on the window. */
    this.room = () => ({ side: 14, top: 14, bottom: 14 });
    /** Called after the picture moved; (viewport). */
    this.onmove = () => {};
    /** Called where a sharper picture would help; (scale). */
    this.onlevel = () => {};
    /** Milliseconds of the last frames' drawing, for measurements. */
    this.times = [];
    this.request = eachFrame(() => this.#draw());
    new ResizeObserver(() => this.#resize()).observe(this.element);
  }

  get ratio() {
    return Math.min(2, devicePixelRatio || 1);
  }

  #resize() {
    const { width, height } = this.element.getBoundingClientRect();
    // A hidden screen keeps its size.
    if (!width || !height) return;
    const w = Math.round(width * this.ratio),
      k = Math.round(height * this.ratio);
    for (const canvas of [this.photo, this.overlay]) {
      canvas.width = w;
      canvas.height = k;
    }
    this.pixels = new ImageData(w, k);
    this.words = new Uint32Array(this.pixels.data.buffer);
    const { side, top, bottom } = this.room();
    this.viewport.room = { side: side * this.ratio, top: top * this.ratio, bottom: bottom * this.ratio };
    this.viewport.resize(w, k);
    this.moved();
    this.#draw();
  }

  /** Shows another image, as far as it is there. */
  open(width, height) {
    this.levels = [];
    this.viewport.image = { width, height };
    this.viewport.fit();
    this.moved();
  }

  addLevel(bitmap) {
    this.levels.push({ bitmap, scale: bitmap.width / this.viewport.image.width });
    this.levels.sort((a, b) => a.scale - b.scale);
    this.moved();
  }

  /** The colours or the layers changed. */
  refresh() {
    this.dirty = rect(0, 0, this.overlay.width, this.overlay.height);
    this.request();
  }

  /** The picture moved, or is another. */
  moved() {
    this.stale = true;
    this.onmove(this.viewport);
    this.refresh();
  }

  setColours(classes, opacity, faint) {
    this.colours = coloursOf(classes, opacity, faint);
    this.refresh();
  }

  /** Labels changed in a rectangle of the image. */
  touch(r) {
    const a = this.viewport.toScreen(r.left, r.top);
    const b = this.viewport.toScreen(r.right, r.bottom);
    const margin = 2 + this.ratio;
    const seen = rect(Math.floor(a.x) - 1, Math.floor(a.y) - 1, Math.ceil(b.x + margin), Math.ceil(b.y + margin));
    this.dirty = union(this.dirty, intersect(seen, rect(0, 0, this.overlay.width, this.overlay.height)));
    this.request();
  }

  /** A place of a pointer event, in pixels of the image (with fractions). */
  place(event) {
    const box = this.element.getBoundingClientRect();
    return this.viewport.toImage(
      ((event.clientX - box.left) * this.overlay.width) / box.width,
      ((event.clientY - box.top) * this.overlay.height) / box.height,
    );
  }

  /** A place of the image in the coordinates of pointer events. */
  clientOf(x, y) {
    const box = this.element.getBoundingClientRect();
    const at = this.cssOf(x, y);
    return { x: box.left + at.x, y: box.top + at.y };
  }

  /** A place of the image in CSS pixels of the element. */
  cssOf(x, y) {
    const p = this.viewport.toScreen(x, y);
    return { x: p.x / this.ratio, y: p.y / this.ratio };
  }

  #draw() {
    if (!this.words) return;
    const begin = performance.now();
    if (this.stale) {
      this.stale = false;
      this.columns = axis(this.overlay.width, this.viewport.x, this.viewport.scale, this.viewport.image.width, this.columns);
      this.rows = axis(this.overlay.height, this.viewport.y, this.viewport.scale, this.viewport.image.height, this.rows);
      this.#drawPhoto();
    }
    const { dirty } = this;
    this.dirty = null;
    if (!isEmpty(dirty)) this.#drawOverlay(dirty);
    this.times.push(performance.now() - begin);
    if (this.times.length > 600) this.times.shift();
  }

  #drawPhoto() {
    const { photo, viewport } = this;
    const pen = photo.getContext("2d");
    pen.clearRect(0, 0, photo.width, photo.height);
    const wanted = Math.min(1, viewport.scale);
    const level = this.levels.find((l) => l.scale >= 0.95 * wanted) ?? this.levels.at(-1);
    if (!level || level.scale < 0.95 * wanted) this.onlevel(wanted);
    if (!level) return;
    const { bitmap } = level;
    const whole = rect(0, 0, viewport.image.width, viewport.image.height);
    const end = viewport.toImage(photo.width, photo.height);
    const seen = intersect(whole, rect(Math.floor(viewport.x), Math.floor(viewport.y), Math.ceil(end.x), Math.ceil(end.y)));
    if (isEmpty(seen)) return;
    const to = viewport.toScreen(seen.left, seen.top);
    const kx = bitmap.width / viewport.image.width,
      ky = bitmap.height / viewport.image.height;
    pen.imageSmoothingEnabled = viewport.scale < 4 * this.ratio;
    pen.drawImage(
      bitmap,
      seen.left * kx,
      seen.top * ky,
      (seen.right - seen.left) * kx,
      (seen.bottom - seen.top) * ky,
      to.x,
      to.y,
      (seen.right - seen.left) * viewport.scale,
      (seen.bottom - seen.top) * viewport.scale,
    );
  }

  #drawOverlay(r) {
    const { labels, proposal, doubt, cells, cover } = this.layers;
    const image = { width: this.viewport.image.width, labels, proposal, doubt, ignore: this.ignore };
    const line = Math.max(1, Math.round(this.ratio));
    if (cover) composeCover(this.words, this.overlay.width, r, this.columns, this.rows, image.width, cover, 8 * line);
    else if (labels || proposal || doubt)
      compose(this.words, this.overlay.width, r, this.columns, this.rows, image, this.colours, line);
    else
      for (let y = r.top; y < r.bottom; y++)
        this.words.fill(0, y * this.overlay.width + r.left, y * this.overlay.width + r.right);
    if (cells) composeCells(this.words, this.overlay.width, r, this.columns, this.rows, cells, wordOf([255, 255, 255], 0.4));
    this.overlay.getContext("2d").putImageData(this.pixels, 0, 0, r.left, r.top, r.right - r.left, r.bottom - r.top);
  }
}
