/**
 * A grey picture at another size, by linear interpolation between the centres of pixels.
 */
export function resized({ width, height, data }, toWidth, toHeight) {
  if (width === toWidth && height === toHeight) return { width, height, data };
  const out = new Uint8Array(toWidth * toHeight);
  const columns = places(width, toWidth);
  const rows = places(height, toHeight);
  for (let y = 0, i = 0; y < toHeight; y++) {
    const up = rows.first[y] * width,
      down = rows.second[y] * width,
      v = rows.share[y];
    for (let x = 0; x < toWidth; x++, i++) {
      const left = columns.first[x],
        right = columns.second[x],
        u = columns.share[x];
      const above = data[up + left] + u * (data[up + right] - data[up + left]);
      const below = data[down + left] + u * (data[down + right] - data[down + left]);
      out[i] = above + v * (below - above) + 0.5;
    }
  }
  return { width: toWidth, height: toHeight, data: out };
}

/** For each place of the new axis: two places of the old one, and the share of the second. */
function places(size, to) {
  const first = new Int32Array(to),
    second = new Int32Array(to),
    share = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const at = Math.min(size - 1, Math.max(0, ((i + 0.5) * size) / to - 0.5));
    first[i] = Math.floor(at);
    second[i] = Math.min(size - 1, first[i] + 1);
    share[i] = at - first[i];
  }
  return { first, second, share };
}
