/**
 * Asks a worker and waits for its answer.
 */
import { encodePng } from "../pixels/png.js";

class Asked {
  constructor() {
    this.worker = new Worker(new URL("../workers/pixels.js", import.meta.url), { type: "module" });
    this.waiting = new Map();
    this.number = 0;
    /** Why it cannot be asked any more. */
    this.fault = null;
    this.worker.onmessage = ({ data }) => {
      const asked = this.waiting.get(data.number);
      this.waiting.delete(data.number);
      if (data.fault) asked?.reject(new Error(data.fault));
      else asked?.resolve(data.result);
    };
    this.worker.onerror = (event) => {
      this.fault = new Error(event.message || "a part of the page did not load; reload the page");
      for (const { reject } of this.waiting.values()) reject(this.fault);
      this.waiting.clear();
    };
  }

  ask(task, values, moved = []) {
    return new Promise((resolve, reject) => {
      if (this.fault) return reject(this.fault);
      const number = this.number++;
      this.waiting.set(number, { resolve, reject });
      this.worker.postMessage({ number, task, ...values }, moved);
    });
  }
}

/** Fewer pixels are coded in place: the way to the worker would take longer. */
const FEW = 200_000;

// Coding must not wait for superpixels, nor strokes for files of results.
let coder = null;
let photographs = null;
let drawer = null;

/** A grey PNG's { width, height, data }; values are blended to `size` where it is given. */
export function decode(bytes, size = null) {
  coder ??= new Asked();
  return coder.ask("decode", { bytes, size }, [bytes]);
}

/** A grey PNG of the bytes: { png, bytes }; the bytes that were given are moved away and come back. */
export async function encode(width, height, bytes) {
  // Without the worker it takes longer, but no stroke is lost.
  if (bytes.length <= FEW || coder?.fault) return { png: await encodePng(width, height, bytes), bytes };
  coder ??= new Asked();
  return coder.ask("encode", { width, height, bytes }, [bytes.buffer]);
}

/** The step that a change of a whole label map makes; see pixels/bulk.js. */
export function change(name, kind, map, values) {
  coder ??= new Asked();
  return coder.ask("change", { name, change: kind, width: map.width, height: map.height, labels: map.data, values });
}

/** A file of results: "mask", "overlay" or "cutout". A photograph among the values stays here; its copy goes. */
export async function drawn(task, { bitmap = null, ...values }) {
  drawer ??= new Asked();
  if (!bitmap) return drawer.ask(task, values);
  const copy = await createImageBitmap(bitmap);
  return drawer.ask(task, { ...values, bitmap: copy }, [copy]);
}

/** The worker that holds the photograph in view. */
export function vision(task, values, moved) {
  photographs ??= new Asked();
  return photographs.ask(task, values, moved);
}
