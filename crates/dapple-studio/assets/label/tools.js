/**
 * The tools of the editor. A tool has some of: down(point, value), move(points), up(), cancel(), hover(point | null),
 * double(), key(name) -> whether it took the key, leave(). Points are in pixels of the image.
 */
import { vision } from "../core/workers.js";
import { box, capsule, disc, polygon } from "../pixels/shapes.js";

/** Paints with a round brush, or takes labels away. */
export class Brush {
  name = "stroke";

  constructor(editor) {
    this.editor = editor;
  }

  #radius(point) {
    const half = this.editor.brushSize / 2;
    return half * Math.min(1.6, Math.max(0.25, 2 * point.pressure));
  }

  down(point, value) {
    const { editor } = this;
    const edit = editor.session.begin(value, editor.spared(value));
    this.span = (y, left, right) => edit.span(y, left, right);
    this.last = { ...point, radius: this.#radius(point) };
    disc(point.x, point.y, this.last.radius, this.span);
    editor.session.flow();
  }

  move(points) {
    if (!this.last) return;
    for (const point of points) {
      const next = { ...point, radius: this.#radius(point) };
      capsule(this.last.x, this.last.y, this.last.radius, next.x, next.y, next.radius, this.span);
      disc(next.x, next.y, next.radius, this.span);
      this.last = next;
    }
    this.editor.session.flow();
  }

  up() {
    this.last = null;
    this.editor.session.end(this.name);
  }

  cancel() {
    this.last = null;
    this.editor.session.cancel();
  }

  hover(point) {
    this.editor.showRing(point);
  }

  leave() {
    this.editor.showRing(null);
  }
}

/** Paints superpixel by superpixel. */
export class Snap {
  constructor(editor) {
    this.editor = editor;
  }

  down(point, value) {
    const { editor } = this;
    if (!editor.cells) return;
    const edit = editor.session.begin(value, editor.spared(value));
    this.span = (y, left, right) => edit.span(y, left, right);
    this.seen = new Set();
    this.last = point;
    this.move([point]);
  }

  move(points) {
    const { cells, session } = this.editor;
    if (!this.last || !cells) return;
    for (const point of points) {
      const steps = Math.max(
        1,
        Math.ceil(Math.hypot(point.x - this.last.x, point.y - this.last.y) / ((1.5 * cells.imageWidth) / cells.width)),
      );
      for (let i = 1; i <= steps; i++) {
        const x = Math.floor(this.last.x + ((point.x - this.last.x) * i) / steps);
        const y = Math.floor(this.last.y + ((point.y - this.last.y) * i) / steps);
        if (!session.map.has(x, y)) continue;
        const number = cells.at(x, y);
        if (this.seen.has(number)) continue;
        this.seen.add(number);
        cells.spans(number, this.span);
      }
      this.last = point;
    }
    session.flow();
  }

  up() {
    this.last = null;
    this.editor.session.end("superpixels");
  }

  cancel() {
    this.last = null;
    this.editor.session.cancel();
  }

  hover(point) {
    const { cells, session } = this.editor;
    const [x, y] = point ? [Math.floor(point.x), Math.floor(point.y)] : [-1, -1];
    const number = cells && session.map.has(x, y) ? cells.at(x, y) : null;
    if (number === this.hovered) return;
    this.hovered = number;
    let path = "";
    if (number !== null)
      cells.spans(number, (row, left, right) => {
        path += `M${left} ${row}h${right - left}v1h${left - right}z`;
      });
    this.editor.mark(path ? [{ path, kind: "area" }] : []);
  }

  leave() {
    this.hovered = null;
    this.editor.mark([]);
  }
}

/** A polygon by its corners, or freehand by dragging; also a lasso. */
export class Polygon {
  constructor(editor) {
    this.editor = editor;
    this.points = [];
  }

  down(point, value) {
    this.value = value;
    this.fresh = true;
    if (this.points.length >= 3 && this.#near(point, this.points[0])) {
      this.finish();
      return;
    }
    this.points.push([point.x, point.y]);
    this.#show(point);
  }

  move(points) {
    if (this.points.length === 0) return;
    for (const point of points) {
      if (this.#distance(point, this.points.at(-1)) > 6) {
        this.points.push([point.x, point.y]);
        this.fresh = false;
      }
    }
    this.#show(points.at(-1));
  }

  up() {
    // A drag drew the whole outline: it closes by itself.
    if (!this.fresh && this.points.length > 8) this.finish();
  }

  cancel() {
    this.points.pop();
    this.#show(null);
  }

  hover(point) {
    if (this.points.length && point) this.#show(point);
  }

  double() {
    this.finish();
  }

  key(name) {
    if (this.points.length === 0) return false;
    if (name === "Enter") this.finish();
    else if (name === "Backspace" || name === "Ctrl+Z") this.cancel();
    else if (name === "Escape") this.leave();
    else return false;
    return true;
  }

  leave() {
    this.points = [];
    this.editor.mark([]);
  }

  finish() {
    const { editor, points, value } = this;
    this.leave();
    if (points.length >= 3) editor.session.paint("polygon", value, (span) => polygon(points, span), editor.spared(value));
  }

  /** Distance on the screen in CSS pixels. */
  #distance(point, [x, y]) {
    const { viewport, ratio } = this.editor.screen;
    return (Math.hypot(point.x - x, point.y - y) * viewport.scale) / ratio;
  }

  #near(point, corner) {
    return this.#distance(point, corner) < 12;
  }

  #show(cursor) {
    if (this.points.length === 0) return this.editor.mark([]);
    const line = this.points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
    const closing = cursor && this.points.length >= 3 && this.#near(cursor, this.points[0]);
    this.editor.mark([
      { path: cursor && !closing ? `${line}L${cursor.x.toFixed(2)} ${cursor.y.toFixed(2)}` : `${line}Z`, kind: "line" },
      { dots: this.points.length < 60 ? this.points : [this.points[0]], closing },
    ]);
  }
}

/** A box between two corners. */
export class Box {
  constructor(editor) {
    this.editor = editor;
  }

  down(point, value) {
    Object.assign(this, { from: point, to: point, value });
    this.move([point]);
  }

  move(points) {
    if (!this.from) return;
    this.to = points.at(-1);
    const [x, y] = [Math.min(this.from.x, this.to.x), Math.min(this.from.y, this.to.y)];
    const [w, k] = [Math.abs(this.from.x - this.to.x), Math.abs(this.from.y - this.to.y)];
    this.editor.mark([{ path: `M${x} ${y}h${w}v${k}h${-w}z`, kind: "line" }]);
  }

  up() {
    const { editor, from, to, value } = this;
    if (!from) return;
    this.leave();
    editor.session.paint("box", value, (span) => box(from.x, from.y, to.x, to.y, span), editor.spared(value));
  }

  cancel() {
    this.leave();
  }

  leave() {
    this.from = null;
    this.editor.mark([]);
  }
}

/** Fills the area around a click: up to other labels, or as far as the colours are alike. */
export class Fill {
  constructor(editor) {
    this.editor = editor;
  }

  async down(point, value) {
    const { editor } = this;
    const { session } = editor;
    const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
    if (!session.map.has(x, y)) return;
    if (editor.settings.fillBy === "labels") {
      const spared = editor.spared(value);
      if (spared?.[session.map.at(x, y)]) return editor.hint("Labelled pixels are kept (K).");
      return editor.long(session.alter("fill", "area", { value, x, y }));
    }
    const { width, height } = session.map;
    const tolerance = editor.settings.tolerance;
    const found = await editor.long(
      editor.withPhoto(() => vision("colours", { x: (x + 0.5) / width, y: (y + 0.5) / height, tolerance })),
    );
    if (!found || editor.session !== session) return;
    const across = width / found.width,
      down = height / found.height;
    session.paint(
      "fill",
      value,
      (span) => {
        for (let i = 0; i < found.spans.length; i += 3) {
          const [row, left, right] = found.spans.subarray(i, i + 3);
          const end = Math.ceil((row + 1) * down);
          for (let to = Math.ceil(row * down); to < end; to++) span(to, Math.ceil(left * across), Math.ceil(right * across));
        }
      },
      editor.spared(value),
    );
  }
}

/** Takes the part of the proposal that is clicked. */
export class Accept {
  constructor(editor) {
    this.editor = editor;
  }

  down(point) {
    const { session } = this.editor;
    const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
    if (!session.map.has(x, y)) return;
    if (!session.proposal) return this.editor.hint("There is no proposal for this image yet.");
    if (session.map.at(x, y) !== session.ignore) return this.editor.hint("This place has a label already.");
    const { proposal, ignore } = session;
    return this.editor.long(session.alter("accept", "region", { proposal, ignore, x, y }));
  }
}
