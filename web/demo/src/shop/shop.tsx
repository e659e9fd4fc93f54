// The shopper's side as it is seen: the shelf with its badges, and beside it the cart and the orders.
import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { connection } from '../api/live.js';
import { isUnderWay } from '../api/once.js';
import type { Product } from '../api/types.js';
import { More } from '../more.jsx';
import { NotLive } from '../panel.jsx';
import { count, leftOut, money, type Notice } from '../words.js';
import { CartPanel } from './cart-panel.jsx';
import { addToCart, adding, cart, cartCount, notice, touched } from './cart.js';
import { OrderPanels } from './order-panel.jsx';
import { current } from './orders.js';
import { Picture } from './picture.jsx';
import { hasMore, left, products, showMore, soldOut, trouble } from './products.js';

/** How long the bar tells what went well: it lies over the shelf. */
const TOLD_MS = 4_000;

/** Whether the cart is on the screen. */
const isCartSeen = signal(true);

export function Shop() {
  const till = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const heading = till.current?.querySelector('#cart');
    if (!heading) return;
    // A heading at the lower edge is not yet the cart.
    const observer = new IntersectionObserver(([entry]) => (isCartSeen.value = entry?.isIntersecting ?? true), {
      rootMargin: '0px 0px -120px',
    });
    observer.observe(heading);
    return () => observer.disconnect();
  }, []);
  return (
    <div class="shop">
      <Shelf />
      <div class="till" ref={till}>
        <CartPanel />
        <OrderPanels />
      </div>
      <CartBar />
    </div>
  );
}

function Shelf() {
  const shown = products.value;
  if (!shown) {
    const isWaiting = !trouble.value;
    return (
      <p class="empty" role="status">
        {isWaiting ? 'Reading the shelf…' : 'The shelf cannot be shown: the server does not answer. Trying again…'}
      </p>
    );
  }
  if (shown.length === 0) return <p class="empty">Nothing is for sale here yet.</p>;
  const said = left.value
    ? leftOut(shown.length, left.value, 'products')
    : `${count(shown.length)} products are shown; there are more.`;
  return (
    <div class="shelf-side">
      {connection.value === 'lost' && <NotLive text="Not live: what is left may be less than is shown." />}
      <ul class="shelf">
        {shown.map((product) => (
          <Card key={product.id} product={product} />
        ))}
      </ul>
      {hasMore.value && (
        <More said={said} things="products" name="more products" trouble={trouble.value} onMore={() => void showMore()} />
      )}
    </div>
  );
}

function Card({ product }: { product: Product }) {
  const isGone = soldOut.value.has(product.id);
  const isAdding = isUnderWay(adding(product.id));
  const inCart = cart.value?.items.find((item) => item.product.id === product.id)?.quantity ?? 0;
  const isAdded = touched.value?.productId === product.id;
  const label = isAdding ? (isAdded ? 'Added' : 'Adding…') : isGone ? 'Sold out' : 'Add to cart';
  return (
    <li class={`card ${isGone ? 'gone' : ''}`} data-product={product.id}>
      <Picture sku={product.sku} />
      <div class="card-words">
        <h3>
          <bdi>{product.name}</bdi>
        </h3>
        {product.description && (
          <p class="quiet" dir="auto">
            {product.description}
          </p>
        )}
        <p class="card-line">
          <strong>{money(product.price)}</strong>
          <stock-badge product={product.id} label={product.name} />
        </p>
        <button
          type="button"
          aria-disabled={isGone || isAdding}
          aria-label={`${label}: ${product.name}`}
          onClick={() => void addToCart(product)}
        >
          {label}
        </button>
        {inCart > 0 && <p class="in-cart">{count(inCart)} in cart</p>}
      </div>
    </li>
  );
}

/** The cart in one line, where it is far from what is on the screen. */
function CartBar() {
  const inCart = cartCount.value;
  const order = current.value?.order;
  const told = useSignal<Notice | null>(null);
  useEffect(() => {
    told.value = notice.value;
    if (notice.value?.tone !== 'good') return;
    const timer = setTimeout(() => (told.value = null), TOLD_MS);
    return () => clearTimeout(timer);
  }, [notice.value]);
  // Always there: it takes part in the gaps of the shop.
  if (isCartSeen.value) return <div class="cart-bar" />;
  const goTo = () => {
    const heading = document.getElementById(inCart ? 'cart' : 'order');
    heading?.focus({ preventScroll: true });
    heading?.scrollIntoView({ block: 'start' });
  };
  return (
    <div class="cart-bar">
      {/* It is read out where the cart is. */}
      {told.value && (
        <p class={`notice ${told.value.tone}`} aria-hidden="true">
          {told.value.text}
        </p>
      )}
      {(inCart > 0 || order) && (
        <button type="button" class="main" onClick={goTo}>
          <span>{inCart ? `Cart: ${inCart === 1 ? '1 item' : `${count(inCart)} items`}` : `Order ${order?.number}`}</span>
          <span>{inCart && cart.value?.subtotal ? money(cart.value.subtotal) : 'See it'}</span>
        </button>
      )}
    </div>
  );
}
