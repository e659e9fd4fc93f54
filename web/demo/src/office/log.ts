// Whether the back office is open to whoever asks, the log as it grows, and the history of one product. What the page
// missed while it was not connected it reads again.
import { computed, signal } from '@preact/signals';
import { HISTORY, LOG, STOCK_TRANSACTION_ADDED } from '../api/documents.js';
import { follow } from '../api/live.js';
import { once } from '../api/once.js';
import { codeOf, request } from '../api/request.js';
import type { LogRow, Page } from '../api/types.js';
import { products } from '../shop/products.js';
import { failure } from '../words.js';

/** Rows that are shown at first, and that each press on “Show more” adds. */
const PAGE = 14;
/** Maximum number of rows in one request. */
const MAX_REQUEST = 100;
/** Maximum number of rows of the log that are shown. */
const MAX_SHOWN = 500;
/** Rows that may come before what is not shown is dropped. */
const MAX_UNSEEN = 100;
/** Rows of one product that are kept. */
const MAX_HISTORY = 500;

export const access = signal<'asking' | 'staff' | 'refused' | 'unknown'>('asking');
/** Newest first. */
export const log = signal<readonly LogRow[]>([]);
/** How many rows of the log are shown. */
const wanted = signal(PAGE);
/** Where the log goes on; null at its beginning. */
const olderLog = signal<string | null>(null);
/** Why older rows could not be read. */
export const logTrouble = signal<string | null>(null);
/** Of the chosen product, oldest first; null until it was read. */
export const history = signal<readonly LogRow[] | null>(null);
/** Where the history goes on; null at its beginning. */
const olderHistory = signal<string | null>(null);

export const shownLog = computed(() => log.value.slice(0, wanted.value));
/** Whether the log has rows that are not shown. */
export const isLogPart = computed(() => log.value.length > wanted.value || olderLog.value !== null);
export const hasOlderLog = computed(() => isLogPart.value && wanted.value < MAX_SHOWN);
export const hasOlderHistory = computed(
  () => olderHistory.value !== null && (history.value?.length ?? 0) < MAX_HISTORY,
);
/** Whether the history has rows that are not shown, whether they can be or not. */
export const isHistoryPart = computed(() => (history.value?.[0]?.sequence ?? 1) > 1);

interface Choice {
  readonly id: string;
  readonly name: string;
}

const chosenByHand = signal<Choice | null>(null);

/** Products that somebody counts: of the shelf, and the one that was chosen from the log. */
export const counted = computed<readonly Choice[]>(() => {
  const shown = (products.value ?? []).filter(({ stock }) => stock);
  const other = chosenByHand.value;
  return other && !shown.some(({ id }) => id === other.id) ? [...shown, other] : shown;
});

/** The product that is looked at: chosen, or else the first. */
export const chosen = computed(() => {
  const all = counted.value;
  return all.find(({ id }) => id === chosenByHand.value?.id) ?? all[0] ?? null;
});

/** Calls back with each row that is new. */
const listeners = new Set<(row: LogRow) => void>();

let stop: (() => void) | undefined;

export function onRow(listener: (row: LogRow) => void): void {
  listeners.add(listener);
}

/** Follows the log, and reads it as far as it is shown. Whether it may be read. */
export async function openLog(): Promise<boolean> {
  // Followed before it is read, so that nothing is missed in between.
  stop ??= follow(STOCK_TRANSACTION_ADDED, {}, (data) => add(data.stockTransactionAdded.node), close);
  try {
    const found: LogRow[] = [];
    let after: string | null = null;
    do {
      const first = Math.min(wanted.peek() + PAGE - found.length, MAX_REQUEST);
      const page: Page<LogRow> | null = (await request(LOG, { first, after })).stockTransactions;
      found.push(...(page?.nodes ?? []));
      after = page?.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    } while (after && found.length < wanted.peek());
    // Rows that came while this was read are newer than what it tells.
    const newest = found[0]?.createdAt ?? '';
    log.value = [...log.peek().filter(({ createdAt }) => createdAt > newest), ...found];
    olderLog.value = after;
    access.value = 'staff';
    return true;
  } catch (error) {
    const isRefused = ['FORBIDDEN', 'UNAUTHENTICATED', 'SIGN_IN_ENDED'].includes(codeOf(error));
    if (isRefused) close();
    else if (access.value !== 'staff') access.value = 'unknown';
    return false;
  }
}

/** Shows nothing of it any more: whoever asks may not see it. */
function close(): void {
  stop?.();
  stop = undefined;
  access.value = 'refused';
  log.value = [];
  history.value = null;
}

export function showMoreLog(): Promise<void> {
  return once('more log', async () => {
    logTrouble.value = null;
    const next = wanted.peek() + PAGE;
    const after = olderLog.peek();
    if (log.peek().length < next && after) {
      try {
        const { stockTransactions: page } = await request(LOG, { first: PAGE * 2, after });
        const known = new Set(log.peek().map(({ id }) => id));
        log.value = [...log.peek(), ...(page?.nodes ?? []).filter(({ id }) => !known.has(id))];
        olderLog.value = page?.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
      } catch (error) {
        logTrouble.value = failure(error);
        return;
      }
    }
    wanted.value = Math.min(next, MAX_SHOWN);
  });
}

/** Looks at another product. */
export function choose(product: Choice): void {
  if (chosen.peek()?.id === product.id) return;
  chosenByHand.value = product;
  history.value = null;
  olderHistory.value = null;
  if (access.peek() === 'staff') void readHistory().catch(() => {});
}

/** Reads the history of the chosen product anew, and keeps what came since. */
export async function readHistory(): Promise<void> {
  const product = chosen.peek();
  if (!product) return;
  const { stock } = await request(HISTORY, { productId: product.id, after: null });
  // Somebody may have chosen another one meanwhile, and rows may have come.
  if (chosen.peek()?.id !== product.id) return;
  const page = stock?.transactions;
  const read = [...(page?.nodes ?? [])].reverse();
  const last = read.at(-1);
  const isNewer = ({ sequence, createdAt }: LogRow) => !last || (sequence > last.sequence && createdAt >= last.createdAt);
  history.value = [...read, ...(history.peek() ?? []).filter(isNewer)];
  olderHistory.value = page?.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
}

export function showMoreHistory(): Promise<void> {
  return once('more history', async () => {
    const product = chosen.peek();
    const after = olderHistory.peek();
    if (!product || !after) return;
    const answer = await request(HISTORY, { productId: product.id, after }).catch(() => null);
    const page = answer?.stock?.transactions;
    const first = history.peek()?.[0];
    if (!page || !first || chosen.peek()?.id !== product.id) return;
    const older = page.nodes.filter(({ sequence }) => sequence < first.sequence);
    history.value = [...[...older].reverse(), ...(history.peek() ?? [])];
    olderHistory.value = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  });
}

function add(row: LogRow): void {
  if (log.peek().some(({ id }) => id === row.id)) return;
  log.value = [row, ...log.peek()];
  // What is not shown is not kept. It is read anew, because only rows that were read have a cursor to go on from.
  if (log.peek().length === wanted.peek() + MAX_UNSEEN) {
    log.value = log.peek().slice(0, wanted.peek());
    void openLog();
  }
  if (row.product.id === chosen.peek()?.id) addToHistory(row);
  listeners.forEach((listener) => listener(row));
}

function addToHistory(row: LogRow): void {
  const rows = history.peek();
  const last = rows?.at(-1)?.sequence ?? 0;
  if (!rows || row.sequence <= last) return;
  // The rows of a product have no gaps: one that skips a number means that something was missed.
  if (row.sequence > last + 1) void readHistory().catch(() => {});
  else history.value = [...rows, row].slice(-MAX_HISTORY);
}
