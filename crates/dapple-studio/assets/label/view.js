/**
 * The Label view: the picture in the middle, tools, classes and images around it.
 */
import { fault, toast } from "../core/dialog.js";
import { api } from "../core/api.js";
import { h, put, say } from "../core/dom.js";
import { fileName, percent } from "../core/format.js";
import { icon } from "../core/icons.js";
import { Assist } from "./assist.js";
import { settleConflict } from "./conflict.js";
import { changeSize, makeDisplay, makeOptions, makeRail } from "./controls.js";
import { backgroundOf } from "./compose.js";
import { Editor } from "./editor.js";
import { bindKeys } from "./bindings.js";
import { Palette } from "./palette.js";
import { Pointer } from "./pointer.js";
import { Strip } from "./strip.js";
import { leastSure } from "../pixels/unsure.js";

/** Below this uncertainty (0..255) a pixel of the proposal counts as sure. */
const SURE = 64;

export class LabelView {
  constructor(studio) {
    this.studio = studio;
    const editor = (this.editor = new Editor(studio));
    this.palette = new Palette(studio, editor);
    this.assist = new Assist(this);
    this.strip = new Strip(studio, (id) => this.open(id));
    this.stage = h(
      "div",
      {
        class: "stage",
        tabindex: 0,
        role: "application",
        "aria-label": "Picture: paint with the pointer, or move with the arrow keys and paint with Enter",
      },
      editor.screen.element,
      this.#name(),
      this.#view(),
      makeOptions(editor),
      this.assist.offer,
      h("div", { class: "crosshair", "aria-hidden": "true" }),
      (this.busy = h("p", { class: "stage-busy over-stage", role: "status", hidden: true })),
      (this.comparing = h("p", { class: "stage-note", hidden: true }, "As it was when you opened it")),
    );
    this.sheetButton = h(
      "button",
      {
        class: "tool sheet-button",
        type: "button",
        "aria-label": "More",
        "aria-expanded": "false",
        onclick: () => this.#sheet(),
      },
      icon("up", 22),
    );
    const rail = makeRail(editor);
    rail.append(this.sheetButton);
    this.panel = h(
      "aside",
      { class: "panel", "aria-label": "Classes and help of the network" },
      this.palette.element,
      h("div", { class: "panel-more" }, this.assist.element, makeDisplay(editor)),
    );
    this.empty = h(
      "div",
      { class: "empty", hidden: true },
      icon("folder", 40),
      h("h2", {}, "No photographs yet"),
      h("p", {}, "Drop photographs here, or put them into the folder: they appear by themselves."),
      h(
        "label",
        { class: "button main" },
        "Choose photographs",
        h("input", {
          type: "file",
          accept: "image/*",
          multiple: true,
          class: "unseen",
          onchange: (e) => this.#add(e.target.files),
        }),
      ),
    );
    this.element = h(
      "section",
      { class: "label-view", "aria-label": "Label", hidden: true },
      rail,
      this.stage,
      this.panel,
      this.strip.element,
      this.empty,
    );
    const narrow = matchMedia("(max-width: 640px)");
    editor.screen.room = () => (narrow.matches ? { side: 8, top: 58, bottom: 104 } : { side: 16, top: 64, bottom: 66 });
    this.pointer = new Pointer(this.stage, editor.screen, this.#hand());
    bindKeys(this);
    // The cross in the middle is for those who paint by keys.
    this.stage.addEventListener("focus", () => this.#byKeys(this.stage.matches(":focus-visible")));
    this.stage.addEventListener("pointerdown", () => this.#byKeys(false), true);
    this.#listen();
    // After a click on a tool the keys are for the picture again.
    this.element.addEventListener("click", (e) => {
      if (e.detail > 0 && e.target.closest(".rail, .class-button")) this.stage.focus({ preventScroll: true });
    });
    this.element.addEventListener("dragover", (e) => e.preventDefault());
    this.element.addEventListener("drop", (e) => {
      e.preventDefault();
      this.#add(e.dataTransfer.files);
    });
  }

  #listen() {
    const { editor, studio } = this;
    editor.on("loading", (id) => {
      this.strip.select(id);
      this.stage.classList.add("loading");
    });
    editor.on("picture", () => this.stage.classList.remove("loading"));
    editor.on("session", () => this.#refresh());
    editor.on("tool", () => {
      this.stage.dataset.tool = editor.toolName;
      this.#refresh();
    });
    editor.on("settings", () => {
      this.comparing.hidden = !editor.comparing;
      this.#refresh();
    });
    editor.on("view", ({ scale }) => say(this.zoomText, percent(scale / editor.screen.ratio)));
    editor.on("busy", (text) => {
      this.busy.hidden = !text;
      say(this.busy, text);
    });
    for (const name of ["proposal", "history"]) editor.on(name, () => this.#refresh());
    editor.on("trouble", (error) => {
      this.stage.classList.remove("loading");
      fault(error);
    });
    editor.on("conflict", settleConflict);
    studio.on("learner", () => this.#refresh());
    studio.on("images", (id) => {
      if (!id || id === editor.session?.id) this.#refresh();
      this.#emptiness();
    });
    studio.on("classes", () => this.#refresh());
    this.stage.dataset.tool = editor.toolName;
  }

  enter({ image, focus } = {}) {
    this.#emptiness();
    const { state } = this.studio;
    const id = image ?? this.editor.session?.id ?? state.next ?? state.images[0]?.id;
    if (id) this.open(id, focus);
  }

  leave() {
    this.#sheet(false);
  }

  async open(id, focus = null) {
    try {
      await this.editor.open(
        id,
        focus && { left: focus.x, top: focus.y, right: focus.x + focus.width, bottom: focus.y + focus.height },
      );
      if (!this.element.hidden) history.replaceState(null, "", `#label/${encodeURIComponent(id)}`);
    } catch (error) {
      this.stage.classList.remove("loading");
      this.strip.select(this.editor.session?.id ?? null);
      fault(error);
    }
  }

  #emptiness() {
    const none = this.studio.state.images.length === 0;
    this.empty.hidden = !none;
    this.element.classList.toggle("is-empty", none);
  }

  async #add(files) {
    for (const file of files) {
      try {
        const { id } = await api.addImage(file.name, file);
        await this.studio.load();
        if (!this.editor.session) this.open(id);
      } catch (error) {
        toast(`${file.name}: ${error.message}`, { bad: true });
      }
    }
  }

  /** Joins the pointer and the tool. */
  #hand() {
    const { editor } = this;
    const ready = () => editor.session?.map && !editor.comparing;
    return {
      down: (point, event) => {
        if (!ready()) return;
        if (event.altKey) return this.pick(point);
        if (editor.classId === null && editor.toolName !== "eraser") return this.palette.add();
        if (!editor.settings.labels) editor.set({ labels: true });
        editor.tool.down(point, editor.valueFor(event.button === 2 || event.button === 5));
      },
      move: (points) => ready() && editor.tool.move?.(points),
      up: () => ready() && editor.tool.up?.(),
      cancel: () => ready() && editor.tool.cancel?.(),
      hover: (point) => ready() && editor.tool.hover?.(point),
      double: () => ready() && editor.tool.double?.(),
    };
  }

  /** Takes the class under a place. */
  pick(point) {
    const { session } = this.editor;
    const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
    if (!session.map.has(x, y)) return;
    const value = session.map.at(x, y);
    const proposed = session.proposal?.[y * session.map.width + x];
    const id = value !== session.ignore ? value : proposed;
    if (id !== undefined) this.editor.chooseClass(id);
  }

  #byKeys(on) {
    this.stage.classList.toggle("by-keys", on);
  }

  /** The tool at the middle of the picture: painting by the keyboard. */
  dab() {
    this.#byKeys(true);
    const { editor } = this;
    if (!editor.session || editor.classId === null) return;
    const { width, height } = editor.screen.viewport.screen;
    const point = { ...editor.screen.viewport.toImage(width / 2, height / 2), pressure: 0.5 };
    editor.tool.down(point, editor.valueFor(false));
    if (editor.toolName !== "polygon" && !(editor.toolName === "box" && !this.boxBegun)) editor.tool.up?.();
    this.boxBegun = editor.toolName === "box" && !this.boxBegun;
  }

  pan(dx, dy) {
    this.#byKeys(document.activeElement === this.stage);
    const { editor } = this;
    const { viewport, ratio } = editor.screen;
    viewport.move(dx * 48 * ratio, dy * 48 * ratio);
    editor.screen.moved();
    const { width, height } = viewport.screen;
    if (this.boxBegun) editor.tool.move?.([viewport.toImage(width / 2, height / 2)]);
  }

  zoom(factor) {
    this.editor.screen.viewport.zoom(factor);
    this.editor.screen.moved();
  }

  fit() {
    this.editor.screen.viewport.fit();
    this.editor.screen.moved();
  }

  resize(factor) {
    if (this.editor.toolName === "snap")
      this.editor.set({ cell: Math.min(0.08, Math.max(0.008, this.editor.settings.cell * factor)) });
    else changeSize(this.editor, factor);
  }

  /** The background: the class of that name, else the first. */
  get background() {
    const { classes } = this.studio.state;
    return backgroundOf(classes) ?? classes[0];
  }

  async rest() {
    const { editor, background } = this;
    if (!editor.session || !background) return;
    const { session } = editor;
    const changed = await editor.long(session.fillRest(background.id));
    const undo = () => session === editor.session && session.undo();
    if (changed)
      toast(`All unlabelled pixels are ${background.name} now.`, { action: { text: "Undo", run: undo } });
    else if (changed === false) editor.hint("Every pixel has a label already.");
  }

  async accept(sure = false) {
    const { session } = this.editor;
    if (!session?.proposal) return this.editor.hint("There is no proposal for this image yet.");
    if (sure && !session.knowsDoubt) await session.fetchUncertainty();
    // What the network is sure of is known only by the uncertainty of this very proposal.
    if (sure && !session.knowsDoubt) return this.editor.hint("The proposal is being renewed; try again in a moment.");
    const changed = await this.editor.long(session.acceptAll(sure ? SURE : null));
    if (changed === false)
      this.editor.hint(sure ? "The network is sure of nothing more here." : "Every pixel has a label already.");
  }

  /** Zooms to the part that the network is least sure of. */
  async unsure() {
    const { editor } = this;
    const { session } = editor;
    if (!session?.proposal) return editor.hint("There is no proposal for this image yet.");
    if (!session.knowsDoubt) await session.fetchUncertainty();
    const found = session.uncertainty && leastSure(session.map, session.uncertainty, session.ignore);
    if (found) editor.lookAt(found);
    else editor.hint("The network is sure of everything that has no label.");
  }

  #name() {
    this.nameText = h("b", {});
    this.sizeText = h("span", { class: "soft" });
    const step = (by, name, key, sign) =>
      h(
        "button",
        {
          class: "quiet square",
          type: "button",
          "aria-label": name,
          title: `${name} (${key})`,
          onclick: () => this.strip.step(by),
        },
        icon(sign),
      );
    return h(
      "div",
      { class: "stage-name over-stage" },
      step(-1, "Previous image", ",", "previous"),
      h("p", {}, this.nameText, this.sizeText),
      step(1, "Next image", ".", "next"),
    );
  }

  #view() {
    const button = (name, sign, run, key) =>
      h(
        "button",
        { class: "quiet square", type: "button", "aria-label": name, title: `${name} (${key})`, onclick: run },
        icon(sign),
      );
    this.zoomText = h("output", { "aria-label": "Zoom" });
    this.eye = button("Hide the labels", "eye", () => this.editor.set({ labels: !this.editor.settings.labels }), "H");
    return h(
      "div",
      { class: "stage-zoom over-stage" },
      this.eye,
      button("Zoom out", "minus", () => this.zoom(1 / 1.4), "−"),
      this.zoomText,
      button("Zoom in", "plus", () => this.zoom(1.4), "+"),
      button("Fit to the window", "fit", () => this.fit(), "F"),
    );
  }

  #refresh() {
    const { editor, studio } = this;
    const { session } = editor;
    const image = studio.image(session?.id);
    if (image) {
      say(this.nameText, fileName(image.id));
      say(this.sizeText, `${image.width} × ${image.height} · ${percent(image.labelled ?? 0)} labelled`);
      this.nameText.title = image.id;
    }
    this.assist.refresh();
    put(this.eye, icon(editor.settings.labels ? "eye" : "hidden"));
    this.eye.setAttribute("aria-pressed", !editor.settings.labels);
  }

  /** On a phone: what does not fit beside the picture. */
  #sheet(open = !this.element.classList.contains("sheet-open")) {
    this.element.classList.toggle("sheet-open", open);
    this.sheetButton.setAttribute("aria-expanded", open);
  }
}
