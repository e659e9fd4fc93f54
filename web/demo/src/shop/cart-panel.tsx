// The cart of this window: what is in it, and the way to the till. A line that was taken out stays where it is, so that
// the next one does not come under the pointer.
import { useEffect, useRef } from 'preact/hooks';
import { isUnderWay } from '../api/once.js';
import type { CartItem } from '../api/types.js';
import { Panel, Told } from '../panel.jsx';
import { count, money } from '../words.js';
import { cart, checkOut, lines, notice, putBack, quantityOf, remove, setQuantity, touched, wantsHold } from './cart.js';
import type { Line } from './cart.js';
import { mine } from './orders.js';
import { Picture } from './picture.jsx';

export function CartPanel() {
  const list = useRef<HTMLUListElement>(null);
  const items = cart.value?.items ?? [];
  const subtotal = cart.value?.subtotal;
  // What was added is seen, also in a cart that has more lines than there is room for.
  useEffect(() => {
    const added = touched.value;
    const line = added && list.current?.querySelector<HTMLElement>(`[data-line="${CSS.escape(added.productId)}"]`);
    if (list.current && line) list.current.scrollTop = line.offsetTop - list.current.offsetTop;
  }, [touched.value]);
  return (
    <Panel id="cart" className="cart" title="Your cart">
      {items.length === 0 && (
        <p class="quiet">
          {mine.value.length > 0 ? 'Empty.' : 'Empty. A cart keeps nothing for anybody: who pays first gets it.'}
        </p>
      )}
      {lines.value.length > 0 && (
        <ul class="lines" ref={list}>
          {lines.value.map((line) => (
            <LineOf key={line.item.product.id} line={line} />
          ))}
        </ul>
      )}
      {items.length > 0 && (
        <>
          <p class="sum">
            <span>Subtotal</span>
            <strong>{subtotal ? money(subtotal) : 'not one amount'}</strong>
          </p>
          {!subtotal && <p class="quiet">The prices do not add up to one amount: take something out.</p>}
          <label class="check">
            <input
              type="checkbox"
              checked={wantsHold.value}
              onChange={({ currentTarget }) => (wantsHold.value = currentTarget.checked)}
            />
            <span>Hold it for me until I pay</span>
          </label>
          <button
            type="button"
            class="main"
            aria-disabled={!subtotal || isUnderWay('check out')}
            onClick={() => subtotal && void checkOut()}
          >
            {isUnderWay('check out') ? 'Checking out…' : 'Check out'}
          </button>
        </>
      )}
      <Told notice={notice.value} />
    </Panel>
  );
}

function LineOf({ line: { item, isRemoved } }: { line: Line }) {
  const { product, subtotal } = item;
  const quantity = quantityOf(item);
  return (
    <li data-line={product.id} class={isRemoved ? 'removed' : ''}>
      <Picture sku={product.sku} />
      <div class="line-words">
        <bdi>{product.name}</bdi>
        {isRemoved ? <span class="quiet">removed</span> : <stock-badge product={product.id} label={product.name} always />}
      </div>
      {isRemoved ? (
        <button type="button" class="end" aria-label={`Put back ${product.name}`} onClick={() => void putBack(item)}>
          Put back
        </button>
      ) : (
        <>
          <div class="stepper" role="group" aria-label={`Quantity of ${product.name}`}>
            <button type="button" aria-label={`One less ${product.name}`} onClick={() => change(item, quantity - 1)}>
              −
            </button>
            <output>{quantity}</output>
            <button type="button" aria-label={`One more ${product.name}`} onClick={() => change(item, quantity + 1)}>
              +
            </button>
          </div>
          <span class="amount">{money(subtotal)}</span>
          {quantity > 1 && (
            <button type="button" class="bare small" aria-label={`Take out all ${count(quantity)} ${product.name}`} onClick={() => change(item, 0)}>
              Take out
            </button>
          )}
        </>
      )}
    </li>
  );
}

function change(item: CartItem, quantity: number): void {
  if (quantity > 0) setQuantity(item.product.id, quantity);
  else void remove(item);
}
