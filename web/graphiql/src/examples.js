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
import createWebhook from './examples/create-webhook.graphql?raw';
import secondCart from './examples/second-cart.graphql?raw';
import hold from './examples/hold.graphql?raw';
import demand from './examples/demand.graphql?raw';
import authorize from './examples/authorize.graphql?raw';
import shipPart from './examples/ship-part.graphql?raw';
import capture from './examples/capture.graphql?raw';
import refund from './examples/refund.graphql?raw';
import cancelRest from './examples/cancel-rest.graphql?raw';
import deliveries from './examples/deliveries.graphql?raw';
import repeatDelivery from './examples/repeat-delivery.graphql?raw';
import availability from './examples/availability.graphql?raw';
import { PLACEHOLDERS } from './carried-ids.js';

const ARRIVAL = { changes: [{ productId: BLUE_MUG, action: 'INCREMENT', quantity: 5 }], reason: 'RECEIVED' };

const ORDER_EVENTS = ['ORDER_PAID', 'ORDER_SHIPPED', 'ORDER_CANCELLED'];

/** One unit of the item that Hold answered. */
const ONE_ITEM = { orderItemId: PLACEHOLDERS.orderItemId, quantity: 1 };

/** Of the tab that looks back. */
const OPENED = new Date().toISOString();

/** `name` is the name of the operation, which GraphiQL makes the title of the tab. */
export const EXAMPLES = [
  example('Browse', browse),
  example('Cart', cart, { items: [{ productId: BLUE_MUG, quantity: 2 }] }),
  example('CheckOut', checkOut, { cartId: PLACEHOLDERS.cartId }),
  example('Pay', pay, { orderId: PLACEHOLDERS.orderId, gateway: 'manual' }),
  example('Ship', ship, { orderId: PLACEHOLDERS.orderId }),
  example('FollowOrder', followOrder, { orderId: PLACEHOLDERS.orderId }),
  example('CreateWebhook', createWebhook, { url: 'https://shop.example/hooks', events: ORDER_EVENTS }),
  example('SecondCart', secondCart, { items: [{ productId: BLUE_MUG, quantity: 3 }] }),
  example('Hold', hold, { cartId: PLACEHOLDERS.cartId }),
  example('Demand', demand, { productId: BLUE_MUG, time: OPENED }),
  example('Authorize', authorize, { orderId: PLACEHOLDERS.orderId }),
  example('ShipPart', shipPart, { orderId: PLACEHOLDERS.orderId, ...ONE_ITEM }),
  example('Capture', capture, { paymentId: PLACEHOLDERS.paymentId }),
  example('Refund', refund, { paymentId: PLACEHOLDERS.paymentId, amount: 1_200, ...ONE_ITEM }),
  example('CancelRest', cancelRest, { orderId: PLACEHOLDERS.orderId }),
  example('Deliveries', deliveries),
  example('RepeatDelivery', repeatDelivery, { deliveryId: PLACEHOLDERS.deliveryId }),
  example('Watch', watch, { productIds: [BLUE_MUG] }),
  example('Availability', availability, { productIds: [BLUE_MUG] }),
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
