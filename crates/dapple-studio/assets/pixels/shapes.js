/**
 * Shapes as spans of pixels. A pixel belongs to a shape if its centre does.
 * Each function calls span(y, left, right) with right exclusive; spans may lie outside the map.
 */

const first = (x) => Math.ceil(x - 0.5);
const after = (x) => Math.floor(x - 0.5) + 1;

/** The hull of two discs: one step of a brush whose radius may change on the way. */
export function capsule(x0, y0, r0, x1, y1, r1, span) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  const nx = length > 0 ? -(y1 - y0) / length : 0;
  const ny = length > 0 ? (x1 - x0) / length : 0;
  const corners =
    length > 0
      ? [
          [x0 + nx * r0, y0 + ny * r0],
          [x1 + nx * r1, y1 + ny * r1],
          [x1 - nx * r1, y1 - ny * r1],
          [x0 - nx * r0, y0 - ny * r0],
        ]
      : [];
  const top = first(Math.min(y0 - r0, y1 - r1));
  const bottom = after(Math.max(y0 + r0, y1 + r1));
  for (let y = top; y < bottom; y++) {
    const middle = y + 0.5;
    let left = Infinity,
      right = -Infinity;
    const widen = (a, b) => {
      if (a < left) left = a;
      if (b > right) right = b;
    };
    const half0 = r0 * r0 - (middle - y0) ** 2;
    if (half0 >= 0) widen(x0 - Math.sqrt(half0), x0 + Math.sqrt(half0));
    const half1 = r1 * r1 - (middle - y1) ** 2;
    if (half1 >= 0) widen(x1 - Math.sqrt(half1), x1 + Math.sqrt(half1));
    for (let i = 0; i < corners.length; i++) {
      const [ax, ay] = corners[i];
      const [bx, by] = corners[(i + 1) % corners.length];
      if (ay <= middle === by <= middle) continue;
      const x = ax + ((middle - ay) / (by - ay)) * (bx - ax);
      widen(x, x);
    }
    if (right >= left) span(y, first(left), after(right));
  }
}

/** A disc; never less than the pixel under its centre. */
export function disc(x, y, radius, span) {
  span(Math.floor(y), Math.floor(x), Math.floor(x) + 1);
  capsule(x, y, radius, x, y, radius, span);
}

/** The box between two corners, each within the pixel that it names. */
export function box(x0, y0, x1, y1, span) {
  const left = Math.floor(Math.min(x0, x1));
  const right = Math.floor(Math.max(x0, x1)) + 1;
  for (let y = Math.floor(Math.min(y0, y1)); y <= Math.floor(Math.max(y0, y1)); y++) span(y, left, right);
}

/** A polygon by the even-odd rule; `points` are [x, y] and the last joins the first. */
export function polygon(points, span) {
  if (points.length < 3) return;
  const ys = points.map((p) => p[1]);
  const bottom = after(Math.max(...ys));
  for (let y = first(Math.min(...ys)); y < bottom; y++) {
    const middle = y + 0.5;
    const crossings = [];
    for (let i = 0; i < points.length; i++) {
      const [ax, ay] = points[i];
      const [bx, by] = points[(i + 1) % points.length];
      if (ay <= middle === by <= middle) continue;
      crossings.push(ax + ((middle - ay) / (by - ay)) * (bx - ax));
    }
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const left = first(crossings[i]);
      const right = first(crossings[i + 1]);
      if (right > left) span(y, left, right);
    }
  }
}
