/**
 * Requests to the studio's server. Every failure is an ApiError with words to show.
 */

export class ApiError extends Error {
  /** @param status the HTTP status; 0 where the server did not answer */
  constructor(message, status, headers = new Headers()) {
    super(message);
    this.status = status;
    this.headers = headers;
  }

  /** Whether the same request may go through later. */
  get passes() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new ApiError("the studio does not answer; is it still running?", 0);
  }
  if (response.ok) return response;
  let message = `${response.status} ${response.statusText}`.trim();
  try {
    const problem = await response.json();
    message = problem.error || problem.detail || message;
  } catch {
    // Not JSON: the status says it.
  }
  if (response.status === 401) message = "this page is no longer signed in; open the address that dapple studio printed";
  throw new ApiError(message, response.status, response.headers);
}

/** Tells the server which tab asks, so that it can say that there is a second one. */
const TAB = Array.from(crypto.getRandomValues(new Uint8Array(8)), (v) => v.toString(16).padStart(2, "0")).join("");

const json = async (path, options) => (await request(path, options)).json();

const send = (method, path, value) =>
  json(path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(value),
  });

const image = (id) => `/api/images/${encodeURIComponent(id)}`;

const training = (name) => `/api/trainings/${encodeURIComponent(name)}`;

/** The revision in an ETag. */
const revisionOf = (headers) => (headers.get("ETag") ?? "").replace(/^W\//, "").replaceAll('"', "");

/**
 * Sends hints one after the other, so that an older one never arrives last; of those that wait, the last alone is sent. A lost
 * one does no harm.
 */
export function inTurn(send) {
  let waiting = null;
  let sending = false;
  const pump = async () => {
    sending = true;
    while (waiting) {
      const hint = waiting;
      waiting = null;
      await send(...hint).catch(() => {});
    }
    sending = false;
  };
  return (...hint) => {
    waiting = hint;
    if (!sending) pump();
  };
}

/** A photograph, at most so wide; a file that was replaced has another `version`. */
export function pictureUrl(id, width = null, version = null) {
  const wanted = Object.entries({ width, version }).filter(([, value]) => value);
  return `${image(id)}/picture${wanted.length ? `?${new URLSearchParams(wanted)}` : ""}`;
}

export const api = {
  state: () => json(`/api/state?tab=${TAB}`),
  events: () => new EventSource(`/api/events?tab=${TAB}`),

  /** The mask as a PNG, and its revision. */
  async mask(id) {
    const response = await request(`${image(id)}/mask`);
    return { revision: revisionOf(response.headers), bytes: await response.arrayBuffer() };
  },

  /** Saves a rectangle: { revision, labelled }. With `keepalive` the request ends even if the tab closes. */
  async saveMask(id, rect, revision, png, keepalive) {
    return json(`${image(id)}/mask?x=${rect.left}&y=${rect.top}`, {
      method: "PUT",
      keepalive,
      headers: { "Content-Type": "image/png", "If-Match": `"${revision}"` },
      body: png,
    });
  },

  async proposal(id) {
    const response = await request(`${image(id)}/proposal`);
    return { revision: Number(response.headers.get("X-Revision")), bytes: await response.arrayBuffer() };
  },

  /** The uncertainty of a proposal, and which one. */
  async uncertainty(id) {
    const response = await request(`${image(id)}/uncertainty`);
    return { revision: Number(response.headers.get("X-Revision")), bytes: await response.arrayBuffer() };
  },

  async picture(id, width, version) {
    return (await request(pictureUrl(id, width, version), { cache: "default" })).blob();
  },

  focus: inTurn((id, busy) =>
    request("/api/focus", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ image: id, busy }),
    }),
  ),

  classes: (list) => send("PUT", "/api/classes", list),

  /** Adds a photograph under its name, or under one with a number where another has it; its { id }. */
  async addImage(name, blob) {
    for (let number = 1; ; number++) {
      const free = number === 1 ? name : name.replace(/(\.[^.]*)?$/, (ending) => `-${number}${ending}`);
      try {
        return await json(`/api/images?name=${encodeURIComponent(free)}`, {
          method: "POST",
          headers: { "Content-Type": blob.type || "application/octet-stream" },
          body: blob,
        });
      } catch (error) {
        if (error.status !== 409 || number >= 99) throw error;
      }
    }
  },

  train: (options) => send("POST", "/api/trainings", options),
  training: (name) => json(training(name)),
  stop: (name) => send("POST", `${training(name)}/stop`, {}),
  resume: (name) => send("POST", `${training(name)}/resume`, {}),

  /** The labels of a run's network for a photograph; `threshold` (0..1) is for two classes. */
  predict: (run, blob, threshold = null) =>
    json(`/api/predict?${new URLSearchParams({ run, ...(threshold === null ? {} : { threshold }) })}`, {
      method: "POST",
      headers: { "Content-Type": blob.type || "application/octet-stream" },
      body: blob,
    }),

  review: () => json("/api/review"),
  startReview: () => request("/api/review", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" }),

  async export(format) {
    const response = await request("/api/export", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ format }),
    });
    return { blob: await response.blob(), left: Number(response.headers.get("X-Left-Out") ?? 0) };
  },
};
