// The page: what there is, live, and an order of some of it.
import { useQuery, useSubscription } from 'urql';
import { PRODUCTS, STOCK_CHANGED, type Money, type Product } from './operations';
import { useOrder } from './order';

export function Shop() {
  // Read once. The subscription changes the Stocks in the cache, and with them this list; there is no other code for it.
  const [{ data, error }] = useQuery({ query: PRODUCTS });
  const products = data?.products.nodes ?? [];
  const ids = products.map(({ id }) => id);
  useSubscription({ query: STOCK_CHANGED, variables: { ids }, pause: ids.length === 0 });
  const order = useOrder();

  return (
    <>
      <h1>Shop</h1>
      {error && <p role="alert">{error.message}</p>}
      <table>
        <tbody>
          {products.map((product) => (
            <Row key={product.id} product={product} onAdd={order.isBusy ? undefined : () => order.add(product.id)} />
          ))}
        </tbody>
      </table>
      <Order {...order} />
    </>
  );
}

function Row({ product, onAdd }: { product: Product; onAdd?: () => void }) {
  const { id, name, price, stock } = product;
  return (
    <tr data-product={id}>
      <td>{name}</td>
      <td>{money(price)}</td>
      <td>{stock ? `${stock.available} available` : 'available'}</td>
      <td>
        <button onClick={onAdd} disabled={!onAdd || stock?.availability === 'OUT_OF_STOCK'}>
          Add to cart
        </button>
      </td>
    </tr>
  );
}

function Order({ cart, order, problem, isBusy, checkOut, pay }: ReturnType<typeof useOrder>) {
  return (
    <section>
      {problem && <p role="alert">{problem}</p>}
      {cart && (
        <p>
          {cart.totalQuantity} in the cart, {cart.subtotal && money(cart.subtotal)}{' '}
          <button onClick={checkOut} disabled={isBusy}>Check out</button>
        </p>
      )}
      {order && (
        <p role="status">
          Order {order.number}, {money(order.total)}: {order.payment}{' '}
          {order.payment === 'UNPAID' && <button onClick={pay} disabled={isBusy}>Pay</button>}
        </p>
      )}
    </section>
  );
}

// The demo's currency has a hundred minor units.
function money({ amount, currency }: Money) {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).format(amount / 100);
}
