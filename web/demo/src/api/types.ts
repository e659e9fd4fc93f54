// What the API tells, as far as this page asks for it.

export interface Money {
  /** In minor units: cents. */
  readonly amount: number;
  readonly currency: string;
}

export interface Product {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly description: string | null;
  readonly price: Money;
  readonly availability: 'IN_STOCK' | 'LOW_STOCK' | 'OUT_OF_STOCK' | 'UNTRACKED';
  /** Null when nobody counts it. */
  readonly stock: { readonly available: number } | null;
}

export interface CartItem {
  readonly product: Pick<Product, 'id' | 'sku' | 'name'>;
  readonly quantity: number;
  readonly unitPrice: Money;
  readonly subtotal: Money;
}

export interface Cart {
  readonly id: string;
  readonly status: 'OPEN' | 'CHECKED_OUT' | 'EXPIRED';
  readonly items: readonly CartItem[];
  readonly totalQuantity: number;
  readonly subtotal: Money | null;
  /** What it became. */
  readonly order: { readonly id: string } | null;
}

/** A part of a list, and where it goes on. */
export interface Page<Node> {
  readonly nodes: readonly Node[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** The same from the end of a list. */
export interface Back<Node> {
  readonly nodes: readonly Node[];
  readonly pageInfo: { readonly hasPreviousPage: boolean; readonly startCursor: string | null };
}

export interface Payment {
  readonly status: 'IN_PROGRESS' | 'REQUIRES_ACTION' | 'AUTHORIZED' | 'SUCCEEDED' | 'DECLINED' | 'VOIDED';
  readonly declineReason: string | null;
  /** What the shopper has to do. Only what an order tells has it. */
  readonly action?: { readonly kind: string; readonly clientSecret: string | null } | null;
}

export interface OrderItem {
  readonly id: string;
  readonly product: { readonly id: string } | null;
  readonly sku: string;
  readonly name: string;
  readonly quantity: number;
  readonly shippedQuantity: number;
  readonly cancelledQuantity: number;
}

export interface Order {
  readonly id: string;
  readonly number: string;
  readonly status: 'INCOMPLETE' | 'PROCESSING' | 'COMPLETE' | 'CANCELLED';
  readonly payment: 'UNPAID' | 'IN_PROGRESS' | 'AUTHORIZED' | 'PAID' | 'PARTIALLY_REFUNDED' | 'REFUNDED';
  readonly shipping: 'UNFULFILLED' | 'PARTIALLY_FULFILLED' | 'FULFILLED';
  readonly items: readonly OrderItem[];
  readonly total: Money;
  readonly customer: { readonly name: string | null } | null;
  /** Until when it holds its units although it is not paid. */
  readonly heldUntil: string | null;
  readonly payments: readonly Payment[];
  readonly placedAt: string;
}

export interface Numbers {
  readonly total: number;
  readonly available: number;
  readonly allocated: number;
}

export type Action = 'CREATE' | 'INCREMENT' | 'DECREMENT' | 'ALLOCATE' | 'DEALLOCATE' | 'SET' | 'SHIP';

/** One row of the log. */
export interface LogRow {
  readonly id: string;
  readonly product: Pick<Product, 'id' | 'sku' | 'name'>;
  readonly action: Action;
  readonly quantity: number;
  /** 1, 2, 3 … within the product. */
  readonly sequence: number;
  readonly reason: string;
  readonly after: Numbers;
  readonly order: { readonly number: string; readonly customer: { readonly name: string | null } | null } | null;
  readonly createdAt: string;
}

/** A row that took units of a product. */
export interface ShortageRow {
  readonly action: Action;
  readonly reason: string;
  readonly quantity: number;
  readonly product: { readonly id: string };
  readonly order: { readonly id: string; readonly customer: { readonly email: string } | null } | null;
}

export interface UserError {
  readonly code: string;
  readonly message: string;
}
