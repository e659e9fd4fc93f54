// The cart of this window: what is in it, and the way to the till.
import type { CartItem } from '../api/types.js';
import { Panel, Told } from '../panel.jsx';
import { money } from '../words.js';
import { Picture } from './picture.jsx';
import { busy, cart, checkOut, notice, order, setQuantity } from './state.js';

export function CartPanel() {
  const items = cart.value?.items ?? [];
  const subtotal = cart.value?.subtotal;
  return (
    <Panel id="cart" title="Your cart">
      {items.length === 0 ? (
        <p class="quiet">{order.value ? 'Empty.' : 'Empty. A cart keeps nothing for anybody: who pays first gets it.'}</p>
      ) : (
        <ul class="lines">
          {items.map((item) => (
            <Line key={item.product.id} item={item} />
          ))}
        </ul>
      )}
      {items.length > 0 && subtotal && (
        <>
          <p class="sum">
            <span>Subtotal</span>
            <strong>{money(subtotal)}</strong>
          </p>
          <button type="button" class="main" aria-disabled={busy.value !== null} onClick={() => void checkOut()}>
            Check out
          </button>
        </>
      )}
      <Told notice={order.value ? null : notice.value} />
    </Panel>
  );
}

function Line({ item: { product, quantity, subtotal } }: { item: CartItem }) {
  return (
    <li>
      <Picture sku={product.sku} />
      <div class="line-words">
        <span>{product.name}</span>
        <stock-badge product={product.id} label={product.name} always />
      </div>
      <div class="stepper" role="group" aria-label={`Quantity of ${product.name}`}>
        <button type="button" aria-label={`One less ${product.name}`} onClick={() => change(product.id, quantity - 1)}>
          −
        </button>
        <output>{quantity}</output>
        <button type="button" aria-label={`One more ${product.name}`} onClick={() => change(product.id, quantity + 1)}>
          +
        </button>
      </div>
      <span class="amount">{money(subtotal)}</span>
    </li>
  );
}

function change(productId: string, quantity: number): void {
  void setQuantity(productId, quantity);
}
