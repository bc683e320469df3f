/**
 * The editor's settings, kept by the browser. Without storage they last as long as the page.
 */

const SETTINGS = "dapple-studio-editor";

export function store(settings) {
  try {
    localStorage.setItem(SETTINGS, JSON.stringify(settings));
  } catch {
    // A private window.
  }
}

export function stored() {
  try {
    return JSON.parse(localStorage.getItem(SETTINGS)) ?? {};
  } catch {
    return {};
  }
}
