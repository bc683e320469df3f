/**
 * One change of a label map under way: writes spans, and knows the pixels as they were before.
 */
import { rect, union } from "./rect.js";
import { pack } from "./runs.js";

const TILE = 128;

export class Edit {
  /**
   * @param map the label map
   * @param value the label to write
   * @param spared labels that are left as they are (256 flags), or null
   */
  constructor(map, value, spared = null) {
    this.map = map;
    this.value = value;
    this.spared = spared;
    this.across = Math.ceil(map.width / TILE);
    /** Tiles as they were before the first write into them, by their index. */
    this.tiles = new Map();
    /** Everything written since `takeDirty`. */
    this.dirty = null;
    /** What comes after the end of the change, as of a pointer that is still down, is no part of it. */
    this.ended = false;
  }

  /** Writes the label into the pixels left..right (exclusive) of row y; what lies outside is left out. */
  span(y, left, right) {
    const { map } = this;
    left = Math.max(0, left);
    right = Math.min(map.width, right);
    if (this.ended || y < 0 || y >= map.height || right <= left) return;
    this.#keep(y, left, right);
    const row = y * map.width;
    if (this.spared) {
      for (let i = row + left; i < row + right; i++) if (!this.spared[map.data[i]]) map.data[i] = this.value;
    } else {
      map.data.fill(this.value, row + left, row + right);
    }
    const d = this.dirty;
    if (!d) {
      this.dirty = rect(left, y, right, y + 1);
    } else {
      if (left < d.left) d.left = left;
      if (right > d.right) d.right = right;
      if (y < d.top) d.top = y;
      if (y >= d.bottom) d.bottom = y + 1;
    }
  }

  /** Writes other labels, not one: `bytes` fill the rectangle row by row. */
  replace(r, bytes) {
    for (let y = r.top; y < r.bottom; y++) this.#keep(y, r.left, r.right);
    this.map.write(r, bytes);
    this.dirty = union(this.dirty, r);
  }

  /** The rectangle written since the last call. */
  takeDirty() {
    const { dirty } = this;
    this.dirty = null;
    return dirty;
  }

  /**
   * Ends the change: the smallest rectangle that holds it and its tiles before and after; null where nothing changed.
   * Tiles, since a long thin stroke across a large image changes a small part of its rectangle.
   */
  finish(name) {
    this.ended = true;
    let changed = null;
    const tiles = [];
    for (const [index, before] of this.tiles) {
      const inside = this.#changed(index, before);
      if (!inside) continue;
      changed = union(changed, inside);
      const bounds = this.#bounds(index);
      tiles.push({ rect: bounds, before: pack(before), after: pack(this.map.read(bounds)) });
    }
    return changed && { name, rect: changed, tiles };
  }

  /** Takes all of it back. */
  cancel() {
    this.ended = true;
    const bounds = [...this.tiles.keys()].reduce((all, index) => union(all, this.#bounds(index)), null);
    this.#restore();
    return bounds;
  }

  #bounds(index) {
    const left = (index % this.across) * TILE;
    const top = Math.floor(index / this.across) * TILE;
    return rect(left, top, Math.min(this.map.width, left + TILE), Math.min(this.map.height, top + TILE));
  }

  #keep(y, left, right) {
    const row = Math.floor(y / TILE) * this.across;
    const last = Math.floor((right - 1) / TILE);
    for (let column = Math.floor(left / TILE); column <= last; column++) {
      const index = row + column;
      if (!this.tiles.has(index)) this.tiles.set(index, this.map.read(this.#bounds(index)));
    }
  }

  #restore() {
    for (const [index, before] of this.tiles) this.map.write(this.#bounds(index), before);
  }

  #changed(index, before) {
    const bounds = this.#bounds(index);
    const width = bounds.right - bounds.left;
    let left = bounds.right,
      right = -1,
      top = -1,
      bottom = -1;
    for (let y = bounds.top, i = 0; y < bounds.bottom; y++) {
      const row = y * this.map.width + bounds.left;
      for (let x = 0; x < width; x++, i++) {
        if (before[i] === this.map.data[row + x]) continue;
        if (bounds.left + x < left) left = bounds.left + x;
        if (bounds.left + x > right) right = bounds.left + x;
        if (top < 0) top = y;
        bottom = y;
      }
    }
    return right < 0 ? null : rect(left, top, right + 1, bottom + 1);
  }
}
