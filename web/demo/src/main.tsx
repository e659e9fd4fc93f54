// Starts the page, and reads everything again whenever it is connected anew or somebody else asks.
import { effect, untracked } from '@preact/signals';
import { render } from 'preact';
import { ended, tellBadges } from './api/access.js';
import { onConnected, reconnect } from './api/live.js';
import { guardClicks } from './clicks.js';
import { access, choose, history, onRow, openLog, readHistory } from './office/log.js';
import { followCrossings } from './office/crossings.js';
import { leaveDesk, readLatest, readLatestSoon } from './office/desk.js';
import * as office from './office/orders.js';
import { followStockNow, leaveStockNow } from './office/stock-now.js';
import { followWebhooks, leaveWebhooks, readWebhooks, webhooks } from './office/webhooks.js';
import { Page } from './page.jsx';
import * as cart from './shop/cart.js';
import { dropCancels, followAgain, mine, takeUpOrders } from './shop/orders.js';
import { listenToBadges, products, readProducts } from './shop/products.js';
import './styles/base.css';
import './styles/controls.css';
import './styles/page.css';
import './styles/shop.css';
import './styles/picture.css';
import './styles/office.css';
import './styles/desk.css';
import './styles/screens.css';

/** While the server does not answer, it is asked again. */
const AGAIN_MS = 4_000;

let isCartRead = false;

async function read(): Promise<void> {
  followAgain();
  // What cannot be read is told where it would be seen, and is read again.
  await Promise.allSettled([readProducts(), readCart()]);
  if (!(await openLog())) return;
  await Promise.allSettled([readHistory(), office.readOrders(), readLatest(), readWebhooks()]);
}

async function readCart(): Promise<void> {
  await cart.readCart();
  isCartRead = true;
}

function isMissing(): boolean {
  const isOfficeRead = office.rows.value && history.value && webhooks.value;
  const isOfficeMissing = access.value === 'unknown' || (access.value === 'staff' && !isOfficeRead);
  return !products.value || !isCartRead || isOfficeMissing;
}

guardClicks();
tellBadges();
takeUpOrders();
listenToBadges();
followStockNow();
followCrossings();
followWebhooks();
onConnected(() => void read());
onRow((row) => {
  if (!row.order) return;
  office.readOrdersSoon();
  readLatestSoon();
});
void read();

setInterval(() => {
  if (isMissing()) void read();
}, AGAIN_MS);

// What another window did that moved no stock is seen when this one is looked at again.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  office.readOrders().catch(() => {});
  readCart().catch(() => {});
});

// Whatever this window's orders become, the list of those that wait may be another.
effect(() => {
  if (!mine.value.some(({ order }) => order)) return;
  office.readOrdersSoon();
  readLatestSoon();
});

// A sign-in that ends leaves a guest behind, for whom everything is read anew.
effect(() => {
  if (!ended.value) return;
  untracked(() => {
    office.dropPlans();
    leaveDesk();
    leaveStockNow();
    leaveWebhooks();
    dropCancels();
    reconnect();
    void read();
  });
});

// The chart goes where the shopper goes, until somebody chooses otherwise.
effect(() => {
  const productId = cart.touched.value?.productId;
  const product = products.peek()?.find(({ id, stock }) => id === productId && stock);
  if (product) choose(product);
});

const page = document.getElementById('page');
if (page) render(<Page />, page);
