// What a badge tells the developers of the page, in the browser's console. Each fact once per page, however often it is
// met; never a token, and of an address no more than its host and path.

/** Maximum number of messages of one page. */
const MAX_MESSAGES = 40;
/** Maximum length of a text of the page in a message, in characters. */
const MAX_QUOTED = 64;

const told = new Set<string>();

/** Warns of a fact, unless the page was told of it already. */
export function warnOnce(message: string): void {
  if (told.has(message) || told.size >= MAX_MESSAGES) return;
  told.add(message);
  console.warn(`<stock-badge>: ${message}`);
}

/** A text of the page as part of a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
}

/** An address as part of a message: without what may be secret. */
export function place(address: string): string {
  const { origin, pathname } = new URL(address);
  return origin + pathname;
}

/** Runs `action`; what it throws is reported as uncaught, and stops nobody else. */
export function isolate(action: () => void): void {
  try {
    action();
  } catch (error) {
    reportError(error);
  }
}
