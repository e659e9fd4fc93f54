import { type Options } from './settings.js';
export { StockBadge } from './element.js';
export type { StockDetail, StockEvent } from './element.js';
export type { StockBadgeAttributes } from './frameworks.js';
export type { ConnectionParams, Options } from './settings.js';
export type { Availability, Status } from './stock.js';
export type { Text, Texts } from './texts.js';
/**
 * Chooses; what is not given stays as it was. Badges that are there already follow. Where a page has several copies of
 * this script, it reaches the one that is in use, which is the first.
 */
export declare function configure(options: Options): void;
