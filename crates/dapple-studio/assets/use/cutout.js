/**
 * Areas, cut-outs and the files that the Use view offers.
 */
import { encodePng } from "../pixels/png.js";
import { rgbOf, wordOf } from "../pixels/colour.js";

/** Half the width of the soft border of a cut-out, in units of probability (0..255). */
const SOFT = 24;

/** Grounds of a cut-out: a colour, or null for transparency. */
export const GROUNDS = [
  { name: "Transparent", color: null },
  { name: "White", color: "#ffffff" },
  { name: "Black", color: "#000000" },
  { name: "Grey", color: "#9aa0a6" },
  { name: "Green", color: "#00b140" },
];

/** Labels of two classes at a threshold of the second one's probability (0..1). */
export function atThreshold(probability, threshold, [first, second]) {
  const least = 255 * threshold;
  return probability.map((p) => (p > least ? second : first));
}

/** Pixels of each label. */
export function countsOf(labels) {
  const counts = new Array(256).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[i]]++;
  return counts;
}

/** How much of a pixel stays (0..1), by its byte: soft around the threshold with a probability, else by the kept labels. */
export function keeping(result, kept, threshold) {
  const table = new Float32Array(256);
  const soft = softClass(result, kept);
  for (let v = 0; v < 256; v++) {
    if (soft === null) table[v] = kept.has(v) ? 1 : 0;
    else table[v] = Math.min(1, Math.max(0, (v - 255 * threshold) / (2 * SOFT) + 0.5));
    if (soft === 0) table[v] = 1 - table[v];
  }
  return { bytes: soft === null ? result.labels : result.probability, table };
}

/** With a probability and one class of two kept: which one, 0 or 1; else null. */
function softClass(result, kept) {
  if (!result.probability || kept.size !== 1) return null;
  return result.classes.findIndex((c) => kept.has(c.id));
}

/** What the screen lays over the photograph to show a cut-out. */
export function coverOf(result, kept, threshold, ground) {
  const { bytes, table } = keeping(result, kept, threshold);
  const words = (rgb) => Uint32Array.from({ length: 256 }, (_, v) => wordOf(rgb, 1 - table[v]));
  if (ground) return { bytes, light: words(rgbOf(ground)), dark: words(rgbOf(ground)) };
  return { bytes, light: words([236, 236, 236]), dark: words([200, 200, 200]) };
}

/** The photograph's pixels, RGBA, at the size of the result. */
function pixelsOf(bitmap, width, height) {
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0, width, height);
  return pen.getImageData(0, 0, width, height).data;
}

export function cutoutPng(bitmap, result, kept, threshold, ground) {
  const { width, height } = result;
  const data = pixelsOf(bitmap, width, height);
  const { bytes, table } = keeping(result, kept, threshold);
  const under = ground ? rgbOf(ground) : null;
  for (let i = 0, at = 0; i < bytes.length; i++, at += 4) {
    const share = table[bytes[i]];
    if (!under) data[at + 3] = 255 * share;
    else for (let c = 0; c < 3; c++) data[at + c] = share * data[at + c] + (1 - share) * under[c];
  }
  return encodePng(width, height, data, 4);
}

export function overlayPng(bitmap, result, labels, opacity, hidden) {
  const { width, height, classes } = result;
  const data = pixelsOf(bitmap, width, height);
  const colours = new Map(classes.filter((c) => !hidden.has(c.id)).map((c) => [c.id, rgbOf(c.color)]));
  for (let i = 0, at = 0; i < labels.length; i++, at += 4) {
    const rgb = colours.get(labels[i]);
    if (rgb) for (let c = 0; c < 3; c++) data[at + c] = opacity * rgb[c] + (1 - opacity) * data[at + c];
  }
  return encodePng(width, height, data, 4);
}

export const maskPng = (result, labels) => encodePng(result.width, result.height, labels, 1);

/** A table of areas: one row for an image and a class. `scale` is { unit, per_pixel } or null. */
export function areasCsv(rows, scale) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const head = ["image", "class", "pixels", "share", ...(scale ? [`area_${scale.unit}2`] : [])];
  const lines = rows.map(({ image, name, pixels, share }) =>
    [
      quoted(image),
      quoted(name),
      pixels,
      share.toFixed(6),
      ...(scale ? [(pixels * scale.per_pixel ** 2).toPrecision(6)] : []),
    ].join(","),
  );
  return `${[head.join(","), ...lines].join("\n")}\n`;
}
