/**
 * A ZIP file of files that are already compressed (PNG), so it stores them as they are. PKWARE's APPNOTE, 6.3.
 */
import { crc32 } from "../pixels/png.js";

/** @param files [{ name, bytes }] with different names */
export function zip(files) {
  const parts = [];
  const entries = [];
  let at = 0;
  const put = (bytes) => {
    parts.push(bytes);
    at += bytes.length;
  };
  for (const { name, bytes } of files) {
    const label = new TextEncoder().encode(name);
    const crc = crc32(bytes);
    const offset = at;
    // Version 2.0, names in UTF-8, stored, 1 January 1980.
    const common = [
      [20, 2],
      [0x800, 2],
      [0, 2],
      [0, 2],
      [33, 2],
      [crc, 4],
      [bytes.length, 4],
      [bytes.length, 4],
      [label.length, 2],
      [0, 2],
    ];
    put(fields([[0x04034b50, 4], ...common]));
    put(label);
    put(bytes);
    entries.push([fields([[0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]]), label]);
  }
  const start = at;
  for (const [entry, label] of entries) {
    put(entry);
    put(label);
  }
  const count = entries.length;
  put(
    fields([
      [0x06054b50, 4],
      [0, 2],
      [0, 2],
      [count, 2],
      [count, 2],
      [at - start, 4],
      [start, 4],
      [0, 2],
    ]),
  );
  return new Blob(parts, { type: "application/zip" });
}

function fields(list) {
  const out = new Uint8Array(list.reduce((sum, [, size]) => sum + size, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const [value, size] of list) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return out;
}
