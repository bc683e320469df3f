/**
 * Saves strokes as they come: one request at a time, tried again until it passes.
 * Emits "state", and "conflict" where the mask was changed elsewhere.
 */
import { ApiError, api } from "../core/api.js";
import { Emitter } from "../core/emitter.js";
import { encode } from "../core/workers.js";
import { heightOf, joined, union, widthOf } from "../pixels/rect.js";
import { LabelMap, difference } from "../pixels/map.js";
import { unsaved } from "./unsaved.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;
/** Browsers send a small request to its end even if the tab closes. */
const OUTLIVES_TAB = 60_000;

export class Saver extends Emitter {
  /**
   * @param map the labels that are painted
   * @param revision that of the server's mask, which `map` equals now
   * @param names gives the names of the classes whose numbers the labels are
   */
  constructor(folder, id, map, revision, names) {
    super();
    Object.assign(this, { folder, id, map, revision, names });
    /** The labels that the server has. */
    this.base = map.copy();
    this.pending = [];
    /** The rectangle on its way. */
    this.sending = null;
    this.failed = null;
    /** Whether the browser keeps what is not saved. */
    this.kept = false;
    this.closed = false;
    this.strokes = 0;
    this.pause = FIRST_PAUSE;
    this.timer = null;
    this.conflict = false;
  }

  /** Whether everything is saved. */
  get clean() {
    return !this.sending && this.pending.length === 0;
  }

  add(rect) {
    this.pending.push({ ...rect });
    this.strokes++;
    this.emit("state");
    if (this.kept) this.keep();
    this.pump();
  }

  /** Tries at once, without waiting for the next try. */
  hurry() {
    clearTimeout(this.timer);
    this.timer = null;
    this.pump();
  }

  async pump() {
    if (this.sending || this.timer || this.conflict || this.closed || this.pending.length === 0) return;
    this.pending = joined(this.pending);
    const [rect] = this.pending.splice(0, 1);
    const strokes = this.strokes;
    this.sending = rect;
    this.emit("state");
    try {
      const { png, bytes } = await encode(widthOf(rect), heightOf(rect), this.map.read(rect));
      if (this.closed) throw new Error("the labels are read again");
      const answer = await api.saveMask(this.id, rect, this.revision, png, png.length < OUTLIVES_TAB);
      this.revision = String(answer.revision);
      this.base.write(rect, bytes);
      this.pause = FIRST_PAUSE;
      this.sending = null;
      if (this.kept && !this.closed) this.keep();
      this.failed = null;
      this.strokes -= this.pending.length === 0 ? strokes : 0;
      this.emit("saved", answer);
    } catch (error) {
      this.sending = null;
      this.pending.unshift(rect);
      if (!this.closed) this.#failed(error);
    }
    this.emit("state");
    this.pump();
  }

  #failed(error) {
    if (error.status === 412) {
      this.conflict = true;
      this.keep();
      this.emit("conflict");
      return;
    }
    this.failed = error;
    this.keep();
    // A refusal that cannot pass by waiting is shown; it is tried again all the same, seldom.
    const pause = error instanceof ApiError && error.passes ? this.pause : LONGEST_PAUSE;
    this.pause = Math.min(LONGEST_PAUSE, 2 * this.pause);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.pump();
    }, pause);
  }

  /** The rectangle with all that is not saved. */
  get rect() {
    return this.pending.reduce((all, r) => union(all, r), this.sending);
  }

  /** Gives what is not saved to the browser to keep, or takes it back where all is saved. */
  keep(names = this.names()) {
    const { rect } = this;
    this.kept = rect !== null;
    if (!rect) return unsaved.drop(this.folder, this.id);
    const { left, top, right, bottom } = rect;
    const pixels = { mine: this.map.read(rect), base: this.base.read(rect) };
    return unsaved.keep(this.folder, { id: this.id, left, top, right, bottom, ...pixels, names });
  }

  /** Ends it: nothing is sent any more. */
  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.timer = null;
  }

  /** Whether other labels are those that the server had, with strokes of this page: an answer was lost on its way. */
  isOwn(theirs) {
    const { data } = this.map;
    for (let i = 0; i < theirs.length; i++) if (theirs[i] !== this.base.data[i] && theirs[i] !== data[i]) return false;
    return true;
  }

  /**
   * Settles a conflict with the server's labels and revision.
   * "both": strokes that are not saved yet stay, over the other changes; "theirs": they go; "mine": the other changes go.
   * @returns the labels that the map should have
   */
  settle(choice, theirs, revision) {
    const wanted = theirs.slice();
    const { data } = this.map;
    if (choice === "mine") wanted.set(data);
    if (choice === "both") for (let i = 0; i < wanted.length; i++) if (data[i] !== this.base.data[i]) wanted[i] = data[i];
    this.base = new LabelMap(this.map.width, this.map.height, theirs);
    this.revision = revision;
    const left = difference(new LabelMap(this.map.width, this.map.height, wanted), this.base);
    this.pending = left.right > left.left ? [left] : [];
    if (this.pending.length === 0) this.strokes = 0;
    return wanted;
  }

  /** Goes on after `settle`, when the map has the wanted labels. */
  resume() {
    this.conflict = false;
    if (this.kept) this.keep();
    this.emit("state");
    this.pump();
  }
}
