// Holds the carried ids while the page is open, and remembers them for the next visit.
import { carriedAfter, NOTHING_CARRIED } from './carried-ids.js';
import { recall, remember } from './storage.js';

const KEY = 'carried';
const listeners = new Set();
let carried = valid(recall(KEY, NOTHING_CARRIED));

export function carriedIds() {
  return carried;
}

/** Takes from an answer the ids that it brings. */
export function carryFrom(answer) {
  const next = carriedAfter(carried, answer);
  if (next === carried) return;
  carried = next;
  remember(KEY, carried);
  listeners.forEach((listener) => listener());
}

/** Calls `listener` on each change; returns how to stop that. */
export function onCarried(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function valid(stored) {
  const isValid = Object.keys(NOTHING_CARRIED).every((key) => Array.isArray(stored?.[key]));
  return isValid ? stored : NOTHING_CARRIED;
}
