/**
 * Superpixels of an image whose labels may be larger: finds and paints one by a place in the image.
 */
export class Superpixels {
  /** @param labels numbers of superpixels, `width` x `height`; the image has `imageWidth` x `imageHeight` pixels */
  constructor({ labels, count, width, height }, imageWidth, imageHeight) {
    Object.assign(this, { labels, count, width, height, imageWidth, imageHeight });
    /** left, top, right, bottom of each, in superpixel map pixels. */
    this.boxes = new Int32Array(4 * count);
    for (let k = 0; k < count; k++) this.boxes.set([width, height, 0, 0], 4 * k);
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const b = 4 * labels[i];
        if (x < this.boxes[b]) this.boxes[b] = x;
        if (y < this.boxes[b + 1]) this.boxes[b + 1] = y;
        if (x >= this.boxes[b + 2]) this.boxes[b + 2] = x + 1;
        if (y >= this.boxes[b + 3]) this.boxes[b + 3] = y + 1;
      }
    }
  }

  /** The number of the superpixel at a pixel of the image. */
  at(x, y) {
    const column = Math.min(this.width - 1, Math.floor((x * this.width) / this.imageWidth));
    const row = Math.min(this.height - 1, Math.floor((y * this.height) / this.imageHeight));
    return this.labels[row * this.width + column];
  }

  /** The spans of one superpixel in pixels of the image. */
  spans(number, span) {
    const [left, top, right, bottom] = this.boxes.subarray(4 * number, 4 * number + 4);
    const across = this.imageWidth / this.width;
    const down = this.imageHeight / this.height;
    const last = Math.ceil(bottom * down);
    for (let y = Math.floor(top * down); y < last && y < this.imageHeight; y++) {
      const row = Math.min(this.height - 1, Math.floor(y / down));
      if (row < top || row >= bottom) continue;
      const base = row * this.width;
      for (let x = left; x < right; x++) {
        if (this.labels[base + x] !== number) continue;
        const start = x;
        while (x < right && this.labels[base + x] === number) x++;
        span(y, Math.ceil(start * across), Math.ceil(x * across));
      }
    }
  }
}
