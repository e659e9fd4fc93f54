// The page: who shops here and whether it is live, what to try, and the shop with its back office beside it, or behind
// a tab where there is no room.
import { computed, signal } from '@preact/signals';
import { ended } from './api/access.js';
import { connection, type Connection } from './api/live.js';
import { ROOT } from './api/place.js';
import { Office } from './office/office.jsx';
import { hasMore, left, waiting } from './office/orders.js';
import { recall, remember, shopper } from './session.js';
import { cartCount } from './shop/cart.js';
import { products } from './shop/products.js';
import { Shop } from './shop/shop.jsx';
import { SignIn } from './sign-in.jsx';
import { count, ENDED } from './words.js';

/** Two columns need so much room. */
const WIDE = matchMedia('(min-width: 980px)');

const SAID: Readonly<Record<Connection, string>> = {
  connecting: 'connecting',
  live: 'live',
  lost: 'not live, trying again',
  back: 'live again',
};

type Side = 'shop' | 'office';

const isWide = signal(WIDE.matches);
const side = signal<Side>('shop');
/** The hint is about a product of the demo catalogue. */
const hasTray = computed(() => products.value?.some(({ sku }) => sku === 'TRAY-OAK') ?? true);
const isHinting = signal(recall('hint') !== 'gone');
WIDE.addEventListener('change', ({ matches }) => (isWide.value = matches));

const SIDES: readonly { id: Side; title: string; count: { value: string } }[] = [
  { id: 'shop', title: 'Shop', count: computed(() => counted(cartCount.value)) },
  { id: 'office', title: 'Back office', count: computed(waitingCount) },
];

/** Nothing where there is none. */
function counted(number: number, isLeast = false): string {
  return number > 0 ? `${count(number)}${isLeast ? '+' : ''}` : '';
}

/** How many orders wait, also of those that the list leaves out; `20+` when nobody knows how many these are. */
function waitingCount(): string {
  const shown = waiting.value.length;
  if (!hasMore.value) return counted(shown);
  return counted(shown + (left.value?.count ?? 0), left.value?.isLeast ?? true);
}

export function Page() {
  return (
    <>
      <Header />
      <main>
        {ended.value && <Ended />}
        {isHinting.value && hasTray.value && <Hint />}
        {!isWide.value && <Tabs />}
        <div class="sides">
          <SideOf id="shop" title="Shop" content={<Shop />} />
          <SideOf id="office" title="Back office" content={<Office />} />
        </div>
      </main>
    </>
  );
}

function Header() {
  return (
    <header class="top">
      <h1>
        Onhand <span>demo shop</span>
      </h1>
      <p class="live" data-connection={connection.value === 'back' ? 'live' : connection.value} role="status">
        {SAID[connection.value]}
      </p>
      <p class="who">
        You are <strong>{shopper}</strong>
      </p>
      <nav aria-label="Page">
        <a href={ROOT.href}>API explorer</a>
        <SignIn />
      </nav>
    </header>
  );
}

/** Told until somebody signs in again, or means to stay a guest. */
function Ended() {
  const why = ended.value && ENDED[ended.value];
  const stay = () => {
    ended.value = null;
    remember('ended', null);
    document.getElementById('cart')?.focus();
  };
  return (
    <div class="ended">
      <p class="notice bad" role="alert">
        {why} You go on as a guest, and your cart stays. Sign in again at the top for what is yours, or for the back office.
      </p>
      <button type="button" class="bare" onClick={stay}>
        Stay a guest
      </button>
    </div>
  );
}

function Hint() {
  const close = () => {
    isHinting.value = false;
    remember('hint', 'gone');
    document.querySelector<HTMLElement>('main')?.focus();
  };
  return (
    <section class="hint" aria-labelledby="hint">
      <h2 id="hint">Try the race to pay</h2>
      <p>
        There is one <strong>Oak tray</strong>. Put it into the carts of two shoppers, check out, and pay in both windows:
        one gets it, the other is told so and charged nothing. Gone already? Receive another in the back office.
      </p>
      <p class="row">
        <a class="button" href={location.href} target="_blank" rel="noopener" onClick={openBeside}>
          Open a second shopper
        </a>
        <button type="button" class="bare" onClick={close}>
          Hide this
        </button>
      </p>
    </section>
  );
}

/** Another window, not another tab, so that both are seen. Without an opener it has a memory, and so a cart, of its own. */
function openBeside(event: MouseEvent): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey || !isWide.value) return;
  event.preventDefault();
  const width = Math.max(420, Math.round(screen.availWidth / 2));
  const place = `left=${screen.availWidth - width},top=0,width=${width},height=${screen.availHeight}`;
  window.open(location.href, '_blank', `noopener,popup,${place}`);
}

function Tabs() {
  const go = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    side.value = side.value === 'shop' ? 'office' : 'shop';
    document.getElementById(`tab-${side.value}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Sides" onKeyDown={go}>
      {SIDES.map(({ id, title, count }) => (
        <button
          key={id}
          type="button"
          role="tab"
          id={`tab-${id}`}
          aria-selected={side.value === id}
          aria-controls={`side-${id}`}
          tabIndex={side.value === id ? 0 : -1}
          onClick={() => (side.value = id)}
        >
          {title}
          {count.value && <span class="count">{count.value}</span>}
        </button>
      ))}
    </div>
  );
}

/** One side of the page. Both are always there, so that what somebody typed stays when the window is resized. */
function SideOf({ id, title, content }: { id: Side; title: string; content: preact.ComponentChild }) {
  const asTab = isWide.value ? {} : { role: 'tabpanel' as const, 'aria-labelledby': `tab-${id}` };
  return (
    <section id={`side-${id}`} class="side" aria-label={title} hidden={!isWide.value && side.value !== id} {...asTab}>
      <h2 class={isWide.value ? '' : 'unseen'}>{title}</h2>
      {content}
    </section>
  );
}
