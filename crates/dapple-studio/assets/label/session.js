/**
 * One image being labelled: its labels, history, proposal, and what is saved of it.
 * Emits "labels" (a rectangle changed), "proposal", "history", "saving", "conflict", "trouble".
 */
import { api } from "../core/api.js";
import { Emitter } from "../core/emitter.js";
import { decode } from "../core/workers.js";
import { Edit } from "../pixels/edit.js";
import { History } from "../pixels/history.js";
import { LabelMap, difference } from "../pixels/map.js";
import { isEmpty, rect } from "../pixels/rect.js";
import { Saver } from "./saver.js";
import { unsaved } from "./unsaved.js";

export class Session extends Emitter {
  constructor(studio, id) {
    super();
    this.studio = studio;
    this.id = id;
    this.history = new History();
    this.proposal = null;
    this.proposalRevision = null;
    this.uncertainty = null;
    this.edit = null;
  }

  get ignore() {
    return this.studio.state.ignore;
  }

  async open() {
    const { map, revision } = await this.#fetchMask();
    this.map = map;
    /** The labels as they were when the image was opened. */
    this.opened = map.copy();
    this.saver = new Saver(this.studio.state.folder, this.id, map, revision);
    this.saver.on("state", () => this.emit("saving"));
    this.saver.on("saved", ({ labelled, revision: now }) => this.studio.update(this.id, { labelled, revision: now }));
    this.saver.on("conflict", () => this.#conflict());
    await this.#restore();
  }

  async #fetchMask() {
    const { bytes, revision } = await api.mask(this.id);
    const { width, height, data } = await decode(bytes);
    return { map: new LabelMap(width, height, data), revision };
  }

  /** Brings back strokes that an earlier tab could not save. */
  async #restore() {
    const kept = await unsaved.find(this.studio.state.folder, this.id);
    if (!kept || kept.right > this.map.width || kept.bottom > this.map.height) return;
    const r = rect(kept.left, kept.top, kept.right, kept.bottom);
    const bytes = this.map.read(r);
    for (let i = 0; i < bytes.length; i++) if (kept.mine[i] !== kept.base[i]) bytes[i] = kept.mine[i];
    await unsaved.drop(this.studio.state.folder, this.id);
    if (this.replace("strokes that were not saved", r, bytes)) this.emit("restored");
  }

  /** Begins a stroke with a label; `spared` labels stay. */
  begin(value, spared = null) {
    this.end("stroke");
    this.edit = new Edit(this.map, value, spared);
    this.#busy(true);
    return this.edit;
  }

  /** Shows what the stroke has written so far. */
  flow() {
    const dirty = this.edit?.takeDirty();
    if (dirty) this.emit("labels", dirty);
    // The server forgets that a stroke is under way after ten seconds.
    if (this.edit && performance.now() - this.told > 5000) this.#busy(true);
  }

  #busy(busy) {
    this.told = performance.now();
    api.focus(this.id, busy);
  }

  /** Ends the stroke under way: one step of the history, one change to save. */
  end(name) {
    if (!this.edit) return false;
    this.flow();
    const step = this.edit.finish(name);
    this.edit = null;
    this.#busy(false);
    return this.#record(step);
  }

  cancel() {
    if (!this.edit) return;
    const bounds = this.edit.cancel();
    this.edit = null;
    this.#busy(false);
    if (bounds) this.emit("labels", bounds);
  }

  /** A change that is made at once: `draw` gets span(y, left, right). */
  paint(name, value, draw, spared = null) {
    const edit = this.begin(value, spared);
    draw((y, left, right) => edit.span(y, left, right));
    return this.end(name);
  }

  /** Replaces a rectangle by other labels. */
  replace(name, r, bytes) {
    const edit = new Edit(this.map, 0);
    edit.replace(r, bytes);
    const step = edit.finish(name);
    if (step) this.emit("labels", step.rect);
    return this.#record(step);
  }

  undo() {
    this.cancel();
    this.#stepped(this.history.undo(this.map));
  }

  redo() {
    this.#stepped(this.history.redo(this.map));
  }

  #record(step) {
    if (!step) return false;
    this.history.add(step);
    this.saver.add(step.rect);
    this.emit("history");
    return true;
  }

  #stepped(step) {
    if (!step) return;
    this.saver.add(step.rect);
    this.emit("labels", step.rect);
    this.emit("history");
  }

  /** Gives the label to all pixels that have none. */
  fillRest(value) {
    const bytes = this.map.data.map((v) => (v === this.ignore ? value : v));
    return this.replace("rest", this.map.bounds, bytes);
  }

  /** Takes the proposal for pixels without a label; with `sure`, only where its uncertainty (0..255) is below. */
  acceptAll(sure = null) {
    const { proposal, ignore } = this;
    if (!proposal) return false;
    const doubt = sure === null ? null : this.uncertainty;
    const bytes = this.map.data.map((v, i) => (v === ignore && (!doubt || doubt[i] < sure) ? proposal[i] : v));
    return this.replace("accept", this.map.bounds, bytes);
  }

  async fetchProposal() {
    if (this.fetching) {
      this.again = true;
      return;
    }
    this.fetching = true;
    try {
      const { bytes, revision } = await api.proposal(this.id);
      const { width, height, data } = await decode(bytes);
      if (width === this.map.width && height === this.map.height) {
        this.proposal = data;
        this.proposalRevision = revision;
        if (this.uncertainty) await this.fetchUncertainty();
        this.emit("proposal");
      }
    } catch (error) {
      if (error.status !== 404) this.emit("trouble", error);
    }
    this.fetching = false;
    if (this.again) {
      this.again = false;
      this.fetchProposal();
    }
  }

  async fetchUncertainty() {
    try {
      const { width, height } = this.map;
      this.uncertainty = (await decode(await api.uncertainty(this.id), { width, height })).data;
      this.emit("proposal");
    } catch (error) {
      if (error.status !== 404) this.emit("trouble", error);
    }
  }

  /** The mask changed outside of this page: takes the change, as a step that undo takes back. */
  async takeOutside(revision) {
    // Own changes come back as events too. Where a stroke is on its way, its answer tells of the conflict.
    const known = () => Number(revision) <= Number(this.saver.revision) || !this.saver.clean || this.edit;
    if (known()) return;
    const { map, revision: now } = await this.#fetchMask();
    if (known()) return;
    this.#adopt("change from outside", this.saver.settle("theirs", map.data, now));
  }

  /** Another revision need not be other labels: a server that was started again counts anew. */
  async #conflict() {
    try {
      const { map, revision } = await this.#fetchMask();
      if (isEmpty(difference(map, this.saver.base))) {
        this.saver.revision = revision;
        this.saver.resume();
        return;
      }
    } catch (error) {
      this.emit("trouble", error);
    }
    this.emit("conflict");
  }

  /** After the server was away: takes what it has, where nothing waits to be saved. */
  async catchUp() {
    if (!this.saver.clean || this.edit) return this.saver.hurry();
    const { map, revision } = await this.#fetchMask();
    if (this.saver.clean && !this.edit) this.#adopt("change from outside", this.saver.settle("theirs", map.data, revision));
  }

  /** Settles a conflict; see Saver.settle. */
  async settle(choice) {
    const { map, revision } = await this.#fetchMask();
    this.end("stroke");
    this.#adopt(choice === "theirs" ? "their labels" : "both labels", this.saver.settle(choice, map.data, revision));
    this.saver.resume();
  }

  /** Gives the map the labels that the saver has settled on, without saving them as a change. */
  #adopt(name, wanted) {
    const r = difference(this.map, new LabelMap(this.map.width, this.map.height, wanted));
    if (isEmpty(r)) return;
    const edit = new Edit(this.map, 0);
    edit.replace(r, new LabelMap(this.map.width, this.map.height, wanted).read(r));
    const step = edit.finish(name);
    this.history.add(step);
    this.emit("labels", step.rect);
    this.emit("history");
    this.emit("outside");
  }
}
