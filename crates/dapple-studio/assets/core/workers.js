/**
 * Asks a worker and waits for its answer.
 */
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

// Decoding must not wait for superpixels.
let decoder = null;
let photographs = null;

/** A grey PNG's { width, height, data }; values are blended to `size` where it is given. */
export function decode(bytes, size = null) {
  decoder ??= new Asked();
  return decoder.ask("decode", { bytes, size }, [bytes]);
}

/** The worker that holds the photograph in view. */
export function vision(task, values, moved) {
  photographs ??= new Asked();
  return photographs.ask(task, values, moved);
}
