/**
 * Rectangles of whole pixels: { left, top, right, bottom }, right and bottom exclusive.
 */

export const rect = (left, top, right, bottom) => ({ left, top, right, bottom });

export const isEmpty = (r) => !r || r.right <= r.left || r.bottom <= r.top;

export const widthOf = (r) => r.right - r.left;

export const heightOf = (r) => r.bottom - r.top;

export const areaOf = (r) => (isEmpty(r) ? 0 : widthOf(r) * heightOf(r));

/** The smallest rectangle that holds both; an empty one adds nothing. */
export function union(a, b) {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  return rect(Math.min(a.left, b.left), Math.min(a.top, b.top), Math.max(a.right, b.right), Math.max(a.bottom, b.bottom));
}

export function intersect(a, b) {
  const both = rect(Math.max(a.left, b.left), Math.max(a.top, b.top), Math.min(a.right, b.right), Math.min(a.bottom, b.bottom));
  return isEmpty(both) ? rect(0, 0, 0, 0) : both;
}

/**
 * Joins rectangles as long as that sends few pixels more than they have apart: fewer requests, no waste.
 */
export function joined(rects) {
  const out = [];
  for (const next of rects) {
    if (isEmpty(next)) continue;
    let whole = next;
    for (let i = out.length - 1; i >= 0; i--) {
      const both = union(out[i], whole);
      if (areaOf(both) > 1.5 * (areaOf(out[i]) + areaOf(whole)) + 4096) continue;
      whole = both;
      out.splice(i, 1);
    }
    out.push(whole);
  }
  return out;
}
