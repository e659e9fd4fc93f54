// The shopper's side as it is seen: the shelf with its badges, and beside it the cart and the order.
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Product } from '../api/types.js';
import { money } from '../words.js';
import { CartPanel } from './cart-panel.jsx';
import { OrderPanel } from './order-panel.jsx';
import { Picture } from './picture.jsx';
import { addToCart, cart, cartCount, notice, order, products, soldOut } from './state.js';

/** Whether the cart and the order are on the screen. */
const isTillSeen = signal(true);

export function Shop() {
  const till = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => (isTillSeen.value = entry?.isIntersecting ?? true), {
      rootMargin: '0px 0px -120px',
    });
    if (till.current) observer.observe(till.current);
    return () => observer.disconnect();
  }, []);
  return (
    <div class="shop">
      <Shelf />
      <div class="till" ref={till}>
        <OrderPanel />
        <CartPanel />
      </div>
      <CartBar />
    </div>
  );
}

function Shelf() {
  if (!products.value) {
    return <p class="empty">{notice.value ? 'The shelf cannot be shown.' : 'Reading the shelf…'}</p>;
  }
  if (products.value.length === 0) return <p class="empty">Nothing is for sale here yet.</p>;
  return (
    <ul class="shelf">
      {products.value.map((product) => (
        <Card key={product.id} product={product} />
      ))}
    </ul>
  );
}

function Card({ product }: { product: Product }) {
  const isGone = soldOut.value.has(product.id);
  return (
    <li class={`card ${isGone ? 'gone' : ''}`} data-product={product.id}>
      <Picture sku={product.sku} />
      <div class="card-words">
        <h3>{product.name}</h3>
        {product.description && <p class="quiet">{product.description}</p>}
        <p class="card-line">
          <strong>{money(product.price)}</strong>
          <stock-badge product={product.id} label={product.name} />
        </p>
        <button
          type="button"
          aria-disabled={isGone}
          aria-label={`Add to cart: ${product.name}`}
          onClick={() => void addToCart(product)}
        >
          Add to cart
        </button>
      </div>
    </li>
  );
}

/** The way to the till, where it is far from what is on the screen. */
function CartBar() {
  const inCart = cartCount.value;
  if (isTillSeen.value) return null;
  const goTo = () => {
    const heading = document.getElementById(inCart ? 'cart' : 'order');
    heading?.focus({ preventScroll: true });
    heading?.scrollIntoView({ block: 'start' });
  };
  return (
    <div class="cart-bar">
      {/* It is read out where the cart is. */}
      {notice.value?.tone === 'bad' && (
        <p class="notice bad" aria-hidden="true">
          {notice.value.text}
        </p>
      )}
      {(inCart > 0 || order.value) && (
        <button type="button" class="main" onClick={goTo}>
          <span>{inCart ? `Cart: ${inCart === 1 ? '1 item' : `${inCart} items`}` : `Order ${order.value?.number}`}</span>
          <span>{inCart && cart.value?.subtotal ? money(cart.value.subtotal) : 'See it'}</span>
        </button>
      )}
    </div>
  );
}
