/**
 * The classes: choose by click or number, add, rename, recolour, merge.
 */
import { api } from "../core/api.js";
import { fault, openDialog, toast } from "../core/dialog.js";
import { h, put } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { tabStop } from "../core/roving.js";
import { inkOn, newColour } from "../pixels/colour.js";

export class Palette {
  constructor(studio, editor) {
    Object.assign(this, { studio, editor });
    this.list = h("div", { class: "class-list", role: "radiogroup", "aria-label": "Class to paint" });
    this.element = h(
      "section",
      { class: "classes" },
      h(
        "header",
        {},
        h("h2", {}, "Classes"),
        h(
          "button",
          { class: "quiet square", type: "button", "aria-label": "Add a class", title: "Add a class", onclick: () => this.add() },
          icon("plus"),
        ),
      ),
      this.list,
    );
    studio.on("classes", () => this.#draw());
    editor.on("class", () => this.#mark());
    editor.on("tool", () => this.#mark());
    this.#draw();
  }

  #draw() {
    const row = (c, i) =>
      h(
        "div",
        { class: "class-row", "data-id": c.id },
        h(
          "button",
          {
            class: "class-button",
            type: "button",
            role: "radio",
            onclick: () => this.editor.chooseClass(c.id),
            ondblclick: () => this.edit(c),
          },
          h("i", { class: "swatch", style: { background: c.color, color: inkOn(c.color) } }, i < 9 ? String(i + 1) : ""),
          h("span", {}, c.name),
        ),
        h(
          "button",
          {
            class: "quiet square class-more",
            type: "button",
            "aria-label": `Change ${c.name}`,
            title: "Rename, recolour, merge",
            onclick: () => this.edit(c),
          },
          icon("more"),
        ),
      );
    put(
      this.list,
      this.studio.state.classes.map(row),
      h(
        "div",
        { class: "class-row", "data-id": "none" },
        h(
          "button",
          { class: "class-button", type: "button", role: "radio", onclick: () => this.editor.choose("eraser") },
          h("i", { class: "swatch none" }, "0"),
          h("span", {}, "Unlabelled"),
        ),
      ),
      this.studio.state.classes.length === 0 &&
        h("button", { class: "main", type: "button", onclick: () => this.add() }, icon("plus"), "Add a class"),
    );
    this.#mark();
  }

  #mark() {
    const { toolName, classId } = this.editor;
    for (const row of this.list.querySelectorAll(".class-row")) {
      const on = row.dataset.id === (toolName === "eraser" ? "none" : String(classId));
      row.classList.toggle("on", on);
      row.firstChild.setAttribute("aria-checked", on);
      if (on) row.scrollIntoView?.({ block: "nearest", inline: "nearest" });
    }
    const radios = [...this.list.querySelectorAll("[role=radio]")];
    tabStop(
      radios,
      radios.find((radio) => radio.getAttribute("aria-checked") === "true"),
    );
  }

  add() {
    const { classes } = this.studio.state;
    this.#dialog("Add a class", { id: null, name: "", color: newColour(classes.map((c) => c.color)) }, false);
  }

  edit(c) {
    this.#dialog(`Class “${c.name}”`, c, true);
  }

  async #dialog(title, c, exists) {
    const { classes } = this.studio.state;
    const others = classes.filter((o) => o.id !== c.id);
    const wrong = h("p", { class: "field-fault", role: "alert" });
    const name = h("input", {
      type: "text",
      value: c.name,
      maxlength: 80,
      autocomplete: "off",
      autofocus: true,
      placeholder: "for example: horse",
    });
    const color = h("input", { type: "color", value: c.color });
    const merge = h(
      "select",
      {},
      h("option", { value: "" }, "Keep as its own class"),
      others.map((o) => h("option", { value: String(o.id) }, `Merge into ${o.name}`)),
    );
    const warning = h(
      "p",
      { class: "soft", hidden: true },
      "All pixels of this class, in all images, become the other class. Undo does not take this back.",
    );
    merge.addEventListener("change", () => {
      warning.hidden = !merge.value;
    });
    const body = h(
      "div",
      { class: "fields" },
      h("label", {}, "Name", name),
      h("label", {}, "Colour", h("span", { class: "colour-field" }, color)),
      exists && others.length > 0 && h("label", {}, "Merge", merge),
      warning,
      wrong,
    );
    const accept = () => {
      const text = name.value.trim();
      const taken = others.some((o) => o.name.toLowerCase() === text.toLowerCase());
      if (!text || taken) {
        wrong.textContent = text
          ? "Another class has this name; merge the two, or choose another name."
          : "A class needs a name.";
        name.focus();
        return undefined;
      }
      return { name: text, color: color.value, merge: merge.value };
    };
    const answer = await openDialog({
      title,
      body,
      actions: [
        { text: "Cancel", value: null },
        { text: exists ? "Apply" : "Add", main: true, value: accept },
      ],
    });
    if (!answer) return;
    const changed = {
      id: c.id,
      was: exists ? c.name : null,
      name: answer.name,
      color: answer.color,
      ...(answer.merge ? { merge_into: Number(answer.merge) } : {}),
    };
    // As they were when the dialog was opened: the server refuses the list if they are others by now.
    const known = classes.map((o) => (exists && o.id === c.id ? changed : { ...o, was: o.name }));
    await this.#save(exists ? known : [...known, changed], changed);
  }

  async #save(list, changed) {
    const { editor, studio } = this;
    if (changed.merge_into !== undefined && editor.waiting.savers.length) {
      toast("Some strokes are not saved yet; merge when they are.", { bad: true });
      return;
    }
    try {
      await api.classes(list.map(({ id, was, name, color, merge_into = null }) => ({ id, was, name, color, merge_into })));
      await studio.load();
      const now = studio.state.classes.find((c) => c.name === changed.name);
      if (changed.id === null && now) editor.chooseClass(now.id);
    } catch (error) {
      fault(error);
    }
  }
}
