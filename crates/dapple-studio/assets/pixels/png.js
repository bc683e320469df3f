/**
 * PNG, exactly: a canvas may change values by colour management, and labels must not change.
 * Writes 8-bit grey, RGB and RGBA; reads 8-bit grey. "Portable Network Graphics Specification", W3C, third edition.
 */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const COLOUR_TYPES = { 1: 0, 3: 2, 4: 6 };

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

/** CRC-32 of bytes. */
export function crc32(bytes) {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = TABLE[(c ^ bytes[i]) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

async function through(stream, bytes) {
  const blob = bytes instanceof Blob ? bytes : new Blob([bytes]);
  const piped = blob.stream().pipeThrough(stream);
  return new Uint8Array(await new Response(piped).arrayBuffer());
}

function chunk(name, data) {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = name.charCodeAt(i);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

/** Encodes rows of `channels` bytes a pixel: 1 (grey), 3 (RGB) or 4 (RGBA). */
export async function encodePng(width, height, data, channels = 1) {
  if (data.length !== width * height * channels) throw new Error("the bytes do not fill the picture");
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, COLOUR_TYPES[channels], 0, 0, 0], 8);
  const stride = width * channels;
  const rows = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  const packed = await through(new CompressionStream("deflate"), rows);
  const parts = [Uint8Array.from(SIGNATURE), chunk("IHDR", head), chunk("IDAT", packed), chunk("IEND", new Uint8Array(0))];
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  parts.reduce((at, p) => (out.set(p, at), at + p.length), 0);
  return out;
}

/** Decodes an 8-bit grey PNG: { width, height, data } with the values as they are in the file. */
export async function decodeGreyPng(bytes) {
  bytes = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) throw new Error("this is not a PNG file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const packed = [];
  let head = null;
  let ended = false;
  for (let at = 8; !ended;) {
    if (at + 12 > bytes.length) throw new Error("the PNG file is cut off");
    const length = view.getUint32(at);
    if (at + 12 + length > bytes.length) throw new Error("the PNG file is cut off");
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (view.getUint32(at + 8 + length) !== crc32(bytes.subarray(at + 4, at + 8 + length))) {
      throw new Error(`the PNG file is damaged (part ${name})`);
    }
    if (name === "IHDR") head = readHead(view, at + 8);
    if (name === "IDAT") packed.push(data);
    ended = name === "IEND";
    at += 12 + length;
  }
  if (!head) throw new Error("the PNG file has no header");
  const rows = await through(new DecompressionStream("deflate"), new Blob(packed));
  if (rows.length !== (head.width + 1) * head.height) throw new Error("the PNG file has too few or too many pixels");
  return { ...head, data: unfilter(rows, head.width, head.height) };
}

function readHead(view, at) {
  const [depth, type, , , interlaced] = [8, 9, 10, 11, 12].map((i) => view.getUint8(at + i));
  if (depth !== 8 || type !== 0 || interlaced) throw new Error("the PNG file is not 8-bit grey");
  return { width: view.getUint32(at), height: view.getUint32(at + 4) };
}

/** Undoes the filters of the rows (section 9 of the specification); one byte a pixel. */
function unfilter(rows, width, height) {
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const kind = rows[y * (width + 1)];
    const from = y * (width + 1) + 1;
    const to = y * width;
    const up = to - width;
    switch (kind) {
      case 0:
        out.set(rows.subarray(from, from + width), to);
        break;
      case 1:
        for (let x = 0; x < width; x++) out[to + x] = rows[from + x] + (x ? out[to + x - 1] : 0);
        break;
      case 2:
        for (let x = 0; x < width; x++) out[to + x] = rows[from + x] + (y ? out[up + x] : 0);
        break;
      case 3:
        for (let x = 0; x < width; x++) {
          out[to + x] = rows[from + x] + (((x ? out[to + x - 1] : 0) + (y ? out[up + x] : 0)) >> 1);
        }
        break;
      case 4:
        for (let x = 0; x < width; x++) {
          const a = x ? out[to + x - 1] : 0,
            b = y ? out[up + x] : 0,
            c = x && y ? out[up + x - 1] : 0;
          const pa = Math.abs(b - c),
            pb = Math.abs(a - c),
            pc = Math.abs(a + b - 2 * c);
          out[to + x] = rows[from + x] + (pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
        }
        break;
      default:
        throw new Error(`the PNG file is damaged (filter ${kind})`);
    }
  }
  return out;
}
