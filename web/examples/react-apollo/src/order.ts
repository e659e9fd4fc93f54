// A cart that becomes an order, which is then paid. Stock moves with the payment only.
import { useMutation } from '@apollo/client/react';
import { useState } from 'react';
import { ADD_TO_CART, CHECK_OUT, CREATE_CART, PAY, type Cart, type Order } from './operations';

export function useOrder() {
  const [cart, setCart] = useState<Cart>();
  const [order, setOrder] = useState<Order>();
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [createCart] = useMutation(CREATE_CART);
  const [addToCart] = useMutation(ADD_TO_CART);
  const [checkOut] = useMutation(CHECK_OUT);
  const [payOrder] = useMutation(PAY);

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
          ? (await addToCart({ variables: { cartId: cart.id, items } })).data?.addToCart
          : (await createCart({ variables: { items } })).data?.createCart;
        if (payload?.cart) setCart(payload.cart);
        return payload;
      }),
    checkOut: () =>
      attempt(async () => {
        if (!cart) return undefined;
        const payload = (await checkOut({ variables: { cartId: cart.id } })).data?.checkOut;
        if (payload?.order) {
          setOrder(payload.order);
          setCart(undefined);
        }
        return payload;
      }),
    pay: () =>
      attempt(async () => {
        if (!order) return undefined;
        const payload = (await payOrder({ variables: { orderId: order.id } })).data?.payOrder;
        if (payload?.order) setOrder(payload.order);
        return payload;
      }),
  };
}
