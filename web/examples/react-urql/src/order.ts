// A cart that becomes an order, which is then paid. Stock moves with the payment only.
import { useState } from 'react';
import { useClient, type AnyVariables, type TypedDocumentNode } from 'urql';
import { ADD_TO_CART, CHECK_OUT, CREATE_CART, PAY, type Cart, type Order } from './operations';

export function useOrder() {
  const client = useClient();
  const [cart, setCart] = useState<Cart>();
  const [order, setOrder] = useState<Order>();
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);

  async function send<Data, Variables extends AnyVariables>(
    mutation: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ) {
    const { data, error } = await client.mutation(mutation, variables);
    if (!data) throw error;
    return data;
  }

  /** Two kinds of error: the shop says no in `userErrors`; a request that fails throws. */
  async function attempt(step: () => Promise<{ userErrors: { message: string }[] } | undefined>) {
    setBusy(true);
    try {
      const payload = await step();
      setProblem(payload?.userErrors.map(({ message }) => message).join(' ') ?? '');
    } catch (error) {
      setProblem(String(error));
    } finally {
      setBusy(false);
    }
  }

  return {
    cart,
    order,
    problem,
    isBusy,
    add: (productId: string) =>
      attempt(async () => {
        const items = [{ productId, quantity: 1 }];
        const payload = cart
          ? (await send(ADD_TO_CART, { cartId: cart.id, items })).addToCart
          : (await send(CREATE_CART, { items })).createCart;
        if (payload.cart) setCart(payload.cart);
        return payload;
      }),
    checkOut: () =>
      attempt(async () => {
        if (!cart) return undefined;
        const { checkOut } = await send(CHECK_OUT, { cartId: cart.id });
        if (checkOut.order) {
          setOrder(checkOut.order);
          setCart(undefined);
        }
        return checkOut;
      }),
    pay: () =>
      attempt(async () => {
        if (!order) return undefined;
        const { payOrder } = await send(PAY, { orderId: order.id });
        if (payOrder.order) setOrder(payOrder.order);
        return payOrder;
      }),
  };
}
