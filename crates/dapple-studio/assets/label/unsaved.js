/**
 * Strokes that the server has not taken yet, kept by the browser, so that a closed tab does not lose them.
 * One record an image: { id, left, top, right, bottom, mine, base }, the labels in the rectangle and those they replaced.
 */

const STORE = "strokes";

let opening = null;

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

// Browsers may refuse storage (private windows): the strokes then live as long as the tab.
const orNothing = (promise) => promise.catch(() => null);

const keyOf = (folder, id) => `${folder}\n${id}`;

export const unsaved = {
  keep: (folder, record) => orNothing(run("readwrite", (store) => store.put({ ...record, key: keyOf(folder, record.id) }))),
  drop: (folder, id) => orNothing(run("readwrite", (store) => store.delete(keyOf(folder, id)))),
  find: (folder, id) => orNothing(run("readonly", (store) => store.get(keyOf(folder, id)))),
};
