"use strict";

const at = (id) => document.getElementById(id);
const canvas = at("canvas");
/** Models as /models describes them. */
let models = [];
/** Images so far: { name, blob, url, results: Map of model name -> result }. */
const images = [];
let shown = null;
/** Class that the pointer or the keyboard is on, and the one that was clicked. */
let hovered = null;
let pinned = null;
let key = "";

const model = () => models.find((m) => m.name === at("model").value);
const view = () => document.querySelector("input[name=view]:checked").value;
const result = () => shown && shown.results.get(at("model").value);

function say(text, bad = false) {
  at("status").textContent = text;
  at("status").classList.toggle("bad", bad);
}

async function ask(path, options = {}) {
  const headers = key ? { "X-API-Key": key } : {};
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  if (response.status === 401) at("key").hidden = false;
  let why = `${response.status} ${response.statusText}`;
  try { why = (await response.json()).error; } catch { /* not JSON: the status says it */ }
  const error = new Error(why);
  error.retry = response.status === 429 ? Number(response.headers.get("Retry-After")) || 1 : 0;
  throw error;
}

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

/** Sends an image; waits if the server is busy. */
async function predict(blob, query) {
  for (let tries = 0; ; tries++) {
    try {
      const body = new FormData();
      body.append("image", blob);
      return await ask(`predict?${new URLSearchParams(query)}`, { method: "POST", body });
    } catch (error) {
      if (!error.retry || tries > 20) throw error;
      say(`The server is busy; retrying in ${error.retry} s`);
      await pause(error.retry);
    }
  }
}

async function bitmapOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], { type: "image/png" }));
}

/** The first channel of a grey picture. */
function greyOf(bitmap) {
  const surface = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  surface.drawImage(bitmap, 0, 0);
  const { data } = surface.getImageData(0, 0, bitmap.width, bitmap.height);
  const grey = new Uint8Array(data.length / 4);
  for (let i = 0; i < grey.length; i++) grey[i] = data[4 * i];
  return grey;
}

async function segment(image) {
  const used = model();
  if (image.results.has(used.name)) return;
  const binary = used.classes.length === 2;
  const output = binary ? "labels,probability,cutout" : "labels,cutout";
  const begin = performance.now();
  const answer = await (await predict(image.blob, { model: used.name, output })).json();
  const data = (kind) => answer.outputs.find((o) => o.kind === kind)?.data;
  const photo = await createImageBitmap(image.blob);
  const labels = greyOf(await bitmapOf(data("labels")));
  const probability = binary ? greyOf(await bitmapOf(data("probability"))) : null;
  const cutout = await bitmapOf(data("cutout"));
  image.results.set(used.name, {
    width: answer.width, height: answer.height, photo, labels, probability, cutout,
    seconds: (performance.now() - begin) / 1000, painted: null, threshold: 50,
  });
}

/** The labels at the chosen threshold. */
function labelsOf(r) {
  if (!r.probability || r.threshold === 50) return r.labels;
  const least = 2.55 * r.threshold;
  return r.probability.map((p) => (p > least ? 1 : 0));
}

const colourOf = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** Paints the classes once for each threshold and highlight. */
function paint(r) {
  const marked = hovered ?? pinned;
  const state = `${r.threshold} ${marked} ${model().name} ${view() === "mask"}`;
  if (r.painted?.state === state) return r.painted;
  const labels = labelsOf(r);
  const { classes } = model();
  const colours = classes.map((c) => colourOf(c.colour));
  const see = (label) => view() === "mask" || label > 0 || classes.length > 2;
  const pixels = new ImageData(r.width, r.height);
  const counts = new Array(256).fill(0);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    counts[label]++;
    const [red, green, blue] = colours[label] ?? [255, 255, 255];
    const faint = marked !== null && label !== marked;
    pixels.data[4 * i] = red;
    pixels.data[4 * i + 1] = green;
    pixels.data[4 * i + 2] = blue;
    pixels.data[4 * i + 3] = faint ? 30 : see(label) || label === marked ? 255 : 0;
  }
  const surface = new OffscreenCanvas(r.width, r.height);
  surface.getContext("2d").putImageData(pixels, 0, 0);
  r.painted = { state, surface, counts };
  return r.painted;
}

function draw() {
  const r = result();
  at("result").hidden = !r;
  if (!r) return;
  const { surface } = paint(r);
  if (canvas.width !== r.width || canvas.height !== r.height) {
    canvas.width = r.width;
    canvas.height = r.height;
  }
  const pen = canvas.getContext("2d");
  pen.globalAlpha = 1;
  pen.clearRect(0, 0, r.width, r.height);
  const over = () => {
    pen.drawImage(r.photo, 0, 0, r.width, r.height);
    pen.globalAlpha = at("opacity").value / 100;
    pen.drawImage(surface, 0, 0);
    pen.globalAlpha = 1;
  };
  switch (view()) {
    case "mask": pen.drawImage(surface, 0, 0); break;
    case "cutout": pen.drawImage(r.cutout, 0, 0); break;
    case "compare": {
      over();
      const x = Math.round(r.width * at("split").value / 100);
      if (x > 0) {
        const scale = r.photo.width / r.width;
        pen.drawImage(r.photo, 0, 0, x * scale, r.photo.height, 0, 0, x, r.height);
      }
      pen.fillStyle = "#fff";
      pen.fillRect(x - Math.max(1, r.width / 400), 0, Math.max(2, r.width / 200), r.height);
      break;
    }
    default: over();
  }
  at("opacity-row").hidden = !["overlay", "compare"].includes(view());
  at("split-row").hidden = view() !== "compare";
  at("threshold-row").hidden = !r.probability;
  at("threshold").value = r.threshold;
  at("threshold-text").value = (r.threshold / 100).toFixed(2);
  areas(r);
}

/** Updates the shares in the legend; the buttons are kept, and with them the keyboard focus. */
function areas(r) {
  const { counts } = r.painted;
  const total = r.width * r.height;
  const { classes } = model();
  const list = at("legend");
  if (list.dataset.model !== model().name) {
    list.dataset.model = model().name;
    list.replaceChildren(...classes.map((c, label) => entry(c, label)));
  }
  [...list.children].forEach((item, label) => {
    const button = item.firstChild;
    button.querySelector("b").textContent = `${(100 * counts[label] / total).toFixed(1)} %`;
    button.setAttribute("aria-pressed", pinned === label);
    item.hidden = counts[label] === 0 && classes.length > 8;
  });
}

function entry(c, label) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const swatch = document.createElement("i");
  swatch.style.background = c.colour;
  const name = document.createElement("span");
  name.textContent = c.name;
  button.append(swatch, name, document.createElement("b"));
  const hover = (value) => () => { hovered = value; draw(); };
  button.addEventListener("pointerenter", hover(label));
  button.addEventListener("pointerleave", hover(null));
  button.addEventListener("focus", hover(label));
  button.addEventListener("blur", hover(null));
  button.addEventListener("click", () => { pinned = pinned === label ? null : label; draw(); });
  item.append(button);
  return item;
}

async function show(image) {
  shown = image;
  [...at("strip").children].forEach((b, i) => b.setAttribute("aria-current", images[i] === image));
  draw();
  if (result()) return;
  say(`Segmenting ${image.name} …`);
  try {
    await segment(image);
    const r = image.results.get(model().name);
    say(`${image.name}: ${r.width} x ${r.height}, ${r.seconds.toFixed(2)} s`);
  } catch (error) {
    image.button.classList.add("bad");
    say(`${image.name}: ${error.message}`, true);
  }
  if (shown === image) draw();
}

function add(files) {
  const pictures = [...files].filter((f) => f.type.startsWith("image/") || !f.type);
  if (files.length && !pictures.length) say("These files are not images.", true);
  const added = pictures.map((blob) => {
    const image = { name: blob.name || "image", blob, url: URL.createObjectURL(blob), results: new Map() };
    const picture = document.createElement("img");
    picture.src = image.url;
    picture.alt = image.name;
    image.button = document.createElement("button");
    image.button.append(picture);
    image.button.addEventListener("click", () => show(image));
    at("strip").append(image.button);
    images.push(image);
    return image;
  });
  if (added.length) work(added);
}

/** Shows the first of several images immediately and segments the others in the background. */
async function work(added) {
  await show(added[0]);
  for (const image of added.slice(1)) {
    try {
      say(`Segmenting ${image.name} …`);
      await segment(image);
      say(`${image.name} is done`);
    } catch (error) {
      image.button.classList.add("bad");
      say(`${image.name}: ${error.message}`, true);
    }
  }
}

async function download(output) {
  const r = result();
  if (!r) return;
  const query = { model: model().name, output, opacity: at("opacity").value / 100 };
  if (r.probability) query.threshold = r.threshold / 100;
  try {
    const response = await predict(shown.blob, query);
    const named = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = `${shown.name.replace(/\.[^.]*$/, "")}-${named ? named[1] : output}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    say(`${link.download} is ready`);
  } catch (error) {
    say(error.message, true);
  }
}

function listen() {
  for (const id of ["files", "camera"]) {
    at(id).addEventListener("change", () => { add(at(id).files); at(id).value = ""; });
    // A label does not act as a button for the keyboard by itself.
    at(id).parentElement.addEventListener("keydown", (e) => {
      if (e.key === "Enter" || e.key === " ") { e.preventDefault(); at(id).click(); }
    });
  }
  const drop = at("drop");
  addEventListener("dragover", (e) => { e.preventDefault(); drop.classList.add("over"); });
  addEventListener("dragleave", (e) => { if (!e.relatedTarget) drop.classList.remove("over"); });
  addEventListener("drop", (e) => { e.preventDefault(); drop.classList.remove("over"); add(e.dataTransfer.files); });
  addEventListener("paste", (e) => { if (e.clipboardData.files.length) add(e.clipboardData.files); });
  for (const radio of document.querySelectorAll("input[name=view]")) radio.addEventListener("change", draw);
  at("opacity").addEventListener("input", draw);
  at("split").addEventListener("input", draw);
  at("threshold").addEventListener("input", () => {
    const r = result();
    if (r) { r.threshold = Number(at("threshold").value); draw(); }
  });
  const split = (e) => {
    if (view() !== "compare" || !(e.buttons & 1)) return;
    const box = canvas.getBoundingClientRect();
    at("split").value = 100 * (e.clientX - box.left) / box.width;
    draw();
  };
  canvas.addEventListener("pointerdown", split);
  canvas.addEventListener("pointermove", split);
  at("model").addEventListener("change", () => { hovered = pinned = null; if (shown) show(shown); });
  at("key").addEventListener("submit", (e) => {
    e.preventDefault();
    key = at("key-text").value;
    at("key").hidden = true;
    start();
  });
  for (const button of at("downloads").querySelectorAll("button")) {
    button.addEventListener("click", () => download(button.dataset.output));
  }
  for (const number of [1, 2, 3]) {
    const button = document.createElement("button");
    const picture = document.createElement("img");
    picture.src = `examples/${number}.png`;
    picture.alt = `Example ${number}`;
    button.append(picture);
    button.addEventListener("click", async () => {
      const blob = await (await ask(`examples/${number}.png`)).blob();
      add([new File([blob], `example${number}.png`, { type: "image/png" })]);
    });
    at("examples").append(button);
  }
}

async function start() {
  try {
    models = await (await ask("models")).json();
    at("model").replaceChildren(...models.map((m) => new Option(m.name, m.name)));
    say("");
  } catch (error) {
    say(error.message, true);
  }
}

listen();
start();
