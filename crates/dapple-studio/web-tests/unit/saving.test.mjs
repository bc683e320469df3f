import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurn, pictureUrl } from "../../assets/core/api.js";
import { Studio } from "../../assets/core/studio.js";
import { placeAfter, tabStop } from "../../assets/core/roving.js";
import { Saver } from "../../assets/label/saver.js";
import { putBack, unsaved } from "../../assets/label/unsaved.js";
import { LabelMap } from "../../assets/pixels/map.js";
import { decodeGreyPng } from "../../assets/pixels/png.js";
import { rect } from "../../assets/pixels/rect.js";

const SIDE = 16;
const NAMES = ["background", "object"];

/** A server of one mask. `before` and `after` see each request, and may throw: it is lost on the way there, or the answer is. */
function server({ before = () => {}, after = () => {} } = {}) {
  const own = { mask: new LabelMap(SIDE, SIDE), revision: 1, requests: 0 };
  globalThis.fetch = async (path, { headers, body }) => {
    own.requests++;
    before(own);
    const json = (status, value) => new Response(JSON.stringify(value), { status });
    if (headers["If-Match"] !== `"${own.revision}"`) return json(412, { error: "stale", revision: own.revision });
    const place = new URL(path, "http://localhost").searchParams;
    const { width, height, data } = await decodeGreyPng(body);
    const [left, top] = [Number(place.get("x")), Number(place.get("y"))];
    own.mask.write(rect(left, top, left + width, top + height), data);
    own.revision++;
    after(own);
    return json(200, { revision: own.revision, labelled: 0.5 });
  };
  return own;
}

function saverOf(own) {
  const map = own.mask.copy();
  const saver = new Saver("folder", "a.png", map, String(own.revision), () => NAMES);
  const paint = (r, value) => {
    map.write(r, new Uint8Array((r.right - r.left) * (r.bottom - r.top)).fill(value));
    saver.add(r);
  };
  return { saver, map, paint };
}

const until = async (true_) => {
  for (let turn = 0; turn < 400 && !true_(); turn++) await new Promise((done) => setTimeout(done, 5));
  assert.ok(true_());
};

test("a stroke whose answer is lost is no change of others", async () => {
  let lose = true;
  const own = server({
    after: () => {
      if (lose) throw new Error("lost");
    },
  });
  const { saver, paint, map } = saverOf(own);
  let conflicts = 0;
  saver.on("conflict", () => {
    conflicts++;
    assert.ok(saver.isOwn(own.mask.data));
    saver.settle("both", own.mask.data.slice(), String(own.revision));
    saver.resume();
  });
  paint(rect(2, 2, 8, 5), 1);
  await until(() => saver.failed);
  lose = false;
  paint(rect(4, 8, 9, 12), 0);
  saver.hurry();
  await until(() => saver.clean);
  assert.equal(conflicts, 1);
  assert.deepEqual(own.mask.data, map.data);
  // What somebody else has drawn is told from it.
  own.mask.data[0] = 1;
  assert.equal(saver.isOwn(own.mask.data), false);
});

test("what is not saved is kept, with the names of its classes, until it is saved", async () => {
  let down = true;
  const own = server({
    before: () => {
      if (down) throw new Error("down");
    },
  });
  const { saver, paint } = saverOf(own);
  paint(rect(2, 2, 8, 5), 1);
  await until(() => saver.failed);
  const kept = await unsaved.find("folder", "a.png");
  assert.deepEqual([kept.left, kept.top, kept.right, kept.bottom, kept.names], [2, 2, 8, 5, NAMES]);
  down = false;
  saver.hurry();
  await until(() => saver.clean);
  assert.equal(await unsaved.find("folder", "a.png"), null);
});

test("a page that is hidden while a stroke is on its way keeps the stroke", async () => {
  const own = server();
  const { saver, paint } = saverOf(own);
  paint(rect(2, 2, 8, 5), 1);
  assert.ok(saver.sending);
  await saver.keep();
  assert.equal((await unsaved.find("folder", "a.png")).bottom, 5);
  await until(() => saver.clean);
  assert.equal(await unsaved.find("folder", "a.png"), null);
});

test("a saver that is closed sends nothing any more, and its strokes can be kept", async () => {
  const own = server();
  const { saver, paint } = saverOf(own);
  paint(rect(2, 2, 8, 5), 1);
  saver.close();
  await saver.keep(["ground", "thing"]);
  await until(() => !saver.sending);
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(own.requests, 0);
  assert.deepEqual((await unsaved.find("folder", "a.png")).names, ["ground", "thing"]);
  await unsaved.drop("folder", "a.png");
});

test("strokes come back by the names of their classes, whatever their numbers are by then", () => {
  const record = {
    mine: Uint8Array.of(0, 1, 2, 255, 1, 255),
    base: Uint8Array.of(255, 255, 255, 1, 1, 255),
    names: ["sky", "tree", "car"],
  };
  const bytes = Uint8Array.of(9, 9, 9, 9, 9, 9);
  assert.equal(putBack(record, bytes, ["tree", "road", "sky"], 255), 1);
  assert.deepEqual([...bytes], [2, 0, 9, 255, 9, 9]);
});

test("hints arrive in their order, and only the last of those that wait is sent", async () => {
  const sent = [];
  const waiting = [];
  const hint = inTurn((...values) => {
    sent.push(values);
    return new Promise((done, fail) => waiting.push([done, fail]));
  });
  hint("a", true);
  hint("a", false);
  hint("b", true);
  assert.deepEqual(sent, [["a", true]]);
  // A lost one does not hold up the next.
  waiting[0][1](new Error("lost"));
  await until(() => sent.length === 2);
  assert.deepEqual(sent[1], ["b", true]);
  waiting[1][0]();
  await new Promise((done) => setTimeout(done, 5));
  hint("b", false);
  assert.deepEqual(sent[2], ["b", false]);
});

test("a row of buttons is one tab stop, in which keys move", () => {
  assert.deepEqual(
    ["ArrowRight", "ArrowLeft", "Home", "End", "ArrowDown", "x"].map((key) => placeAfter(key, 2, 5)),
    [3, 1, 0, 4, 3, null],
  );
  assert.deepEqual([placeAfter("ArrowRight", 4, 5), placeAfter("ArrowLeft", 0, 5), placeAfter("Home", 0, 0)], [4, 0, null]);
  const buttons = [{}, {}, {}];
  tabStop(buttons, buttons[1]);
  assert.deepEqual(buttons.map((b) => b.tabIndex), [-1, 0, -1]);
  tabStop(buttons, undefined);
  assert.deepEqual(buttons.map((b) => b.tabIndex), [0, -1, -1]);
});

test("the address of a picture names its width, and its version once the file was replaced", () => {
  assert.equal(pictureUrl("a b/c.jpg"), "/api/images/a%20b%2Fc.jpg/picture");
  assert.equal(pictureUrl("a.jpg", 192, 0), "/api/images/a.jpg/picture?width=192");
  assert.equal(pictureUrl("a.jpg", 192, 3), "/api/images/a.jpg/picture?width=192&version=3");
});

test("a tab that is out of sight gives its connection back, and reads everything again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const sources = [];
  globalThis.EventSource = class {
    static CLOSED = 2;
    constructor() {
      this.listeners = {};
      this.closed = false;
      sources.push(this);
    }
    addEventListener(name, run) {
      this.listeners[name] = run;
    }
    close() {
      this.closed = true;
    }
  };
  let loads = 0;
  globalThis.fetch = async () => {
    loads++;
    return new Response(JSON.stringify({ runs: [], images: [], classes: [], numbering: 5 }), { status: 200 });
  };
  const studio = new Studio();
  const told = [];
  studio.on("connection", (open) => told.push(open));
  studio.listen();
  studio.rest(true);
  studio.rest(false);
  t.mock.timers.tick(61_000);
  assert.equal(sources[0].closed, false, "a short look elsewhere changes nothing");
  studio.rest(true);
  t.mock.timers.tick(61_000);
  assert.ok(sources[0].closed && told.length === 0, "nobody is told that the studio does not answer");
  studio.rest(false);
  assert.equal(sources.length, 2);
  await sources[1].listeners.open();
  assert.equal(loads, 1);
  assert.deepEqual(told, [true]);
});

test("news of other classes are taken with their numbers, and older answers are asked for again", async () => {
  const answers = [{ numbering: 1 }, { numbering: 1 }, { numbering: 2 }];
  globalThis.fetch = async () => {
    const { numbering } = answers.shift();
    // The classes are changed while the second answer is on its way.
    if (numbering === 1 && answers.length === 1) source.listeners.numbering({ data: JSON.stringify({ numbering: 2, classes: ["new"] }) });
    return new Response(JSON.stringify({ runs: [], images: [], classes: [], numbering }), { status: 200 });
  };
  let source = null;
  globalThis.EventSource = class {
    listeners = {};
    constructor() {
      source = this;
    }
    addEventListener(name, run) {
      this.listeners[name] = run;
    }
  };
  const studio = new Studio();
  let renumbered = 0;
  studio.on("numbering", () => renumbered++);
  await studio.load();
  assert.equal(renumbered, 0);
  studio.listen();
  await studio.load();
  assert.equal(renumbered, 1);
  assert.equal(studio.state.numbering, 2);
  assert.equal(answers.length, 0);
});
