/**
 * The keyboard of the Label view.
 */
import { shortcut } from "../core/keys.js";
import { TOOLS } from "./controls.js";

export function bindKeys(view) {
  const { editor } = view;
  const label = (keys, group, text, run, options = {}) => shortcut(keys, group, text, run, { view: "label", ...options });
  /** Keys that a polygon under way takes first. */
  const first = (name, run) => () => {
    if (!editor.tool.key?.(name)) run();
  };

  for (const { name, text, key } of TOOLS) label(key, "Tools", text, () => editor.choose(name));
  label(["[", "Shift+ArrowDown"], "Tools", "Smaller brush or cells", () => view.resize(1 / 1.15), { repeat: true });
  label(["]", "Shift+ArrowUp"], "Tools", "Larger brush or cells", () => view.resize(1.15), { repeat: true });
  label("K", "Tools", "Keep labelled pixels", () => editor.set({ protect: !editor.settings.protect }));

  label("1", "Classes", "The first class, and so on to 9", () => pick(editor, 0));
  for (let i = 1; i < 9; i++) label(String(i + 1), "Classes", "", () => pick(editor, i));
  label("0", "Classes", "Unlabelled (eraser)", () => editor.choose("eraser"));
  label("X", "Classes", "The class used before", () => editor.lastClass !== null && editor.chooseClass(editor.lastClass));
  label("Shift+B", "Classes", "The rest is background", () => view.rest());

  label(["Shift+A"], "Proposal", "Accept all", () => view.accept());
  label(["Shift+S"], "Proposal", "Accept where the network is sure", () => view.accept(true));
  label("O", "Proposal", "Show or hide the proposal", () => editor.set({ proposal: !editor.settings.proposal }));
  label("J", "Proposal", "Show the part that the network is least sure of", () => view.unsure());
  label(["U"], "Proposal", "Show or hide the uncertainty", () => editor.set({ doubt: !editor.settings.doubt }));

  label(
    "Ctrl+Z",
    "Changes",
    "Undo",
    first("Ctrl+Z", () => editor.session?.undo()),
    { repeat: true },
  );
  label(["Ctrl+Shift+Z", "Ctrl+Y"], "Changes", "Redo", () => editor.session?.redo(), { repeat: true });
  label("C", "Changes", "Hold: the mask as it was when opened", () => editor.compare(true), { up: () => editor.compare(false) });
  label("Enter", "Changes", "Paint at the middle; close the polygon", (e) => {
    if (!editor.tool.key?.("Enter") && e.target === view.stage) view.dab();
  });
  label(
    ["Backspace", "Delete"],
    "Changes",
    "Take back a corner of the polygon",
    first("Backspace", () => {}),
  );
  label(
    "Escape",
    "Changes",
    "Give up the polygon",
    first("Escape", () => {
      editor.session?.cancel();
      view.leave();
    }),
  );

  label("H", "Picture", "Hide the labels", () => editor.set({ labels: !editor.settings.labels }));
  label(["+", "="], "Picture", "Zoom in", () => view.zoom(1.25), { repeat: true });
  label("-", "Picture", "Zoom out", () => view.zoom(1 / 1.25), { repeat: true });
  label("F", "Picture", "Fit to the window", () => view.fit());
  for (const [key, dx, dy] of [
    ["ArrowLeft", 1, 0],
    ["ArrowRight", -1, 0],
    ["ArrowUp", 0, 1],
    ["ArrowDown", 0, -1],
  ]) {
    label(key, "Picture", key === "ArrowLeft" ? "Move the picture (and the other arrows)" : "", () => view.pan(dx, dy), {
      repeat: true,
    });
  }
  label("Space", "Picture", "Hold and drag: move the picture", () => hold(view, true), { up: () => hold(view, false) });

  label([",", "PageUp"], "Images", "Previous image", () => view.strip.step(-1), { repeat: true });
  label([".", "PageDown"], "Images", "Next image", () => view.strip.step(1), { repeat: true });
  label("N", "Images", "The image suggested next", () => view.strip.goNext());
}

function pick(editor, index) {
  const found = editor.studio.state.classes[index];
  if (found) editor.chooseClass(found.id);
}

function hold(view, on) {
  view.pointer.space = on;
  view.stage.classList.toggle("can-move", on);
}
