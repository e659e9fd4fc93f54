// The demo shop for everybody: by keyboard, with a screen reader, on a phone, with a server that goes away, with a
// token, and where it is switched off.
//
//   ONHAND_BINARY=target/debug/onhand node --test demo-access.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DEMO_PRODUCTS } from '../../web/graphiql/src/demo-ids.js';
import { launch } from './support/browser.mjs';
import { openShop, setStock } from './support/badge-shop.mjs';
import { NARROW, openDemo, WIDE } from './support/demo-page.mjs';
import { openProxy } from './support/proxy.mjs';
import { staffToken } from './support/token.mjs';

const [BLUE_MUG, GREEN_MUG] = DEMO_PRODUCTS;

describe('the demo shop, for everybody', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  test('can be used by keyboard alone', async () => {
    const visit = await openDemo(browser, shop);
    const { keyboard } = visit.page;
    /** Goes on with the tab key until what has the focus is called so. */
    const tabTo = async (name) => {
      for (let presses = 0; presses < 80; presses += 1) {
        await keyboard.press('Tab');
        const found = await visit.page.evaluate(() => {
          const { activeElement: one } = document;
          const outline = getComputedStyle(one.closest('label')?.querySelector('span') ?? one).outlineStyle;
          return { name: one.ariaLabel ?? one.innerText?.trim() ?? '', id: one.id, value: one.value, outline };
        });
        if (!name.test(found.name || found.value || '')) continue;
        assert.notEqual(found.outline, 'none', `${found.name}: it is seen where the focus is`);
        return;
      }
      assert.fail(`never came to ${name}`);
    };
    await visit.badge(BLUE_MUG, 'In stock');
    await tabTo(/^Add to cart: Blue mug/);
    await keyboard.press('Enter');
    await tabTo(/^Check out/);
    await keyboard.press('Enter');
    // It goes on where the order is.
    await visit.page.waitForFunction(() => document.activeElement?.id === 'order');
    await tabTo(/^succeed$/);
    await keyboard.press('ArrowRight');
    await visit.page.getByText('Nothing is charged, and the units are free again.').waitFor();
    await keyboard.press('ArrowLeft');
    await tabTo(/^Pay/);
    await keyboard.press('Enter');
    await visit.orderSays('Paid: it is yours');
    await visit.page.waitForFunction(() => document.activeElement?.id === 'order');
    await tabTo(/^Ship /);
    await keyboard.press('Enter');
    await visit.step('Shipped');
    // In the row, not at the beginning of the list.
    await visit.page.waitForFunction(() => document.activeElement?.matches('[data-order]'));
    await visit.close();
  });

  test('opens its dialog and closes it by keyboard, and gives the focus back', async () => {
    const visit = await openDemo(browser, shop);
    await visit.button('Sign in').focus();
    await visit.page.keyboard.press('Enter');
    await visit.page.getByRole('dialog').waitFor();
    assert.deepEqual(await visit.violations(), []);
    await visit.page.keyboard.press('Escape');
    await visit.page.getByRole('dialog').waitFor({ state: 'hidden' });
    assert.equal(await visit.page.evaluate(() => document.activeElement.innerText), 'Sign in');
    await visit.close();
  });

  test('moves nothing for those who want no motion', async () => {
    const visit = await openDemo(browser, shop, { reducedMotion: 'reduce' });
    await visit.add(GREEN_MUG);
    assert.equal(await visit.page.evaluate(() => document.getAnimations().length), 0);
    await visit.close();
  });

  for (const [shape, size] of [['wide', WIDE], ['middle', [1100, 900]], ['narrow', NARROW], ['small', [320, 640]]]) {
    for (const theme of ['light', 'dark']) {
      test(`fits a ${shape} screen, ${theme}, and leaves nobody out`, async () => {
        const visit = await openDemo(browser, shop, { size, theme, reducedMotion: 'reduce' });
        const look = async (name) => {
          await visit.screenshot(`${shape}-${theme}-${name}`, true);
          assert.deepEqual(await visit.violations(), [], name);
          assert.ok((await visit.overflow()) <= 0, `${name}: wider than the screen by ${await visit.overflow()} pixels`);
        };
        const isNarrow = size[0] < 980;
        await visit.badge(GREEN_MUG, 'In stock');
        await look('shelf');
        await visit.add(GREEN_MUG);
        await look('cart');
        await visit.checkOut();
        await visit.pay('Is declined');
        await visit.orderSays('The payment was declined.');
        await look('declined');
        await visit.pay('Succeeds');
        await visit.orderSays('Paid: it is yours');
        if (isNarrow) {
          await visit.tab(/Back office/);
          assert.ok(!(await visit.card(GREEN_MUG).isVisible()));
        }
        await visit.receive(3);
        await visit.page.getByText('3 units received').waitFor();
        await look('office');
        await visit.close();
      });
    }
  }

  test('changes its tabs with the arrow keys', async () => {
    const visit = await openDemo(browser, shop, { size: NARROW });
    await visit.page.getByRole('tab', { name: 'Shop' }).focus();
    await visit.page.keyboard.press('ArrowRight');
    await visit.page.getByRole('tabpanel', { name: /Back office/ }).waitFor();
    await visit.page.keyboard.press('ArrowLeft');
    await visit.card(BLUE_MUG).waitFor();
    await visit.close();
  });
});

describe('the demo shop without its server', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  test('says that it is not live, and goes on when the server is back', async () => {
    const visit = await openDemo(browser, shop);
    await visit.add(BLUE_MUG);
    await visit.numbers({ total: 10 });
    await shop.stop();
    await visit.page.getByText('not live, trying again').waitFor();
    await visit.page.getByText('Not live: these numbers may be old.').waitFor();
    await visit.button('Check out').click();
    await visit.panel('cart').getByText('The server does not answer. Please try again: nothing is done twice.').waitFor();
    await visit.screenshot('not-live');
    await shop.start();
    await visit.isLive();
    // While nobody listened, somebody else was faster.
    await setStock(shop, BLUE_MUG, 7);
    await visit.numbers({ total: 7 });
    await visit.logRow(BLUE_MUG, 2).waitFor();
    await visit.checkOut();
    await visit.pay();
    await visit.orderSays('Paid: it is yours');
    await visit.numbers({ total: 7, available: 6, allocated: 1 });

    await shop.stop('SIGKILL');
    await visit.page.getByText('not live, trying again').waitFor();
    await shop.start();
    await visit.isLive();
    await visit.button(/^Ship /).click();
    await visit.step('Shipped');
    visit.forgive();
    await visit.close();
  });
});

describe('the demo shop in production', () => {
  let browser;
  const secrets = {
    ONHAND_SECRET: 'a secret for nothing but the tests',
    ONHAND_ISSUER: 'tests',
    ONHAND_AUDIENCE: 'onhand',
    ONHAND_DEMO: 'true',
  };
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  test('is off', async () => {
    const shop = await openShop(secrets);
    assert.equal((await fetch(`${shop.url}/demo`)).status, 404);
    await shop.close();
  });

  test('is there when it is wanted: guests shop, and staff with a token run the back office', async () => {
    const shop = await openShop({ ...secrets, ONHAND_EXPLORE: 'true' });
    const visit = await openDemo(browser, shop);
    await visit.page.getByText('The back office is for staff.').waitFor();
    await visit.add(BLUE_MUG);
    await visit.screenshot('guest');
    const number = await visit.checkOut();
    await visit.pay();
    await visit.orderSays('This server does not take payments by the sandbox.');

    await visit.button('Sign in').click();
    await visit.page.getByLabel('Token').fill(`Bearer ${staffToken(secrets.ONHAND_SECRET)}`);
    await visit.page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click();
    await visit.panel('log').waitFor();
    await visit.page.getByText(`Order ${number}`).first().waitFor();
    await visit.choose(BLUE_MUG);
    await visit.receive(5);
    await visit.numbers({ total: 15 });
    await visit.button('Sign out').click();
    await visit.page.getByText('The back office is for staff.').waitFor();
    await visit.close();
    await shop.close();
  });

  async function signIn(visit, token) {
    await visit.button('Sign in').click();
    await visit.page.getByLabel('Token').fill(token);
    await visit.page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click();
  }

  test('goes on for a guest when a token of the staff expires, and says so', async () => {
    const shop = await openShop({ ...secrets, ONHAND_EXPLORE: 'true' });
    const visit = await openDemo(browser, shop);
    await signIn(visit, staffToken(secrets.ONHAND_SECRET, 6));
    await visit.page.getByRole('alert').getByText('Your sign-in has expired.').waitFor();
    await visit.page.getByText('Your sign-in has expired. The back office is for staff.').waitFor();
    await visit.isLive();
    await visit.badge(BLUE_MUG, 'In stock');
    await visit.add(BLUE_MUG);
    assert.deepEqual(await visit.violations(), []);
    await signIn(visit, staffToken(secrets.ONHAND_SECRET));
    await visit.panel('log').waitFor();
    assert.equal(await visit.page.getByRole('alert').count(), 0);
    assert.equal(await visit.inCart(), 1);
    visit.forgive();
    await visit.close();
    await shop.close();
  });

  test('keeps the cart of a customer whose token is not accepted any more, and the way to their order', async () => {
    const shop = await openShop({ ...secrets, ONHAND_EXPLORE: 'true' });
    const visit = await openDemo(browser, shop);
    await signIn(visit, staffToken(secrets.ONHAND_SECRET, 600, 'customer'));
    await visit.button('Sign out').waitFor();
    await visit.add(GREEN_MUG);
    const number = await visit.checkOut();
    await visit.add(BLUE_MUG);
    await shop.stop();
    await shop.start({ ONHAND_SECRET: 'another secret, of the same shop' });
    const ended = visit.page.getByRole('alert').getByText('The server does not accept your sign-in any more.');
    await ended.waitFor();
    // The cart was the customer's; the guest has one with the same items.
    await visit.panel('cart').getByText('Here is a new one with the same items.').waitFor();
    assert.equal(await visit.inCart(), 1);
    await visit.orderSays('Your sign-in has ended, and this order belongs to it.');
    await visit.page.reload();
    await ended.waitFor();
    await visit.page.locator('#order').waitFor();
    await visit.button('Check out').click();
    await visit.button(/^Pay/).waitFor();
    await signIn(visit, staffToken('another secret, of the same shop', 600, 'customer'));
    await visit.page.getByText(`Order ${number}`).first().waitFor();
    visit.forgive();
    await visit.close();
    await shop.close();
  });

  test('does not cancel an order for whoever is signed in no more, and says so', async () => {
    const shop = await openShop({ ...secrets, ONHAND_EXPLORE: 'true' });
    const visit = await openDemo(browser, shop);
    await signIn(visit, staffToken(secrets.ONHAND_SECRET, 600, 'customer'));
    await visit.button('Sign out').waitFor();
    await visit.holdClock();
    await visit.add(GREEN_MUG);
    await visit.checkOut();
    const sent = [];
    visit.page.on('request', (one) => one.postData()?.includes('cancelOrder') && sent.push(one.url()));
    await visit.stopClock();
    await visit.button('Cancel the order').click();
    await visit.button(/^Undo cancelling/).waitFor();
    await shop.stop();
    await shop.start({ ONHAND_SECRET: 'another secret, of the same shop' });
    // Far less than what is held waits for.
    await visit.passUntil(visit.page.getByRole('alert'));
    await visit.passUntil(visit.panel('order').getByText('It was not cancelled. Your sign-in has ended'));
    await visit.passUndo();
    assert.equal(await visit.button(/^Pay/).count(), 0);
    assert.deepEqual(sent, []);
    visit.forgive();
    await visit.close();
    await shop.close();
  });

  test('takes no token that is none, and says when one is not accepted', async () => {
    const shop = await openShop({ ...secrets, ONHAND_EXPLORE: 'true' });
    const visit = await openDemo(browser, shop);
    await visit.add(BLUE_MUG);
    await signIn(visit, 'a tökén');
    await visit.page.getByText('This is no token').waitFor();
    await visit.page.keyboard.press('Escape');
    await signIn(visit, staffToken('another secret that the server does not know'));
    await visit.page.getByRole('alert').getByText('The server does not accept this token.').waitFor();
    await visit.card(BLUE_MUG).waitFor();
    assert.equal(await visit.inCart(), 1);
    await visit.button('Stay a guest').click();
    await visit.page.getByRole('alert').waitFor({ state: 'detached' });
    // Broken over lines, as a terminal does.
    await signIn(visit, `Authorization: Bearer ${staffToken(secrets.ONHAND_SECRET).replace(/(.{60})/g, '$1\n  ')}`);
    await visit.panel('log').waitFor();
    visit.forgive();
    await visit.close();
    await shop.close();
  });
});

describe('the demo shop behind a proxy', () => {
  let browser;
  let shop;
  let proxy;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
    proxy = await openProxy(shop.url, { prefix: '/stock' });
  });
  after(async () => {
    await browser?.close();
    proxy?.close();
    await shop?.close();
  });

  for (const path of ['/demo', '/demo/', '/demo?from=a/b']) {
    test(`works under the path prefix of a proxy, at ${path}`, async () => {
      const visit = await openDemo(browser, proxy, { path });
      await visit.badge(BLUE_MUG, 'In stock');
      await visit.add(BLUE_MUG);
      await visit.checkOut();
      await visit.pay();
      await visit.orderSays('Paid: it is yours');
      await visit.panel('orders').getByRole('button', { name: /^Ship/ }).first().waitFor();
      const explorer = await visit.page.getByRole('link', { name: 'API explorer' }).evaluate(({ href }) => href);
      assert.equal(explorer, `${proxy.url}/`);
      // Another shop of the same origin is another one.
      const kept = await visit.page.evaluate(() => Object.keys(sessionStorage));
      assert.ok(kept.every((key) => key.startsWith('onhand:demo:/stock/:')), String(kept));
      await visit.close();
    });
  }
});
