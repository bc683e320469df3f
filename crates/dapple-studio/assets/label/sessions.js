/**
 * The sessions of a folder: the one in view, those with strokes that are not saved yet, and the last ones, whose history lives on.
 */
import { Session } from "./session.js";

/** The most sessions without unsaved strokes, and the most pixels of all. */
const MOST = 12;
const MOST_PIXELS = 60e6;

export class Sessions {
  /** @param follow called with each session before it is opened */
  constructor(studio, follow) {
    Object.assign(this, { studio, follow });
    /** Open ones by image. */
    this.open = new Map();
    this.opening = new Map();
    this.generation = 0;
  }

  /** One session an image, also where two ask for it at once. */
  of(id) {
    const known = this.open.get(id) ?? this.opening.get(id);
    if (known) return known;
    const { generation } = this;
    const session = new Session(this.studio, id);
    this.follow(session);
    const opened = session.open().then(() => {
      if (generation === this.generation) {
        this.open.set(id, session);
        return session;
      }
      // It was read before the numbers changed.
      session.saver.close();
      return this.of(id);
    });
    const entry = opened.finally(() => this.opening.get(id) === entry && this.opening.delete(id));
    this.opening.set(id, entry);
    return entry;
  }

  get all() {
    return [...this.open.values()];
  }

  get(id) {
    return this.open.get(id);
  }

  drop(session) {
    session.saver.close();
    this.open.delete(session.id);
  }

  /** Keeps the sessions of the last images, and all that are not saved. */
  forget(current) {
    let pixels = this.all.reduce((sum, { map }) => sum + map.data.length, 0);
    for (const session of this.all) {
      if (this.open.size <= MOST && pixels < MOST_PIXELS) break;
      if (session === current || !session.saver.clean) continue;
      pixels -= session.map.data.length;
      this.drop(session);
    }
  }

  /**
   * The numbers of the classes are others: histories no longer fit. Strokes that are not saved yet are kept with the names of the
   * classes before, and come back in the new numbers. Resolves with the images that have some.
   */
  async renumber(names) {
    const all = this.all;
    const waiting = all.filter(({ saver }) => !saver.clean);
    this.generation++;
    this.opening.clear();
    for (const session of all) this.drop(session);
    await Promise.all(waiting.map(({ saver }) => saver.keep(names)));
    return waiting.map(({ id }) => id);
  }

  /** The browser keeps what is not saved, as the tab may be closed. */
  keep() {
    for (const { saver } of this.all) if (!saver.clean) saver.keep();
  }

  /** Strokes that are not saved yet, in all images. */
  get waiting() {
    const savers = this.all.map((session) => session.saver).filter((saver) => !saver.clean);
    return {
      savers,
      strokes: savers.reduce((sum, saver) => sum + saver.strokes, 0),
      failed: savers.find((saver) => saver.failed)?.failed ?? null,
    };
  }
}
