/**
 * The part of an image to label next: where the network is least sure and nobody has labelled yet.
 */
import { rect } from "./rect.js";

/** Parts along the longer side. */
const PARTS = 10;

/**
 * The box with the most doubt in pixels without a label; null where there is none.
 * @param doubt one byte a pixel, as `map.data`
 */
export function leastSure(map, doubt, unlabelled) {
  const { width, height, data } = map;
  const side = Math.max(1, Math.ceil(Math.max(width, height) / PARTS));
  const across = Math.ceil(width / side);
  const sums = new Float64Array(across * Math.ceil(height / side));
  for (let y = 0, i = 0; y < height; y++) {
    const row = Math.floor(y / side) * across;
    for (let x = 0; x < width; x++, i++) if (data[i] === unlabelled) sums[row + Math.floor(x / side)] += doubt[i];
  }
  let best = 0;
  for (let k = 1; k < sums.length; k++) if (sums[k] > sums[best]) best = k;
  if (sums[best] === 0) return null;
  const left = (best % across) * side;
  const top = Math.floor(best / across) * side;
  return rect(left, top, Math.min(width, left + side), Math.min(height, top + side));
}
