// The strip above GraphiQL that shows the stock of the demo products as it moves, whatever tab is open.
import { useEffect, useState } from 'react';
import { BLUE_MUG, DEMO_PRODUCTS } from './demo-ids.js';
import { followStock } from './stock-feed.js';

/** Numbers are spoken when they have come to rest for this long. */
const QUIET_MS = 1_500;

const CONNECTION = {
  connecting: 'connecting',
  live: 'live',
  lost: 'not connected, trying again',
  refused: 'not given by the server',
};

export function LiveStock() {
  const [connection, setConnection] = useState('connecting');
  const [rows, setRows] = useState([]);

  useEffect(() => {
    return followStock(DEMO_PRODUCTS, {
      onConnection: setConnection,
      onStock: (stock) => setRows((known) => withStock(known, stock)),
    });
  }, []);

  // The blue mug, which the examples use, and whatever else has moved since the page was opened.
  const shown = rows.filter(({ stock, hasMoved }) => hasMoved || stock.product.id === BLUE_MUG);
  if (shown.length === 0 && connection !== 'lost') return null;
  return (
    <section className="live-stock" aria-labelledby="live-stock-title" data-connection={connection}>
      <h1 id="live-stock-title">Live stock</h1>
      <p className="live-stock-connection">{CONNECTION[connection]}</p>
      <a className="live-stock-demo" href="demo">
        Demo shop
      </a>
      <ul>
        {shown.map(({ stock }) => (
          <Row key={stock.product.id} stock={stock} />
        ))}
      </ul>
      <Announcement rows={shown} />
    </section>
  );
}

function Row({ stock }) {
  return (
    <li data-product={stock.product.id}>
      <strong>{stock.product.name}</strong>
      <Count name="total" value={stock.total} />
      <Count name="available" value={stock.available} />
      <Count name="allocated" value={stock.allocated} />
      <Count name="version" value={stock.version} />
    </li>
  );
}

function Count({ name, value }) {
  // The shop may keep a number from those who are not staff.
  if (value === null) return null;
  return (
    <span className={`live-stock-count live-stock-${name}`}>
      {name}{' '}
      {/* A new key makes a new element, whose animation marks the change. */}
      <b key={value} data-count={name}>
        {value}
      </b>
    </span>
  );
}

/** Says in words what the numbers have become, once they rest, and not what they were at first. */
function Announcement({ rows }) {
  const words = rows
    .filter(({ hasMoved }) => hasMoved)
    .map(({ stock }) => `${stock.product.name}: ${stock.available} available.`)
    .join(' ');
  const [said, say] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => say(words), QUIET_MS);
    return () => clearTimeout(timer);
  }, [words]);
  return (
    <p className="visually-hidden" role="status">
      {said}
    </p>
  );
}

function withStock(rows, stock) {
  const isSame = (row) => row.stock.product.id === stock.product.id;
  if (!rows.some(isSame)) return [...rows, { stock, hasMoved: false }];
  return rows.map((row) =>
    isSame(row) ? { stock, hasMoved: row.hasMoved || row.stock.version !== stock.version } : row,
  );
}
