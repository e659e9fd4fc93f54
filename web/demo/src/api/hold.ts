// What cannot be taken back at the server is held here for some seconds, during which it can. Whoever leaves the page
// meanwhile wanted it: it is sent then.
import { signal } from '@preact/signals';
import { REPEAT_MS } from './once.js';

/** How long something is held. */
export const UNDO_MS = 5_000;

interface Held {
  /** When it is sent, in milliseconds since 1970. */
  readonly at: number;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly send: () => void;
}

const held = signal<ReadonlyMap<string, Held>>(new Map());

/** When something is sent that is held at the moment. */
export function heldUntil(name: string): number | null {
  return held.value.get(name)?.at ?? null;
}

/** Sends something after a while, unless it is undone. */
export function hold(name: string, deed: () => void): void {
  if (held.peek().has(name)) return;
  const send = () => {
    if (drop(name)) deed();
  };
  const timer = setTimeout(send, UNDO_MS);
  held.value = new Map([...held.peek(), [name, { at: Date.now() + UNDO_MS, timer, send }]]);
}

/** Whether it was undone. The second click of a double click does not undo what the first one did. */
export function undo(name: string): boolean {
  const one = held.peek().get(name);
  const isSameClick = one !== undefined && Date.now() < one.at - UNDO_MS + REPEAT_MS;
  return !isSameClick && drop(name);
}

/** Whether it was held until now. */
export function drop(name: string): boolean {
  const one = held.peek().get(name);
  if (!one) return false;
  clearTimeout(one.timer);
  held.value = new Map([...held.peek()].filter(([other]) => other !== name));
  return true;
}

addEventListener('pagehide', () => {
  for (const { send } of held.peek().values()) send();
});
