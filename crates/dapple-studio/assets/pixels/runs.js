/**
 * Run lengths: labels are large areas of one value, so that a step of the history takes little memory.
 */

const LONGEST = (1 << 24) - 1;

/** Packs bytes as words of value (8 bits) and length (24 bits), or keeps them where that is smaller. */
export function pack(bytes) {
  let runs = 0;
  for (let i = 0; i < bytes.length; runs++) i = endOfRun(bytes, i);
  if (4 * runs >= bytes.length) return { length: bytes.length, raw: bytes.slice() };
  const words = new Uint32Array(runs);
  for (let i = 0, n = 0; i < bytes.length; n++) {
    const end = endOfRun(bytes, i);
    words[n] = ((bytes[i] << 24) | (end - i)) >>> 0;
    i = end;
  }
  return { length: bytes.length, words };
}

export function unpack(packed) {
  if (packed.raw) return packed.raw;
  const bytes = new Uint8Array(packed.length);
  let at = 0;
  for (const word of packed.words) {
    const length = word & LONGEST;
    bytes.fill(word >>> 24, at, at + length);
    at += length;
  }
  return bytes;
}

/** Bytes of memory that a packed step takes. */
export const sizeOf = (packed) => (packed.raw ? packed.raw.length : 4 * packed.words.length);

function endOfRun(bytes, start) {
  const value = bytes[start];
  const most = Math.min(bytes.length, start + LONGEST);
  let end = start + 1;
  while (end < most && bytes[end] === value) end++;
  return end;
}
