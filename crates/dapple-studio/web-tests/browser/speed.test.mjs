/**
 * Times on an image of 20 megapixels: printed, not asserted, since they depend on the machine.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Mock, scene } from "../tools/mock.mjs";
import { closeBrowser, drag, missing, open, places, saved } from "../tools/page.mjs";

after(closeBrowser);

const spread = (times) => {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share) => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1);
  return `median ${at(0.5)} ms, 95 % ${at(0.95)} ms, longest ${at(1)} ms (${sorted.length})`;
};

test("painting on 20 megapixels saves exactly what was painted", { skip: missing, timeout: 240_000 }, async (t) => {
  const [width, height] = [5472, 3648];
  const mock = await new Mock([{ id: "large.png", ...scene(3, width, height) }]).start();
  mock.delay = 1e6;
  const page = await open(mock, { width: 1400, height: 900 });
  await page.evaluate(() => {
    const { screen } = window.dappleStudio.views.label.editor;
    screen.times.length = 0;
    window.gaps = [];
    let last = performance.now();
    const tick = (now) => {
      window.gaps.push(now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const measure = async (name, work) => {
    await page.evaluate(() => {
      window.dappleStudio.views.label.editor.screen.times.length = 0;
      window.gaps.length = 0;
    });
    await work();
    const [drawing, gaps] = await page.evaluate(() => [
      window.dappleStudio.views.label.editor.screen.times.slice(),
      window.gaps.slice(),
    ]);
    t.diagnostic(`${name}: drawing ${spread(drawing)}; between frames ${spread(gaps)}`);
  };
  await measure("painting, whole picture", () =>
    drag(
      page,
      Array.from({ length: 12 }, (_, i) => [400 + 400 * i, 1000 + 700 * (i % 2)]),
    ),
  );
  await saved(page);
  const [[x, y]] = await places(page, [[2700, 1800]]);
  await page.mouse.move(x, y);
  await measure("zooming", async () => {
    for (let i = 0; i < 12; i++) await page.mouse.wheel(0, -80);
  });
  await page.waitForTimeout(1500);
  await measure("painting, zoomed in", () =>
    drag(
      page,
      Array.from({ length: 12 }, (_, i) => [2500 + 40 * i, 1750 + 100 * (i % 2)]),
    ),
  );
  await measure("moving", async () => {
    for (let i = 0; i < 30; i++) await page.keyboard.press("ArrowLeft");
  });
  await measure("the rest is background", async () => {
    const steps = await page.evaluate(() => window.dappleStudio.views.label.editor.session.history.done.length);
    await page.keyboard.press("Shift+B");
    await page.waitForFunction((n) => window.dappleStudio.views.label.editor.session.history.done.length > n, steps);
  });
  await saved(page);
  await measure("undo and redo", async () => {
    for (const key of ["Control+z", "Control+z", "Control+y", "Control+y"]) await page.keyboard.press(key);
  });
  await saved(page);
  const sum = await page.evaluate(() =>
    window.dappleStudio.views.label.editor.session.map.data.reduce((n, v, i) => (n + v * ((i % 977) + 1)) % 1e9, 0),
  );
  assert.equal(
    sum,
    mock.images[0].mask.reduce((n, v, i) => (n + v * ((i % 977) + 1)) % 1e9, 0),
  );
  assert.deepEqual(page.faults, []);
  await page.context().close();
  await mock.stop();
});
