// The operations that the page opens with, one tab each, in this order. The texts are in examples/.
import { BLUE_MUG } from './demo-ids.js';
import browse from './examples/browse.graphql?raw';
import cart from './examples/cart.graphql?raw';
import checkOut from './examples/check-out.graphql?raw';
import pay from './examples/pay.graphql?raw';
import ship from './examples/ship.graphql?raw';
import followOrder from './examples/follow-order.graphql?raw';
import watch from './examples/watch.graphql?raw';
import log from './examples/log.graphql?raw';
import logTail from './examples/log-tail.graphql?raw';
import dryRun from './examples/dry-run.graphql?raw';
import adjustStock from './examples/adjust-stock.graphql?raw';
import { PLACEHOLDERS } from './carried-ids.js';

const ARRIVAL = { changes: [{ productId: BLUE_MUG, action: 'INCREMENT', quantity: 5 }], reason: 'RECEIVED' };

/** `name` is the name of the operation, which GraphiQL makes the title of the tab. */
export const EXAMPLES = [
  example('Browse', browse),
  example('Cart', cart, { items: [{ productId: BLUE_MUG, quantity: 2 }] }),
  example('CheckOut', checkOut, { cartId: PLACEHOLDERS.cartId }),
  example('Pay', pay, { orderId: PLACEHOLDERS.orderId, gateway: 'manual' }),
  example('Ship', ship, { orderId: PLACEHOLDERS.orderId }),
  example('FollowOrder', followOrder, { orderId: PLACEHOLDERS.orderId }),
  example('Watch', watch, { productIds: [BLUE_MUG] }),
  example('Log', log),
  example('LogTail', logTail, { productIds: [BLUE_MUG] }),
  example('DryRun', dryRun, ARRIVAL),
  example('AdjustStock', adjustStock, ARRIVAL),
];

function example(name, query, variables) {
  // The id is kept with the tab by GraphiQL, so that the tab is known again however its text was changed.
  const id = `example-${name.toLowerCase()}`;
  return { id, name, query, variables: variables ? JSON.stringify(variables, null, 2) : '' };
}
