/**
 * The network's answer for a photograph.
 */
import { api } from "../core/api.js";
import { decode } from "../core/workers.js";
import { atThreshold } from "./cutout.js";

/** { model, width, height, classes, labels, probability | null, threshold, seconds } */
export async function predict(blob, model) {
  const begin = performance.now();
  const { width, height, classes, labels, probability } = await api.predict(model, blob);
  return {
    model,
    width,
    height,
    classes,
    threshold: 0.5,
    labels: (await decode(bytesOf(labels))).data,
    probability: probability && classes.length === 2 ? (await decode(bytesOf(probability))).data : null,
    seconds: (performance.now() - begin) / 1000,
  };
}

/** Asks for the labels at another threshold, where there is no probability. */
export async function askAt({ blob, result }, threshold) {
  const answer = await api.predict(result.model, blob, threshold);
  Object.assign(result, { labels: (await decode(bytesOf(answer.labels))).data, threshold });
}

export function labelsAt(result, threshold) {
  if (!result.probability || threshold === 0.5) return result.labels;
  return atThreshold(
    result.probability,
    threshold,
    result.classes.map((c) => c.id),
  );
}

/** The bytes of a data URL, which the policy does not let `fetch` read. */
function bytesOf(url) {
  const text = atob(url.slice(url.indexOf(",") + 1));
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}
