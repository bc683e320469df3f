/**
 * Files of results. Each function takes items { name, bitmap, result } and the choices of the view:
 * { opacity, hidden, kept, threshold, ground, scale }.
 */
import { save } from "../core/dialog.js";
import { stem } from "../core/format.js";
import { drawn } from "../core/workers.js";
import { zip } from "../core/zip.js";
import { areasCsv, countsOf } from "./cutout.js";
import { askAt, labelsAt } from "./predict.js";

const picture = (bytes) => new Blob([bytes], { type: "image/png" });

/** Browsers cannot show every kind of photograph that the studio reads (TIFF, for example). */
function visible({ name, bitmap }) {
  if (!bitmap) throw new Error(`this browser cannot show ${name}; its mask and areas can be saved`);
  return bitmap;
}

const cutout = (item, { kept, threshold, ground }) =>
  drawn("cutout", { bitmap: visible(item), result: plain(item.result), kept, threshold, ground });

const mask = (item, threshold) => drawn("mask", { result: size(item.result), labels: labelsAt(item.result, threshold) });

const size = ({ width, height }) => ({ width, height });

const plain = ({ width, height, classes, labels, probability }) => ({ width, height, classes, labels, probability });

/** Where the server applies the threshold, results that were made with another one are asked for again. */
async function ready(items, { threshold }) {
  for (const item of items) {
    const { classes, probability, threshold: made } = item.result;
    if (classes.length === 2 && !probability && made !== threshold) await askAt(item, threshold);
  }
}

export async function saveMask([item], { threshold }) {
  await ready([item], { threshold });
  save(picture(await mask(item, threshold)), `${stem(item.name)}-mask.png`);
}

export async function saveOverlay([item], { threshold, opacity, hidden }) {
  await ready([item], { threshold });
  const { result } = item;
  // The background of two classes keeps the photograph's colours.
  const unseen = new Set([...hidden, ...(result.classes.length === 2 ? [result.classes[0].id] : [])]);
  const png = await drawn("overlay", {
    bitmap: visible(item),
    result: { ...size(result), classes: result.classes },
    labels: labelsAt(result, threshold),
    opacity,
    hidden: unseen,
  });
  save(picture(png), `${stem(item.name)}-overlay.png`);
}

export async function saveCutout([item], choices) {
  await ready([item], choices);
  save(picture(await cutout(item, choices)), `${stem(item.name)}-cutout.png`);
}

export async function saveAreas([item], choices) {
  await ready([item], choices);
  save(new Blob([areas([item], choices)], { type: "text/csv" }), `${stem(item.name)}-areas.csv`);
}

/** Masks, cut-outs and areas of all photographs. */
export async function saveAll(items, choices) {
  await ready(items, choices);
  const names = new Map();
  const files = [];
  for (const item of items) {
    const base = stem(item.name);
    const again = (names.get(base) ?? 0) + 1;
    names.set(base, again);
    const name = again > 1 ? `${base}-${again}` : base;
    files.push({ name: `masks/${name}.png`, bytes: await mask(item, choices.threshold) });
    if (item.bitmap) files.push({ name: `cutouts/${name}.png`, bytes: await cutout(item, choices) });
  }
  files.push({ name: "areas.csv", bytes: new TextEncoder().encode(areas(items, choices)) });
  save(zip(files), "results.zip");
}

function areas(items, { threshold, scale }) {
  const rows = items.flatMap(({ name, result }) => {
    const counts = countsOf(labelsAt(result, threshold));
    const total = result.width * result.height;
    return result.classes.map((c) => ({ image: name, name: c.name, pixels: counts[c.id], share: counts[c.id] / total }));
  });
  return areasCsv(rows, scale);
}
