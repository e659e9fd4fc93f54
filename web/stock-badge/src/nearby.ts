// Which badges are in or near the view. One observer for all of them; never asks where anything is by itself.
import { isolate } from './console.js';

/** How far outside of the view a badge counts as near it, so that it is live before it is seen. */
const NEAR = '400px';

const callbacks = new WeakMap<Element, (isNear: boolean) => void>();
let observer: IntersectionObserver | undefined;

/** Calls back whenever the element comes near the view or goes away, and soon for the first time. */
export function watchNearby(element: Element, callback: (isNear: boolean) => void): () => void {
  const options: IntersectionObserverInit & { scrollMargin: string } = { rootMargin: NEAR, scrollMargin: NEAR };
  observer ??= new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) isolate(() => callbacks.get(target)?.(isIntersecting));
  }, options);
  callbacks.set(element, callback);
  observer.observe(element);
  return () => {
    callbacks.delete(element);
    observer?.unobserve(element);
  };
}
