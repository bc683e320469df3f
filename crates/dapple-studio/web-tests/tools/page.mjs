/**
 * Opens the studio's page on a mock server, and paints on it as a person does.
 */
import { browser } from "./browser.mjs";

const found = await browser();

/** Why tests that need a browser are skipped; false where there is one. */
export const missing = found.missing ?? false;

let shared = null;

/** One browser for all tests of a file; closed by `closeBrowser`. */
async function instance() {
  shared ??= await found.launch();
  return shared;
}

export async function closeBrowser() {
  await shared?.close();
  shared = null;
}

/** A page on the mock; `faults` collects everything that the console calls an error. */
export async function open(mock, { width = 1200, height = 800, touch = false, context = null, hash = "" } = {}) {
  const room =
    context ??
    (await (
      await instance()
    ).newContext({ viewport: { width, height }, hasTouch: touch, isMobile: touch, deviceScaleFactor: touch ? 2 : 1 }));
  const page = await room.newPage();
  page.faults = [];
  page.on(
    "console",
    (message) =>
      message.type() === "error" && !/Failed to load resource/.test(message.text()) && page.faults.push(message.text()),
  );
  page.on("pageerror", (error) => page.faults.push(error.stack));
  await page.goto(`${mock.url}/${hash}`);
  await page.waitForSelector("body[data-ready]");
  if (mock.images.length) await page.waitForFunction(() => window.dappleStudio.views.label.editor.screen.levels.length > 0);
  return page;
}

/** Places of pixels of the image on the page. */
export function places(page, points) {
  return page.evaluate(
    (list) =>
      list.map(([x, y]) => {
        const { x: left, y: top } = window.dappleStudio.views.label.editor.screen.clientOf(x, y);
        return [left, top];
      }),
    points,
  );
}

/** Drags the mouse along pixels of the image. */
export async function drag(page, points, options = {}) {
  const [first, ...rest] = await places(page, points);
  await page.mouse.move(...first);
  await page.mouse.down(options);
  for (const point of rest) await page.mouse.move(...point, { steps: 6 });
  await page.mouse.up(options);
}

export async function click(page, point, options = {}) {
  const [[x, y]] = await places(page, [point]);
  await page.mouse.click(x, y, options);
}

/** The labels in the page. */
export async function labels(page) {
  const text = await page.evaluate(() => {
    const { data } = window.dappleStudio.views.label.editor.session.map;
    let out = "";
    for (let i = 0; i < data.length; i += 8192) out += String.fromCharCode(...data.subarray(i, i + 8192));
    return btoa(out);
  });
  return new Uint8Array(Buffer.from(text, "base64"));
}

/** Waits until every stroke is saved. */
export async function saved(page) {
  await page.waitForFunction(() => window.dappleStudio.views.label.editor.waiting.savers.length === 0);
}

export const count = (data, value) => data.reduce((n, v) => n + (v === value), 0);
