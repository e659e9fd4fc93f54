// How long a page waits between two attempts to connect. All pages of a shop lose their server in the same moment and
// must not come back in one: every pause is a matter of chance, and only a page that somebody is using hurries.

/** The first pause, at most, of a page that somebody uses, */
const FIRST_USED_MS = 1_000;
/** and of one that is only open: no longer than until its badges say that they are not live. */
const FIRST_PAUSE_MS = 3_000;
/** Pauses double up to this while somebody uses the page, */
const MAX_USED_MS = 1_500;
/** up to this while it is only visible, */
const MAX_VISIBLE_MS = 10_000;
/** and up to this while it is hidden, or the server has refused it. */
const MAX_PAUSE_MS = 60_000;
/** Up to so much of a pause is left out by chance. */
const JITTER = 0.9;
/** The same of the long ones. */
const JITTER_REFUSED = 0.8;
/** A page counts as used for so long after it was opened, shown, focused or touched. */
const USED_MS = 60_000;

/** What shows that somebody uses a page. */
export const SIGNS_OF_USE = ['keydown', 'pointerdown', 'pointermove', 'scroll', 'touchstart', 'wheel'];

let lastUse = Date.now();

/** Notes that somebody uses the page. */
export function noteUse(): void {
  lastUse = Date.now();
}

/** Whether somebody uses the page, as far as can be seen. */
export function isUsed(): boolean {
  return !document.hidden && Date.now() - lastUse < USED_MS;
}

/** The pause after so many attempts that failed. */
export function pauseAfter(attempts: number, isRefused: boolean): number {
  if (isRefused) return MAX_PAUSE_MS * (1 - JITTER_REFUSED * Math.random());
  const [first, most] = isUsed()
    ? [FIRST_USED_MS, MAX_USED_MS]
    : [FIRST_PAUSE_MS, document.hidden ? MAX_PAUSE_MS : MAX_VISIBLE_MS];
  return Math.min(most, first * 2 ** attempts) * (1 - JITTER * Math.random());
}
