// What somebody does by a press, once: a double click, Enter twice, or a second press while the first is under way is
// the same intention. Never sends anything itself.
import { signal } from '@preact/signals';

/** For how long a second press is taken for the first one. */
export const REPEAT_MS = 600;

const names = signal<ReadonlySet<string>>(new Set());

/** Whether this is under way, or was begun a moment ago. Its button is disabled as long. */
export function isUnderWay(name: string): boolean {
  return names.value.has(name);
}

/** Does something, unless the same is under way or was begun a moment ago. */
export async function once(name: string, deed: () => Promise<void>): Promise<void> {
  if (names.peek().has(name)) return;
  names.value = new Set([...names.peek(), name]);
  const moment = new Promise((resolve) => setTimeout(resolve, REPEAT_MS));
  try {
    await deed();
  } finally {
    await moment;
    names.value = new Set([...names.peek()].filter((other) => other !== name));
  }
}
