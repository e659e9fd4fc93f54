// What the page remembers in the browser between visits. Everything is under one prefix of its own, because
// other servers that are developed on the same address may keep a GraphiQL there too.

/** The folder of the page: behind a proxy there may be several shops on one address. */
const FOLDER = location.pathname.replace(/[^/]*$/, '');

const PREFIX = FOLDER === '/' ? 'onhand:' : `onhand:${FOLDER}:`;

/** Where GraphiQL's history keeps what was run, with the headers that were sent. */
const HISTORY = new Set(['graphiql:queries', 'graphiql:favorites']);

/** Like the browser's own storage, which may be forbidden: then it lasts as long as the page. */
export const storage = {
  getItem: (key) => area.getItem(PREFIX + key),
  setItem: (key, value) => area.setItem(PREFIX + key, HISTORY.has(key) ? withoutHeaders(value) : value),
  removeItem: (key) => area.removeItem(PREFIX + key),
  get length() {
    return ownKeys().length;
  },
  clear: () => ownKeys().forEach((key) => area.removeItem(key)),
};

/** The stored value of `key`, or `otherwise` when there is none that can be read. */
export function recall(key, otherwise) {
  try {
    return JSON.parse(storage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Stores `value` under `key`. A storage that is full costs only the memory. */
export function remember(key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // The page works without.
  }
}

const area = browserStorage() ?? memoryStorage();

/** A token must not outlive the page in the browser's storage. */
function withoutHeaders(value) {
  return JSON.stringify(JSON.parse(value), (name, field) => (name === 'headers' ? undefined : field));
}

function browserStorage() {
  try {
    const { localStorage } = window;
    localStorage.getItem(PREFIX);
    return localStorage;
  } catch {
    return null;
  }
}

function memoryStorage() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
    keys: () => items.keys(),
  };
}

function ownKeys() {
  const keys = area.keys ? [...area.keys()] : Object.keys(area);
  return keys.filter((key) => key.startsWith(PREFIX));
}
