// The badge, as an element of the page.
import type { HTMLAttributes } from 'preact';

declare module 'preact' {
  namespace JSX {
    interface IntrinsicElements {
      'stock-badge': HTMLAttributes<HTMLElement> & { product: string; label?: string; always?: boolean };
    }
  }
}
