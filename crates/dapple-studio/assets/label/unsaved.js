/**
 * Strokes that the server has not taken yet, kept by the browser, so that a closed tab does not lose them.
 * One record an image: { id, left, top, right, bottom, mine, base, names }: the labels in the rectangle, those they replaced, and
 * the names of the classes whose numbers they are.
 */

const STORE = "strokes";

let opening = null;

/** The same for as long as the tab lives: browsers may refuse storage (private windows). */
const records = new Map();

function database() {
  opening ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open("dapple-studio", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE, { keyPath: "key" });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  return opening;
}

async function run(mode, work) {
  const transaction = (await database()).transaction(STORE, mode);
  const asked = work(transaction.objectStore(STORE));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(asked.result);
    transaction.onerror = () => reject(transaction.error);
  });
}

const orNothing = (promise) => promise.catch(() => null);

const keyOf = (folder, id) => `${folder}\n${id}`;

export const unsaved = {
  keep(folder, record) {
    const key = keyOf(folder, record.id);
    records.set(key, record);
    return orNothing(run("readwrite", (store) => store.put({ ...record, key })));
  },

  drop(folder, id) {
    records.delete(keyOf(folder, id));
    return orNothing(run("readwrite", (store) => store.delete(keyOf(folder, id))));
  },

  async find(folder, id) {
    return records.get(keyOf(folder, id)) ?? orNothing(run("readonly", (store) => store.get(keyOf(folder, id))));
  },
};

/**
 * Puts the strokes of a record over labels of the same rectangle, which are changed.
 * @param names the present names of the classes; a class that has gone has no number any more
 * @param ignore the value of pixels without a label
 * @returns the number of pixels whose class is gone: they stay as they are
 */
export function putBack({ mine, base, names: old = null }, bytes, names, ignore) {
  const to = Int16Array.from({ length: 256 }, (_, label) => {
    if (label === ignore || !old) return label;
    return label < old.length ? names.indexOf(old[label]) : -1;
  });
  let lost = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (mine[i] === base[i]) continue;
    if (to[mine[i]] < 0) lost++;
    else bytes[i] = to[mine[i]];
  }
  return lost;
}
