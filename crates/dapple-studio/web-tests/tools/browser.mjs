/**
 * Finds a browser and its driver; null where this machine has none, with the reason.
 */
import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
];

function executable() {
  const named = process.env.CHROMIUM;
  const paths = (process.env.PATH ?? "").split(delimiter);
  const candidates = named ? [named] : paths.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** { launch } or { missing }: `npm install` in this folder brings the driver, the system its Chromium. */
export async function browser() {
  const file = executable();
  if (!file) return { missing: "no Chromium on this machine (set CHROMIUM to its path)" };
  let driver;
  try {
    driver = createRequire(import.meta.url)("playwright-core");
  } catch {
    return { missing: "playwright-core is not installed (npm install in web-tests)" };
  }
  return { launch: () => driver.chromium.launch({ executablePath: file, args: ARGUMENTS }) };
}
