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
    message = problem.detail || problem.title || message;
  } catch {
    // Not JSON: the status says it.
  }
  if (response.status === 401) message = "this page is no longer signed in; open the address that dapple studio printed";
  throw new ApiError(message, response.status, response.headers);
}

const json = async (path, options) => (await request(path, options)).json();

const send = (method, path, value) => json(path, {
  method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(value),
});

const image = (id) => `/api/images/${encodeURIComponent(id)}`;

const training = (name) => `/api/trainings/${encodeURIComponent(name)}`;

/** The revision in an ETag. */
const revisionOf = (headers) => (headers.get("ETag") ?? "").replace(/^W\//, "").replaceAll('"', "");

export const pictureUrl = (id, width) => `${image(id)}/picture${width ? `?width=${width}` : ""}`;

export const api = {
  state: () => json("/api/state"),

  /** The mask as a PNG, and its revision. */
  async mask(id) {
    const response = await request(`${image(id)}/mask`);
    return { revision: revisionOf(response.headers), bytes: await response.arrayBuffer() };
  },

  /** Saves a rectangle: { revision, labelled }. With `keepalive` the request ends even if the tab closes. */
  async saveMask(id, rect, revision, png, keepalive) {
    return json(`${image(id)}/mask?x=${rect.left}&y=${rect.top}`, {
      method: "PUT", keepalive, headers: { "Content-Type": "image/png", "If-Match": `"${revision}"` }, body: png,
    });
  },

  async proposal(id) {
    const response = await request(`${image(id)}/proposal`);
    return { revision: Number(response.headers.get("X-Revision")), bytes: await response.arrayBuffer() };
  },

  async uncertainty(id) {
    return (await request(`${image(id)}/uncertainty`)).arrayBuffer();
  },

  async picture(id, width) {
    return (await request(pictureUrl(id, width), { cache: "default" })).blob();
  },

  /** A hint for the learner: a lost one does no harm. */
  focus: (id, busy) => void send("POST", "/api/focus", { image: id, busy }).catch(() => {}),

  classes: (list) => send("PUT", "/api/classes", list),

  addImage: (name, blob) => json(`/api/images?name=${encodeURIComponent(name)}`, {
    method: "POST", headers: { "Content-Type": blob.type || "application/octet-stream" }, body: blob,
  }),

  train: (options) => send("POST", "/api/trainings", options),
  training: (name) => json(training(name)),
  stop: (name) => send("POST", `${training(name)}/stop`, {}),
  resume: (name) => send("POST", `${training(name)}/resume`, {}),

  models: () => json("/api/models"),
  predict: (model, blob) => json(`/api/predict${model ? `?model=${encodeURIComponent(model)}` : ""}`, {
    method: "POST", headers: { "Content-Type": blob.type || "application/octet-stream" }, body: blob,
  }),

  async review() {
    const answer = await json("/api/review");
    return Array.isArray(answer) ? { state: answer.length ? "done" : "none", images: answer } : answer;
  },
  startReview: () => send("POST", "/api/review", {}),

  async export(format) {
    const response = await request("/api/export", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ format }),
    });
    return response.blob();
  },
};
