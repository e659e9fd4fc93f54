// A page of a shop with badges on it, in the words of the tests: what it shows, what it sends, what it is told.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LONGEST_WAIT_MS = 60_000;

/** The two lines of HTML that a shop needs, and what else `body` has. */
export function html(shop, body, { head = '', lang = 'en' } = {}) {
  return `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>A shop</title>
    <link rel="icon" href="data:,">${head}
    <script type="module" src="${shop.url}/stock-badge.js"></script></head>
    <body><main><h1>A shop</h1>${body}</main></body></html>`;
}

/** A badge as it is written into a page. */
export function badge(id, attributes = '', content = '') {
  return `<stock-badge product="${id}" ${attributes}>${content}</stock-badge>`;
}

/**
 * Opens a page with this body, or with `whole` as it is. `headers` are those of its answer; `before` runs before
 * anything of the page does; `clock` lets the test move the time.
 */
export async function openPage(browser, shop, body, options = {}) {
  const { whole, headers, before, clock, size = [1000, 700], theme = 'light', page: how = {}, ...rest } = options;
  const [width, height] = size;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, ...how });
  context.setDefaultTimeout(LONGEST_WAIT_MS);
  const page = await context.newPage();
  const visit = new BadgePage(page);
  if (clock) await page.clock.install();
  await before?.(page);
  await page.addInitScript(() => {
    window.heard = [];
    // The text that is on the screen, of the badge's own or of the page's in its place.
    window.shown = (one) => {
      const parts = [...one.shadowRoot.querySelectorAll('[part]')].filter(
        (part) => !part.hidden && !part.matches('[part=badge]'),
      );
      const texts = parts.map((part) => (part.localName === 'slot' ? one.textContent : part.textContent).trim());
      return texts.filter(Boolean).join(' | ');
    };
    for (const type of ['stock-change', 'stock-live', 'stock-stale']) {
      document.addEventListener(type, ({ detail }) => window.heard.push({ type, ...detail }));
    }
    document.addEventListener('securitypolicyviolation', (event) =>
      window.heard.push({ type: event.violatedDirective }),
    );
  });
  await page.goto(shop.pages.put(whole ?? html(shop, body, rest), headers));
  return visit;
}

class BadgePage {
  /** The websockets that were opened, each with what was sent on it, and all that went over it. */
  sockets = [];
  faults = [];
  /** What the badge said in the console. */
  told = [];

  constructor(page) {
    this.page = page;
    page.on('console', (message) => {
      if (message.text().startsWith('<stock-badge>: ')) this.told.push(message.text().slice('<stock-badge>: '.length));
    });
    page.on('pageerror', (error) => this.faults.push(error.message));
    page.on('websocket', (socket) => {
      const seen = { sent: [], all: [], isOpen: true };
      this.sockets.push(seen);
      socket.on('framesent', ({ payload }) => {
        seen.sent.push(JSON.parse(payload));
        seen.all.push(JSON.parse(payload));
      });
      socket.on('framereceived', ({ payload }) => seen.all.push(JSON.parse(payload)));
      socket.on('close', () => (seen.isOpen = false));
    });
  }

  /** Waits until the badge of a product shows this text, and is live unless `isLive` says otherwise. */
  async shows(id, text, isLive = true) {
    await this.page
      .waitForFunction(
        ([id, text, isLive]) => {
          const one = document.querySelector(`stock-badge[product="${id}"]`);
          return window.shown(one) === text && one.hasAttribute('live') === isLive;
        },
        [id, text, isLive],
      )
      .catch(async (error) => {
        throw new Error(`not "${text}", ${isLive ? 'live' : 'not live'}: ${JSON.stringify(await this.look(id))}`, {
          cause: error,
        });
      });
  }

  /** What the badge of a product shows at this moment. */
  look(id) {
    return this.page
      .locator(`stock-badge[product="${id}"]`)
      .first()
      .evaluate((one) => ({
        text: window.shown(one),
        state: one.getAttribute('state'),
        live: one.hasAttribute('live'),
        stale: one.hasAttribute('stale'),
      }));
  }

  /** Waits until something is so. */
  async until(isSo, what) {
    const end = Date.now() + LONGEST_WAIT_MS;
    for (;;) {
      const found = await isSo();
      if (found) return found;
      assert.ok(Date.now() < end, `it never came: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The events that reached the document. */
  heard(type) {
    return this.page.evaluate((type) => window.heard.filter((one) => one.type === type), type);
  }

  /** Hides or shows the page, as another tab in front of it would. */
  hide(isHidden) {
    return this.page.evaluate((isHidden) => {
      Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true });
      Object.defineProperty(document, 'visibilityState', {
        value: isHidden ? 'hidden' : 'visible',
        configurable: true,
      });
      document.dispatchEvent(new Event('visibilitychange'));
    }, isHidden);
  }

  /** The ids that are subscribed to on the open sockets. */
  followed() {
    const ids = [];
    for (const { sent } of this.sockets.filter(({ isOpen }) => isOpen)) {
      const ended = new Set(sent.filter(({ type }) => type === 'complete').map(({ id }) => id));
      const running = sent.filter(({ type, id }) => type === 'subscribe' && !ended.has(id));
      ids.push(...running.map(({ payload }) => payload.variables.ids));
    }
    return ids;
  }

  /** What is wrong for people who use other means than eyes and a mouse. */
  async violations() {
    await this.page.evaluate(readFileSync(join(import.meta.dirname, '../node_modules/axe-core/axe.min.js'), 'utf8'));
    const { violations, incomplete } = await this.page.evaluate(() => window.axe.run());
    return [...violations, ...incomplete].map(({ id, nodes }) => ({
      id,
      where: nodes.map(({ target }) => target.flat().join(' ')),
    }));
  }

  async screenshot(name) {
    if (!process.env.SHOTS) return;
    mkdirSync(process.env.SHOTS, { recursive: true });
    await this.page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
  }

  /** Ends the visit: nothing may have gone wrong. */
  async close() {
    assert.deepEqual(this.faults, []);
    await this.page.context().close();
  }
}
