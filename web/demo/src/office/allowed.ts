// What the state of an order and of its payments allows the staff to do. The server decides; this says what is offered.
import type { WholeItem, WholeOrder, WholePayment } from '../api/desk-types.js';
import type { Order, OrderItem } from '../api/types.js';

type States = Pick<Order, 'status' | 'payment' | 'shipping'>;

/** Units of an item that can still be shipped. */
export function leftOf({ quantity, shippedQuantity, cancelledQuantity }: OrderItem): number {
  return quantity - shippedQuantity - cancelledQuantity;
}

export function canShip({ status, payment, shipping, items }: States & { items: readonly OrderItem[] }): boolean {
  const isPaid = payment === 'AUTHORIZED' || payment === 'PAID' || payment === 'PARTIALLY_REFUNDED';
  return isPaid && status !== 'CANCELLED' && shipping !== 'FULFILLED' && items.some((item) => leftOf(item) > 0);
}

/** An order whose money is authorized is not cancelled: its payment is voided. */
export function canCancel({ status, payment, shipping }: States): boolean {
  const isOpen = payment === 'IN_PROGRESS' || payment === 'AUTHORIZED';
  return !isOpen && status !== 'CANCELLED' && shipping !== 'FULFILLED';
}

/** Money that was taken elsewhere is recorded. */
export function canRecord({ status, payment }: States): boolean {
  return payment === 'UNPAID' && status !== 'CANCELLED';
}

export function canCapture(order: WholeOrder, payment: WholePayment): boolean {
  return payment.status === 'AUTHORIZED' && order.status !== 'CANCELLED';
}

export function canVoid({ status }: WholePayment): boolean {
  return status === 'AUTHORIZED' || status === 'REQUIRES_ACTION';
}

/** Only for a gateway that does not answer any more. */
export function canForce({ status }: WholePayment): boolean {
  return status === 'IN_PROGRESS';
}

/** What is left to refund, in minor units. */
export function leftToRefund({ amount, refunded, refunds, status }: WholePayment): number {
  // Money that came for an order that had been released is refunded as well, and that may have failed.
  return status === 'SUCCEEDED' || refunds.length > 0 ? amount.amount - refunded.amount : 0;
}

/** Units of an item that can come back into stock with a refund. */
export function canComeBack({ allocatedQuantity, shippedQuantity, returnedQuantity }: WholeItem): number {
  return allocatedQuantity + shippedQuantity - returnedQuantity;
}
