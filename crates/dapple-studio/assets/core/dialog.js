/**
 * Dialogs, short messages, and files to save.
 */
import { h } from "./dom.js";
import { icon } from "./icons.js";

/**
 * Opens a modal dialog; resolves with the value of the chosen action, or null.
 * An action is { text, value, main?, danger? }; a value that is a function is called, and keeps the dialog open if it returns undefined.
 */
export function openDialog({ title, body, actions, wide = false, urgent = false }) {
  return new Promise((done) => {
    const close = (value) => {
      dialog.close();
      dialog.remove();
      done(value);
    };
    const heading = h("h2", { id: `d${Math.random().toString(36).slice(2)}` }, title);
    const form = h(
      "form",
      { method: "dialog" },
      h(
        "header",
        {},
        heading,
        !urgent &&
          h(
            "button",
            { type: "button", class: "quiet square", "aria-label": "Close", onclick: () => close(null) },
            icon("close"),
          ),
      ),
      h("div", { class: "dialog-body" }, typeof body === "string" ? h("p", {}, body) : body),
      h(
        "footer",
        {},
        actions.map((action) =>
          h(
            "button",
            {
              type: action.main ? "submit" : "button",
              class: `${action.main ? "main" : ""} ${action.danger ? "danger" : ""}`,
              onclick: (e) => {
                e.preventDefault();
                const value = typeof action.value === "function" ? action.value() : action.value;
                if (value !== undefined) close(value);
              },
            },
            action.text,
          ),
        ),
      ),
    );
    const dialog = h("dialog", { class: wide ? "wide" : "", "aria-labelledby": heading.id }, form);
    dialog.addEventListener("cancel", (e) => {
      e.preventDefault();
      if (!urgent) close(null);
    });
    if (!urgent) dialog.addEventListener("click", (e) => e.target === dialog && close(null));
    document.body.append(dialog);
    dialog.showModal();
  });
}

const shelf = () => document.getElementById("toasts");

/** A short message; `action` is { text, run }. Faults stay until they are closed. */
export function toast(text, { bad = false, action = null, seconds = 4 } = {}) {
  const close = () => note.remove();
  const note = h(
    "div",
    { class: `toast ${bad ? "bad" : ""}`, role: bad ? "alert" : "status" },
    bad && icon("warn"),
    h("span", {}, text),
    action &&
      h(
        "button",
        {
          class: "quiet",
          onclick: () => {
            close();
            action.run();
          },
        },
        action.text,
      ),
    h("button", { class: "quiet square", "aria-label": "Close the message", onclick: close }, icon("close", 16)),
  );
  const same = [...shelf().children].find((other) => other.textContent === note.textContent);
  same?.remove();
  shelf().append(note);
  if (!bad) setTimeout(close, 1000 * seconds);
}

export const fault = (error) =>
  toast(
    error.message.replace(/^./, (c) => c.toUpperCase()),
    { bad: true },
  );

/** Offers a file to save. */
export function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 30_000);
}
