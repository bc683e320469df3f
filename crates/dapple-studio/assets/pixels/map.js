/**
 * A map of labels: one byte a pixel, row by row.
 */
import { heightOf, rect, widthOf } from "./rect.js";

/** The value of pixels without a label, unless the folder says otherwise. */
export const UNLABELLED = 255;

export class LabelMap {
  constructor(width, height, data = new Uint8Array(width * height).fill(UNLABELLED)) {
    if (data.length !== width * height) throw new Error(`${data.length} bytes are not ${width} x ${height} labels`);
    this.width = width;
    this.height = height;
    this.data = data;
  }

  get bounds() {
    return rect(0, 0, this.width, this.height);
  }

  at(x, y) {
    return this.data[y * this.width + x];
  }

  has(x, y) {
    return x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  /** A copy of the pixels in `r`, which lies within the map. */
  read(r) {
    const width = widthOf(r);
    const out = new Uint8Array(width * heightOf(r));
    for (let y = r.top, to = 0; y < r.bottom; y++, to += width) {
      const from = y * this.width + r.left;
      out.set(this.data.subarray(from, from + width), to);
    }
    return out;
  }

  /** Replaces the pixels in `r`, which lies within the map. */
  write(r, bytes) {
    const width = widthOf(r);
    for (let y = r.top, from = 0; y < r.bottom; y++, from += width) {
      this.data.set(bytes.subarray(from, from + width), y * this.width + r.left);
    }
  }

  copy() {
    return new LabelMap(this.width, this.height, this.data.slice());
  }
}

/** The smallest rectangle around the pixels in which two maps of one size differ. */
export function difference(a, b) {
  const { width, height } = a;
  let left = width,
    right = 0,
    top = height,
    bottom = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width;
    let x = 0;
    while (x < width && a.data[row + x] === b.data[row + x]) x++;
    if (x === width) continue;
    let last = width - 1;
    while (a.data[row + last] === b.data[row + last]) last--;
    left = Math.min(left, x);
    right = Math.max(right, last + 1);
    top = Math.min(top, y);
    bottom = y + 1;
  }
  return right > left ? rect(left, top, right, bottom) : rect(0, 0, 0, 0);
}
