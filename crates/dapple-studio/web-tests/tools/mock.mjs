/**
 * A server that follows the studio's contract over synthetic photographs, kept in memory: the other side of the page's tests.
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeGreyPng, encodePng } from "../../assets/pixels/png.js";
import { makeRun } from "./runs.mjs";
import { CLASSES, makeScene } from "./scene.mjs";

const ASSETS = fileURLToPath(new URL("../../assets/", import.meta.url));
const KINDS = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export class Mock {
  /** @param images [{ id, width, height, scene() | photo: bytes, truth }] */
  constructor(images, { classes = CLASSES, labelled = 0, folder = "/home/ada/meadow" } = {}) {
    this.classes = structuredClone(classes);
    this.folder = folder;
    this.numbering = 0;
    this.images = images.map((image, i) => this.#image(image, i < labelled));
    this.runs = [];
    this.review = { state: "none", done: 0, of: 0, message: null, images: [] };
    this.listeners = new Set();
    /** Every request: { method, path }. */
    this.log = [];
    /** The next PUTs of masks answer this status. */
    this.refuse = 0;
    this.status = 503;
    this.learner = { state: "waiting", step: 0, loss: null, seconds: 0, message: null };
    this.next = null;
    this.second = false;
    this.parts = ["label", "learn", "train", "use"];
    this.notes = [];
    this.withProbability = true;
    this.delay = 60;
  }

  #image({ id, width, height, truth, photo = null, rgb = null }, labelled) {
    return {
      id,
      width,
      height,
      truth,
      photo,
      rgb,
      revision: 0,
      proposal: null,
      uncertainty: null,
      mask: labelled ? truth.slice() : new Uint8Array(width * height).fill(255),
    };
  }

  static synthetic(count, options = {}) {
    const { width = 640, height = 480 } = options;
    return new Mock(
      Array.from({ length: count }, (_, i) => ({
        id: `photos/meadow ${String(i + 1).padStart(2, "0")}.png`,
        ...scene(i + 1, width, height),
      })),
      options,
    );
  }

  async start() {
    this.server = createServer((request, response) =>
      this.#answer(request, response).catch((error) => {
        if (!response.headersSent) problem(response, 500, error.message);
      }),
    );
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async stop() {
    clearTimeout(this.timer);
    for (const response of this.listeners) response.end();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  emit(name, value) {
    for (const response of this.listeners) response.write(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`);
  }

  find(id) {
    return this.images.find((i) => i.id === id);
  }

  entry(image) {
    const { id, width, height, revision, proposal, uncertainty } = image;
    const labelled = image.mask.reduce((n, v) => n + (v !== 255), 0) / image.mask.length;
    return { id, width, height, revision, labelled, proposal, uncertainty, problem: image.problem ?? null };
  }

  state() {
    return {
      folder: this.folder,
      version: "0.0.0",
      second: this.second,
      classes: this.classes,
      numbering: this.numbering,
      ignore: 255,
      images: this.images.map((i) => this.entry(i)),
      next: this.next,
      learner: this.learner,
      runs: this.runs.map(({ curves, choices, ...run }) => run),
      sources: { encoder: null },
      parts: this.parts,
      limits: { body_bytes: 64 << 20, pixels: 1e8 },
      notes: this.notes,
    };
  }

  /** A mask that another program writes. */
  writeOutside(id, change) {
    const image = this.find(id);
    change(image.mask);
    image.revision++;
    this.emit("changed", { image: id, revision: image.revision });
  }

  /** A proposal: the truth with its borders moved a little. */
  propose(id) {
    const image = this.find(id);
    image.proposal = (image.proposal ?? 0) + 1;
    image.uncertainty = 0.2;
    this.emit("proposal", { image: id, revision: image.proposal });
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.url);
    const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
    this.log.push({ method: request.method, path: url.pathname });
    response.setHeader("Content-Security-Policy", POLICY);
    if (parts[0] !== "api") return asset(response, url.pathname);
    const body = await read(request);
    const route = `${request.method} ${parts[1]}`;
    if (route === "GET state") return json(response, this.state());
    if (route === "GET events") return this.#events(response);
    if (route === "POST focus") return response.writeHead(204).end();
    if (route === "GET review") return json(response, this.review);
    if (route === "POST review") return this.#startReview(response);
    if (route === "PUT classes") return this.#putClasses(response, JSON.parse(body));
    if (route === "POST predict") return this.#predict(response, body);
    if (route === "POST export")
      return response
        .writeHead(200, { "Content-Type": "application/zip" })
        .end(Buffer.from("PK\x05\x06" + "\0".repeat(18), "latin1"));
    if (route === "POST images") return this.#addImage(response, url.searchParams.get("name"), body);
    if (parts[1] === "images") return this.#ofImage(request, response, parts, url, body);
    if (parts[1] === "trainings") return this.#ofRun(request, response, parts, body);
    return problem(response, 404, "there is no such address");
  }

  #events(response) {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(": hello\n\n");
    this.listeners.add(response);
    response.on("close", () => this.listeners.delete(response));
  }

  async #ofImage(request, response, [, , id, part], url, body) {
    const image = this.find(id);
    if (!image) return problem(response, 404, "there is no such image");
    if (part === "picture") return this.#picture(response, image, Number(url.searchParams.get("width")));
    if (part === "mask" && request.method === "GET") {
      return png(response, await encodePng(image.width, image.height, image.mask), { ETag: `"${image.revision}"` });
    }
    if (part === "mask") return this.#putMask(request, response, image, url, body);
    if (part === "proposal") {
      if (image.proposal === null) return problem(response, 404, "there is no proposal yet");
      return png(response, await encodePng(image.width, image.height, image.truth), { "X-Revision": String(image.proposal) });
    }
    if (part === "uncertainty")
      return png(response, await encodePng(image.width, image.height, doubt(image)), { "X-Revision": String(image.proposal) });
    return problem(response, 404, "there is no such part");
  }

  async #picture(response, image, width) {
    response.setHeader("Cache-Control", "no-cache");
    if (image.photo) return response.writeHead(200, { "Content-Type": "image/png" }).end(image.photo);
    const by = width && width < image.width ? image.width / width : 1;
    const [w, h] = [Math.round(image.width / by), Math.round(image.height / by)];
    let { rgb } = image;
    if (by > 1) {
      rgb = new Uint8Array(3 * w * h);
      for (let y = 0, i = 0; y < h; y++) {
        for (let x = 0; x < w; x++, i += 3) {
          const from = 3 * (Math.floor(y * by) * image.width + Math.floor(x * by));
          rgb.set(image.rgb.subarray(from, from + 3), i);
        }
      }
    }
    return png(response, await encodePng(w, h, rgb, 3));
  }

  async #putMask(request, response, image, url, body) {
    if (this.refuse > 0) {
      this.refuse--;
      return problem(response, this.status, "the disk is full");
    }
    if (request.headers["if-match"] !== `"${image.revision}"`) {
      return problem(response, 412, "the mask was changed elsewhere", { revision: image.revision });
    }
    const piece = await decodeGreyPng(body);
    const [left, top] = [Number(url.searchParams.get("x")), Number(url.searchParams.get("y"))];
    if (left + piece.width > image.width || top + piece.height > image.height)
      return problem(response, 422, "the rectangle lies outside the image");
    for (let y = 0; y < piece.height; y++)
      image.mask.set(piece.data.subarray(y * piece.width, (y + 1) * piece.width), (top + y) * image.width + left);
    image.revision++;
    json(response, { revision: image.revision, labelled: this.entry(image).labelled });
    this.emit("changed", { image: image.id, revision: image.revision });
    this.#learn(image);
  }

  #learn(image) {
    this.learner = { ...this.learner, state: "learning", step: this.learner.step + 20 };
    this.emit("learner", this.learner);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.learner = { ...this.learner, state: "resting" };
      this.emit("learner", this.learner);
      this.propose(image.id);
      this.next = this.images.find((i) => i !== image && this.entry(i).labelled === 0)?.id ?? null;
      this.emit("next", { image: this.next });
    }, this.delay);
  }

  /** Numbers are places in the list: masks are rewritten where they move. */
  #putClasses(response, list) {
    const moved = list.find((c) => c.id !== null && c.was !== this.classes[c.id]?.name);
    if (moved) return problem(response, 409, "the classes were changed elsewhere");
    const kept = list.filter((c) => c.merge_into === null);
    const to = new Uint8Array(256).fill(255);
    kept.forEach((c, at) => {
      if (c.id !== null) to[c.id] = at;
    });
    for (const c of list) if (c.merge_into !== null) to[c.id] = to[c.merge_into];
    if (kept.length < 2) return problem(response, 422, "at least two classes stay");
    // Revisions of all images grow when numbers mean other classes.
    const changed = this.classes.some((c) => to[c.id] !== c.id) ? this.images : [];
    for (const image of changed) {
      image.mask = image.mask.map((v) => to[v]);
      image.revision++;
      image.proposal = image.uncertainty = null;
    }
    if (changed.length) this.numbering++;
    this.classes = kept.map(({ name, color }, id) => ({ id, name, color }));
    json(response, this.classes);
    this.emit("numbering", { numbering: this.numbering, classes: this.classes });
    this.emit("classes", this.classes);
    for (const image of changed) this.emit("changed", { image: image.id, revision: image.revision });
  }

  #startReview(response) {
    this.review = { state: "running", done: 2, of: 5, message: null, images: [] };
    response.writeHead(202).end();
    this.emit("review", { state: "running", done: 2, of: 5 });
    setTimeout(() => {
      const begun = this.images.filter((i) => this.entry(i).labelled > 0);
      this.review = {
        state: "done",
        done: 5,
        of: 5,
        message: null,
        images: begun.map((i, n) => ({
          id: i.id,
          disagreement: 0.42 / (1 + 0.6 * n),
          x: Math.round(0.2 * i.width),
          y: Math.round(0.3 * i.height),
          width: Math.round(0.3 * i.width),
          height: Math.round(0.4 * i.height),
        })),
      };
      this.emit("review", { state: "done", done: 5, of: 5 });
    }, 150);
  }

  async #ofRun(request, response, [, , name, act], body) {
    if (request.method === "POST" && !name) {
      const asked = JSON.parse(body);
      const run = makeRun(asked.name ?? `run-${this.runs.length + 1}`, asked.minutes, 0, "running");
      this.runs.unshift(run);
      return json(response, run);
    }
    const run = this.runs.find((r) => r.name === name);
    if (!run) return problem(response, 404, "there is no such run");
    if (act === "stop") run.state = "stopped";
    if (act === "resume") run.state = "running";
    return json(response, run);
  }

  /** The labels of the image whose photograph was sent, else of the first. */
  async #predict(response, body) {
    const image = this.images.find((i) => i.photo?.equals(body)) ?? this.images[0];
    const data = async (bytes) =>
      `data:image/png;base64,${Buffer.from(await encodePng(image.width, image.height, bytes)).toString("base64")}`;
    const binary = this.classes.length === 2 && this.withProbability;
    json(response, {
      width: image.width,
      height: image.height,
      classes: this.classes,
      areas: [],
      labels: await data(image.truth),
      ...(binary ? { probability: await data(probability(image)) } : {}),
    });
  }

  #addImage(response, name, body) {
    const from = this.images[0];
    const image = this.#image({ ...from, id: name, photo: from.photo ?? null, truth: from.truth }, false);
    if (body.length < 8) return problem(response, 415, "this is not a photograph");
    if (this.find(name)) return problem(response, 409, "there is a photograph of this name");
    this.images.push(image);
    json(response, { id: name });
  }
}

export function scene(seed, width, height) {
  const { rgb, labels } = makeScene(seed, width, height);
  return { width, height, rgb, truth: labels };
}

function doubt(image) {
  const { width, height, truth } = image;
  const out = new Uint8Array(truth.length);
  const reach = Math.max(1, Math.round(width / 60));
  for (let y = reach; y < height - reach; y++) {
    for (let x = reach; x < width - reach; x++) {
      const i = y * width + x;
      if (
        truth[i] !== truth[i - reach] ||
        truth[i] !== truth[i + reach] ||
        truth[i] !== truth[i - reach * width] ||
        truth[i] !== truth[i + reach * width]
      )
        out[i] = 200;
    }
  }
  return out;
}

function probability(image) {
  const edge = doubt(image);
  return image.truth.map((label, i) => (edge[i] ? (label ? 150 : 90) : label ? 250 : 4));
}

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

function json(response, value) {
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(value));
}

function png(response, bytes, headers = {}) {
  response.writeHead(200, { "Content-Type": "image/png", ...headers }).end(bytes);
}

function problem(response, status, error, more = {}) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify({ error, ...more }));
}

function asset(response, path) {
  const file = join(ASSETS, normalize(path === "/" ? "/index.html" : path));
  if (!file.startsWith(ASSETS) || !existsSync(file) || !statSync(file).isFile())
    return problem(response, 404, "there is no such file");
  response.writeHead(200, { "Content-Type": KINDS[extname(file)] ?? "application/octet-stream", "Cache-Control": "no-cache" });
  createReadStream(file).pipe(response);
}
