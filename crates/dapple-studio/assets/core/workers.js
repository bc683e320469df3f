/**
 * Asks a worker and waits for its answer.
 */
import { encodePng } from "../pixels/png.js";

class Asked {
  constructor() {
    this.worker = new Worker(new URL("../workers/pixels.js", import.meta.url), { type: "module" });
    this.waiting = new Map();
    this.number = 0;
    this.worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.waiting.get(data.number);
      this.waiting.delete(data.number);
      if (data.fault) reject(new Error(data.fault));
      else resolve(data.result);
    };
    this.worker.onerror = (event) => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message || "a part of the page did not load"));
      this.waiting.clear();
    };
  }

  ask(task, values, moved = []) {
    return new Promise((resolve, reject) => {
      const number = this.number++;
      this.waiting.set(number, { resolve, reject });
      this.worker.postMessage({ number, task, ...values }, moved);
    });
  }
}

/** Fewer pixels are coded in place: the way to the worker would take longer. */
const FEW = 200_000;

// Coding must not wait for superpixels.
let coder = null;
let photographs = null;

/** A grey PNG's { width, height, data }; values are blended to `size` where it is given. */
export function decode(bytes, size = null) {
  coder ??= new Asked();
  return coder.ask("decode", { bytes, size }, [bytes]);
}

/** A grey PNG of the bytes: { png, bytes }; the bytes that were given are moved away and come back. */
export async function encode(width, height, bytes) {
  if (bytes.length <= FEW) return { png: await encodePng(width, height, bytes), bytes };
  coder ??= new Asked();
  return coder.ask("encode", { width, height, bytes }, [bytes.buffer]);
}

/** The worker that holds the photograph in view. */
export function vision(task, values, moved) {
  photographs ??= new Asked();
  return photographs.ask(task, values, moved);
}
