import assert from "node:assert/strict";
import { test } from "node:test";
import { labOf, inkOn, newColour, NEW_COLOURS, rgbOf } from "../../assets/pixels/colour.js";
import { areaOfColour, areaOfLabel, areaOfProposal, flood } from "../../assets/pixels/fill.js";
import { LabelMap } from "../../assets/pixels/map.js";
import { box, capsule, disc, polygon } from "../../assets/pixels/shapes.js";
import { resized } from "../../assets/pixels/resize.js";
import { leastSure } from "../../assets/pixels/unsure.js";
import { slic } from "../../assets/pixels/slic.js";
import { Superpixels } from "../../assets/pixels/superpixels.js";
import { random } from "../tools/random.mjs";

/** The pixels of spans, each counted. */
function drawn(width, height, draw) {
  const out = new Uint8Array(width * height);
  draw((y, left, right) => {
    for (let x = Math.max(0, left); x < Math.min(width, right); x++) if (y >= 0 && y < height) out[y * width + x]++;
  });
  return out;
}

test("a brush covers exactly the pixels whose centres lie in it", () => {
  const next = random(3);
  for (let turn = 0; turn < 50; turn++) {
    const [x0, y0, x1, y1] = [60 * next(), 50 * next(), 60 * next(), 50 * next()];
    const radius = 0.6 + 12 * next();
    const out = drawn(60, 50, (span) => capsule(x0, y0, radius, x1, y1, radius, span));
    for (let y = 0; y < 50; y++) {
      for (let x = 0; x < 60; x++) {
        const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
        const [dx, dy] = [x1 - x0, y1 - y0];
        const t = Math.min(1, Math.max(0, (px * dx + py * dy) / (dx * dx + dy * dy)));
        const distance = Math.hypot(px - t * dx, py - t * dy);
        if (Math.abs(distance - radius) < 1e-6) continue;
        assert.equal(out[y * 60 + x] > 0, distance < radius, `${x} ${y}`);
      }
    }
  }
});

test("a dab is never empty", () => {
  assert.equal(drawn(9, 9, (span) => disc(4.01, 4.01, 0.2, span))[40], 1);
});

test("a box holds the pixels of both corners", () => {
  const out = drawn(10, 10, (span) => box(7.2, 8.9, 2.5, 3.1, span));
  assert.equal(
    out.reduce((a, b) => a + b),
    6 * 6,
  );
  assert.ok(out[8 * 10 + 7] && out[3 * 10 + 2]);
});

test("polygons are filled by the even-odd rule at the centres of pixels", () => {
  const next = random(11);
  for (let turn = 0; turn < 40; turn++) {
    const points = Array.from({ length: 3 + Math.floor(6 * next()) }, () => [50 * next() - 5, 50 * next() - 5]);
    const out = drawn(40, 40, (span) => polygon(points, span));
    for (let y = 0; y < 40; y++) {
      for (let x = 0; x < 40; x++) {
        let inside = false;
        for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
          const [[ax, ay], [bx, by]] = [points[i], points[j]];
          const [px, py] = [x + 0.5, y + 0.5];
          if (ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) inside = !inside;
        }
        assert.equal(out[y * 40 + x], inside ? 1 : 0);
      }
    }
  }
});

test("polygons that share an edge neither overlap nor leave a gap", () => {
  const out = drawn(40, 40, (span) => {
    polygon(
      [
        [3.3, 2.1],
        [20.7, 5.5],
        [18.2, 33.3],
      ],
      span,
    );
    polygon(
      [
        [20.7, 5.5],
        [36.1, 30.2],
        [18.2, 33.3],
      ],
      span,
    );
    polygon(
      [
        [3.3, 2.1],
        [18.2, 33.3],
        [1.5, 30],
      ],
      span,
    );
  });
  assert.ok(out.every((n) => n <= 1));
  assert.equal(out[20 * 40 + 18], 1);
});

test("flood fill takes one connected area, each pixel once", () => {
  const next = random(21);
  const [width, height] = [70, 60];
  const walls = Uint8Array.from({ length: width * height }, () => (next() < 0.38 ? 1 : 0));
  walls[0] = 0;
  const out = drawn(width, height, (span) => flood(width, height, 0, 0, (i) => !walls[i], span));
  const expected = new Uint8Array(width * height);
  const stack = [0];
  while (stack.length) {
    const i = stack.pop();
    if (expected[i] || walls[i]) continue;
    expected[i] = 1;
    if (i % width) stack.push(i - 1);
    if (i % width < width - 1) stack.push(i + 1);
    if (i >= width) stack.push(i - width);
    if (i + width < expected.length) stack.push(i + width);
  }
  assert.deepEqual(out, expected);
});

test("an area of one label ends at other labels", () => {
  const map = new LabelMap(20, 20);
  for (let i = 0; i < 20; i++) map.data[i * 20 + 10] = 1;
  assert.equal(areaOfLabel(map, 3, 3).pixels, 200);
  assert.equal(areaOfLabel(map, 10, 3).pixels, 20);
});

test("an area of like colours ends where the colours change", () => {
  const rgba = new Uint8ClampedArray(4 * 100);
  for (let i = 0; i < 100; i++) rgba.set(i % 10 < 6 ? [200, 100 + (i % 3), 50, 255] : [20, 100, 50, 255], 4 * i);
  assert.equal(areaOfColour(rgba, 10, 10, 1, 1, 5).pixels, 60);
});

test("accepting a region takes the proposal's area that has no label yet", () => {
  const map = new LabelMap(10, 10);
  map.data.fill(0, 0, 20);
  const proposal = new Uint8Array(100).fill(1);
  proposal.fill(2, 70);
  const area = areaOfProposal(map, proposal, 5, 5, 255);
  assert.deepEqual([area.value, area.pixels], [1, 50]);
  assert.equal(areaOfProposal(map, proposal, 5, 0, 255).pixels, 0);
});

/** Two flat colours with a slanted border. */
function twoColours(width, height) {
  const rgba = new Uint8ClampedArray(4 * width * height);
  const side = (x, y) => x + 0.4 * y > 0.7 * width;
  for (let i = 0; i < width * height; i++) {
    rgba.set(side(i % width, Math.floor(i / width)) ? [210, 60, 40, 255] : [40, 90, 160, 255], 4 * i);
  }
  return { rgba, side };
}

test("superpixels cover the image, are connected, and keep to edges", () => {
  const [width, height] = [96, 80];
  const { rgba, side } = twoColours(width, height);
  const { labels, count } = slic(labOf(rgba), width, height, 12);
  assert.ok(count > 25 && count < 90, `${count}`);
  const mixed = new Map();
  for (let i = 0; i < labels.length; i++) {
    assert.ok(labels[i] >= 0 && labels[i] < count);
    const seen = mixed.get(labels[i]) ?? [0, 0];
    seen[Number(side(i % width, Math.floor(i / width)))]++;
    mixed.set(labels[i], seen);
  }
  assert.equal(mixed.size, count);
  const wrong = [...mixed.values()].reduce((sum, [a, b]) => sum + Math.min(a, b), 0);
  assert.ok(wrong <= 0.005 * labels.length, `${wrong} pixels on the other side`);
  for (const number of mixed.keys()) {
    const start = labels.indexOf(number);
    const pixels = flood(
      width,
      height,
      start % width,
      Math.floor(start / width),
      (i) => labels[i] === number,
      () => {},
    );
    assert.equal(pixels, mixed.get(number)[0] + mixed.get(number)[1]);
  }
});

test("superpixels of a smaller picture cover the large image once", () => {
  const { rgba } = twoColours(50, 40);
  const map = new Superpixels({ ...slic(labOf(rgba), 50, 40, 10), width: 50, height: 40 }, 133, 111);
  const out = drawn(133, 111, (span) => {
    for (let k = 0; k < map.count; k++) map.spans(k, span);
  });
  assert.ok(out.every((n) => n === 1));
  const one = drawn(133, 111, (span) => map.spans(map.at(70, 60), span));
  assert.equal(one[60 * 133 + 70], 1);
});

test("the least sure part is where doubt lies in pixels without a label", () => {
  const map = new LabelMap(100, 60);
  const doubt = new Uint8Array(6000);
  doubt.fill(255, 0, 500);
  map.data.fill(1, 0, 500);
  for (let y = 33; y < 38; y++) doubt.fill(90, y * 100 + 71, y * 100 + 79);
  assert.deepEqual(leastSure(map, doubt, 255), { left: 70, top: 30, right: 80, bottom: 40 });
  assert.equal(leastSure(map, new Uint8Array(6000), 255), null);
});

test("a picture grows and shrinks by interpolation", () => {
  const small = { width: 2, height: 1, data: Uint8Array.of(0, 200) };
  assert.deepEqual([...resized(small, 4, 2).data], [0, 50, 150, 200, 0, 50, 150, 200]);
  assert.equal(resized(small, 2, 1).data, small.data);
});

test("colours are read, and new ones differ from those in use", () => {
  assert.deepEqual(rgbOf("#0a80ff"), [10, 128, 255]);
  assert.equal(newColour([NEW_COLOURS[0], NEW_COLOURS[1].toUpperCase()]), NEW_COLOURS[2]);
  assert.equal(inkOn("#ffffff"), "#101418");
  assert.equal(inkOn("#20208a"), "#ffffff");
  const [l, a, b] = labOf(Uint8Array.of(255, 0, 0, 255));
  assert.ok(Math.abs(l - 53.24) < 0.1 && Math.abs(a - 80.09) < 0.2 && Math.abs(b - 67.2) < 0.2);
});
