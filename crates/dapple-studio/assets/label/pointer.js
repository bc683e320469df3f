/**
 * Gestures: one pointer paints; wheel, middle button, Space, or two fingers move and zoom the picture.
 */

/** A stroke that turns into a pinch within this time is taken back. */
const PINCH_MS = 250;

export class Pointer {
  /**
   * @param element where the gestures are made
   * @param screen the Screen
   * @param hand { down(point, event), move(points), up(), cancel(), hover(point | null), double() }: points are
   *   { x, y, pressure } in pixels of the image
   */
  constructor(element, screen, hand) {
    Object.assign(this, { element, screen, hand });
    this.fingers = new Map();
    this.painting = null;
    this.panning = null;
    this.pinch = null;
    /** Space is held: dragging moves the picture. */
    this.space = false;
    /** A pen was seen: fingers then move the picture, so that a palm does not paint. */
    this.pen = false;
    const on = (name, run, options) => element.addEventListener(name, run, options);
    on("pointerdown", (e) => this.#down(e));
    on("pointermove", (e) => this.#move(e));
    on("pointerup", (e) => this.#up(e, false));
    on("pointercancel", (e) => this.#up(e, true));
    on("pointerleave", () => !this.painting && hand.hover(null));
    on("dblclick", (e) => {
      e.preventDefault();
      hand.double();
    });
    on("contextmenu", (e) => e.preventDefault());
    on("wheel", (e) => this.#wheel(e), { passive: false });
  }

  #point(event) {
    const place = this.screen.place(event);
    return { ...place, pressure: event.pointerType === "pen" ? event.pressure : 0.5 };
  }

  #at(event) {
    const box = this.element.getBoundingClientRect();
    return { x: (event.clientX - box.left) * this.screen.ratio, y: (event.clientY - box.top) * this.screen.ratio };
  }

  #down(event) {
    if (event.target.closest("button, input, .over-stage")) return;
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    if (event.pointerType === "pen") this.pen = true;
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, this.#at(event));
      if (this.fingers.size === 2) return this.#startPinch();
      if (this.fingers.size > 2) return;
    }
    const moves = event.button === 1 || this.space || (event.pointerType === "touch" && this.pen);
    if (moves) {
      event.preventDefault();
      this.panning = { id: event.pointerId, at: this.#at(event) };
      this.element.classList.add("moving");
      return;
    }
    if (this.painting || (event.button !== 0 && event.button !== 2 && event.button !== 5)) return;
    this.painting = { id: event.pointerId, since: performance.now() };
    this.hand.down(this.#point(event), event);
  }

  #move(event) {
    if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, this.#at(event));
    if (this.pinch) return this.#movePinch();
    if (this.panning?.id === event.pointerId) {
      const at = this.#at(event);
      this.screen.viewport.move(at.x - this.panning.at.x, at.y - this.panning.at.y);
      this.panning.at = at;
      this.screen.moved();
      return;
    }
    if (this.painting?.id === event.pointerId) {
      const all = event.getCoalescedEvents?.() ?? [];
      this.hand.move((all.length ? all : [event]).map((e) => this.#point(e)));
    }
    if (event.pointerType !== "touch" && !event.target.closest(".over-stage")) this.hand.hover(this.#point(event));
    else if (event.pointerType !== "touch") this.hand.hover(null);
  }

  #up(event, cancelled) {
    this.fingers.delete(event.pointerId);
    if (this.pinch && this.fingers.size < 2) this.pinch = null;
    if (this.panning?.id === event.pointerId) {
      this.panning = null;
      this.element.classList.remove("moving");
    }
    if (this.painting?.id !== event.pointerId) return;
    this.painting = null;
    if (cancelled) this.hand.cancel();
    else this.hand.up();
  }

  #startPinch() {
    if (this.painting) {
      // A finger that has painted for long means it: the stroke ends there.
      if (performance.now() - this.painting.since < PINCH_MS) this.hand.cancel();
      else this.hand.up();
      this.painting = null;
    }
    this.panning = null;
    this.pinch = this.#spread();
  }

  #spread() {
    const [a, b] = [...this.fingers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, distance: Math.max(10, Math.hypot(a.x - b.x, a.y - b.y)) };
  }

  #movePinch() {
    const now = this.#spread();
    const { viewport } = this.screen;
    viewport.move(now.x - this.pinch.x, now.y - this.pinch.y);
    viewport.zoom(now.distance / this.pinch.distance, now.x, now.y);
    this.pinch = now;
    this.screen.moved();
  }

  #wheel(event) {
    if (event.target.closest(".over-stage")) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 20 : event.deltaMode === 2 ? 400 : 1;
    if (event.shiftKey) {
      this.screen.viewport.move(-(event.deltaX || event.deltaY) * unit, 0);
    } else {
      // Pinching a touch pad arrives as a wheel with Ctrl and small steps.
      const at = this.#at(event);
      this.screen.viewport.zoom(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0016)), at.x, at.y);
    }
    this.screen.moved();
  }
}
