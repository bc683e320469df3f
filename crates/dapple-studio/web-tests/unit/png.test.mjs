import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync, inflateSync } from "node:zlib";
import { crc32, decodeGreyPng, encodePng } from "../../assets/pixels/png.js";
import { zip } from "../../assets/core/zip.js";
import { noise } from "../tools/random.mjs";

test("a grey picture comes back with the same values", async () => {
  for (const [width, height] of [
    [1, 1],
    [7, 3],
    [300, 129],
  ]) {
    const data = noise(width * height, width);
    const back = await decodeGreyPng(await encodePng(width, height, data));
    assert.deepEqual([back.width, back.height], [width, height]);
    assert.deepEqual(back.data, data);
  }
});

test("rows with each filter of the specification are read", async () => {
  const [width, height] = [33, 10];
  const data = noise(width * height, 5);
  const at = (x, y) => (x < 0 || y < 0 ? 0 : data[y * width + x]);
  const predicted = [
    () => 0,
    (x, y) => at(x - 1, y),
    (x, y) => at(x, y - 1),
    (x, y) => (at(x - 1, y) + at(x, y - 1)) >> 1,
    (x, y) => {
      const [a, b, c] = [at(x - 1, y), at(x, y - 1), at(x - 1, y - 1)];
      const p = a + b - c;
      return [
        [a, 0],
        [b, 1],
        [c, 2],
      ].sort((m, n) => Math.abs(p - m[0]) - Math.abs(p - n[0]) || m[1] - n[1])[0][0];
    },
  ];
  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y++) {
    rows[y * (width + 1)] = y % 5;
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = at(x, y) - predicted[y % 5](x, y);
  }
  const plain = await encodePng(width, height, data);
  assert.deepEqual((await decodeGreyPng(withPixels(plain, rows))).data, data);
});

test("colour pictures are written as the specification says", async () => {
  const data = noise(4 * 6 * 5, 9);
  const png = await encodePng(6, 5, data, 4);
  assert.equal(png[25], 6);
  const rows = inflateSync(partOf(png, "IDAT"));
  assert.deepEqual(new Uint8Array(rows.subarray(1, 25)), data.subarray(0, 24));
});

test("a damaged, cut off or foreign file is refused in words", async () => {
  const png = await encodePng(9, 9, noise(81, 1));
  const damaged = png.slice();
  damaged[45] ^= 1;
  await assert.rejects(decodeGreyPng(damaged), /damaged/);
  await assert.rejects(decodeGreyPng(png.subarray(0, 60)), /cut off/);
  await assert.rejects(decodeGreyPng(new Uint8Array(20)), /not a PNG/);
  await assert.rejects(decodeGreyPng(await encodePng(2, 2, noise(12, 1), 3)), /not 8-bit grey/);
  await assert.rejects(decodeGreyPng(withPixels(png, new Uint8Array(40))), /too few/);
});

test("the checksum is CRC-32", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

test("a ZIP file lists its files where they are", async () => {
  const files = [
    { name: "a.png", bytes: noise(100, 1) },
    { name: "größe.csv", bytes: noise(10, 2) },
  ];
  const bytes = Buffer.from(await zip(files).arrayBuffer());
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  assert.equal(bytes.readUInt16LE(end + 10), 2);
  let at = bytes.readUInt32LE(end + 16);
  for (const file of files) {
    assert.equal(bytes.readUInt32LE(at), 0x02014b50);
    const name = bytes.readUInt16LE(at + 28);
    assert.equal(bytes.subarray(at + 46, at + 46 + name).toString(), file.name);
    const local = bytes.readUInt32LE(at + 42);
    const start = local + 30 + bytes.readUInt16LE(local + 26);
    assert.deepEqual(new Uint8Array(bytes.subarray(start, start + file.bytes.length)), file.bytes);
    at += 46 + name;
  }
  assert.equal(at, end);
});

function partOf(png, name) {
  const at = Buffer.from(png).indexOf(name) - 4;
  return png.subarray(at + 8, at + 8 + Buffer.from(png).readUInt32BE(at));
}

function withPixels(png, rows) {
  const at = Buffer.from(png).indexOf("IDAT") - 4;
  const packed = deflateSync(rows);
  const chunk = Buffer.alloc(12 + packed.length);
  chunk.writeUInt32BE(packed.length);
  chunk.write("IDAT", 4);
  packed.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + packed.length)), 8 + packed.length);
  const rest = at + 12 + Buffer.from(png).readUInt32BE(at);
  return new Uint8Array(Buffer.concat([png.subarray(0, at), chunk, png.subarray(rest)]));
}
