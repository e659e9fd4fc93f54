// The GraphiQL page in a browser, in the words of the tests: open, tab, run, stock.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where the server under test is. */
export const SERVER = process.env.ONHAND_URL;
assert.ok(SERVER, 'ONHAND_URL says where the server is, for example http://127.0.0.1:8000');

const LONGEST_WAIT_MS = 60_000;

/**
 * Opens the page as a visitor who was never here, unless `context` is somebody's browser already. `line` is a
 * Line that its websockets go through, `server` another server than the one under test.
 */
export async function openPage(browser, options = {}) {
  const { path = '/', size = [1400, 900], theme = 'light', line, server = SERVER } = options;
  let { context } = options;
  const [width, height] = size;
  context ??= await browser.newContext({ viewport: { width, height }, colorScheme: theme });
  context.setDefaultTimeout(LONGEST_WAIT_MS);
  const page = await context.newPage();
  const faults = collectFaults(page, server);
  await line?.carry(page);
  await page.goto(new URL(path, server).href);
  await page.getByRole('tab').first().waitFor();
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  return new GraphiqlPage(page, faults, server);
}

class GraphiqlPage {
  constructor(page, faults, server) {
    this.page = page;
    this.api = new URL('graphql', server).href;
    this.context = page.context();
    this.faults = faults;
  }

  async openTab(name) {
    await this.tab(name).getByRole('button', { name, exact: true }).click();
    await this.editorMatches('.graphiql-query-editor', new RegExp(`(query|mutation|subscription) ${name}\\b`));
  }

  async closeTab(name) {
    // Only the tab that is open shows its button for that.
    await this.openTab(name);
    await this.tab(name).getByRole('button', { name: 'Close Tab' }).click();
  }

  tab(name) {
    return this.page.getByRole('tab').filter({ has: this.page.getByRole('button', { name, exact: true }) });
  }

  tabs() {
    return this.page.getByRole('tab').allInnerTexts();
  }

  /** Presses the run button; answers what was sent and what the server said. */
  async run() {
    const [response] = await Promise.all([
      this.page.waitForResponse((one) => one.url() === this.api),
      this.pressRun(),
    ]);
    const { variables } = response.request().postDataJSON();
    return { variables, ...(await response.json()) };
  }

  pressRun() {
    return this.page.getByRole('button', { name: 'Execute query' }).click();
  }

  pressStop() {
    return this.page.getByRole('button', { name: 'Stop query' }).click();
  }

  /** Waits until the answer that is shown, in one line, matches. */
  answer(pattern) {
    return this.editorMatches('.result-window', pattern);
  }

  /** Waits until the variables that are shown, in one line, match. */
  variables(pattern) {
    return this.editorMatches('.graphiql-editor-tool .graphiql-editor:not(.hidden)', pattern);
  }

  /** Writes into the variables or headers, whichever is open, in place of what is there. */
  async write(value) {
    await this.page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden) .view-lines').click();
    await this.page.keyboard.press('ControlOrMeta+A');
    await this.page.keyboard.press('Delete');
    // Inserted as if pasted: typing would have the editor add closing brackets of its own.
    await this.page.keyboard.insertText(JSON.stringify(value));
  }

  /** Opens the headers in place of the variables. */
  openHeaders() {
    return this.page.getByRole('button', { name: 'Headers', exact: true }).click();
  }

  async editorMatches(selector, pattern) {
    await this.page.waitForFunction(
      ([selector, source]) => {
        const lines = document.querySelector(`${selector} .view-lines`)?.innerText ?? '';
        return new RegExp(source).test(lines.replace(/\s+/g, ' '));
      },
      [selector, pattern.source],
    );
  }

  /** The numbers of a product in the live strip, once they are there. */
  async stock(productId) {
    const row = this.page.locator(`.live-stock [data-product="${productId}"]`);
    await row.waitFor();
    const counts = await row.locator('[data-count]').evaluateAll((all) =>
      all.map((one) => [one.dataset.count, Number(one.innerText)]),
    );
    return Object.fromEntries(counts);
  }

  /** Waits until the live strip shows these numbers of a product. */
  async stockBecomes(productId, counts) {
    for (const [name, count] of Object.entries(counts)) {
      const shown = `.live-stock [data-product="${productId}"] [data-count="${name}"]:text-is("${count}")`;
      await this.page.locator(shown).waitFor();
    }
  }

  /** The tabs that the browser has kept, once one has `variables` in its variables and none the title `closed`. */
  async storedTabs({ variables = '', closed } = {}) {
    const handle = await this.page.waitForFunction(
      ([variables, closed]) => {
        const { tabs } = JSON.parse(localStorage.getItem('onhand:graphiql:tabState')) ?? { tabs: [] };
        const isKept = tabs.some((tab) => tab.variables?.includes(variables));
        return isKept && !tabs.some((tab) => tab.title === closed) && tabs;
      },
      [variables, closed],
    );
    return handle.jsonValue();
  }

  async screenshot(name) {
    if (!process.env.SHOTS) return;
    mkdirSync(process.env.SHOTS, { recursive: true });
    await this.page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
  }

  /** Ends the visit: nothing may have gone wrong, and nothing asked of another host. */
  async close() {
    assert.deepEqual(this.faults, []);
    await this.context.close();
  }
}

/** The line to the server's websocket, which can be cut and mended. */
export class Line {
  #sockets = new Set();
  #isCut = false;

  carry(page) {
    return page.routeWebSocket(/\/graphql$/, (socket) => {
      if (this.#isCut) return socket.close({ code: 1012 });
      socket.connectToServer();
      this.#sockets.add(socket);
    });
  }

  async cut() {
    this.#isCut = true;
    await Promise.all([...this.#sockets].map((socket) => socket.close({ code: 1012 })));
  }

  mend() {
    this.#isCut = false;
  }
}

function collectFaults(page, server) {
  const faults = [];
  const host = new URL(server).host;
  const checkHost = (url) => {
    const { protocol, host: asked } = new URL(url);
    if (/^(https?|wss?):$/.test(protocol) && asked !== host) faults.push(`asked another host: ${url}`);
  };
  page.on('request', (request) => checkHost(request.url()));
  page.on('websocket', (socket) => checkHost(socket.url()));
  page.on('requestfailed', (request) => faults.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on('response', (one) => one.status() >= 400 && faults.push(`${one.status()}: ${one.url()}`));
  page.on('console', (message) => message.type() === 'error' && faults.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
  return faults;
}
