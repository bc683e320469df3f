import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { decodeGreyPng, encodePng } from "../../assets/pixels/png.js";
import { Mock } from "../tools/mock.mjs";
import { makeRun } from "../tools/runs.mjs";
import { closeBrowser, count, missing, open, saved } from "../tools/page.mjs";

after(closeBrowser);

function paged(name, run, { labelled = 4, runs = [], ...options } = {}) {
  test(name, { skip: missing, timeout: 90_000 }, async () => {
    const mock = await Mock.synthetic(6, { width: 320, height: 240, labelled }).start();
    mock.runs = structuredClone(runs);
    try {
      const page = await open(mock, options);
      await run(page, mock);
      assert.deepEqual(page.faults, []);
      await page.context().close();
    } finally {
      await mock.stop();
    }
  });
}

const RUNS = [makeRun("evening", 10, 23, "running"), makeRun("first", 2, 40, "done", 0.1)];

paged("Review starts the check, lists images, and opens the editor at the place", async (page, mock) => {
  await page.keyboard.press("Shift+R");
  await page.getByRole("button", { name: "Check the labels" }).click();
  await page.getByText("Checking").waitFor();
  const cards = page.locator(".review-card");
  await cards.nth(3).waitFor();
  assert.equal(await cards.count(), 4);
  await cards.nth(1).click();
  await page.waitForFunction((id) => window.dappleStudio.views.label.editor.session?.id === id, mock.images[1].id);
  assert.equal(await page.locator(".mark-focus").count(), 1);
  assert.ok(await page.evaluate(() => window.dappleStudio.views.label.editor.screen.viewport.fitted === false));
});

paged("Train starts a run with one button, follows it, stops it and goes on", async (page, mock) => {
  await page.keyboard.press("Shift+T");
  await page.getByText("Quick", { exact: true }).click();
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByRole("heading", { name: "run-1" }).waitFor();
  assert.equal(mock.runs[0].minutes, 2);
  Object.assign(mock.runs[0], makeRun("run-1", 2, 12, "running"));
  const { curves, choices, ...news } = mock.runs[0];
  mock.emit("run", news);
  await page.getByText("Epoch 12 of 40").waitFor();
  await page.locator(".chart-plot .line").first().waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator(".pill", { hasText: "Stopped" }).waitFor();
  await page.getByRole("button", { name: "Go on" }).click();
  await page.locator(".pill", { hasText: "Training" }).waitFor();
});

paged(
  "curves of several runs are compared, and read by the pointer and by keys",
  async (page) => {
    await page.keyboard.press("Shift+T");
    await page.getByText("U-Net with a small encoder").waitFor();
    await page.getByLabel("Compare first").check();
    const chart = page.locator(".chart").first();
    await page.waitForFunction(() => document.querySelector(".chart").querySelectorAll(".line").length === 2);
    const box = await chart.locator(".chart-plot").boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + 60);
    assert.match(await chart.locator(".chart-tip").innerText(), /Epoch \d+\s+evening 0\.\d+\s+first 0\.\d+/);
    await chart.locator(".chart-plot").focus();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("button", { name: "first" }).click();
    assert.equal(await page.getByRole("link", { name: "Report" }).getAttribute("href"), "/runs/first/report.html");
  },
  { runs: RUNS },
);

async function use(page, mock, names = ["a.png", "b.png"]) {
  const buffer = Buffer.from(await encodePng(320, 240, mock.images[0].rgb, 3));
  await page.keyboard.press("Shift+U");
  await page.setInputFiles(
    ".drop input[type=file]",
    names.map((name) => ({ name, mimeType: "image/png", buffer })),
  );
  await page.waitForFunction((n) => document.querySelectorAll(".use-strip [data-state=all]").length === n, names.length);
}

paged(
  "Use shows areas, and downloads the mask with the labels as they are",
  async (page, mock) => {
    await use(page, mock);
    const share = count(mock.images[0].truth, 2) / mock.images[0].truth.length;
    await page
      .locator(".legend")
      .getByText(`${(100 * share).toFixed(1)} %`)
      .waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Mask" }).click()]);
    assert.equal(download.suggestedFilename(), "a-mask.png");
    assert.deepEqual((await decodeGreyPng(await readFile(await download.path()))).data, mock.images[0].truth);
    const [all] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "All as ZIP" }).click()]);
    const zip = await readFile(await all.path());
    for (const name of ["masks/a.png", "masks/b.png", "cutouts/a.png", "areas.csv"]) assert.ok(zip.includes(name), name);
  },
  { runs: RUNS },
);

paged(
  "Use asks again where the threshold moves and there is no probability",
  async (page, mock) => {
    mock.classes = mock.classes.slice(0, 2);
    mock.withProbability = false;
    await page.reload();
    await page.waitForSelector("body[data-ready]");
    await use(page, mock, ["a.png"]);
    const asked = () => mock.log.filter((r) => r.path === "/api/predict").length;
    const before = asked();
    await page.getByLabel("Threshold").fill("70");
    await page.waitForTimeout(600);
    assert.equal(asked(), before + 1);
  },
  { runs: RUNS },
);

paged(
  "a wrong result becomes data, with the result as a proposal",
  async (page, mock) => {
    await use(page, mock, ["new one.png"]);
    await page.getByRole("button", { name: "This one is wrong" }).click();
    await page.waitForFunction(
      () =>
        window.dappleStudio.views.label.editor.session?.id === "new one.png" &&
        window.dappleStudio.views.label.editor.session.proposal,
    );
    await page.keyboard.press("Shift+A");
    await saved(page);
    assert.deepEqual(mock.find("new one.png").mask, mock.images[0].truth);
  },
  { runs: RUNS },
);

paged("labels are exported", async (page) => {
  await page.getByRole("button", { name: "Export the labels" }).click();
  await page.getByText("COCO").click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export", exact: true }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "labels-coco.zip");
});

for (const [width, height] of [
  [390, 844],
  [800, 1000],
  [1400, 900],
]) {
  paged(
    `at ${width} pixels no view is wider than the window`,
    async (page, mock) => {
      for (const key of ["L", "R", "T", "U"]) {
        await page.keyboard.press(`Shift+${key}`);
        await page.waitForTimeout(150);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${key}: ${wide}`);
      }
      await use(page, mock);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);
    },
    { width, height, runs: RUNS },
  );
}

paged(
  "every control has a name",
  async (page, mock) => {
    await use(page, mock);
    for (const key of ["L", "R", "T", "U"]) {
      await page.keyboard.press(`Shift+${key}`);
      await page.waitForTimeout(100);
      const nameless = await page.evaluate(() =>
        [...document.querySelectorAll("button, a, input, select")]
          .filter(
            (e) => e.offsetParent && !e.closest("label") && !(e.getAttribute("aria-label") || e.textContent.trim() || e.title),
          )
          .map((e) => e.outerHTML),
      );
      assert.deepEqual(nameless, []);
    }
  },
  { runs: RUNS },
);

test(
  "a folder without photographs says so, and a server that only labels shows no other views",
  { skip: missing, timeout: 60_000 },
  async () => {
    const mock = await new Mock([], {}).start();
    mock.parts = ["label"];
    mock.notes = ["2 files were passed over."];
    const page = await open(mock);
    await page.getByText("No photographs yet").waitFor();
    await page.getByText("2 files were passed over.").waitFor();
    assert.equal(await page.locator(".tabs").isVisible(), false);
    assert.deepEqual(page.faults, []);
    await page.context().close();
    await mock.stop();
  },
);
