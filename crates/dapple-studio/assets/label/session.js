/**
 * One image being labelled: its labels, history, proposal, and what is saved of it.
 * Emits "labels" (a rectangle changed), "proposal", "history", "saving", "conflict", "trouble", "restored", "outside", "replaced"
 * (the photograph has another size).
 */
import { api } from "../core/api.js";
import { Emitter } from "../core/emitter.js";
import { change, decode } from "../core/workers.js";
import { stepOf } from "../pixels/bulk.js";
import { Edit } from "../pixels/edit.js";
import { History } from "../pixels/history.js";
import { LabelMap, difference } from "../pixels/map.js";
import { isEmpty, rect } from "../pixels/rect.js";
import { Saver } from "./saver.js";
import { putBack, unsaved } from "./unsaved.js";

/** Changes of whole maps of more pixels are a worker's: they would hold up a frame. */
const FEW = 1_000_000;

/** So often a change of a whole map is made anew because strokes came in between. */
const TRIES = 4;

export class Session extends Emitter {
  constructor(studio, id) {
    super();
    this.studio = studio;
    this.id = id;
    this.history = new History();
    this.proposal = null;
    this.proposalRevision = null;
    this.uncertainty = null;
    this.uncertaintyRevision = null;
    this.edit = null;
    /** Grows with each change of the labels. */
    this.changes = 0;
  }

  get ignore() {
    return this.studio.state.ignore;
  }

  async open() {
    const { map, revision } = await this.#fetchMask();
    this.map = map;
    /** The labels as they were when the image was opened. */
    this.opened = map.copy();
    const names = () => this.studio.state.classes.map((c) => c.name);
    this.saver = new Saver(this.studio.key, this.id, map, revision, names);
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

  /** The server's mask; null where the photograph is another one by now, with another size. */
  async #theirs() {
    const { map, revision } = await this.#fetchMask();
    if (map.width === this.map.width && map.height === this.map.height) return { map, revision };
    this.emit("replaced");
    return null;
  }

  /** Brings back strokes that an earlier tab could not save. */
  async #restore() {
    const { key } = this.studio;
    const kept = await unsaved.find(key, this.id);
    if (!kept) return;
    if (kept.right > this.map.width || kept.bottom > this.map.height) {
      await unsaved.drop(key, this.id);
      this.emit("trouble", new Error(`${this.id}: strokes that were not saved do not fit the photograph any more`));
      return;
    }
    const r = rect(kept.left, kept.top, kept.right, kept.bottom);
    const bytes = this.map.read(r);
    const names = this.studio.state.classes.map((c) => c.name);
    const lost = putBack(kept, bytes, names, this.ignore);
    if (lost) this.emit("trouble", new Error(`${this.id}: ${lost} pixels that were not saved are of a class that is gone`));
    // The browser keeps them until the server has them.
    this.saver.kept = true;
    if (this.replace("strokes that were not saved", r, bytes)) return this.emit("restored");
    this.saver.kept = false;
    await unsaved.drop(key, this.id);
  }

  /** Begins a stroke with a label; `spared` labels stay. */
  begin(value, spared = null) {
    this.end("stroke");
    this.edit = new Edit(this.map, value, spared);
    this.#busy(true);
    return this.edit;
  }

  /** Makes a change of the whole map, of those in pixels/bulk.js; resolves with whether anything changed. */
  async alter(name, kind, values) {
    if (this.map.data.length <= FEW) {
      this.end("stroke");
      return this.#record(stepOf(name, kind, this.map.width, this.map.height, this.map.data, values), true);
    }
    this.end("stroke");
    for (let turn = 0; turn < TRIES; turn++) {
      // A stroke that was begun meanwhile is waited for.
      while (this.edit) await new Promise((done) => setTimeout(done, 100));
      const { changes } = this;
      const step = await change(name, kind, this.map, values);
      if (this.saver.closed) return false;
      if (this.edit || changes !== this.changes) continue;
      if (!step) return false;
      this.history.take(this.map, step);
      return this.#told(step);
    }
    throw new Error("the labels changed meanwhile; try again");
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
    this.changes++;
    this.#busy(false);
    if (bounds) this.emit("labels", bounds);
  }

  /** A change that is made at once: `draw` gets span(y, left, right). */
  paint(name, value, draw, spared = null) {
    this.end("stroke");
    const edit = new Edit(this.map, value, spared);
    draw((y, left, right) => edit.span(y, left, right));
    return this.#record(edit.finish(name), true);
  }

  /** Replaces a rectangle by other labels. */
  replace(name, r, bytes) {
    this.end("stroke");
    const edit = new Edit(this.map, 0);
    edit.replace(r, bytes);
    return this.#record(edit.finish(name), true);
  }

  undo() {
    this.cancel();
    this.#stepped(this.history.undo(this.map));
  }

  redo() {
    this.cancel();
    this.#stepped(this.history.redo(this.map));
  }

  /** Takes a step that the map shows; `draw`: the screen does not show it yet. */
  #record(step, draw = false) {
    if (!step) return false;
    this.history.add(step);
    if (draw) return this.#told(step);
    this.changes++;
    this.saver.add(step.rect);
    this.emit("history");
    return true;
  }

  #stepped(step) {
    if (step) this.#told(step);
  }

  /** Saves and shows what a step has changed. */
  #told(step) {
    this.changes++;
    this.saver.add(step.rect);
    this.emit("labels", step.rect);
    this.emit("history");
    return true;
  }

  /** Gives the label to all pixels that have none; resolves with whether there were some. */
  fillRest(value) {
    return this.alter("rest", "rest", { ignore: this.ignore, value });
  }

  /**
   * Takes the proposal for pixels without a label; with `sure`, only where its uncertainty (0..255) is below, which must be there.
   * Resolves with whether there were some.
   */
  async acceptAll(sure = null) {
    const { proposal, ignore } = this;
    if (!proposal) return false;
    const doubt = sure === null ? null : this.uncertainty;
    return this.alter("accept", "accept", { proposal, ignore, doubt, sure });
  }

  /** Whether the uncertainty is that of the proposal in view. */
  get knowsDoubt() {
    return this.uncertainty !== null && this.uncertaintyRevision === this.proposalRevision;
  }

  /** The learner has none any more; labels that were suggested by a model stay. */
  dropProposal() {
    if (!this.proposal || this.proposalRevision === null) return;
    this.proposal = this.proposalRevision = this.uncertainty = this.uncertaintyRevision = null;
    this.emit("proposal");
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
        if (this.uncertainty && !this.knowsDoubt) await this.fetchUncertainty();
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
      const { bytes, revision } = await api.uncertainty(this.id);
      this.uncertainty = (await decode(bytes, { width, height })).data;
      this.uncertaintyRevision = revision;
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
    const theirs = await this.#theirs();
    if (!theirs || known()) return;
    this.#adopt("change from outside", this.saver.settle("theirs", theirs.map.data, theirs.revision));
  }

  /** Another revision need not be labels of others: a server that was started again counts anew, and an answer may be lost. */
  async #conflict() {
    try {
      const theirs = await this.#theirs();
      if (!theirs) return;
      if (this.saver.isOwn(theirs.map.data)) {
        this.saver.settle("both", theirs.map.data, theirs.revision);
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
    const theirs = await this.#theirs();
    if (theirs && this.saver.clean && !this.edit)
      this.#adopt("change from outside", this.saver.settle("theirs", theirs.map.data, theirs.revision));
  }

  /** Settles a conflict; see Saver.settle. */
  async settle(choice) {
    const theirs = await this.#theirs();
    if (!theirs) return;
    this.end("stroke");
    const wanted = this.saver.settle(choice, theirs.map.data, theirs.revision);
    this.#adopt(choice === "theirs" ? "their labels" : "both labels", wanted);
    this.saver.resume();
  }

  /** Gives the map the labels that the saver has settled on, without saving them as a change. */
  #adopt(name, wanted) {
    const r = difference(this.map, new LabelMap(this.map.width, this.map.height, wanted));
    if (isEmpty(r)) return;
    const edit = new Edit(this.map, 0);
    edit.replace(r, new LabelMap(this.map.width, this.map.height, wanted).read(r));
    const step = edit.finish(name);
    this.changes++;
    this.history.add(step);
    this.emit("labels", step.rect);
    this.emit("history");
    this.emit("outside");
  }
}
