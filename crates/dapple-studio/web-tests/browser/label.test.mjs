import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Mock } from "../tools/mock.mjs";
import { click, closeBrowser, count, drag, labels, missing, open, places, saved } from "../tools/page.mjs";

after(closeBrowser);

/** A test with a page on a fresh server; it fails on anything that the console calls an error. */
function paged(name, run, { images = 3, labelled = 0, ...options } = {}) {
  test(name, { skip: missing, timeout: 90_000 }, async () => {
    const mock = await Mock.synthetic(images, { width: 320, height: 240, labelled }).start();
    try {
      const page = await open(mock, options);
      await run(page, mock, mock.images[0]);
      assert.deepEqual(page.faults, []);
      await page.context().close();
    } finally {
      await mock.stop();
    }
  });
}

const puts = (mock) => mock.log.filter((r) => r.method === "PUT" && r.path.endsWith("/mask")).length;

paged("a stroke is one request, and the server has exactly the labels of the page", async (page, mock, image) => {
  await drag(page, [
    [40, 60],
    [200, 100],
    [120, 180],
  ]);
  await saved(page);
  assert.equal(puts(mock), 1);
  const mine = await labels(page);
  assert.ok(count(mine, 1) > 1000);
  assert.deepEqual(mine, image.mask);
});

paged("undo and redo by keys reach the server", async (page, mock, image) => {
  await drag(page, [
    [40, 60],
    [200, 100],
  ]);
  await drag(page, [
    [40, 160],
    [200, 160],
  ]);
  await saved(page);
  const both = image.mask.slice();
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  await saved(page);
  assert.equal(count(image.mask, 255), image.mask.length);
  await page.keyboard.press("Control+Shift+z");
  await page.keyboard.press("Control+y");
  await saved(page);
  assert.deepEqual(image.mask, both);
});

paged("a box is exact, the right button erases, and kept labels stay", async (page, mock, image) => {
  await page.keyboard.press("r");
  await drag(page, [
    [10.5, 20.5],
    [59.5, 39.5],
  ]);
  await saved(page);
  assert.equal(count(image.mask, 1), 50 * 20);
  await page.keyboard.press("k");
  await page.keyboard.press("3");
  await drag(page, [
    [0.5, 0.5],
    [99.5, 99.5],
  ]);
  await saved(page);
  assert.equal(count(image.mask, 1), 50 * 20);
  assert.equal(count(image.mask, 2), 100 * 100 - 50 * 20);
  await drag(
    page,
    [
      [10.5, 20.5],
      [19.5, 29.5],
    ],
    { button: "right" },
  );
  await saved(page);
  assert.equal(count(image.mask, 1), 50 * 20 - 100);
});

paged("a polygon closes at its first corner, by Enter, and freehand", async (page, mock, image) => {
  await page.keyboard.press("p");
  for (const point of [
    [20, 20],
    [120, 20],
    [120, 80],
    [20, 80],
    [20.5, 20.5],
  ])
    await click(page, point);
  await saved(page);
  assert.equal(count(image.mask, 1), 100 * 60);
  await page.keyboard.press("1");
  for (const point of [
    [150, 100],
    [250, 100],
    [250, 200],
    [10, 10],
  ])
    await click(page, point);
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Enter");
  await saved(page);
  assert.ok(Math.abs(count(image.mask, 0) - 5000) < 120, String(count(image.mask, 0)));
  await page.keyboard.press("3");
  await drag(page, [
    [20, 120],
    [60, 110],
    [100, 120],
    [110, 160],
    [90, 210],
    [40, 210],
    [15, 170],
  ]);
  await saved(page);
  assert.ok(count(image.mask, 2) > 6000);
});

paged("fill takes the area up to other labels, or up to other colours", async (page, mock, image) => {
  await page.keyboard.press("r");
  await drag(page, [
    [0.5, 119.5],
    [319.5, 120.5],
  ]);
  await page.keyboard.press("g");
  await page.keyboard.press("1");
  await click(page, [100, 200]);
  await saved(page);
  assert.equal(count(image.mask, 0), 320 * 118 + (240 - 121 - 118) * 320);
  await page.keyboard.press("e");
  await page.keyboard.press("g");
  await page.getByRole("radio", { name: "Other colours" }).click();
  await page.keyboard.press("3");
  await click(page, [160, 8]);
  await page.waitForFunction(() => window.dappleStudio.views.label.editor.session.history.done.length === 3);
  await saved(page);
  const sky = image.mask.filter((v, i) => v === 2 && image.truth[i] === 2).length;
  assert.ok(sky > 3000 && sky > 0.95 * count(image.mask, 2), `${sky} of ${count(image.mask, 2)}`);
});

paged("superpixels keep to the edges of the photograph", async (page, mock, image) => {
  await page.keyboard.press("s");
  await page.waitForFunction(() => window.dappleStudio.views.label.editor.cells);
  await page.keyboard.press("3");
  await drag(page, [
    [10, 10],
    [310, 20],
    [20, 30],
  ]);
  await saved(page);
  const painted = count(image.mask, 2);
  const right = image.mask.filter((v, i) => v === 2 && image.truth[i] === 2).length;
  assert.ok(painted > 2000 && right > 0.97 * painted, `${right} of ${painted}`);
});

paged("a proposal follows the strokes; all of it or a region is taken", async (page, mock, image) => {
  await drag(page, [
    [40, 20],
    [80, 20],
  ]);
  await page.waitForSelector(".offer:not([hidden])");
  await saved(page);
  const strokes = image.mask.slice();
  const inside = image.truth.findIndex((v, i) => v === 1 && strokes[i] === 255);
  await page.keyboard.press("a");
  await click(page, [(inside % 320) + 0.5, Math.floor(inside / 320) + 0.5]);
  await saved(page);
  assert.equal(image.mask[inside], 1);
  assert.ok(count(image.mask, 255) > 10_000);
  await page.keyboard.press("Shift+A");
  await saved(page);
  assert.deepEqual(
    image.mask,
    image.truth.map((v, i) => (strokes[i] === 255 ? v : strokes[i])),
  );
  await page.waitForSelector(".offer", { state: "hidden" });
});

paged("only what is sure is taken, and the rest is background", async (page, mock, image) => {
  await drag(page, [
    [40, 20],
    [80, 20],
  ]);
  await page.waitForSelector(".offer:not([hidden])");
  await page.getByRole("button", { name: "Only sure" }).click();
  await page.waitForFunction(() => window.dappleStudio.views.label.editor.session.history.done.length === 2);
  await saved(page);
  const open = count(image.mask, 255);
  assert.ok(open > 100 && open < 0.5 * image.mask.length, String(open));
  await page.keyboard.press("Shift+B");
  await saved(page);
  assert.equal(count(image.mask, 255), 0);
});

paged("classes are added, renamed, recoloured and merged", async (page, mock, image) => {
  await drag(page, [
    [40, 60],
    [200, 100],
  ]);
  await saved(page);
  await page.getByRole("button", { name: "Add a class" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("Animal");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByText("Another class has this name").waitFor();
  await page.getByRole("dialog").getByLabel("Name").fill("tree");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.waitForFunction(() => window.dappleStudio.views.label.editor.classId === 3);
  await page.getByRole("button", { name: "Change tree" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("bush");
  await page.getByRole("dialog").getByLabel("Colour").fill("#00d68f");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("radio", { name: "bush" }).waitFor();
  assert.deepEqual(mock.classes.at(-1), { id: 3, name: "bush", color: "#00d68f" });
  await drag(page, [
    [40, 200],
    [200, 200],
  ]);
  await saved(page);
  const both = count(image.mask, 1) + count(image.mask, 3);
  await page.locator("[data-id='1'] .class-more").click();
  await page.getByLabel("Merge").selectOption("3");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForFunction(() => window.dappleStudio.studio.state.classes.length === 3);
  await page.waitForFunction(() => window.dappleStudio.views.label.editor.session);
  assert.deepEqual(
    mock.classes.map((c) => c.name),
    ["background", "sky", "bush"],
  );
  assert.equal(count(image.mask, 2), both);
  await page.waitForFunction(
    (n) => window.dappleStudio.views.label.editor.session.map.data.filter((v) => v === 2).length === n,
    both,
  );
  await page.keyboard.press("Control+z");
  assert.equal(count(image.mask, 2), both);
});

paged("the mask as it was when opened is shown while a key is held", async (page) => {
  await drag(page, [
    [40, 60],
    [200, 100],
  ]);
  const shows = () =>
    page.evaluate(() => {
      const { screen, session } = window.dappleStudio.views.label.editor;
      return screen.layers.labels === session.opened.data;
    });
  await page.keyboard.down("c");
  assert.equal(await shows(), true);
  await page.keyboard.up("c");
  assert.equal(await shows(), false);
});

paged("all of it works by keys: paint at the middle, move, zoom, next image, help", async (page, mock, image) => {
  await page.locator(".stage").focus();
  await page.keyboard.press("Enter");
  await saved(page);
  assert.ok(count(image.mask, 1) > 20);
  const before = await page.evaluate(() => window.dappleStudio.views.label.editor.screen.viewport.scale);
  await page.keyboard.press("+");
  await page.keyboard.press("ArrowRight");
  assert.ok((await page.evaluate(() => window.dappleStudio.views.label.editor.screen.viewport.scale)) > before);
  await page.keyboard.press(".");
  await page.waitForFunction((id) => window.dappleStudio.views.label.editor.session?.id === id, mock.images[1].id);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard and mouse" }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("dialog").count(), 0);
});

paged("the images are one tab stop, in which arrow keys move", async (page, mock) => {
  const stops = page.locator(".strip-row .thumb[tabindex='0']");
  assert.equal(await stops.count(), 1);
  await stops.focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.id), mock.images[1].id);
  await page.keyboard.press("Enter");
  await page.waitForFunction((id) => window.dappleStudio.views.label.editor.session?.id === id, mock.images[1].id);
  assert.equal(await stops.count(), 1);
});

paged("the wheel zooms where the pointer is, and Space moves the picture without painting", async (page, mock) => {
  const [[x, y]] = await places(page, [[80, 60]]);
  await page.mouse.move(x, y);
  await page.mouse.wheel(0, -400);
  const [[nx, ny]] = await places(page, [[80, 60]]);
  assert.ok(Math.hypot(nx - x, ny - y) < 0.5);
  await page.keyboard.down(" ");
  await page.mouse.down();
  await page.mouse.move(x + 50, y + 30);
  await page.mouse.up();
  await page.keyboard.up(" ");
  const [[mx, my]] = await places(page, [[80, 60]]);
  assert.ok(Math.abs(mx - x - 50) < 1 && Math.abs(my - y - 30) < 1);
  assert.equal(puts(mock), 0);
});

paged(
  "one finger paints, two zoom and paint nothing",
  async (page, mock, image) => {
    const [[x, y], [u, v]] = await places(page, [
      [80, 60],
      [200, 160],
    ]);
    const client = await page.context().newCDPSession(page);
    const touch = (type, ...points) =>
      client.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([px, py], id) => ({ x: px, y: py, id })) });
    await touch("touchStart", [x, y]);
    await touch("touchMove", [x + 20, y + 10]);
    await touch("touchEnd");
    await saved(page);
    const painted = count(image.mask, 1);
    assert.ok(painted > 20);
    const before = await page.evaluate(() => window.dappleStudio.views.label.editor.screen.viewport.scale);
    await touch("touchStart", [x, y]);
    await touch("touchStart", [x, y], [u, v]);
    await touch("touchMove", [x - 20, y - 20], [u + 20, v + 20]);
    await touch("touchEnd");
    assert.ok((await page.evaluate(() => window.dappleStudio.views.label.editor.screen.viewport.scale)) > 1.1 * before);
    await saved(page);
    assert.equal(count(image.mask, 1), painted);
  },
  { width: 390, height: 844, touch: true },
);

paged("a pen's pressure sets the size", async (page, mock, image) => {
  const client = await page.context().newCDPSession(page);
  const sizes = [];
  for (const [row, force] of [
    [60, 0.15],
    [160, 0.9],
  ]) {
    const [[x, y]] = await places(page, [[100, row]]);
    const send = (type) =>
      client.send("Input.dispatchMouseEvent", {
        type,
        x,
        y,
        button: "left",
        buttons: 1,
        clickCount: 1,
        pointerType: "pen",
        force,
      });
    await send("mousePressed");
    await send("mouseReleased");
    await saved(page);
    sizes.push(count(image.mask, 1));
  }
  assert.ok(sizes[1] - sizes[0] > 3 * sizes[0], String(sizes));
});
