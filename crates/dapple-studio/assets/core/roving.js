/**
 * A row of buttons with one tab stop: Tab reaches it, arrow keys, Home and End move in it, Enter and Space choose.
 */

/** The place that a key leads to among `count` buttons, from place `at`; null for other keys. */
export function placeAfter(key, at, count) {
  if (count === 0) return null;
  switch (key) {
    case "ArrowLeft":
    case "ArrowUp":
      return Math.max(0, at - 1);
    case "ArrowRight":
    case "ArrowDown":
      return Math.min(count - 1, at + 1);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

/** Moves the focus by keys. `row` needs `tabStop` whenever its buttons change. */
export function rove(row) {
  row.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const buttons = [...row.children].filter((child) => child.matches("button"));
    const at = buttons.indexOf(event.target.closest("button"));
    const to = at < 0 ? null : placeAfter(event.key, at, buttons.length);
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    tabStop(buttons, buttons[to]);
    buttons[to].focus();
  });
}

/** Lets Tab reach `wanted`, or the first where it is none of the buttons. */
export function tabStop(buttons, wanted) {
  const all = [...buttons];
  const stop = all.includes(wanted) ? wanted : all[0];
  for (const button of all) button.tabIndex = button === stop ? 0 : -1;
}
