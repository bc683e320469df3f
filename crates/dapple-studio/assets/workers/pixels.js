/**
 * Work that takes longer than a frame: coding of masks, changes of whole masks, superpixels, areas of like colours, files of results.
 * Takes { number, task, ... }; answers { number, result } or { number, fault }.
 */
import { movable, stepOf } from "../pixels/bulk.js";
import { labOf } from "../pixels/colour.js";
import { areaOfColour } from "../pixels/fill.js";
import { decodeGreyPng, encodePng } from "../pixels/png.js";
import { resized } from "../pixels/resize.js";
import { slic } from "../pixels/slic.js";
import { cutoutPng, maskPng, overlayPng } from "../use/cutout.js";

/** Superpixels and colours are computed on at most this many pixels. */
const MOST_PIXELS = 2_500_000;

/** The photograph in view: { width, height, rgba, lab }, maybe smaller than it is. */
let photo = null;

const tasks = {
  async decode({ bytes, size }) {
    let picture = await decodeGreyPng(bytes);
    if (size) picture = resized(picture, size.width, size.height);
    return [picture, [picture.data.buffer]];
  },

  /** Gives the bytes back with their PNG. */
  async encode({ width, height, bytes }) {
    const png = await encodePng(width, height, bytes);
    return [{ png, bytes }, [png.buffer, bytes.buffer]];
  },

  /** A step of the history, or null. */
  change({ name, change, width, height, labels, values }) {
    const step = stepOf(name, change, width, height, labels, values);
    return [step, movable(step)];
  },

  /** The PNG of a mask. */
  async mask({ result, labels }) {
    const png = await maskPng(result, labels);
    return [png, [png.buffer]];
  },

  /** The PNG of a photograph under coloured labels. */
  async overlay({ bitmap, result, labels, opacity, hidden }) {
    const png = await overlayPng(bitmap, result, labels, opacity, hidden);
    bitmap.close();
    return [png, [png.buffer]];
  },

  /** The PNG of what is cut out. */
  async cutout({ bitmap, result, kept, threshold, ground }) {
    const png = await cutoutPng(bitmap, result, kept, threshold, ground);
    bitmap.close();
    return [png, [png.buffer]];
  },

  photo({ bitmap }) {
    const shrink = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
    const width = Math.max(1, Math.round(bitmap.width * shrink));
    const height = Math.max(1, Math.round(bitmap.height * shrink));
    const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    pen.imageSmoothingQuality = "high";
    pen.drawImage(bitmap, 0, 0, width, height);
    bitmap.close();
    photo = { width, height, rgba: pen.getImageData(0, 0, width, height).data, lab: null };
    return [{ width, height }, []];
  },

  /** Superpixels of a side given as a share of the photograph's longer side. */
  superpixels({ share }) {
    const { width, height } = photo;
    photo.lab ??= labOf(photo.rgba);
    const found = slic(photo.lab, width, height, Math.max(4, share * Math.max(width, height)));
    return [{ ...found, width, height }, [found.labels.buffer]];
  },

  /** Spans (y, left, right) of the area of like colours around a place given in shares of the photograph. */
  colours({ x, y, tolerance }) {
    const { width, height, rgba } = photo;
    const column = Math.min(width - 1, Math.floor(x * width));
    const row = Math.min(height - 1, Math.floor(y * height));
    const { spans } = areaOfColour(rgba, width, height, column, row, tolerance);
    return [{ spans: Int32Array.from(spans.flat()), width, height }, []];
  },
};

self.onmessage = async ({ data }) => {
  try {
    const [result, moved] = await tasks[data.task](data);
    self.postMessage({ number: data.number, result }, moved);
  } catch (error) {
    self.postMessage({ number: data.number, fault: error.message });
  }
};
