// The package: makes <stock-badge> known to the page, and exports what a page may choose. Does nothing else on import.
import { refreshBadges, restartBadges, StockBadge } from './element.js';
import { restartPools } from './pool.js';
import { onConfigured } from './settings.js';
import { addTexts } from './texts.js';

export { StockBadge } from './element.js';
export type { StockDetail, StockEvent } from './element.js';
export { configure } from './settings.js';
export type { ConnectionParams, Options } from './settings.js';
export type { Availability } from './stock.js';
export type { Text, Texts } from './texts.js';

onConfigured(({ connectionParams, endpoint, texts }) => {
  if (texts) addTexts(texts);
  if (texts) refreshBadges();
  if (endpoint) restartBadges();
  if (connectionParams) restartPools();
});

// Absent on a server; there already when two packages bring it.
if (globalThis.customElements && !customElements.get('stock-badge')) {
  customElements.define('stock-badge', StockBadge);
  // The language of the page may change under it.
  new MutationObserver(refreshBadges).observe(document.documentElement, { attributeFilter: ['lang'] });
}
