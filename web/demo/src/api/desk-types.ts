// What the API tells the staff only: an order with its payments and parcels, who holds units, and webhooks.
import type { Money, Numbers, Order, OrderItem, Page, Payment, Product } from './types.js';

export interface Refund {
  readonly id: string;
  readonly amount: Money;
  readonly status: 'IN_PROGRESS' | 'SUCCEEDED' | 'FAILED';
  readonly failureReason: string | null;
  readonly createdAt: string;
}

export interface WholePayment extends Payment {
  readonly id: string;
  readonly gateway: string;
  readonly amount: Money;
  /** What was refunded or is being refunded. */
  readonly refunded: Money;
  readonly refunds: readonly Refund[];
  readonly createdAt: string;
}

export interface WholeItem extends OrderItem {
  /** Units that the warehouse holds for it now. */
  readonly allocatedQuantity: number;
  /** Shipped units that came back. */
  readonly returnedQuantity: number;
}

export interface Shipment {
  readonly id: string;
  readonly items: readonly { readonly orderItem: { readonly id: string; readonly name: string }; readonly quantity: number }[];
  readonly carrier: string | null;
  readonly trackingNumber: string | null;
  readonly shippedAt: string;
}

/** An order with all that the staff may see of it. */
export interface WholeOrder extends Order {
  readonly items: readonly WholeItem[];
  readonly payments: readonly WholePayment[];
  readonly shipments: readonly Shipment[];
}

/** Units that an order holds. */
export interface Allocation {
  readonly order: Pick<Order, 'id' | 'number' | 'customer'>;
  readonly quantity: number;
  readonly since: string;
  /** When a hold ends by itself. */
  readonly expiresAt: string | null;
}

export interface StockNow {
  readonly held: number;
  readonly demand: { readonly inCarts: number; readonly inUnpaidOrders: number };
  readonly allocations: Page<Allocation>;
}

/** A product with all that is counted of it. */
export interface Counted extends Pick<Product, 'id' | 'name'> {
  /** Null when nobody counts it. */
  readonly stock: (Numbers & Omit<StockNow, 'allocations'>) | null;
}

export interface Crossing {
  readonly product: Pick<Product, 'id' | 'name'>;
  /** Null at first. */
  readonly from: Product['availability'] | null;
  readonly to: Product['availability'];
  readonly version: number;
  readonly at: string;
}

export type WebhookEvent = 'ORDER_PAID' | 'ORDER_SHIPPED' | 'ORDER_CANCELLED' | 'STOCK_CHANGED' | 'AVAILABILITY_CHANGED';

export interface Delivery {
  readonly id: string;
  readonly event: WebhookEvent;
  readonly status: 'PENDING' | 'DELIVERED' | 'FAILED';
  readonly attempts: number;
  readonly nextAttemptAt: string | null;
  readonly responseStatus: number | null;
  readonly error: string | null;
  readonly createdAt: string;
}

export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly WebhookEvent[];
  readonly status: 'ENABLED' | 'FAILING' | 'DISABLED';
  readonly disabledReason: string | null;
  readonly failingSince: string | null;
  readonly deliveries: Page<Delivery>;
}
