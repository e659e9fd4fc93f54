// The second click of a double click was never meant for what has come under the pointer since the first one: a list may
// have lost a row, or got one. It ends here. So does a key that is held down: the browser would press the button again and
// again.

export function guardClicks(): void {
  let last: Element | null = null;
  document.addEventListener(
    'click',
    (event) => {
      const target = event.target instanceof Element ? event.target.closest('button, a, summary') : null;
      // The browser counts clicks that follow each other at once and in the same place, whatever is there.
      if (event.detail > 1 && target && target !== last) {
        event.preventDefault();
        event.stopImmediatePropagation();
      } else {
        last = target;
      }
    },
    { capture: true },
  );
  document.addEventListener(
    'keydown',
    (event) => {
      const isPress = event.target instanceof Element && event.target.closest('button, a, summary, input');
      if (event.repeat && event.key === 'Enter' && isPress) event.preventDefault();
    },
    { capture: true },
  );
}
