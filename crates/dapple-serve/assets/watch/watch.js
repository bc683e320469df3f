// Fetches the run's state and replaces the sections that have changed, so that focus, open parts and scroll positions of the
// others are kept.
"use strict";

const EVERY = 2000;
const ENDED = 15000;
const byId = (id) => document.getElementById(id);
// The HTML of each section as the server sent it: the browser may serialize it differently.
const texts = new Map();
let epochs = "";

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function replaceSections(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").querySelectorAll("section");
  const main = byId("main");
  const wanted = new Set();
  let before = null;
  for (const section of fresh) {
    wanted.add(section.id);
    const old = byId(section.id);
    let shown = old;
    const text = section.outerHTML;
    if (!old || texts.get(section.id) !== text) {
      shown = document.adoptNode(section);
      texts.set(shown.id, text);
      if (old) replaceKeeping(old, shown);
      else main.insertBefore(shown, before ? before.nextSibling : main.firstChild);
    }
    before = shown;
  }
  for (const section of [...main.children]) if (!wanted.has(section.id)) section.remove();
}

// Moves scroll positions and focus of the old section to the same elements of the new one.
function replaceKeeping(old, fresh) {
  const places = (root) => [...root.querySelectorAll("[tabindex], summary")];
  const before = places(old).map((place) => [place.scrollLeft, place === document.activeElement]);
  old.replaceWith(fresh);
  places(fresh).forEach((place, index) => {
    if (!before[index]) return;
    place.scrollLeft = before[index][0];
    if (before[index][1]) place.focus({ preventScroll: true });
  });
  const log = fresh.id === "log" && fresh.querySelector("pre");
  if (log) log.scrollTop = log.scrollHeight;
}

async function renew() {
  let next = EVERY;
  try {
    const response = await fetch("state", { cache: "no-store" });
    if (!response.ok) throw new Error(`the server responded with ${response.status}`);
    const state = await response.json();
    document.title = `${state.title} · dapple watch`;
    setText(byId("title"), state.title);
    setText(byId("lead"), state.lead);
    replaceSections(state.html);
    const now = document.querySelector("#now dd")?.textContent ?? "";
    // Read aloud once an epoch, not every two seconds.
    if (now !== epochs) setText(byId("news"), now && `Epochs done: ${now}`);
    epochs = now;
    if (state.ended) next = ENDED;
  } catch (error) {
    setText(byId("lead"), `No connection to dapple watch: ${error.message}. Retrying.`);
  }
  setTimeout(renew, next);
}

renew();
