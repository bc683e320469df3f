/**
 * Connected areas, by spans: a queue of spans of rows, four neighbours.
 */

/**
 * The area around (x, y) in which `inside(index)` holds.
 * @param inside says of a pixel's index whether it belongs; asked again for pixels already seen, so it must not change meanwhile
 * @param span called with (y, left, right), right exclusive, once for each span; spans do not overlap
 * @returns the number of pixels
 */
export function flood(width, height, x, y, inside, span) {
  if (x < 0 || y < 0 || x >= width || y >= height || !inside(y * width + x)) return 0;
  const seen = new Uint8Array(Math.ceil((width * height) / 8));
  const isNew = (i) => !(seen[i >> 3] & (1 << (i & 7))) && inside(i);
  let pixels = 0;
  const queue = [x, y];
  while (queue.length) {
    const row = queue.pop();
    const start = queue.pop();
    const at = row * width;
    if (!isNew(at + start)) continue;
    let left = start;
    while (left > 0 && isNew(at + left - 1)) left--;
    let right = start + 1;
    while (right < width && isNew(at + right)) right++;
    for (let i = at + left; i < at + right; i++) seen[i >> 3] |= 1 << (i & 7);
    span(row, left, right);
    pixels += right - left;
    for (const next of [row - 1, row + 1]) {
      if (next < 0 || next >= height) continue;
      const base = next * width;
      for (let i = left; i < right; i++) {
        if (!isNew(base + i)) continue;
        queue.push(i, next);
        while (i < right && isNew(base + i)) i++;
      }
    }
  }
  return pixels;
}

/** The spans of `flood`, for writing after the area is known. */
export function areaAround(width, height, x, y, inside) {
  const spans = [];
  const pixels = flood(width, height, x, y, inside, (row, left, right) => spans.push([row, left, right]));
  return { spans, pixels };
}

/** The area of one label around (x, y) in a label map. */
export function areaOfLabel(map, x, y) {
  const { data } = map;
  const value = map.at(x, y);
  return areaAround(map.width, map.height, x, y, (i) => data[i] === value);
}

/** The area around (x, y) whose colours differ from the colour there by at most `tolerance` in each channel (RGBA bytes). */
export function areaOfColour(rgba, width, height, x, y, tolerance) {
  const at = 4 * (y * width + x);
  const [red, green, blue] = [rgba[at], rgba[at + 1], rgba[at + 2]];
  const near = (i) =>
    Math.abs(rgba[4 * i] - red) <= tolerance &&
    Math.abs(rgba[4 * i + 1] - green) <= tolerance &&
    Math.abs(rgba[4 * i + 2] - blue) <= tolerance;
  return areaAround(width, height, x, y, near);
}

/**
 * The part of a proposal that a click accepts: the connected area of one proposed class among pixels without a label.
 * `proposal` and `map.data` have one byte a pixel.
 */
export function areaOfProposal(map, proposal, x, y, unlabelled) {
  const { data } = map;
  const value = proposal[y * map.width + x];
  if (value === unlabelled) return { value, spans: [], pixels: 0 };
  const area = areaAround(map.width, map.height, x, y, (i) => proposal[i] === value && data[i] === unlabelled);
  return { value, ...area };
}
