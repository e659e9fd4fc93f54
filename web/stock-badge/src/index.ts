// The package: makes <stock-badge> known to the page, and exports what a page may choose. Does nothing else on import.
import { warnOnce } from './console.js';
import { refreshBadges, restartBadges, StockBadge } from './element.js';
import { restartPools } from './pool.js';
import { choose, onConfigured, type Options } from './settings.js';
import { addTexts } from './texts.js';

export { StockBadge } from './element.js';
export type { StockDetail, StockEvent } from './element.js';
export type { StockBadgeAttributes } from './frameworks.js';
export type { ConnectionParams, Options } from './settings.js';
export type { Availability, Status } from './stock.js';
export type { Text, Texts } from './texts.js';

/** Where the class that is registered has its `configure`, for other copies of this script on the same page. */
const CONFIGURE = Symbol.for('onhand-stock-badge.configure');

onConfigured(({ connectionParams, endpoint, texts }) => {
  if (texts) addTexts(texts);
  if (texts) refreshBadges();
  if (endpoint !== undefined) restartBadges();
  if (connectionParams !== undefined) restartPools();
});

Object.defineProperty(StockBadge, CONFIGURE, { value: choose });

/**
 * Chooses; what is not given stays as it was. Badges that are there already follow. Where a page has several copies of
 * this script, it reaches the one that is in use, which is the first.
 */
export function configure(options: Options): void {
  const used = globalThis.customElements?.get('stock-badge') ?? StockBadge;
  const theirs: unknown = Reflect.get(used, CONFIGURE);
  if (typeof theirs === 'function') theirs(options);
  else
    warnOnce(
      'configure() has no effect: another copy of the badge, which cannot be reached, was loaded before this one.',
    );
}

// Absent on a server; there already when two packages bring it.
if (globalThis.customElements && !customElements.get('stock-badge')) {
  customElements.define('stock-badge', StockBadge);
  // The language of the page may change under it.
  new MutationObserver(refreshBadges).observe(document.documentElement, { attributeFilter: ['lang'] });
}
