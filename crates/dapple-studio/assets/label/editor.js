/**
 * The editor without its controls: the image in view, the tool, the class, and what is shown.
 * Emits "tool", "class", "settings", "session", "history", "saving", "view", "trouble".
 */
import { api } from "../core/api.js";
import { paint, put, s } from "../core/dom.js";
import { toast } from "../core/dialog.js";
import { Emitter } from "../core/emitter.js";
import { vision } from "../core/workers.js";
import { Superpixels } from "../pixels/superpixels.js";
import { Screen } from "./screen.js";
import { Sessions } from "./sessions.js";
import { store, stored } from "./settings.js";
import { Accept, Box, Brush, Fill, Polygon, Snap } from "./tools.js";

/** Wide enough for most windows; a larger photograph follows when the person zooms in. */
const FIRST_WIDTH = 2048;

export class Editor extends Emitter {
  constructor(studio) {
    super();
    this.studio = studio;
    this.screen = new Screen();
    this.session = null;
    this.sessions = new Sessions(studio, (session) => this.#follow(session));
    this.classId = null;
    this.lastClass = null;
    this.settings = {
      size: 0.05,
      opacity: 0.5,
      cell: 0.025,
      tolerance: 24,
      fillBy: "labels",
      protect: false,
      labels: true,
      proposal: true,
      doubt: false,
      ...stored(),
    };
    this.settings.labels = true;
    this.comparing = false;
    this.tools = {
      brush: new Brush(this),
      eraser: new Brush(this),
      snap: new Snap(this),
      polygon: new Polygon(this),
      box: new Box(this),
      fill: new Fill(this),
      accept: new Accept(this),
    };
    this.toolName = "brush";
    this.screen.onmove = (viewport) => this.#moved(viewport);
    this.screen.onlevel = () => this.#sharper();
    studio.on("numbering", () => this.#renew());
    studio.on("classes", () => this.#classes());
    this.#classes();
    studio.on("proposal", ({ image }) => image === this.session?.id && this.session.fetchProposal());
    studio.on("connection", (open) => {
      if (!open) return;
      for (const session of this.sessions.all) session.catchUp().catch((error) => this.emit("trouble", error));
    });
    studio.on("changed", ({ image, revision }) => this.#outside(image, revision));
    // Events that a slow page has missed.
    studio.on("state", () => {
      for (const { id, revision } of studio.state.images) this.#outside(id, revision);
      this.#lookAgain();
    });
    studio.on("learner", () => {
      if (studio.state.learner?.state === "waiting") for (const session of this.sessions.all) session.dropProposal();
    });
  }

  #outside(id, revision) {
    this.sessions
      .get(id)
      ?.takeOutside(revision)
      .catch((error) => this.emit("trouble", error));
  }

  /** Waits for work that takes longer on large images; null where it fails, which is told. */
  async long(work) {
    this.emit("busy", "Working …");
    try {
      return await work;
    } catch (error) {
      this.emit("trouble", error);
      return null;
    } finally {
      this.emit("busy", "");
    }
  }

  get tool() {
    return this.tools[this.toolName];
  }

  /** The brush's diameter in pixels of the image; settings keep it as a share of the longer side. */
  get brushSize() {
    const { width, height } = this.session?.map ?? { width: 512, height: 512 };
    return Math.max(1, this.settings.size * Math.max(width, height));
  }

  set(values) {
    Object.assign(this.settings, values);
    store(this.settings);
    if ("opacity" in values) this.screen.setColours(this.studio.state.classes, this.settings.opacity);
    if ("cell" in values) this.#segment();
    if ("doubt" in values && values.doubt) this.session?.fetchUncertainty();
    if ("size" in values) this.showRing(this.ringAt);
    this.#layers();
    this.emit("settings");
  }

  choose(name) {
    if (!this.tools[name]) return;
    this.tool.leave?.();
    this.toolName = name;
    if (name === "snap" && !this.cells) this.#segment();
    this.#layers();
    this.emit("tool");
  }

  chooseClass(id) {
    if (id === this.classId || !this.studio.classOf(id)) return;
    this.lastClass = this.classId;
    this.classId = id;
    if (this.toolName === "eraser" || this.toolName === "accept") this.choose("brush");
    this.emit("class");
  }

  /** The label that a stroke writes. */
  valueFor(erase) {
    return erase || this.toolName === "eraser" ? this.session.ignore : (this.classId ?? this.session.ignore);
  }

  /** Labels that a stroke leaves alone: with "keep labelled pixels" all but the unlabelled. */
  spared(value) {
    if (!this.settings.protect || value === this.session.ignore) return null;
    const flags = new Uint8Array(256).fill(1);
    flags[this.session.ignore] = 0;
    return flags;
  }

  async open(id, focus = null) {
    if (this.session?.id === id) {
      this.lookAt(focus);
      return;
    }
    this.tool.leave?.();
    this.session?.end("stroke");
    const entry = this.studio.image(id);
    if (!entry) return;
    if (entry.problem) throw new Error(`${id}: ${entry.problem}`);
    const turn = (this.turn = {});
    this.emit("loading", id);
    const session = await this.sessions.of(id);
    if (turn !== this.turn) return;
    this.session = session;
    this.#forgetPhoto(entry);
    this.screen.ignore = session.ignore;
    this.screen.open(session.map.width, session.map.height);
    this.#layers();
    this.emit("session");
    this.emit("history");
    this.emit("saving");
    api.focus(id, false);
    this.lookAt(focus);
    if (entry.proposal !== null && entry.proposal !== undefined && entry.proposal !== session.proposalRevision)
      session.fetchProposal();
    if (this.settings.doubt) session.fetchUncertainty();
    await this.#level(this.firstWidth);
    if (turn === this.turn && this.toolName === "snap") this.#segment();
    this.sessions.forget(this.session);
  }

  /** Offers labels for an image until the network has its own proposal. */
  async suggest(id, labels) {
    await this.open(id);
    const { session } = this;
    if (session?.id !== id || session.proposal || labels.length !== session.map.data.length) return;
    session.proposal = labels;
    this.#layers();
    this.emit("proposal");
  }

  /** Marks a box of the image and zooms to it; null: no box. */
  lookAt(r) {
    this.pointed = r;
    if (r) this.screen.viewport.show(r);
    this.screen.moved();
  }

  #follow(session) {
    const here = () => session === this.session;
    session.on("labels", (r) => here() && this.screen.touch(r));
    session.on("proposal", () => here() && (this.#layers(), this.emit("proposal")));
    session.on("history", () => here() && this.emit("history"));
    session.on("saving", () => this.emit("saving"));
    session.on("conflict", () => this.emit("conflict", session));
    session.on("trouble", (error) => this.emit("trouble", error));
    session.on("replaced", () => this.#replaced(session));
    session.on("restored", () => toast("Strokes that an earlier tab could not save are back."));
    session.on("outside", () =>
      toast("The labels of this image were changed elsewhere and are up to date now; undo takes the change back."),
    );
  }

  /** The photograph has another size: its labels are others, and strokes that are not saved fit no more. */
  #replaced(session) {
    if (session.saver.closed) return;
    const { clean } = session.saver;
    this.sessions.drop(session);
    if (!clean) this.emit("trouble", new Error(`${session.id} was replaced by a photograph of another size; strokes are lost`));
    if (session !== this.session) return;
    this.session = null;
    this.open(session.id).catch((error) => this.emit("trouble", error));
  }

  get firstWidth() {
    return this.session.map.width > 1.25 * FIRST_WIDTH ? FIRST_WIDTH : null;
  }

  #forgetPhoto(entry) {
    this.photograph = entry.photograph;
    this.cells = this.photoReady = null;
    this.widest = 0;
  }

  /** Shows the photograph anew where another program has replaced its file. */
  #lookAgain() {
    const entry = this.studio.image(this.session?.id);
    if (!entry || entry.photograph === this.photograph) return;
    this.#forgetPhoto(entry);
    this.screen.levels = [];
    this.#level(this.firstWidth);
  }

  /** Loads the photograph, at most `width` wide (null: as it is). */
  async #level(width) {
    const { session } = this;
    this.widest = width ?? Infinity;
    try {
      const version = this.photograph;
      const bitmap = await createImageBitmap(await api.picture(session.id, width, version));
      if (session !== this.session || version !== this.photograph) return;
      this.screen.addLevel(bitmap);
      this.emit("picture");
    } catch (error) {
      this.widest = 0;
      this.emit("trouble", error);
    }
  }

  #sharper() {
    if (this.session && this.widest !== Infinity && this.screen.levels.length) this.#level(null);
  }

  /** Runs work that needs the photograph in the worker. */
  async withPhoto(work) {
    const level = this.screen.levels.at(-1);
    if (!level) return null;
    this.photoReady ??= createImageBitmap(level.bitmap).then((bitmap) => vision("photo", { bitmap }, [bitmap]));
    try {
      await this.photoReady;
    } catch (error) {
      this.photoReady = null;
      throw error;
    }
    return work();
  }

  async #segment() {
    const { session } = this;
    if (!session) return;
    const wanted = (this.wantedCells = {});
    this.emit("busy", "Finding superpixels …");
    try {
      const found = await this.withPhoto(() => vision("superpixels", { share: this.settings.cell }));
      if (wanted !== this.wantedCells || session !== this.session) return;
      this.cells = found && new Superpixels(found, session.map.width, session.map.height);
      this.#layers();
    } catch (error) {
      this.emit("trouble", error);
    }
    this.emit("busy", "");
  }

  /**
   * After a merge or another order the numbers in the masks are others: histories no longer fit. Strokes that are not saved yet are
   * kept with the names of their classes, and come back in the new numbers.
   */
  async #renew() {
    const { session, names } = this;
    session?.end("stroke");
    this.session = null;
    try {
      const waiting = await this.sessions.renumber(names);
      if (session && !this.session) await this.open(session.id);
      await Promise.all(waiting.map((id) => this.sessions.of(id)));
    } catch (error) {
      this.emit("trouble", error);
    }
  }

  #classes() {
    const { classes, ignore } = this.studio.state;
    this.names = classes.map((c) => c.name);
    this.screen.ignore = ignore;
    this.screen.setColours(classes, this.settings.opacity);
    if (!this.studio.classOf(this.classId)) this.classId = (classes[1] ?? classes[0])?.id ?? null;
    this.emit("class");
  }

  compare(on) {
    this.comparing = on;
    this.#layers();
    this.emit("settings");
  }

  #layers() {
    const { session, settings } = this;
    if (!session?.map) return;
    const labels = this.comparing ? session.opened : session.map;
    this.screen.layers = {
      labels: settings.labels ? labels.data : null,
      proposal: settings.labels && settings.proposal && !this.comparing ? session.proposal : null,
      doubt: settings.doubt && !this.comparing ? session.uncertainty : null,
      cells: this.toolName === "snap" ? this.cells : null,
    };
    this.screen.refresh();
  }

  hint(text) {
    toast(text, { seconds: 3 });
  }

  /** Vector marks over the picture: { path, kind } and { dots, closing } in pixels of the image. */
  mark(list) {
    this.marks = list;
    this.#drawMarks();
  }

  #drawMarks() {
    const { viewport, ratio } = this.screen;
    const k = viewport.scale / ratio;
    const group = s("g", { transform: `translate(${-viewport.x * k} ${-viewport.y * k}) scale(${k})` });
    const color = this.studio.classOf(this.classId)?.color ?? "#ffffff";
    for (const m of this.marks ?? []) {
      if (m.kind === "area") group.append(s("path", { d: m.path, class: "mark-area" }));
      if (m.kind === "line")
        group.append(s("path", { d: m.path, class: "mark-back" }), s("path", { d: m.path, class: "mark-line", stroke: color }));
      for (const [i, [x, y]] of (m.dots ?? []).entries()) {
        group.append(
          s("circle", {
            cx: x,
            cy: y,
            r: (i === 0 ? (m.closing ? 9 : 6) : 3.5) / k,
            class: "mark-dot",
            fill: i === 0 ? color : "#ffffff",
          }),
        );
      }
    }
    if (this.pointed) {
      const { left, top, right, bottom } = this.pointed;
      group.append(s("rect", { x: left, y: top, width: right - left, height: bottom - top, class: "mark-focus" }));
    }
    put(this.screen.marks, group);
  }

  showRing(point) {
    this.ringAt = point;
    const { ring, viewport, ratio } = this.screen;
    ring.hidden = !point || !["brush", "eraser"].includes(this.toolName);
    if (ring.hidden) return;
    const at = this.screen.cssOf(point.x, point.y);
    const size = Math.max(3, (this.brushSize * viewport.scale) / ratio);
    paint(ring, { width: `${size}px`, height: `${size}px`, transform: `translate(${at.x - size / 2}px, ${at.y - size / 2}px)` });
  }

  #moved(viewport) {
    this.#drawMarks();
    this.showRing(this.ringAt ?? null);
    this.emit("view", viewport);
  }

  /** Strokes that are not saved yet, in all images. */
  get waiting() {
    return this.sessions.waiting;
  }

  /** The tab may be closed: a stroke under way ends, and the browser keeps what is not saved. */
  leave() {
    this.session?.end("stroke");
    this.sessions.keep();
  }
}
