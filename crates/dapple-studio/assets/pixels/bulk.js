/**
 * Changes of a whole label map, as steps of the history: work that a worker does for large images.
 */
import { areaOfLabel, areaOfProposal } from "./fill.js";
import { LabelMap } from "./map.js";
import { Edit } from "./edit.js";

/** What may be changed at once, by name. Each takes a map of labels and its own values. */
const changes = {
  /** Takes the proposal where there is no label; with `doubt`, only where that is below `sure`. */
  accept(edit, map, { proposal, ignore, doubt = null, sure = null }) {
    const bytes = new Uint8Array(map.data.length);
    for (let i = 0; i < bytes.length; i++) {
      const label = map.data[i];
      bytes[i] = label === ignore && (sure === null || doubt[i] < sure) ? proposal[i] : label;
    }
    edit.replace(map.bounds, bytes);
  },

  /** Gives `value` to all pixels without a label. */
  rest(edit, map, { ignore, value }) {
    edit.replace(
      map.bounds,
      map.data.map((label) => (label === ignore ? value : label)),
    );
  },

  /** Takes the part of the proposal around a place. */
  region(edit, map, { proposal, ignore, x, y }) {
    const { value, spans } = areaOfProposal(map, proposal, x, y, ignore);
    edit.value = value;
    for (const [row, left, right] of spans) edit.span(row, left, right);
  },

  /** Gives `value` to the area of one label around a place. */
  area(edit, map, { value, x, y }) {
    edit.value = value;
    for (const [row, left, right] of areaOfLabel(map, x, y).spans) edit.span(row, left, right);
  },
};

/** The step that a change makes of labels, which are changed too; null where nothing changes. */
export function stepOf(name, change, width, height, labels, values) {
  const map = new LabelMap(width, height, labels);
  const edit = new Edit(map, 0);
  changes[change](edit, map, values);
  return edit.finish(name);
}

/** The parts of a step that can be moved between threads. */
export const movable = (step) =>
  (step?.tiles ?? []).flatMap(({ before, after }) => [before, after].map((packed) => (packed.raw ?? packed.words).buffer));
