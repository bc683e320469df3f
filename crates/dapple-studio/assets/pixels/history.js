/**
 * Undo and redo without limit. A step is { name, rect, tiles: [{ rect, before, after }] } with packed pixels.
 */
import { sizeOf, unpack } from "./runs.js";

export class History {
  constructor() {
    this.done = [];
    this.undone = [];
  }

  add(step) {
    this.done.push(step);
    this.undone = [];
  }

  get canUndo() {
    return this.done.length > 0;
  }

  get canRedo() {
    return this.undone.length > 0;
  }

  /** Takes the last step back in the map; returns it, or null. */
  undo(map) {
    const step = this.done.pop();
    if (!step) return null;
    for (const tile of step.tiles) map.write(tile.rect, unpack(tile.before));
    this.undone.push(step);
    return step;
  }

  redo(map) {
    const step = this.undone.pop();
    if (!step) return null;
    for (const tile of step.tiles) map.write(tile.rect, unpack(tile.after));
    this.done.push(step);
    return step;
  }

  /** Does a step that was made elsewhere from the labels of the map. */
  take(map, step) {
    for (const tile of step.tiles) map.write(tile.rect, unpack(tile.after));
    this.add(step);
  }

  /** Bytes of memory that the steps take. */
  get bytes() {
    const tiles = [...this.done, ...this.undone].flatMap((step) => step.tiles);
    return tiles.reduce((sum, tile) => sum + sizeOf(tile.before) + sizeOf(tile.after), 0);
  }
}
