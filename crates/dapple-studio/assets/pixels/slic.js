/**
 * Superpixels by SLIC: k-means of colour (Lab) and place, each centre looking only around itself.
 * R. Achanta, A. Shaji, K. Smith, A. Lucchi, P. Fua, S. Süsstrunk: "SLIC Superpixels Compared to
 * State-of-the-Art Superpixel Methods", IEEE TPAMI 34 (11), 2012.
 */

/**
 * @param lab three numbers a pixel
 * @param side the wanted side of a superpixel in pixels
 * @param compactness weight of place against colour (the paper's m): 1 to 40
 * @returns { labels: Int32Array, count }: connected superpixels, numbered from 0
 */
export function slic(lab, width, height, side, compactness = 12, rounds = 6) {
  const step = Math.max(2, side);
  const centres = seeds(lab, width, height, step);
  const labels = new Int32Array(width * height).fill(-1);
  const distances = new Float32Array(width * height);
  const weight = (compactness / step) ** 2;
  for (let round = 0; round < rounds; round++) {
    assign(lab, width, height, centres, step, weight, labels, distances);
    move(lab, width, labels, centres);
  }
  return connect(labels, width, height, Math.max(1, Math.floor((step * step) / 4)));
}

/** Centres on a grid, each moved to the place of the lowest gradient of its 3 x 3 neighbours: [L, a, b, x, y]. */
function seeds(lab, width, height, step) {
  const across = Math.max(1, Math.round(width / step));
  const down = Math.max(1, Math.round(height / step));
  const centres = new Float32Array(5 * across * down);
  const change = (x, y) => {
    const l = Math.max(0, x - 1),
      r = Math.min(width - 1, x + 1);
    const t = Math.max(0, y - 1),
      b = Math.min(height - 1, y + 1);
    let sum = 0;
    for (let c = 0; c < 3; c++) {
      sum += (lab[3 * (y * width + r) + c] - lab[3 * (y * width + l) + c]) ** 2;
      sum += (lab[3 * (b * width + x) + c] - lab[3 * (t * width + x) + c]) ** 2;
    }
    return sum;
  };
  for (let j = 0, at = 0; j < down; j++) {
    for (let i = 0; i < across; i++, at += 5) {
      const x = Math.floor(((i + 0.5) * width) / across);
      const y = Math.floor(((j + 0.5) * height) / down);
      let [bestX, bestY, best] = [x, y, change(x, y)];
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          const [nx, ny] = [x + dx, y + dy];
          if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
          const here = change(nx, ny);
          if (here < best) [bestX, bestY, best] = [nx, ny, here];
        }
      }
      const from = 3 * (bestY * width + bestX);
      centres.set([lab[from], lab[from + 1], lab[from + 2], bestX, bestY], at);
    }
  }
  return centres;
}

function assign(lab, width, height, centres, step, weight, labels, distances) {
  distances.fill(Infinity);
  const reach = Math.ceil(1.5 * step);
  for (let k = 0, c = 0; c < centres.length; k++, c += 5) {
    const L = centres[c],
      A = centres[c + 1],
      B = centres[c + 2],
      cx = centres[c + 3],
      cy = centres[c + 4];
    const left = Math.max(0, Math.floor(cx - reach)),
      right = Math.min(width, Math.ceil(cx + reach));
    const bottom = Math.min(height, Math.ceil(cy + reach));
    for (let y = Math.max(0, Math.floor(cy - reach)); y < bottom; y++) {
      const far = (y - cy) * (y - cy) * weight;
      for (let x = left, i = y * width + left; x < right; x++, i++) {
        const dl = lab[3 * i] - L,
          da = lab[3 * i + 1] - A,
          db = lab[3 * i + 2] - B;
        const d = dl * dl + da * da + db * db + (x - cx) * (x - cx) * weight + far;
        if (d < distances[i]) {
          distances[i] = d;
          labels[i] = k;
        }
      }
    }
  }
}

function move(lab, width, labels, centres) {
  const sums = new Float64Array(centres.length);
  const counts = new Uint32Array(centres.length / 5);
  for (let i = 0; i < labels.length; i++) {
    const k = labels[i];
    if (k < 0) continue;
    const s = 5 * k;
    sums[s] += lab[3 * i];
    sums[s + 1] += lab[3 * i + 1];
    sums[s + 2] += lab[3 * i + 2];
    sums[s + 3] += i % width;
    sums[s + 4] += Math.floor(i / width);
    counts[k]++;
  }
  for (let k = 0; k < counts.length; k++) {
    if (counts[k] === 0) continue;
    for (let c = 5 * k; c < 5 * k + 5; c++) centres[c] = sums[c] / counts[k];
  }
}

/** Every superpixel becomes connected: pieces below `least` pixels join a neighbour. */
function connect(labels, width, height, least) {
  const out = new Int32Array(labels.length).fill(-1);
  const piece = new Int32Array(labels.length);
  let count = 0;
  for (let start = 0; start < labels.length; start++) {
    if (out[start] >= 0) continue;
    let neighbour = -1;
    let size = 1;
    piece[0] = start;
    out[start] = count;
    for (let at = 0; at < size; at++) {
      const i = piece[at];
      const x = i % width;
      const look = (j) => {
        if (out[j] < 0 && labels[j] === labels[start]) {
          out[j] = count;
          piece[size++] = j;
        } else if (out[j] >= 0 && out[j] !== count) {
          neighbour = out[j];
        }
      };
      if (x > 0) look(i - 1);
      if (x + 1 < width) look(i + 1);
      if (i >= width) look(i - width);
      if (i + width < labels.length) look(i + width);
    }
    if (size < least && neighbour >= 0) {
      for (let at = 0; at < size; at++) out[piece[at]] = neighbour;
    } else {
      count++;
    }
  }
  return { labels: out, count };
}
