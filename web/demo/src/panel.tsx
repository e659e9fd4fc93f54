// A part of the page with a heading. When what had the focus goes away, the row that it was in takes it, or the next one,
// or else the heading, so that nobody who uses the keyboard is thrown back to the top of the page.
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Notice } from './words.js';

export function Panel(props: { id: string; title: ComponentChildren; className?: string; children: ComponentChildren }) {
  const { id, title, className = '', children } = props;
  const section = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  return (
    <section ref={section} class={`panel ${className}`} aria-labelledby={id}>
      <h3 ref={heading} id={id} tabIndex={-1}>
        {title}
      </h3>
      {children}
      <KeepFocus section={section} heading={heading} />
    </section>
  );
}

type Elements = { section: { current: HTMLElement | null }; heading: { current: HTMLElement | null } };

function KeepFocus({ section, heading }: Elements) {
  useLayoutEffect(() => {
    const node = section.current;
    if (!node) return;
    let hadFocus = node.contains(document.activeElement);
    // The rows as they were, from the one with the focus on, and then those before it.
    let rows: HTMLElement[] = [];
    const look = () => {
      hadFocus = node.contains(document.activeElement);
      const all = [...node.querySelectorAll<HTMLElement>('li[data-order]')];
      const at = all.findIndex((row) => row.contains(document.activeElement));
      rows = at < 0 ? [] : [...all.slice(at), ...all.slice(0, at).reverse()];
    };
    const observer = new MutationObserver(() => {
      const isLost = document.activeElement === null || document.activeElement === document.body;
      if (hadFocus && isLost) (rows.find((row) => row.isConnected) ?? heading.current)?.focus();
    });
    observer.observe(node, { childList: true, subtree: true });
    document.addEventListener('focusin', look);
    // A click beside everything takes the focus away on purpose.
    document.addEventListener('pointerdown', look);
    return () => {
      observer.disconnect();
      document.removeEventListener('focusin', look);
      document.removeEventListener('pointerdown', look);
    };
  }, []);
  return null;
}

/** A place where something is told. It is always there, so that it is read out when it changes. */
export function Told({ notice }: { notice: Notice | null }) {
  return (
    <div role="status" class="told">
      {notice && (
        <p class={`notice ${notice.tone}`} key={notice.text}>
          {notice.text}
        </p>
      )}
    </div>
  );
}

/** Lies over what it is about, so that nothing moves under anybody's pointer when it comes and goes. */
export function NotLive({ text }: { text: string }) {
  return (
    <div class="not-live">
      <p class="notice wait">{text}</p>
    </div>
  );
}
