// The operations of the staff's desk: payments and parcels of one order, who holds units, availability, and webhooks.
import availabilityChanged from './documents/availability-changed.graphql?raw';
import capturePayment from './documents/capture-payment.graphql?raw';
import createWebhook from './documents/create-webhook.graphql?raw';
import deleteWebhook from './documents/delete-webhook.graphql?raw';
import deskFields from './documents/desk-fields.graphql?raw';
import deskOrder from './documents/desk-order.graphql?raw';
import latestOrders from './documents/latest-orders.graphql?raw';
import orderFields from './documents/order-fields.graphql?raw';
import refundPayment from './documents/refund-payment.graphql?raw';
import repeatWebhookDelivery from './documents/repeat-webhook-delivery.graphql?raw';
import stockAsOf from './documents/stock-as-of.graphql?raw';
import stockNow from './documents/stock-now.graphql?raw';
import stockTable from './documents/stock-table.graphql?raw';
import updateWebhook from './documents/update-webhook.graphql?raw';
import voidPayment from './documents/void-payment.graphql?raw';
import webhookFields from './documents/webhook-fields.graphql?raw';
import webhooks from './documents/webhooks.graphql?raw';
import type { Counted, Crossing, StockNow, Webhook, WebhookEvent, WholeOrder } from './desk-types.js';
import { operation, type Input, type ItemQuantities, type Keyed, type Refusable } from './documents.js';
import type { Numbers, Order } from './types.js';

type None = Record<string, never>;

export const LATEST_ORDERS = operation<{ orders: { nodes: Order[] } | null }, None>(latestOrders, orderFields);
export const DESK_ORDER = operation<{ orderChanged: WholeOrder }, { id: string }>(deskOrder, orderFields + deskFields);

export const CAPTURE_PAYMENT = operation<
  { capturePayment: Refusable<object> },
  Input<Keyed<{ paymentId: string }>>
>(capturePayment);
export const VOID_PAYMENT = operation<
  { voidPayment: Refusable<object> },
  Input<Keyed<{ paymentId: string; force?: boolean }>>
>(voidPayment);
export const REFUND_PAYMENT = operation<
  { refundPayment: Refusable<object> },
  Input<Keyed<{ paymentId: string; amount: number; restock?: ItemQuantities }>>
>(refundPayment);

export const STOCK_NOW = operation<{ stock: StockNow | null }, { productId: string }>(stockNow);
export const STOCK_TABLE = operation<{ nodes: (Counted | null)[] }, { ids: string[] }>(stockTable);
export const STOCK_AS_OF = operation<
  { stock: { asOf: Numbers | null } | null },
  { productId: string; time: string }
>(stockAsOf);
export const AVAILABILITY_CHANGED = operation<{ availabilityChanged: Crossing }, { ids: string[] }>(availabilityChanged);

export const WEBHOOKS = operation<{ webhooks: Webhook[] | null }, None>(webhooks, webhookFields);
export const CREATE_WEBHOOK = operation<
  { createWebhook: Refusable<{ webhook: { id: string } | null; secret: string | null }> },
  Input<{ url: string; events: WebhookEvent[] }>
>(createWebhook);
export const UPDATE_WEBHOOK = operation<
  { updateWebhook: Refusable<object> },
  Input<{ id: string; enabled: boolean }>
>(updateWebhook);
export const DELETE_WEBHOOK = operation<{ deleteWebhook: Refusable<object> }, Input<{ id: string }>>(deleteWebhook);
export const REPEAT_DELIVERY = operation<
  { repeatWebhookDelivery: Refusable<object> },
  Input<{ deliveryId: string }>
>(repeatWebhookDelivery);
