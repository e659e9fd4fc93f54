// Holds the carried ids while the page is open, and remembers them for the next visit.
import { carriedAfter, carriedAfterRefusal, NOTHING_CARRIED, PLACEHOLDERS, unknownKey, whatIsMissing } from './carried-ids.js';
import { recall, remember } from './storage.js';

const KEY = 'carried';
const listeners = new Set();
let carried = valid(recall(KEY, NOTHING_CARRIED));

export function carriedIds() {
  return carried;
}

/**
 * Takes from an answer the ids that it brings, and forgets those of `variables` that the server does not know. Returns the
 * answer, with what to run first when an id was forgotten.
 */
export function carryFrom(answer, variables) {
  keep(carriedAfter(carried, answer));
  const key = unknownKey(carried, answer, variables);
  if (!key) return answer;
  keep(carriedAfterRefusal(carried, answer, variables));
  const message = `The server does not know the id that was sent. ${whatIsMissing({ [key]: PLACEHOLDERS[key] }, carried)}`;
  return { ...answer, errors: [...(answer.errors ?? []), { message }] };
}

function keep(next) {
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
  const kept = { ...NOTHING_CARRIED, ...stored };
  const isValid = Object.keys(NOTHING_CARRIED).every((key) => Array.isArray(kept[key]));
  return isValid ? kept : NOTHING_CARRIED;
}
