// The rules of the GraphiQL page that need no browser: which tabs it opens with, which ids it carries.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  carriedAfter,
  carriedAfterRefusal,
  NOTHING_CARRIED,
  PLACEHOLDERS,
  whatIsMissing,
  withCarried,
  withoutCarried,
} from '../../web/graphiql/src/carried-ids.js';
import { openingTabs } from '../../web/graphiql/src/tabs.js';

const cartAnswer = (id) => ({ data: { createCart: { cart: { id } } } });
const orderAnswer = (id) => ({ data: { checkOut: { order: { id } } } });
const variables = (value) => JSON.stringify(value, null, 2);

describe('carried ids', () => {
  test('take the place of the placeholder and of ids carried before', () => {
    const first = carriedAfter(NOTHING_CARRIED, cartAnswer('cart_1'));
    const text = variables({ cartId: PLACEHOLDERS.cartId, note: 'mine' });
    const once = withCarried(text, first);
    assert.equal(once, variables({ cartId: 'cart_1', note: 'mine' }));

    const third = carriedAfter(carriedAfter(first, cartAnswer('cart_2')), cartAnswer('cart_3'));
    assert.equal(withCarried(once, third), variables({ cartId: 'cart_3', note: 'mine' }));
    assert.equal(withoutCarried(once, third), text);
  });

  test('leave alone what somebody typed', () => {
    const carried = carriedAfter(NOTHING_CARRIED, orderAnswer('order_1'));
    const typed = '{ "orderId": "order_typed", // a comment\n "gateway": "sandbox" ';
    assert.equal(withCarried(typed, carried), typed);
  });

  test('are forgotten when the server does not know them, and known again in a tab that has them', () => {
    const carried = carriedAfter(carriedAfter(NOTHING_CARRIED, cartAnswer('cart_1')), orderAnswer('order_1'));
    const refused = (code, field) => ({ data: { payOrder: { userErrors: [{ code, field }] } } });
    const sent = { orderId: 'order_1' };
    const failed = { errors: [{ message: '', extensions: { code: 'NOT_FOUND' } }] };
    for (const answer of [refused('NOT_FOUND', ['input', 'orderId']), failed]) {
      const after = carriedAfterRefusal(carried, answer, sent);
      assert.equal(withCarried(variables(sent), after), variables({ orderId: PLACEHOLDERS.orderId }));
      assert.match(whatIsMissing({ orderId: PLACEHOLDERS.orderId }, after), /Run Cart and then CheckOut first/);
      assert.equal(withCarried(variables(sent), carriedAfter(after, orderAnswer('order_2'))), variables({ orderId: 'order_2' }));
    }
    for (const answer of [refused('NOT_FOUND', ['input', 'gateway']), refused('CONFLICT', ['orderId']), { data: null }, null]) {
      assert.equal(carriedAfterRefusal(carried, answer, sent), carried);
    }
    assert.equal(carriedAfterRefusal(carried, failed, { orderId: 'order_typed' }), carried);
  });

  test('of payments, items and deliveries come from the answers that have them', () => {
    const answers = [
      { data: { checkOut: { order: { id: 'order_1', items: [{ id: 'item_1' }, { id: 'item_2' }] } } } },
      { data: { payOrder: { payment: { id: 'payment_1' } } } },
      { data: { payOrder: { payment: null } } },
      { data: { webhooks: [{ deliveries: null }, { deliveries: { nodes: [{ id: 'delivery_2' }, { id: 'delivery_1' }] } }] } },
    ];
    const carried = answers.reduce(carriedAfter, NOTHING_CARRIED);
    const text = variables(Object.fromEntries(['orderId', 'orderItemId', 'paymentId', 'deliveryId'].map((key) => [key, PLACEHOLDERS[key]])));
    const filled = { orderId: 'order_1', orderItemId: 'item_1', paymentId: 'payment_1', deliveryId: 'delivery_2' };
    assert.equal(withCarried(text, carried), variables(filled));
    assert.equal(withoutCarried(variables(filled), carried), text);
    assert.equal(carriedAfter(carried, answers[3]), carried, 'the same delivery brings nothing');

    // A payment that is gone takes its order along, and no delivery.
    const gone = { data: { capturePayment: { userErrors: [{ code: 'NOT_FOUND', field: ['input', 'paymentId'] }] } } };
    const after = carriedAfterRefusal(carried, gone, { paymentId: 'payment_1' });
    const left = withCarried(text, after);
    assert.match(left, /"paymentId": "comes from Authorize"/);
    assert.match(left, /"orderId": "comes from CheckOut"/);
    assert.match(left, /"deliveryId": "delivery_2"/);
    assert.match(whatIsMissing({ paymentId: PLACEHOLDERS.paymentId }, after), /Run SecondCart, Hold and then Authorize first/);
    assert.match(whatIsMissing({ paymentId: PLACEHOLDERS.paymentId }, carried), /Run Authorize first/);
    assert.match(whatIsMissing({ orderItemId: PLACEHOLDERS.orderItemId }, after), /Run SecondCart and then Hold first/);
  });

  test('come from answers that have them only', () => {
    for (const answer of [cartAnswer(undefined), orderAnswer(null), { data: null }, {}, null, []]) {
      assert.equal(carriedAfter(NOTHING_CARRIED, answer), NOTHING_CARRIED);
    }
  });
});

describe('the tabs that the page opens with', () => {
  const example = (name, version = 1) => ({
    id: `example-${name.toLowerCase()}`,
    name,
    query: `query ${name} { version${version} }`,
    variables: variables({ cartId: PLACEHOLDERS.cartId, version }),
  });
  const examples = [example('Browse'), example('CheckOut'), example('Log')];
  const deliveredOf = (list) => Object.fromEntries(list.map((one) => [one.id, one]));
  const open = (given) =>
    openingTabs({ stored: null, delivered: {}, examples, carried: NOTHING_CARRIED, wanted: null, ...given });
  const titles = ({ tabs }) => tabs.map(({ title }) => title);
  const own = { id: 'own', title: 'Mine', query: 'query Mine { id }', variables: null, operationName: 'Mine' };

  test('are the examples at first, and after anything unreadable', () => {
    for (const stored of [null, 5, [], {}, { tabs: 'x' }, { tabs: [null, { id: 1 }], activeTabIndex: 'x' }]) {
      const state = open({ stored, delivered: stored ? deliveredOf(examples) : {} });
      assert.deepEqual(titles(state), ['Browse', 'CheckOut', 'Log']);
      assert.equal(state.activeTabIndex, 0);
    }
  });

  test('are those of the last visit, in their order, with the same one open', () => {
    const last = open({});
    const stored = { tabs: [last.tabs[2], own, last.tabs[0]], activeTabIndex: 1 };
    const state = open({ stored, delivered: deliveredOf(examples) });
    assert.deepEqual(titles(state), ['Log', 'Mine', 'Browse']);
    assert.equal(state.activeTabIndex, 1);
  });

  test('have the newer text of an example that nobody changed, though an id was carried into it', () => {
    const carried = carriedAfter(NOTHING_CARRIED, cartAnswer('cart_1'));
    const stored = open({});
    stored.tabs[1].variables = withCarried(stored.tabs[1].variables, carried);
    stored.tabs[2].query = 'query Log { changed }';
    const newer = [example('Browse'), example('CheckOut', 2), example('Log', 2)];
    const { tabs } = open({ stored, delivered: deliveredOf(examples), examples: newer, carried });
    assert.equal(tabs[1].query, newer[1].query);
    assert.equal(tabs[1].variables, newer[1].variables);
    assert.equal(tabs[2].query, 'query Log { changed }');
  });

  test('have a new example in its place, and lose one that is no more', () => {
    const stored = open({});
    const newer = [examples[0], example('Pay'), examples[2]];
    const state = open({ stored, delivered: deliveredOf(examples), examples: newer });
    assert.deepEqual(titles(state), ['Browse', 'Pay', 'Log']);
  });

  test('are the examples again when the last open one is no more', () => {
    const gone = example('Gone');
    const stored = { tabs: [open({ examples: [gone] }).tabs[0]], activeTabIndex: 0 };
    const state = open({ stored, delivered: deliveredOf([...examples, gone]) });
    assert.deepEqual(titles(state), ['Browse', 'CheckOut', 'Log']);
  });

  test('are without a closed example, until the address asks for it', () => {
    const stored = open({});
    stored.tabs.splice(1, 1);
    const delivered = deliveredOf(examples);
    assert.deepEqual(titles(open({ stored, delivered })), ['Browse', 'Log']);
    const state = open({ stored, delivered, wanted: 'check-out' });
    assert.deepEqual(titles(state), ['Browse', 'CheckOut', 'Log']);
    assert.equal(state.activeTabIndex, 1);
  });

  test('can be asked for by name, one of the visitor\'s own too', () => {
    const stored = { tabs: [...open({}).tabs, own], activeTabIndex: 0 };
    const delivered = deliveredOf(examples);
    assert.equal(open({ stored, delivered, wanted: 'mine' }).activeTabIndex, 3);
    assert.equal(open({ stored, delivered, wanted: 'nonsense' }).activeTabIndex, 0);
  });
});
