/** Repeatable numbers for tests: xorshift32. */
export function random(seed) {
  let s = (seed * 2654435761 + 1) >>> 0 || 1;
  return () => {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    return s / 2 ** 32;
  };
}

export function noise(length, seed) {
  const next = random(seed);
  return Uint8Array.from({ length }, () => Math.floor(256 * next()));
}
