import type { OpenLink } from './link.js';
export declare const openStream: OpenLink;
