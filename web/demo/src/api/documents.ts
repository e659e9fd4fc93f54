// The operations that the shop and its back office send, with the types of what comes back; those of the staff's desk are in
// `desk-documents.ts`. A test checks each against the contract. There is nothing else: no endpoint of the page's own.
import addToCart from './documents/add-to-cart.graphql?raw';
import adjustStock from './documents/adjust-stock.graphql?raw';
import available from './documents/available.graphql?raw';
import cancelOrder from './documents/cancel-order.graphql?raw';
import cartFields from './documents/cart-fields.graphql?raw';
import cart from './documents/cart.graphql?raw';
import checkOut from './documents/check-out.graphql?raw';
import createCart from './documents/create-cart.graphql?raw';
import history from './documents/history.graphql?raw';
import log from './documents/log.graphql?raw';
import openOrders from './documents/open-orders.graphql?raw';
import openOrdersLeft from './documents/open-orders-left.graphql?raw';
import newestOrders from './documents/newest-orders.graphql?raw';
import ordersById from './documents/orders-by-id.graphql?raw';
import orderChanged from './documents/order-changed.graphql?raw';
import orderFields from './documents/order-fields.graphql?raw';
import payOrder from './documents/pay-order.graphql?raw';
import products from './documents/products.graphql?raw';
import productsLeft from './documents/products-left.graphql?raw';
import rowFields from './documents/row-fields.graphql?raw';
import shortage from './documents/shortage.graphql?raw';
import shipOrder from './documents/ship-order.graphql?raw';
import stockTransactionAdded from './documents/stock-transaction-added.graphql?raw';
import updateCart from './documents/update-cart.graphql?raw';
import type { Back, Cart, LogRow, Order, Page, Payment, Product, ShortageRow, UserError } from './types.js';

/** The text of an operation. `Data` is what it answers, `Variables` what it takes. */
export interface Operation<Data, Variables> {
  readonly text: string;
  /** Never there; it carries the types. */
  readonly of?: (variables: Variables) => Data;
}

type None = Record<string, never>;
export type Input<Fields> = { input: Fields };
export type Refusable<Fields> = Fields & { userErrors: UserError[] };
export type ItemQuantities = { orderItemId: string; quantity: number }[];
type Items = { productId: string; quantity: number }[];
export type Keyed<Fields> = Fields & { idempotencyKey: string };

type Count = { nodes: { id: string }[]; pageInfo: { hasNextPage: boolean } };
type CountBack = { nodes: { id: string }[]; pageInfo: { hasPreviousPage: boolean } };

export const PRODUCTS = operation<{ products: Page<Product> | null }, { after: string | null }>(products);
export const PRODUCTS_LEFT = operation<{ products: Count | null }, { after: string }>(productsLeft);
export const CART = operation<{ cart: Cart | null }, { id: string }>(cart, cartFields);
export const OPEN_ORDERS = operation<{ orders: Back<Order> | null }, { before: string | null }>(openOrders, orderFields);
export const OPEN_ORDERS_LEFT = operation<{ orders: CountBack | null }, { before: string }>(openOrdersLeft);
export const NEWEST_ORDERS = operation<{ orders: { nodes: Order[] } | null }, None>(newestOrders, orderFields);
export const ORDERS_BY_ID = operation<{ nodes: (Order | null)[] }, { ids: string[] }>(ordersById, orderFields);
export const LOG = operation<{ stockTransactions: Page<LogRow> | null }, { first: number; after: string | null }>(
  log,
  rowFields,
);
export const HISTORY = operation<
  { stock: { transactions: Page<LogRow> | null } | null },
  { productId: string; after: string | null }
>(history, rowFields);
export const SHORTAGE = operation<
  { stockTransactions: { nodes: ShortageRow[] } | null },
  { productIds: string[]; since: string }
>(shortage);

export const AVAILABLE = operation<
  { nodes: (Pick<Product, 'id' | 'stock'> | null)[] },
  { ids: string[] }
>(available);

type CartAnswer = Refusable<{ cart: Cart | null }>;
export const CREATE_CART = operation<{ createCart: CartAnswer }, Input<{ items: Items }>>(createCart, cartFields);
export const ADD_TO_CART = operation<
  { addToCart: CartAnswer },
  Input<Keyed<{ cartId: string; items: Items }>>
>(addToCart, cartFields);
export const UPDATE_CART = operation<{ updateCart: CartAnswer }, Input<{ cartId: string; items: Items }>>(
  updateCart,
  cartFields,
);

type OrderAnswer = Refusable<{ order: { id: string } | null }>;
export const CHECK_OUT = operation<
  { checkOut: Refusable<{ order: { id: string; heldUntil: string | null } | null }> },
  Input<Keyed<{ cartId: string; customer: { name: string; email: string }; hold?: boolean }>>
>(checkOut);
export const PAY_ORDER = operation<
  { payOrder: Refusable<{ payment: Payment | null; order: { id: string } | null }> },
  Input<Keyed<{ orderId: string; gateway: string; method?: 'AUTHORIZE'; token?: string }>>
>(payOrder);
export const CANCEL_ORDER = operation<{ cancelOrder: OrderAnswer }, Input<Keyed<{ orderId: string }>>>(cancelOrder);
export const SHIP_ORDER = operation<
  { shipOrder: OrderAnswer },
  Input<Keyed<{ orderId: string; items?: ItemQuantities; carrier?: string; trackingNumber?: string }>>
>(shipOrder);
export const ADJUST_STOCK = operation<
  { adjustStock: Refusable<object> },
  Input<Keyed<{ changes: { productId: string; action: string; quantity: number }[]; reason: string }>>
>(adjustStock);

export const ORDER_CHANGED = operation<{ orderChanged: Order }, { id: string }>(orderChanged, orderFields);
export const STOCK_TRANSACTION_ADDED = operation<{ stockTransactionAdded: { node: LogRow } }, None>(
  stockTransactionAdded,
  rowFields,
);

export function operation<Data, Variables>(text: string, fragment = ''): Operation<Data, Variables> {
  return { text: text + fragment };
}
