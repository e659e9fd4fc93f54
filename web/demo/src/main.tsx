// Starts the page, and reads everything again whenever it is connected anew.
import { effect } from '@preact/signals';
import { render } from 'preact';
import { tellBadges } from './api/access.js';
import { onConnected } from './api/live.js';
import * as office from './office/state.js';
import { Page } from './page.jsx';
import * as shop from './shop/state.js';
import './styles/base.css';
import './styles/controls.css';
import './styles/page.css';
import './styles/shop.css';
import './styles/picture.css';
import './styles/office.css';
import './styles/screens.css';

/** While the server does not answer, it is asked again. */
const AGAIN_MS = 4_000;

async function read(): Promise<void> {
  await shop.open();
  await office.open();
}

tellBadges();
shop.begin();
onConnected(() => void read());
void read();

setInterval(() => {
  const isMissing = shop.products.value === null || office.access.value === 'unknown';
  if (isMissing) void read();
}, AGAIN_MS);

// What another window did that moved no stock is seen when this one is looked at again.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) office.readOrders().catch(() => {});
});

// Whatever this window's order becomes, the list of those that wait may be another.
effect(() => {
  if (shop.order.value) office.readOrders().catch(() => {});
});

// The chart goes where the shopper goes, until somebody chooses otherwise.
effect(() => {
  if (shop.touched.value) office.choose(shop.touched.value);
});

const page = document.getElementById('page');
if (page) render(<Page />, page);
