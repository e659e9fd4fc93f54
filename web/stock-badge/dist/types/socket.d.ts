import type { OpenLink } from './link.js';
export declare const openSocket: OpenLink;
