export { StockBadge } from './element.js';
export type { StockDetail, StockEvent } from './element.js';
export { configure } from './settings.js';
export type { ConnectionParams, Options } from './settings.js';
export type { Availability } from './stock.js';
export type { Text, Texts } from './texts.js';
