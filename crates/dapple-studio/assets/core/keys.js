/**
 * The keyboard: one table of shortcuts, from which the help overlay is made.
 */
import { h } from "./dom.js";
import { openDialog } from "./dialog.js";

/** { keys: ["Ctrl+Z"], text, group, view: "label" | null (all), run, up? } */
const shortcuts = [];

export function shortcut(keys, group, text, run, { view = null, up = null, repeat = false } = {}) {
  shortcuts.push({ keys: [keys].flat(), group, text, run, view, up, repeat });
}

/** "Ctrl+Shift+Z" of an event; Command counts as Ctrl. Shift is named only with letters and other keys that have no case. */
export function nameOf(event) {
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const named = /^[A-Z0-9]$/.test(key) || key.length > 1;
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${event.shiftKey && named ? "Shift+" : ""}${key}`;
}

const writes = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    target.matches("textarea, select, input:not([type=range]):not([type=checkbox]):not([type=radio])"));

/** Keys that a focused control needs for itself. */
function isTaken(event) {
  const { target, key } = event;
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("input[type=range], [role=slider]")) return /^(Arrow|Home|End|Page)/.test(key);
  if (target.matches("input[type=radio]")) return /^(Arrow| )/.test(key);
  if (target.matches("[role=radio]") && key.startsWith("Arrow")) return true;
  if (target.matches("[role=option], .thumb") && /^(Arrow|Home|End)/.test(key)) return true;
  if (target.matches("button, a, label, summary, [role=button], input[type=checkbox]")) return key === "Enter" || key === " ";
  return false;
}

/** Arrow keys choose among the buttons of a radio group. */
function chooseByArrow(event) {
  const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  const group =
    by &&
    event.target instanceof HTMLElement &&
    event.target.matches("[role=radio]") &&
    event.target.closest("[role=radiogroup]");
  if (!group) return;
  const all = [...group.querySelectorAll("[role=radio]")];
  const next = all[(all.indexOf(event.target) + by + all.length) % all.length];
  event.preventDefault();
  next.focus();
  next.click();
}

/** @param view tells which view is shown */
export function listenToKeys(view) {
  const held = new Set();
  addEventListener("keydown", chooseByArrow);
  addEventListener("keydown", (event) => {
    if (event.isComposing || writes(event.target) || isTaken(event) || document.querySelector("dialog[open]")) return;
    const name = nameOf(event);
    const found = shortcuts.find((s) => s.keys.includes(name) && (!s.view || s.view === view()));
    if (!found) return;
    event.preventDefault();
    if (event.repeat && !found.repeat) return;
    if (found.up) held.add(found);
    found.run(event);
  });
  const release = (event) => {
    for (const found of [...held]) {
      if (event && !found.keys.some((k) => k.split("+").pop() === nameOf(event).split("+").pop())) continue;
      held.delete(found);
      found.up();
    }
  };
  addEventListener("keyup", release);
  addEventListener("blur", () => release(null));
}

const onMac = /Mac|iPhone|iPad/.test(navigator.platform);

const SIGNS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Backspace: "⌫" };

/** The keys as people read them. */
export function keysShown(keys) {
  return keys
    .split("+")
    .map((k, i, all) => (k === "" ? (i === all.length - 1 ? "+" : null) : k))
    .filter(Boolean)
    .map((k) => (k === "Ctrl" && onMac ? "⌘" : (SIGNS[k] ?? k)));
}

export function showHelp(view) {
  const groups = new Map();
  for (const s of shortcuts) {
    if (s.text && (!s.view || s.view === view)) groups.set(s.group, [...(groups.get(s.group) ?? []), s]);
  }
  const row = (s) =>
    h(
      "div",
      { class: "help-row" },
      h(
        "dt",
        {},
        s.keys.map((k, i) => [i > 0 && h("span", { class: "soft" }, " or "), keysShown(k).map((part) => h("kbd", {}, part))]),
      ),
      h("dd", {}, s.text),
    );
  openDialog({
    title: "Keyboard and mouse",
    wide: true,
    body: h(
      "div",
      { class: "help" },
      [...groups].map(([group, list]) => h("section", {}, h("h3", {}, group), h("dl", {}, list.map(row)))),
      view === "label" &&
        h(
          "section",
          {},
          h("h3", {}, "Mouse, pen and touch"),
          h(
            "dl",
            {},
            [
              ["Wheel", "Zoom where the pointer is"],
              ["Middle button or Space and drag", "Move the picture"],
              ["Right button", "Erase"],
              ["Alt and click", "Take the class under the pointer"],
              ["Two fingers", "Zoom and move"],
              ["Pen", "Pressure sets the size; fingers then move the picture"],
            ].map(([k, text]) => h("div", { class: "help-row" }, h("dt", {}, k), h("dd", {}, text))),
          ),
        ),
    ),
    actions: [{ text: "Close", value: null, main: true }],
  });
}
