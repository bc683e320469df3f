/**
 * Controls of the Label view: tools, their options, and what is shown.
 */
import { h, paint, put } from "../core/dom.js";
import { icon } from "../core/icons.js";

export const TOOLS = [
  { name: "brush", text: "Brush", key: "B" },
  { name: "snap", text: "Superpixel brush", key: "S" },
  { name: "polygon", text: "Polygon or lasso", key: "P" },
  { name: "box", text: "Box", key: "R" },
  { name: "fill", text: "Fill", key: "G" },
  { name: "eraser", text: "Eraser", key: "E" },
  { name: "accept", text: "Accept a region", key: "A" },
];

/** A labelled slider; `toText` makes the value's text. */
export function slider({ text, min, max, step, get, set, toText }) {
  const input = h("input", { type: "range", min, max, step, "aria-label": text });
  const output = h("output", {});
  const refresh = () => {
    input.value = get();
    output.textContent = toText(Number(input.value));
    paint(input, { "--part": String((input.value - min) / (max - min)) });
  };
  input.addEventListener("input", () => {
    set(Number(input.value));
    refresh();
  });
  const element = h("label", { class: "slider" }, h("span", {}, text), input, output);
  return { element, refresh, input };
}

/** A switch. */
export function toggle({ text, get, set, title = "" }) {
  const input = h("input", { type: "checkbox", onchange: () => set(input.checked) });
  const element = h("label", { class: "switch", title }, input, h("i", {}), h("span", {}, text));
  return {
    element,
    refresh: () => {
      input.checked = get();
    },
  };
}

/** The rail of tools. */
export function makeRail(editor) {
  const buttons = TOOLS.map(({ name, text, key }) =>
    h(
      "button",
      {
        class: "tool",
        type: "button",
        "data-tool": name,
        "aria-label": text,
        title: `${text} (${key})`,
        "aria-keyshortcuts": key,
        onclick: () => editor.choose(name),
      },
      icon(name, 22),
    ),
  );
  const undo = h(
    "button",
    { class: "tool", type: "button", "aria-label": "Undo", title: "Undo (Ctrl+Z)", onclick: () => editor.session?.undo() },
    icon("undo", 22),
  );
  const redo = h(
    "button",
    { class: "tool", type: "button", "aria-label": "Redo", title: "Redo (Ctrl+Shift+Z)", onclick: () => editor.session?.redo() },
    icon("redo", 22),
  );
  const mark = () => buttons.forEach((b) => b.setAttribute("aria-pressed", b.dataset.tool === editor.toolName));
  editor.on("tool", mark);
  editor.on("history", () => {
    undo.disabled = !editor.session?.history.canUndo;
    redo.disabled = !editor.session?.history.canRedo;
  });
  undo.disabled = redo.disabled = true;
  mark();
  return h(
    "div",
    { class: "rail", role: "toolbar", "aria-label": "Tools", "aria-orientation": "vertical" },
    buttons,
    h("hr", {}),
    undo,
    redo,
  );
}

const SMALLEST = Math.log(0.002);
const LARGEST = Math.log(0.3);

/** The brush's size on a scale of logarithms: 0 to 100. */
const sizeToSlider = (size) => (100 * (Math.log(size) - SMALLEST)) / (LARGEST - SMALLEST);
const sliderToSize = (value) => Math.exp(SMALLEST + (value / 100) * (LARGEST - SMALLEST));

export function changeSize(editor, factor) {
  editor.set({ size: Math.min(Math.exp(LARGEST), Math.max(Math.exp(SMALLEST), editor.settings.size * factor)) });
}

/** Options of the tool in use. */
export function makeOptions(editor) {
  const { settings } = editor;
  const size = slider({
    text: "Size",
    min: 0,
    max: 100,
    step: 0.5,
    get: () => sizeToSlider(settings.size),
    set: (v) => editor.set({ size: sliderToSize(v) }),
    toText: () => `${Math.max(1, Math.round(editor.brushSize))} px`,
  });
  const cell = slider({
    text: "Cells",
    min: 0.8,
    max: 8,
    step: 0.1,
    get: () => 100 * settings.cell,
    set: (v) => editor.set({ cell: v / 100 }),
    toText: () => `${Math.round((editor.brushSize / settings.size) * settings.cell)} px`,
  });
  const tolerance = slider({
    text: "Tolerance",
    min: 1,
    max: 96,
    step: 1,
    get: () => settings.tolerance,
    set: (v) => editor.set({ tolerance: v }),
    toText: String,
  });
  const by = h(
    "div",
    { class: "segments", role: "radiogroup", "aria-label": "Fill up to" },
    [
      ["labels", "Other labels"],
      ["colours", "Other colours"],
    ].map(([value, text]) =>
      h("button", { type: "button", role: "radio", "data-value": value, onclick: () => editor.set({ fillBy: value }) }, text),
    ),
  );
  const protect = toggle({
    text: "Keep labels",
    title: "Paint only over pixels without a label (K)",
    get: () => settings.protect,
    set: (v) => editor.set({ protect: v }),
  });
  const polygonHint = h("span", { class: "soft" }, "Click corners, or drag freehand. Enter closes, ⌫ takes back.");
  const acceptHint = h("span", { class: "soft" }, "Click a region of the proposal.");
  const element = h("div", { class: "options over-stage" });
  const of = {
    brush: [size.element, protect.element],
    eraser: [size.element],
    snap: [cell.element, protect.element],
    polygon: [polygonHint, protect.element],
    box: [protect.element],
    fill: [by, tolerance.element, protect.element],
    accept: [acceptHint],
  };
  let drawn = null;
  const refresh = () => {
    if (drawn !== editor.toolName) put(element, of[editor.toolName]);
    drawn = editor.toolName;
    for (const part of [size, cell, tolerance, protect]) part.refresh();
    tolerance.element.hidden = settings.fillBy !== "colours";
    for (const b of by.children) b.setAttribute("aria-checked", b.dataset.value === settings.fillBy);
  };
  for (const name of ["tool", "settings", "session"]) editor.on(name, refresh);
  refresh();
  return element;
}

/** What is shown over the photograph. */
export function makeDisplay(editor) {
  const { settings } = editor;
  const opacity = slider({
    text: "Opacity",
    min: 0,
    max: 100,
    step: 1,
    get: () => 100 * settings.opacity,
    set: (v) => editor.set({ opacity: v / 100 }),
    toText: (v) => `${v} %`,
  });
  const parts = [
    toggle({ text: "Labels", title: "Show the labels (H)", get: () => settings.labels, set: (v) => editor.set({ labels: v }) }),
    toggle({
      text: "Proposal",
      title: "Show the network's proposal (O)",
      get: () => settings.proposal,
      set: (v) => editor.set({ proposal: v }),
    }),
    toggle({
      text: "Uncertainty",
      title: "Show where the network is unsure (U)",
      get: () => settings.doubt,
      set: (v) => editor.set({ doubt: v }),
    }),
  ];
  const compare = h(
    "button",
    { type: "button", title: "Hold to see the mask as it was when you opened the image (C)" },
    icon("compare"),
    "Compare with the saved",
  );
  const on = () => editor.compare(true);
  const off = () => editor.compare(false);
  compare.addEventListener("pointerdown", on);
  for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"]) compare.addEventListener(name, off);
  compare.addEventListener("keydown", (e) => (e.key === " " || e.key === "Enter") && on());
  compare.addEventListener("keyup", off);
  const refresh = () => {
    opacity.refresh();
    parts.forEach((p) => p.refresh());
    compare.setAttribute("aria-pressed", editor.comparing);
  };
  editor.on("settings", refresh);
  refresh();
  return h(
    "section",
    { class: "display" },
    h("header", {}, h("h2", {}, "Show")),
    parts.map((p) => p.element),
    opacity.element,
    compare,
  );
}
