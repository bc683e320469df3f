/**
 * The state that all views share: the folder as the server tells it, kept fresh by its events.
 */
import { api } from "./api.js";
import { Emitter } from "./emitter.js";

const EVENTS = ["learner", "proposal", "next", "changed", "run", "numbering", "classes", "review", "images", "tabs"];

/** Many changes in a row are read once. */
const PAUSE = 600;

/** A tab that is out of sight for so long gives its connection back. */
const REST = 60_000;

/**
 * Emits: "state" (all of it is new), "images" (an entry changed), "numbering" (labels are of other classes than before, which
 * "classes" gives then), "classes", "learner", "next", "runs",
 * "proposal" { image, revision }, "changed" { image, revision }, "review", "connection" (true or false), "second".
 */
export class Studio extends Emitter {
  constructor() {
    super();
    this.state = {
      folder: "",
      version: "",
      second: false,
      parts: [],
      classes: [],
      numbering: null,
      ignore: 255,
      images: [],
      next: null,
      learner: null,
      runs: [],
      notes: [],
    };
    this.connected = true;
    this.source = null;
    this.parked = false;
  }

  async load() {
    const before = this.state.numbering;
    const state = await api.state();
    // The classes were changed while the answer was on its way.
    if (this.state.numbering !== before && this.state.numbering !== state.numbering) return this.load();
    const known = new Map(this.state.runs.map((run) => [run.name, run]));
    // The list of runs has neither curves nor choices: those that are known stay.
    state.runs = state.runs.map((run) => ({ ...known.get(run.name), ...run }));
    const { numbering } = this.state;
    this.state = state;
    if (numbering !== null && numbering !== state.numbering) this.emit("numbering");
    for (const name of ["state", "second", "classes", "images", "learner", "next", "runs"]) this.emit(name);
  }

  /** Reads everything again soon. */
  refresh() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load().catch(() => {}), PAUSE);
  }

  /** What tells the folder from others, also from those of its name. */
  get key() {
    return this.state.key ?? this.state.folder;
  }

  has(part) {
    return this.state.parts.includes(part);
  }

  /** Follows the server's events; reads everything again after a gap. */
  listen() {
    const source = (this.source = api.events());
    const again = () => setTimeout(() => this.parked || this.listen(), 3000);
    source.addEventListener("open", async () => {
      if (!this.connected) await this.load().catch(() => {});
      this.#connection(true);
    });
    source.addEventListener("error", () => {
      this.#connection(false);
      // A browser tries again by itself, but not after a refusal.
      if (source.readyState === EventSource.CLOSED) again();
    });
    for (const name of EVENTS) source.addEventListener(name, (e) => this.#take(name, JSON.parse(e.data || "null")));
  }

  /**
   * Whether the tab is out of sight. Browsers keep six connections for all tabs of an address: with as many tabs that listen, none
   * could save a stroke.
   */
  rest(hidden) {
    clearTimeout(this.parking);
    if (hidden) {
      this.parking = setTimeout(() => {
        this.source?.close();
        this.parked = true;
        // All is read again when it listens again.
        this.connected = false;
      }, REST);
    } else if (this.parked) {
      this.parked = false;
      this.listen();
    }
  }

  image(id) {
    return this.state.images.find((i) => i.id === id);
  }

  classOf(id) {
    return this.state.classes.find((c) => c.id === id);
  }

  /** Merges what is known anew of one image. */
  update(id, values) {
    const entry = this.image(id);
    if (!entry) return;
    Object.assign(entry, values);
    this.emit("images", id);
  }

  setClasses(classes) {
    this.state.classes = classes;
    this.emit("classes");
  }

  /** Takes a run's news; curves come whole or as new epochs. */
  takeRun(run) {
    const { runs } = this.state;
    const old = runs.find((r) => r.name === run.name);
    if (old) Object.assign(old, run, { curves: mergeCurves(old.curves, run.curves) });
    else runs.unshift(run);
    this.emit("runs", run.name);
  }

  #connection(open) {
    if (this.connected === open) return;
    this.connected = open;
    this.emit("connection", open);
  }

  #take(name, value) {
    switch (name) {
      case "learner":
        this.state.learner = { ...this.state.learner, ...value };
        this.emit("learner");
        break;
      case "next":
        this.state.next = value.image;
        this.emit("next");
        break;
      case "numbering":
        if (value.numbering === this.state.numbering) break;
        // Both at once: a number without its class would be taken for another.
        Object.assign(this.state, value);
        this.emit("numbering");
        this.emit("classes");
        break;
      case "classes":
        this.setClasses(value);
        break;
      case "run":
        this.takeRun(value);
        break;
      case "proposal":
        this.update(value.image, { proposal: value.revision });
        this.emit("proposal", value);
        break;
      case "changed":
        this.emit("changed", value);
        if (!(this.image(value.image)?.revision >= value.revision)) this.refresh();
        break;
      case "images":
        this.refresh();
        break;
      case "tabs":
        this.state.second = value.count > 1;
        this.emit("second");
        break;
      default:
        this.emit(name, value);
    }
  }
}

/** Curves by epoch: newer points replace older ones. */
export function mergeCurves(old = [], added = []) {
  const points = new Map([...old, ...added].map((point) => [point.epoch, point]));
  return [...points.values()].sort((a, b) => a.epoch - b.epoch);
}
