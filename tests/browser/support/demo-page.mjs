// The demo shop in a browser, in the words of the tests: add, check out, pay, receive, ship.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LONGEST_WAIT_MS = 60_000;

/** For how long the page holds what cannot be taken back, and a little more. */
const HELD_MS = 5_100;

export const WIDE = [1400, 1000];
export const NARROW = [390, 844];

/** Opens the page as a shopper who was never here. A window of its own in somebody's browser when `context` is given. */
export async function openDemo(browser, shop, { size = WIDE, theme = 'light', context, path = '/demo', ...how } = {}) {
  const [width, height] = size;
  context ??= await browser.newContext({ viewport: { width, height }, colorScheme: theme, ...how });
  context.setDefaultTimeout(LONGEST_WAIT_MS);
  const visit = new DemoPage(await context.newPage(), shop);
  await visit.page.goto(shop.url + path);
  await visit.isLive();
  return visit;
}

export class DemoPage {
  faults = [];

  constructor(page, shop) {
    this.page = page;
    this.collectFaults(new URL(shop.url).host);
  }

  /** Nothing may be asked of another host, nothing may fail, and the page's policy may not be broken. */
  collectFaults(host) {
    const { page, faults } = this;
    const check = (url) => {
      const { protocol, host: asked } = new URL(url);
      if (/^(https?|wss?):$/.test(protocol) && asked !== host) faults.push(`asked another host: ${url}`);
    };
    page.on('request', (request) => check(request.url()));
    page.on('websocket', (socket) => check(socket.url()));
    page.on('response', (one) => one.status() >= 400 && faults.push(`${one.status()}: ${one.url()}`));
    page.on('console', (message) => message.type() === 'error' && faults.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => faults.push(`uncaught: ${error.stack}`));
  }

  /** What went wrong meanwhile was to be expected. */
  forgive() {
    this.faults.length = 0;
  }

  isLive() {
    return this.page.locator('.live[data-connection="live"]').waitFor();
  }

  button(name) {
    return this.page.getByRole('button', { name });
  }

  panel(id) {
    return this.page.locator(`.panel:has(> #${id})`);
  }

  card(product) {
    return this.page.locator(`.card[data-product="${product}"]`);
  }

  /** Waits until the badge on the shelf says this. */
  async badge(product, text) {
    // Only badges that are near the view are live.
    await this.card(product).scrollIntoViewIfNeeded();
    const one = this.card(product).locator('stock-badge[live]');
    await one.getByText(text, { exact: true }).waitFor();
  }

  async add(product) {
    const count = await this.inCart();
    await this.card(product).getByRole('button').click();
    await this.page.waitForFunction(
      (count) => [...document.querySelectorAll('.stepper output')].reduce((sum, one) => sum + +one.value, 0) > count,
      count,
    );
  }

  inCart() {
    return this.page.locator('.stepper output').evaluateAll((all) => all.reduce((sum, one) => sum + +one.value, 0));
  }

  /** The number of the order. */
  async checkOut() {
    // An order that is shown already may have to be paid, too.
    const [before] = await this.page.locator('#order').allInnerTexts();
    await this.button('Check out').click();
    const order = this.page.locator('#order', before && { hasNotText: before });
    await order.waitFor();
    await this.button(/^Pay/).waitFor();
    return (await order.innerText()).replace('Order ', '');
  }

  async pay(outcome) {
    if (outcome) await this.page.getByRole('radio', { name: outcome }).check();
    await this.button(/^(Pay|Reserve) /).click();
  }

  /** Waits until the order says this. */
  async orderSays(text) {
    try {
      await this.panel('order').locator('.notice').getByText(text).waitFor();
    } catch (error) {
      throw new Error(`the order says: ${await this.panel('order').allInnerTexts()}`, { cause: error });
    }
  }

  step(name) {
    return this.panel('order').locator('.steps .done').getByText(name).waitFor();
  }

  choose(product) {
    return this.page.getByRole('combobox', { name: 'Product' }).selectOption(product);
  }

  /** Waits until the chart's legend shows these numbers. */
  async numbers(counts) {
    for (const [name, count] of Object.entries(counts)) {
      await this.page.locator(`[data-number="${name}"]`).getByText(String(count), { exact: true }).waitFor();
    }
  }

  async receive(units, way = 'Receive') {
    await this.page.getByRole('radio', { name: way }).check();
    await this.page.getByLabel('Units').fill(String(units));
    await this.button(new RegExp(`^${way} ${units} unit`)).click();
  }

  order(number) {
    return this.page.locator(`.waiting [data-order="${number}"]`);
  }

  /** A payment of the order that is open at the desk, in this state if one is given. */
  payment(status) {
    return this.panel('desk').locator(status ? `[data-payment="${status}"]` : '[data-payment]').first();
  }

  /** What the desk offers to do with the order, in the words of its buttons. */
  offers() {
    return this.panel('desk').locator('button:not(.undoing *)').allInnerTexts();
  }

  /** Presses a button of the desk, lets the time go by in which that can be undone, and waits for what is told. */
  async decide(button, told) {
    await this.panel('desk').getByRole('button', { name: button, exact: true }).click();
    await this.passUndo();
    await this.passUntil(this.panel('desk').locator('.notice').getByText(told));
    // The next press is another one.
    await this.passRepeat();
  }

  /** Waits until the back office shows so many units that are held and wanted. */
  async wanted(counts) {
    for (const [name, count] of Object.entries(counts)) {
      await this.page.locator(`[data-demand="${name}"]`).getByText(String(count), { exact: true }).waitFor();
    }
  }

  /** Takes the page's clock into the test's hands; it goes on by itself as before. Before the page is opened anew. */
  async holdClock() {
    await this.page.clock.install();
    await this.page.reload();
    await this.isLive();
  }

  /** Lets no time go by on the page but what the test lets go by: on a slow machine nothing is too late. */
  stopClock() {
    return this.page.clock.pauseAt(Date.now() + 1_000);
  }

  /** Lets time go by until something is seen. */
  async passUntil(locator) {
    while (!(await locator.isVisible())) await this.page.clock.runFor(20);
  }

  /** Lets the time go by in which a second press is the first one. */
  passRepeat() {
    return this.page.clock.runFor(700);
  }

  /** Lets the time go by in which something can be undone. */
  passUndo() {
    return this.page.clock.runFor(HELD_MS);
  }

  logRow(product, sequence) {
    return this.page.locator(`.log li[data-product="${product}"][data-sequence="${sequence}"]`);
  }

  /** On a narrow screen. */
  tab(name) {
    return this.page.getByRole('tab', { name }).click();
  }

  /** What is wrong for people who use other means than eyes and a mouse. The policy of the page admits no script by text. */
  async violations() {
    const axe = readFileSync(join(import.meta.dirname, '../node_modules/axe-core/axe.min.js'), 'utf8');
    const session = await this.page.context().newCDPSession(this.page);
    await session.send('Runtime.evaluate', { expression: axe });
    const { violations } = await this.page.evaluate(() => {
      // What fades in is judged as it is in the end.
      const fading = document.getAnimations().filter((one) => one.effect.getComputedTiming().iterations !== Infinity);
      fading.forEach((one) => one.finish());
      return window.axe.run();
    });
    return violations.map(({ id, nodes }) => ({
      id,
      where: nodes.map(({ target, failureSummary }) => [target.flat().join(' '), failureSummary]),
    }));
  }

  overflow() {
    return this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  }

  /** What stands out of its card, its panel or the page, in words. */
  outside() {
    return this.page.evaluate(() => {
      const found = [];
      const { scrollWidth } = document.documentElement;
      if (scrollWidth > innerWidth) found.push(`the page is ${scrollWidth - innerWidth} pixels wider than the screen`);
      for (const box of document.querySelectorAll('.card, .panel, .top, .cart-bar')) {
        const { left, right } = box.getBoundingClientRect();
        for (const one of box.querySelectorAll('*:not(svg *, .unseen, .unseen *, option)')) {
          const inner = one.getBoundingClientRect();
          if (inner.width === 0 || (inner.left >= left - 1 && inner.right <= right + 1)) continue;
          found.push(`${one.localName}.${one.className} “${one.textContent.slice(0, 30)}” in ${box.className}`);
        }
      }
      return found;
    });
  }

  async screenshot(name, fullPage = false) {
    if (!process.env.SHOTS) return;
    mkdirSync(process.env.SHOTS, { recursive: true });
    await this.page.screenshot({ path: join(process.env.SHOTS, `demo-${name}.png`), fullPage });
  }

  /** Ends the visit: nothing may have gone wrong. */
  async close() {
    assert.deepEqual(this.faults, []);
    await this.page.context().close();
  }
}
