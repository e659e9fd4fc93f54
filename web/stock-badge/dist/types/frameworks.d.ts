import type { StockBadge, StockEvent } from './element.js';
import type { Availability } from './stock.js';
/** What a page may give to a badge, besides what every element has. */
export interface StockBadgeAttributes {
    /** The id of the product. */
    product?: string | null | undefined;
    /** The units that are shown until the first state comes. */
    available?: number | string | null | undefined;
    /** The state that is shown until the first one comes. */
    availability?: Availability | null | undefined;
    /** What the product is called in announcements. */
    label?: string | null | undefined;
    /** Another API than that of the page. */
    endpoint?: string | null | undefined;
    /** Whether it is followed out of view, too. */
    always?: boolean | 'true' | 'false' | '' | null | undefined;
}
/** An event, where it is listened to on the badge itself. */
type OwnEvent = StockEvent & {
    readonly currentTarget: StockBadge;
};
/** Its events, as React 19, Preact and Svelte 5 name their handlers. */
export interface StockBadgeHandlers {
    'onstock-change'?: ((event: OwnEvent) => void) | undefined;
    'onstock-live'?: ((event: OwnEvent) => void) | undefined;
    'onstock-stale'?: ((event: OwnEvent) => void) | undefined;
}
type Own = StockBadgeAttributes & StockBadgeHandlers;
type With<Attributes> = Omit<Attributes, keyof Own> & Own;
/** @ts-ignore A page without React. */
type InReact = With<import('react').DetailedHTMLProps<import('react').HTMLAttributes<StockBadge>, StockBadge>> & {
    /** React 18 and older take `className` of custom elements as an attribute of that name. */
    class?: string | undefined;
};
/** @ts-ignore A page without Preact. */
type InPreact = With<import('preact').HTMLAttributes<StockBadge>>;
/** @ts-ignore A page without Solid. */
type InSolid = With<import('solid-js').JSX.HTMLAttributes<StockBadge>>;
/** @ts-ignore A page without Svelte. */
type InSvelte = With<import('svelte/elements').HTMLAttributes<StockBadge>>;
/** @ts-ignore A page without Vue. */
type InVue = With<import('vue').HTMLAttributes & import('vue').ReservedProps>;
/** The element as Vue's templates know it. */
interface VueElement {
    new (): {
        $props: InVue & {
            onStockChange?: ((event: OwnEvent) => void) | undefined;
            onStockLive?: ((event: OwnEvent) => void) | undefined;
            onStockStale?: ((event: OwnEvent) => void) | undefined;
        };
    };
}
declare global {
    namespace JSX {
        interface IntrinsicElements {
            'stock-badge': InReact;
        }
    }
}
/** @ts-ignore */
declare module 'react' {
    namespace JSX {
        interface IntrinsicElements {
            'stock-badge': InReact;
        }
    }
}
/** @ts-ignore */
declare module 'preact' {
    namespace JSX {
        interface IntrinsicElements {
            'stock-badge': InPreact;
        }
    }
}
/** @ts-ignore */
declare module 'solid-js' {
    namespace JSX {
        interface IntrinsicElements {
            'stock-badge': InSolid;
        }
    }
}
/** @ts-ignore */
declare module 'svelte/elements' {
    interface SvelteHTMLElements {
        'stock-badge': InSvelte;
    }
}
/** @ts-ignore */
declare module 'vue' {
    interface GlobalComponents {
        'stock-badge': VueElement;
        StockBadge: VueElement;
    }
}
export {};
