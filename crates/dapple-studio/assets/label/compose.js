/**
 * Colours of the overlay for the pixels of the screen: labels with a border, proposals hatched, uncertainty as a glow.
 * The work depends on the screen, not on the image, so that 20 megapixels are as quick as one.
 */
import { rgbOf, wordOf } from "../pixels/colour.js";

/** How strong the background's colour is against that of other classes: the picture stays in view. */
const FAINT = 0.45;

/** The class that is not looked for: by its name, or the first of two. */
export const backgroundOf = (classes) =>
  classes.find((c) => c.name.toLowerCase() === "background") ?? (classes.length === 2 ? classes[0] : null);

/** Words of an ImageData for each label; the class `faint` is painted weakly. */
export function coloursOf(classes, opacity, faint = backgroundOf(classes)) {
  const table = () => new Uint32Array(256);
  const out = { fill: table(), edge: table(), hatch: table(), gap: table(), proposedEdge: table(), doubt: table() };
  for (const c of classes) {
    const { id } = c;
    const rgb = rgbOf(c.color);
    out.fill[id] = wordOf(rgb, c === faint ? FAINT * opacity : opacity);
    out.edge[id] = wordOf(
      rgb.map((v) => 0.75 * v + 0.25 * 255),
      opacity > 0 ? Math.min(1, opacity + 0.45) : 0,
    );
    out.hatch[id] = wordOf(rgb, c === faint ? 0.2 * opacity : Math.min(1, 0.75 * opacity + 0.15));
    out.gap[id] = wordOf(rgb, c === faint ? 0.05 * opacity : 0.25 * opacity);
    out.proposedEdge[id] = wordOf(rgb, c === faint ? 0.5 : 0.95);
  }
  for (let v = 0; v < 256; v++) {
    const t = v / 255;
    out.doubt[v] = wordOf([255, 225 - 170 * t, 40 + 170 * t], t < 0.08 ? 0 : 0.15 + 0.65 * t);
  }
  return out;
}

/** For each column (or row) of the screen, the column of the image, or -1 beside it. */
export function axis(length, start, scale, size, into) {
  const out = into?.length === length ? into : new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const at = Math.floor(start + (i + 0.5) / scale);
    out[i] = at >= 0 && at < size ? at : -1;
  }
  return out;
}

/**
 * Fills a rectangle of the screen.
 * @param out words of the screen, `width` a row
 * @param r the rectangle in pixels of the screen
 * @param columns, rows from `axis`
 * @param image { width, labels, proposal, doubt, ignore }: bytes a pixel, or null for layers that are not shown
 * @param line width of borders in pixels of the screen
 */
export function compose(out, width, r, columns, rows, image, colours, line) {
  const { labels, proposal, doubt, ignore } = image;
  const { fill, edge, hatch, gap, proposedEdge, doubt: glow } = colours;
  const period = 7 * line;
  for (let y = r.top; y < r.bottom; y++) {
    const row = rows[y];
    const to = y * width;
    if (row < 0) {
      out.fill(0, to + r.left, to + r.right);
      continue;
    }
    const base = row * image.width;
    const above = (y >= line && rows[y - line] >= 0 ? rows[y - line] : row) * image.width;
    for (let x = r.left; x < r.right; x++) {
      const column = columns[x];
      if (column < 0) {
        out[to + x] = 0;
        continue;
      }
      const at = base + column;
      const back = x >= line && columns[x - line] >= 0 ? columns[x - line] : column;
      const label = labels ? labels[at] : ignore;
      if (label !== ignore) {
        out[to + x] = labels[base + back] !== label || labels[above + column] !== label ? edge[label] : fill[label];
        continue;
      }
      let word = 0;
      if (doubt) word = glow[doubt[at]];
      if (proposal && proposal[at] !== ignore && !(doubt && word)) {
        const p = proposal[at];
        if (proposal[base + back] !== p || proposal[above + column] !== p) word = proposedEdge[p];
        else word = (x + y) % period < 3 * line ? hatch[p] : gap[p];
      }
      out[to + x] = word;
    }
  }
}

/** Draws the borders of superpixels over a rectangle that is composed. */
export function composeCells(out, width, r, columns, rows, cells, word) {
  const across = cells.width / cells.imageWidth,
    down = cells.height / cells.imageHeight;
  const place = (x) => Math.min(cells.width - 1, Math.floor(x * across));
  for (let y = Math.max(1, r.top); y < r.bottom; y++) {
    if (rows[y] < 0) continue;
    const base = Math.min(cells.height - 1, Math.floor(rows[y] * down)) * cells.width;
    const above = rows[y - 1] < 0 ? base : Math.min(cells.height - 1, Math.floor(rows[y - 1] * down)) * cells.width;
    for (let x = Math.max(1, r.left); x < r.right; x++) {
      if (columns[x] < 0) continue;
      const column = place(columns[x]);
      const here = cells.labels[base + column];
      const left = columns[x - 1] < 0 ? here : cells.labels[base + place(columns[x - 1])];
      if (here !== left || here !== cells.labels[above + column]) out[y * width + x] = word;
    }
  }
}

/**
 * Covers what a cut-out leaves away. `cover` is { bytes, light, dark }: words by the byte of the pixel, and two tables
 * for the squares of a chequered ground, which stands for transparency.
 */
export function composeCover(out, width, r, columns, rows, imageWidth, cover, square) {
  for (let y = r.top; y < r.bottom; y++) {
    const base = rows[y] * imageWidth;
    for (let x = r.left; x < r.right; x++) {
      if (rows[y] < 0 || columns[x] < 0) {
        out[y * width + x] = 0;
        continue;
      }
      const table = (Math.floor(x / square) + Math.floor(y / square)) & 1 ? cover.dark : cover.light;
      out[y * width + x] = table[cover.bytes[base + columns[x]]];
    }
  }
}
