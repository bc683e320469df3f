/**
 * A chart of lines over epochs, with the values under the pointer or, by the arrow keys, under a cursor.
 */
import { h, put, s, say } from "../core/dom.js";
import { figure } from "../core/format.js";

const EDGE = { left: 46, right: 14, top: 12, bottom: 26 };
const HEIGHT = 220;

export class Chart {
  /** @param title, note what the lines show */
  constructor(title, note) {
    this.series = [];
    this.svg = s("svg", { class: "chart-plot", role: "img", tabindex: 0 });
    this.tip = h("div", { class: "chart-tip", hidden: true });
    this.legend = h("ul", { class: "chart-legend" });
    this.live = h("p", { class: "unseen", "aria-live": "polite" });
    this.title = title;
    this.element = h(
      "figure",
      { class: "chart" },
      h("figcaption", {}, h("h3", {}, title), h("small", {}, note)),
      h("div", { class: "chart-area" }, this.svg, this.tip),
      this.legend,
      this.live,
    );
    this.svg.addEventListener("pointermove", (e) => this.#point(this.#epochAt(e)));
    this.svg.addEventListener("pointerdown", (e) => this.#point(this.#epochAt(e)));
    for (const name of ["pointerleave", "blur"]) this.svg.addEventListener(name, () => this.#point(null));
    this.svg.addEventListener("keydown", (e) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (!by) return;
      e.preventDefault();
      const { xs } = this;
      const at = this.epoch === null || this.epoch === undefined ? (by > 0 ? -1 : xs.length) : xs.indexOf(this.epoch);
      this.#point(xs[Math.min(xs.length - 1, Math.max(0, at + by))] ?? null);
      say(this.live, this.tip.innerText);
    });
    new ResizeObserver(() => this.#draw()).observe(this.svg);
  }

  /** @param series [{ name, color, dashed, points: [[epoch, value]] }] */
  show(series) {
    this.series = series
      .map((line) => ({ ...line, points: line.points.filter(([, v]) => Number.isFinite(v)) }))
      .filter((line) => line.points.length);
    this.xs = [...new Set(this.series.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
    this.element.hidden = this.series.length === 0;
    put(
      this.legend,
      this.series.length > 1 &&
        this.series.map((line) =>
          h("li", {}, h("i", { class: line.dashed ? "dashed" : "", style: { "--line": line.color } }), line.name),
        ),
    );
    const last = this.series.map((line) => `${line.name} ${figure(line.points.at(-1)[1])}`).join(", ");
    this.svg.setAttribute("aria-label", `${this.title}; last values: ${last}. Arrow keys read the epochs.`);
    this.#draw();
  }

  #draw() {
    const width = this.svg.clientWidth;
    if (!width || this.series.length === 0) return;
    const values = this.series.flatMap((line) => line.points.map(([, v]) => v));
    const ticks = niceTicks(Math.min(...values), Math.max(...values), 4);
    const [low, high] = [ticks[0], ticks.at(-1)];
    const [first, last] = [this.xs[0], Math.max(this.xs.at(-1), this.xs[0] + 1)];
    this.x = (epoch) => EDGE.left + ((epoch - first) / (last - first)) * (width - EDGE.left - EDGE.right);
    this.y = (value) => HEIGHT - EDGE.bottom - ((value - low) / (high - low || 1)) * (HEIGHT - EDGE.top - EDGE.bottom);
    const epochs = niceTicks(first, last, Math.max(2, Math.floor(width / 55))).filter(
      (e) => Number.isInteger(e) && e >= first && e <= last,
    );
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    put(
      this.svg,
      ticks.map((t) => [
        s("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: this.y(t), y2: this.y(t) }),
        s("text", { class: "tick", x: EDGE.left - 8, y: this.y(t) + 4, "text-anchor": "end" }, tickText(t, ticks)),
      ]),
      epochs.map((e) => s("text", { class: "tick", x: this.x(e), y: HEIGHT - 8, "text-anchor": "middle" }, String(e))),
      this.series.map((line) =>
        s("path", {
          class: `line ${line.dashed ? "dashed" : ""}`,
          stroke: line.color,
          d: line.points.map(([x, v], i) => `${i ? "L" : "M"}${this.x(x).toFixed(1)} ${this.y(v).toFixed(1)}`).join(""),
        }),
      ),
      this.series.map(
        (line) =>
          line.points.length === 1 &&
          s("circle", { cx: this.x(line.points[0][0]), cy: this.y(line.points[0][1]), r: 3, fill: line.color }),
      ),
      (this.cursor = s("g", {})),
    );
    if (this.epoch !== null && this.epoch !== undefined) this.#point(this.epoch);
  }

  #epochAt(event) {
    if (!this.x || !this.xs.length) return null;
    const at = event.clientX - this.svg.getBoundingClientRect().left;
    return this.xs.reduce((best, x) => (Math.abs(this.x(x) - at) < Math.abs(this.x(best) - at) ? x : best));
  }

  #point(epoch) {
    this.epoch = epoch;
    this.tip.hidden = epoch === null;
    if (!this.cursor) return;
    if (epoch === null) return void put(this.cursor);
    const at = this.series.map((line) => ({ line, point: line.points.find(([x]) => x === epoch) })).filter(({ point }) => point);
    put(
      this.cursor,
      s("line", { class: "cursor", x1: this.x(epoch), x2: this.x(epoch), y1: EDGE.top, y2: HEIGHT - EDGE.bottom }),
      at.map(({ line, point }) =>
        s("circle", { cx: this.x(epoch), cy: this.y(point[1]), r: 4.5, fill: line.color, class: "point" }),
      ),
    );
    put(
      this.tip,
      h("b", {}, `Epoch ${epoch}`),
      at.map(({ line, point }) =>
        h("span", {}, h("i", { style: { "--line": line.color } }), `${line.name} `, h("output", {}, figure(point[1]))),
      ),
    );
    const [x, wide, all] = [this.x(epoch), this.tip.offsetWidth, this.svg.clientWidth];
    this.tip.style.left = `${x + 12 + wide <= all ? x + 12 : Math.max(0, x - 12 - wide)}px`;
  }
}

/** Round values that hold low..high. */
export function niceTicks(low, high, wanted) {
  if (!(high > low)) [low, high] = [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((v) => v >= rough * 0.999);
  const ticks = [];
  const end = Math.ceil(high / step - 1e-9);
  for (let i = Math.floor(low / step + 1e-9); i <= end; i++) ticks.push(i * step);
  return ticks;
}

/** As few digits as tell the ticks apart. */
function tickText(value, ticks) {
  const digits =
    [0, 1, 2, 3, 4, 5].find(
      (d) =>
        new Set(ticks.map((t) => t.toFixed(d))).size === ticks.length &&
        ticks.every((t) => Math.abs(Number(t.toFixed(d)) - t) < 1e-9 * Math.max(1, Math.abs(t))),
    ) ?? 6;
  return value.toFixed(digits);
}
