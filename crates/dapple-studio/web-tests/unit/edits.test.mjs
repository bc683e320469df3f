import assert from "node:assert/strict";
import { test } from "node:test";
import { movable, stepOf } from "../../assets/pixels/bulk.js";
import { Edit } from "../../assets/pixels/edit.js";
import { History } from "../../assets/pixels/history.js";
import { LabelMap, difference } from "../../assets/pixels/map.js";
import { joined, rect } from "../../assets/pixels/rect.js";
import { pack, sizeOf, unpack } from "../../assets/pixels/runs.js";
import { capsule, polygon } from "../../assets/pixels/shapes.js";
import { noise, random } from "../tools/random.mjs";

test("run lengths give the same bytes back, and never take more than the bytes", () => {
  for (const bytes of [noise(1000, 3), new Uint8Array(50_000).fill(7), new Uint8Array(0), Uint8Array.of(1, 1, 2)]) {
    const packed = pack(bytes);
    assert.deepEqual(unpack(packed), bytes);
    assert.ok(sizeOf(packed) <= bytes.length);
  }
});

test("a run longer than 24 bits is split", () => {
  const bytes = new Uint8Array((1 << 24) + 5).fill(9);
  const packed = pack(bytes);
  assert.equal(packed.words.length, 2);
  assert.equal(Buffer.compare(unpack(packed), bytes), 0);
});

test("an edit records the smallest rectangle that changed", () => {
  const map = new LabelMap(400, 300);
  const edit = new Edit(map, 3);
  edit.span(150, 200, 260);
  edit.span(149, -5, 10);
  edit.span(-1, 0, 400);
  const step = edit.finish("test");
  assert.deepEqual(step.rect, rect(0, 149, 260, 151));
  assert.equal(map.at(259, 150), 3);
  assert.equal(map.at(260, 150), 255);
});

test("an edit that writes the labels that are there is no step", () => {
  const map = new LabelMap(40, 30, new Uint8Array(1200).fill(2));
  const edit = new Edit(map, 2);
  edit.span(3, 0, 40);
  assert.equal(edit.finish("test"), null);
});

test("a cancelled edit leaves no trace", () => {
  const before = noise(300 * 200, 4);
  const map = new LabelMap(300, 200, before.slice());
  const edit = new Edit(map, 1);
  capsule(20, 20, 30, 250, 150, 10, (y, a, b) => edit.span(y, a, b));
  edit.cancel();
  assert.deepEqual(map.data, before);
});

test("spared labels stay", () => {
  const map = new LabelMap(4, 1, Uint8Array.of(0, 1, 255, 1));
  const spared = new Uint8Array(256);
  spared[1] = 1;
  const edit = new Edit(map, 2, spared);
  edit.span(0, 0, 4);
  assert.deepEqual([...map.data], [2, 1, 2, 1]);
});

test("undo and redo go through every state, however many there are", () => {
  const next = random(8);
  const map = new LabelMap(257, 190, noise(257 * 190, 2));
  const history = new History();
  const states = [map.data.slice()];
  while (states.length < 200) {
    const edit = new Edit(map, Math.floor(4 * next()));
    capsule(257 * next(), 190 * next(), 30 * next(), 257 * next(), 190 * next(), 30 * next(), (y, a, b) => edit.span(y, a, b));
    const step = edit.finish("stroke");
    if (!step) continue;
    history.add(step);
    states.push(map.data.slice());
  }
  for (let i = states.length - 2; i >= 0; i--) {
    assert.ok(history.undo(map));
    assert.deepEqual(map.data, states[i]);
  }
  assert.equal(history.undo(map), null);
  for (let i = 1; i < states.length; i++) {
    history.redo(map);
    assert.deepEqual(map.data, states[i]);
  }
  assert.equal(history.redo(map), null);
});

test("a new step after undo ends the redo", () => {
  const map = new LabelMap(10, 10);
  const history = new History();
  for (const value of [1, 2]) {
    const edit = new Edit(map, value);
    edit.span(0, 0, 5);
    history.add(edit.finish("x"));
    if (value === 1) history.undo(map);
  }
  assert.equal(history.canRedo, false);
  assert.equal(history.done.length, 1);
});

test("the history of large strokes on a large image is small", () => {
  const map = new LabelMap(5472, 3648);
  const history = new History();
  for (let i = 0; i < 20; i++) {
    const edit = new Edit(map, i % 3);
    capsule(100, 100 + 150 * i, 80, 5300, 3000 - 100 * i, 80, (y, a, b) => edit.span(y, a, b));
    history.add(edit.finish("stroke"));
  }
  assert.ok(history.bytes < 20 * 2_000_000, `${history.bytes} bytes`);
});

test("the difference of two maps is a tight rectangle", () => {
  const a = new LabelMap(30, 20);
  const b = a.copy();
  assert.deepEqual(difference(a, b), rect(0, 0, 0, 0));
  polygon(
    [
      [3, 4],
      [9, 4],
      [9, 12],
      [3, 12],
    ],
    (y, l, r) => b.data.fill(1, y * 30 + l, y * 30 + r),
  );
  assert.deepEqual(difference(a, b), rect(3, 4, 9, 12));
});

test("near rectangles are joined, distant ones stay apart", () => {
  assert.deepEqual(joined([rect(0, 0, 100, 100), rect(50, 0, 150, 100)]), [rect(0, 0, 150, 100)]);
  assert.equal(joined([rect(0, 0, 100, 100), rect(2000, 2000, 2100, 2100)]).length, 2);
});

test("an edit that has ended writes nothing any more", () => {
  const map = new LabelMap(40, 30);
  for (const end of [(edit) => edit.finish("test"), (edit) => edit.cancel()]) {
    const edit = new Edit(map, 1);
    edit.span(3, 0, 10);
    end(edit);
    const before = map.data.slice();
    edit.span(9, 0, 40);
    assert.deepEqual(map.data, before);
  }
});

test("changes of whole maps are steps that undo takes back, also where another thread made them", () => {
  const [width, height] = [300, 200];
  const next = random(5);
  const base = new Uint8Array(width * height).map((_, i) => (i % 300 < 150 ? 255 : Math.floor(3 * next())));
  const proposal = noise(width * height, 3);
  const doubt = new Uint8Array(width * height).map(() => Math.floor(256 * next()));
  const wanted = {
    accept: base.map((v, i) => (v === 255 ? proposal[i] : v)),
    sure: base.map((v, i) => (v === 255 && doubt[i] < 64 ? proposal[i] : v)),
    rest: base.map((v) => (v === 255 ? 2 : v)),
  };
  const values = {
    accept: ["accept", { proposal, ignore: 255 }],
    sure: ["accept", { proposal, ignore: 255, doubt, sure: 64 }],
    rest: ["rest", { ignore: 255, value: 2 }],
    region: ["region", { proposal, ignore: 255, x: 20, y: 30 }],
    area: ["area", { value: 7, x: 20, y: 30 }],
  };
  for (const [name, [kind, given]] of Object.entries(values)) {
    const labels = base.slice();
    const step = stepOf(name, kind, width, height, labels, given);
    if (wanted[name]) assert.deepEqual(labels, wanted[name], name);
    const moved = structuredClone(step, { transfer: movable(step) });
    const map = new LabelMap(width, height, base.slice());
    const history = new History();
    history.take(map, moved);
    assert.deepEqual(map.data, labels, name);
    history.undo(map);
    assert.deepEqual(map.data, base, name);
  }
  const whole = new Uint8Array(width * height).fill(255);
  stepOf("area", "area", width, height, whole, { value: 7, x: 20, y: 30 });
  assert.ok(whole.every((v) => v === 7));
  assert.equal(stepOf("rest", "rest", width, height, whole, { ignore: 255, value: 2 }), null);
  assert.deepEqual(movable(null), []);
});
