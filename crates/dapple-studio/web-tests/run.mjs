/**
 * Runs the tests of the page: `node run.mjs [unit|browser]`. Tests that need a browser are skipped, with the reason,
 * where there is no Chromium or no driver (`npm install` in this folder brings the driver).
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { browser } from "./tools/browser.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const folders = process.argv[2] ? [process.argv[2]] : ["unit", "browser"];
const files = folders.flatMap((folder) =>
  readdirSync(join(here, folder))
    .filter((f) => f.endsWith(".test.mjs"))
    .map((f) => join(here, folder, f)),
);
const { missing } = await browser();
if (missing && folders.includes("browser")) console.log(`The tests in a browser are skipped: ${missing}.`);
const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=1", ...files], { stdio: "inherit" });
process.exit(status ?? 1);
