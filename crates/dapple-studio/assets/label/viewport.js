/**
 * Where the picture is on the screen. `scale` is device pixels for one pixel of the image;
 * (x, y) is the place of the image at the upper left corner of the screen.
 */

const MOST = 48;

export class Viewport {
  constructor() {
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.screen = { width: 1, height: 1 };
    this.image = { width: 1, height: 1 };
    /** Room at the edges that a fitted picture leaves to controls. */
    this.room = { side: 16, top: 16, bottom: 16 };
    /** Whether the whole picture stays in view as the window changes. */
    this.fitted = true;
  }

  get fitScale() {
    const width = Math.max(1, this.screen.width - 2 * this.room.side);
    const height = Math.max(1, this.screen.height - this.room.top - this.room.bottom);
    return Math.min(width / this.image.width, height / this.image.height);
  }

  fit() {
    this.fitted = true;
    this.scale = Math.min(MOST, Math.max(1e-3, this.fitScale));
    this.#clamp();
    // In the middle of the free room, not of the screen.
    this.y -= (this.room.top - this.room.bottom) / 2 / this.scale;
  }

  resize(width, height) {
    const middle = this.toImage(this.screen.width / 2, this.screen.height / 2);
    this.screen = { width, height };
    if (this.fitted) return this.fit();
    this.x = middle.x - width / 2 / this.scale;
    this.y = middle.y - height / 2 / this.scale;
    this.#clamp();
  }

  toImage(x, y) {
    return { x: this.x + x / this.scale, y: this.y + y / this.scale };
  }

  toScreen(x, y) {
    return { x: (x - this.x) * this.scale, y: (y - this.y) * this.scale };
  }

  /** Zooms by a factor; the place under (x, y) of the screen stays. */
  zoom(factor, x = this.screen.width / 2, y = this.screen.height / 2) {
    const place = this.toImage(x, y);
    const least = Math.min(1, 0.5 * this.fitScale);
    this.scale = Math.min(MOST, Math.max(least, this.scale * factor));
    this.x = place.x - x / this.scale;
    this.y = place.y - y / this.scale;
    this.fitted = false;
    this.#clamp();
  }

  move(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.fitted = false;
    this.#clamp();
  }

  /** Shows a rectangle of the image with some of what is around it. */
  show(r) {
    const width = r.right - r.left,
      height = r.bottom - r.top;
    const scale = Math.min(this.screen.width / width, this.screen.height / height) * 0.6;
    this.scale = Math.min(MOST, Math.max(this.fitScale, scale));
    this.x = (r.left + r.right) / 2 - this.screen.width / 2 / this.scale;
    this.y = (r.top + r.bottom) / 2 - this.screen.height / 2 / this.scale;
    this.fitted = false;
    this.#clamp();
  }

  /** The middle of the screen stays on the picture; a picture that fits is centred. */
  #clamp() {
    const width = this.screen.width / this.scale,
      height = this.screen.height / this.scale;
    const clamp = (at, visible, all) => {
      if (visible >= all) return (all - visible) / 2;
      return Math.min(all - visible / 2, Math.max(-visible / 2, at));
    };
    this.x = clamp(this.x, width, this.image.width);
    this.y = clamp(this.y, height, this.image.height);
  }
}
