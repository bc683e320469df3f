import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Mock } from "../tools/mock.mjs";
import { closeBrowser, count, drag, labels, missing, open, places, saved } from "../tools/page.mjs";

after(closeBrowser);

function paged(name, run) {
  test(name, { skip: missing, timeout: 90_000 }, async () => {
    const mock = await Mock.synthetic(2, { width: 320, height: 240 }).start();
    try {
      const page = await open(mock);
      await run(page, mock, mock.images[0]);
      assert.deepEqual(page.faults, []);
      await page.context().close();
    } finally {
      await mock.stop();
    }
  });
}

paged("strokes that fail are shown, tried again, and none is lost", async (page, mock, image) => {
  mock.refuse = 3;
  await drag(page, [
    [40, 60],
    [200, 100],
  ]);
  await page.getByText("1 not saved").waitFor();
  await drag(page, [
    [40, 200],
    [250, 180],
  ]);
  await saved(page);
  assert.equal(await page.locator(".saved").textContent(), "Saved");
  assert.deepEqual(image.mask, await labels(page));
});

paged("strokes that could not be saved come back when the page is opened again", async (page, mock, image) => {
  mock.refuse = 1e6;
  await drag(page, [
    [40, 60],
    [200, 100],
  ]);
  await page.getByText("1 not saved").waitFor();
  const mine = await labels(page);
  await page.waitForTimeout(300);
  const context = page.context();
  await page.close({ runBeforeUnload: false });
  mock.refuse = 0;
  const again = await open(mock, { context });
  await again.getByText("could not save are back").waitFor();
  await saved(again);
  assert.deepEqual(image.mask, mine);
});

for (const [choice, button] of [
  ["both", "Both: my strokes over theirs"],
  ["theirs", "Only theirs"],
  ["mine", "Only mine"],
]) {
  paged(`a change elsewhere is not overwritten unasked: ${choice}`, async (page, mock, image) => {
    mock.images[0].revision++;
    image.mask.fill(2, 0, 320 * 10);
    const other = image.mask.slice();
    await drag(page, [
      [40, 100],
      [200, 100],
    ]);
    await page.getByRole("dialog", { name: "The labels were changed elsewhere" }).waitFor();
    assert.deepEqual(image.mask, other);
    const strokes = count(await labels(page), 1);
    await page.getByRole("button", { name: button }).click();
    await page.waitForSelector("dialog", { state: "detached" });
    await page.waitForFunction(() => !window.dappleStudio.views.label.editor.session.saver.conflict);
    await saved(page);
    assert.deepEqual(image.mask, await labels(page));
    assert.equal(count(image.mask, 1), choice === "theirs" ? 0 : strokes);
    assert.equal(count(image.mask, 2), choice === "mine" ? 0 : 3200);
  });
}

paged("a server that was started again, and counts anew, raises no question", async (page, mock, image) => {
  for (const y of [60, 120])
    await drag(page, [
      [40, y],
      [200, y],
    ]);
  await saved(page);
  image.revision = 1;
  await drag(page, [
    [40, 180],
    [200, 180],
  ]);
  await saved(page);
  assert.equal(await page.locator("dialog").count(), 0);
  assert.deepEqual(image.mask, await labels(page));
});

paged("changes from the time that the server was away are taken when it is back", async (page, mock, image) => {
  image.mask.fill(2, 0, 3200);
  for (const response of mock.listeners) response.destroy();
  await page.getByText("changed elsewhere and are up to date").waitFor();
  assert.deepEqual(await labels(page), image.mask);
  await drag(page, [
    [40, 180],
    [200, 180],
  ]);
  await saved(page);
  assert.deepEqual(image.mask, await labels(page));
});

paged("a file that another program changes is shown, and undo takes the change back", async (page, mock, image) => {
  await drag(page, [
    [40, 100],
    [200, 100],
  ]);
  await saved(page);
  const before = image.mask.slice();
  mock.writeOutside(image.id, (mask) => mask.fill(2, 0, 3200));
  await page.getByText("changed elsewhere and are up to date").waitFor();
  assert.deepEqual(await labels(page), image.mask);
  await page.keyboard.press("Control+z");
  await saved(page);
  assert.deepEqual(image.mask, before);
});

paged("a second tab is told", async (page, mock) => {
  assert.equal(await page.locator("[data-name=second]").count(), 0);
  mock.emit("tabs", { count: 2 });
  await page.getByText("open in another tab").waitFor();
  mock.emit("tabs", { count: 1 });
  await page.waitForSelector("[data-name=second]", { state: "detached" });
});

paged("labels of an image stay with it as others are opened", async (page, mock, image) => {
  await drag(page, [
    [40, 60],
    [200, 100],
  ]);
  await page.keyboard.press(".");
  await page.waitForFunction((id) => window.dappleStudio.views.label.editor.session?.id === id, mock.images[1].id);
  await drag(page, [
    [40, 160],
    [100, 160],
  ]);
  await saved(page);
  assert.ok(count(image.mask, 1) > 0 && count(mock.images[1].mask, 1) > 0);
  await page.keyboard.press(",");
  await page.waitForFunction((id) => window.dappleStudio.views.label.editor.session?.id === id, image.id);
  await page.keyboard.press("Control+z");
  await saved(page);
  assert.equal(count(image.mask, 1), 0);
  assert.ok(count(mock.images[1].mask, 1) > 0);
});

paged("strokes that are not saved yet come back in the new numbers when classes are turned round", async (page, mock, image) => {
  mock.refuse = 1e6;
  await drag(page, [
    [40, 60],
    [200, 100],
  ]);
  await page.getByText("1 not saved").waitFor();
  const painted = count(await labels(page), 1);
  const [background, animal, sky] = mock.classes.map((c) => ({ ...c, was: c.name, merge_into: null }));
  const answer = await fetch(`${mock.url}/api/classes`, { method: "PUT", body: JSON.stringify([animal, background, sky]) });
  assert.equal(answer.status, 200);
  mock.refuse = 0;
  await page.waitForFunction(
    (n) => window.dappleStudio.views.label.editor.session?.map.data.filter((v) => v === 0).length === n,
    painted,
  );
  await saved(page);
  assert.deepEqual(image.mask, await labels(page));
  assert.equal(count(image.mask, 0), painted);
});

paged("a stroke that is given up paints nothing while the button is still down", async (page, mock, image) => {
  const [[x, y], [u, v]] = await places(page, [
    [40, 60],
    [200, 100],
  ]);
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(u, v, { steps: 5 });
  await page.keyboard.press("Escape");
  await page.mouse.move(x, y + 40, { steps: 5 });
  await page.mouse.up();
  await saved(page);
  assert.equal(count(await labels(page), 255), image.mask.length);
  assert.equal(mock.log.filter((r) => r.method === "PUT").length, 0);
});
