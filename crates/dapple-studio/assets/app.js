/**
 * The studio's page: four views over one folder of photographs.
 */
import { fault, openDialog, save, toast } from "./core/dialog.js";
import { api } from "./core/api.js";
import { h, put, say } from "./core/dom.js";
import { count, fileName } from "./core/format.js";
import { icon } from "./core/icons.js";
import { listenToKeys, shortcut, showHelp } from "./core/keys.js";
import { Studio } from "./core/studio.js";
import { LabelView } from "./label/view.js";
import { ReviewView } from "./review/view.js";
import { TrainView } from "./train/view.js";
import { UseView } from "./use/view.js";

/** `part` is what the server must have for the view. */
const ALL = [
  { name: "label", text: "Label", key: "L", part: "label" },
  { name: "review", text: "Review", key: "R", part: "learn" },
  { name: "train", text: "Train", key: "T", part: "train" },
  { name: "use", text: "Use", key: "U", part: "use" },
];

const FORMATS = [
  ["palette", "Masks with a palette", "PNG masks that any viewer shows in colour"],
  ["coco", "COCO", "one JSON file with run-length masks and areas"],
  ["yolo", "YOLO polygons", "one text file for each image"],
  ["labelme", "Labelme", "one JSON file for each image"],
  ["cvat", "CVAT", "one XML file for all images"],
];

const studio = new Studio();
const main = document.getElementById("main");
const notices = document.getElementById("notices");
const tabs = new Map();
let VIEWS = ALL;
const savedState = h("button", { class: "saved quiet", type: "button" });
const views = {};
let shown = null;

function show(name, options = {}) {
  if (!views[name]) return;
  if (shown && shown !== name) views[shown].leave?.();
  shown = name;
  document.body.dataset.view = name;
  for (const [other, view] of Object.entries(views)) view.element.hidden = other !== name;
  for (const [other, tab] of tabs) {
    if (other === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  const address = options.image ? `#${name}/${encodeURIComponent(options.image)}` : `#${name}`;
  if (location.hash !== address) history.replaceState(null, "", address);
  document.title = `${VIEWS.find((v) => v.name === name).text} – dapple studio`;
  views[name].enter?.(options);
}

function head() {
  const nav = h(
    "nav",
    { class: "tabs", "aria-label": "Views" },
    VIEWS.map(({ name, text, key }) => {
      const tab = h(
        "a",
        {
          href: `#${name}`,
          title: `${text} (Shift+${key})`,
          onclick: (e) => {
            e.preventDefault();
            show(name);
          },
        },
        icon(name),
        h("span", {}, text),
      );
      tabs.set(name, tab);
      return tab;
    }),
  );
  nav.hidden = VIEWS.length < 2;
  put(
    document.getElementById("top"),
    h(
      "div",
      { class: "brand" },
      h("img", { src: "icon.svg", alt: "", width: 28, height: 28 }),
      h(
        "div",
        {},
        h("h1", {}, "dapple ", h("span", {}, "studio")),
        h("p", { class: "folder", title: studio.state.folder }, fileName(studio.state.folder.replace(/\/$/, ""))),
      ),
    ),
    nav,
    h(
      "div",
      { class: "top-end" },
      savedState,
      h(
        "button",
        { class: "quiet", type: "button", "aria-label": "Export the labels", onclick: exportLabels },
        icon("download"),
        h("span", { class: "wide-only" }, "Export"),
      ),
      h(
        "button",
        {
          class: "quiet square",
          type: "button",
          "aria-label": "Keyboard help",
          title: "Keyboard help (?)",
          onclick: () => showHelp(shown),
        },
        icon("help"),
      ),
    ),
  );
}

/** Says what is saved; strokes that the server has not taken are never silent. */
function showSaved() {
  const { editor } = views.label;
  const { strokes, failed, savers } = editor.waiting;
  const state = failed ? "bad" : savers.length ? "busy" : "good";
  savedState.className = `saved quiet ${state}`;
  const text = failed ? `${strokes} not saved` : savers.length ? "Saving …" : "Saved";
  if (savedState.dataset.text === text) return;
  savedState.dataset.text = text;
  put(savedState, h("i", {}), h("span", {}, text));
  savedState.title = failed
    ? `${failed.message}. The strokes are kept here and are sent as soon as it works; click to try now.`
    : "Every stroke is saved at once.";
  savedState.setAttribute("aria-label", failed ? `${strokes} strokes are not saved: ${failed.message}` : text);
}

function notice(name, text, kind = "warn") {
  const old = notices.querySelector(`[data-name=${name}]`);
  if (!text) return void old?.remove();
  if (old) return say(old.querySelector("span"), text);
  notices.append(
    h(
      "div",
      { class: `notice ${kind}`, "data-name": name, role: "status" },
      icon("warn"),
      h("span", {}, text),
      h(
        "button",
        { class: "quiet square", type: "button", "aria-label": "Close", onclick: () => notice(name, "") },
        icon("close", 16),
      ),
    ),
  );
}

async function exportLabels() {
  const choice = (value) =>
    h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "format", value: value[0], checked: value[0] === "palette" }),
      h("span", {}, h("b", {}, value[1]), h("small", {}, value[2])),
    );
  const body = h("div", { class: "choices" }, FORMATS.map(choice));
  const format = await openDialog({
    title: "Export the labels",
    body,
    actions: [
      { text: "Cancel", value: null },
      { text: "Export", main: true, value: () => body.querySelector("input:checked").value },
    ],
  });
  if (!format) return;
  try {
    const { blob, left } = await api.export(format);
    save(blob, `labels-${format}.zip`);
    if (left)
      toast(`${count(left, "labelled photograph")} could not be exported; left-out.txt in the archive says why.`, { bad: true });
  } catch (error) {
    fault(error);
  }
}

/** The view and image that the address names. */
function openAddress() {
  const [name, image] = location.hash.slice(1).split("/");
  const id = image ? decodeURIComponent(image) : null;
  show(views[name] ? name : "label", studio.image(id) ? { image: id } : {});
}

async function start() {
  try {
    await studio.load();
  } catch (error) {
    put(
      main,
      h(
        "div",
        { class: "empty" },
        icon("warn", 40),
        h("h2", {}, "The studio cannot be reached"),
        h("p", {}, `${error.message}.`),
        h("button", { class: "main", type: "button", onclick: () => location.reload() }, "Try again"),
      ),
    );
    return;
  }
  VIEWS = ALL.filter((view) => studio.has(view.part));
  views.label = new LabelView(studio);
  if (studio.has("learn")) views.review = new ReviewView(studio, (id, focus) => show("label", { image: id, focus }));
  if (studio.has("train")) views.train = new TrainView(studio, show);
  if (studio.has("use")) views.use = new UseView(studio, show, views.label.editor);
  head();
  put(
    main,
    Object.values(views).map((view) => view.element),
  );
  const { editor } = views.label;
  editor.on("saving", showSaved);
  savedState.addEventListener("click", () => editor.waiting.savers.forEach((saver) => saver.hurry()));
  showSaved();
  const alone = () =>
    notice(
      "second",
      studio.state.second
        ? "This folder is open in another tab too. Strokes of both are saved; where they meet, this page asks which to keep."
        : "",
    );
  studio.on("second", alone);
  alone();
  (studio.state.notes ?? []).forEach((text, i) => notice(`note-${i}`, text));
  studio.on("connection", (open) =>
    notice(
      "offline",
      open ? "" : "The studio does not answer. Go on painting: strokes are kept here and are saved as soon as it is back.",
    ),
  );
  addEventListener("beforeunload", (e) => {
    editor.leave();
    if (editor.waiting.savers.length) e.preventDefault();
  });
  // Phones tell nothing else before a tab goes.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) editor.leave();
    studio.rest(document.hidden);
  });
  addEventListener("hashchange", openAddress);
  for (const { name, text, key } of VIEWS) shortcut(`Shift+${key}`, "Everywhere", `${text} view`, () => show(name));
  shortcut("?", "Everywhere", "This help", () => showHelp(shown));
  listenToKeys(() => shown);
  studio.listen();
  openAddress();
  // For the console, and for scripts that drive the page.
  window.dappleStudio = { studio, views };
  document.body.dataset.ready = "";
}

start();
