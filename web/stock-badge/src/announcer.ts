// Tells screen readers what has changed: politely, and at most once in five seconds however many badges a page has.
// Never tells what badges show at first.

/** Between two announcements, over the whole page. */
const EVERY_MS = 5_000;
/** How long changes that come together are gathered. */
const GATHER_MS = 250;
/** Most products in one announcement. Of more, the last that changed are told. */
const MAX_TOLD = 3;

/** What the live region is known by. */
const MARK = 'data-stock-badge-announcer';

const waiting = new Map<string, { text: string; language: string }>();
let region: HTMLElement | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Puts the live region in place, and answers whether it was there; a text is only told in one that was there before. */
export function prepareAnnouncer(): boolean {
  // A page that was morphed may have made something of its own of it.
  if (!region?.hasAttribute(MARK)) {
    // No div, which a morph would take for another one of the page's.
    region = document.createElement('stock-badge-announcer');
    region.setAttribute('role', 'status');
    region.setAttribute('aria-live', 'polite');
    region.setAttribute('aria-atomic', 'true');
    region.setAttribute(MARK, '');
    // By properties, which a strict policy allows; an attribute it would not.
    Object.assign(region.style, {
      position: 'fixed',
      width: '1px',
      height: '1px',
      overflow: 'hidden',
      clipPath: 'inset(50%)',
      whiteSpace: 'nowrap',
      insetBlockEnd: '0',
      pointerEvents: 'none',
    });
  }
  // A copy comes from a page that was kept with it in it; it would be found with an old announcement.
  for (const other of document.querySelectorAll(`[${MARK}]`)) if (other !== region) other.remove();
  if (region.isConnected) return true;
  (document.body ?? document.documentElement).append(region);
  return false;
}

/** Tells `text` of a product as soon as it may. The last text of a product wins. */
export function announce(product: string, text: string, language: string): void {
  waiting.delete(product);
  waiting.set(product, { text, language });
  for (const first of waiting.keys()) {
    if (waiting.size <= MAX_TOLD) break;
    waiting.delete(first);
  }
  prepareAnnouncer();
  timer ??= setTimeout(tell, GATHER_MS);
}

function tell(): void {
  timer = undefined;
  if (document.hidden) waiting.clear();
  if (!prepareAnnouncer() && waiting.size > 0) {
    // A page that was morphed has taken it away.
    timer = setTimeout(tell, GATHER_MS);
    return;
  }
  if (!region) return;
  const told = [...waiting.values()];
  waiting.clear();
  region.lang = told[0]?.language ?? '';
  // Nobody who walks through the page later finds an old announcement.
  region.textContent = told.map(({ text }) => text).join('. ');
  if (told.length > 0) timer = setTimeout(tell, EVERY_MS);
}
