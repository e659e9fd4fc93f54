// A payment service for Onhand's gateway `http`, as docs/payment-service.md describes it: Node, no packages, memory only. A
// real one keeps its charges in a database, and takes money. Start it: SECRET=... ONHAND=http://127.0.0.1:8000 node payment-service.mjs
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const { SECRET, ONHAND, PORT = '9100' } = process.env;
const charges = new Map(); // by payment: { state, amount, currency, operations }
const code = (time, body) => createHmac('sha256', SECRET).update(`${time}.${body}`).digest();
const sign = (body, time = Math.floor(Date.now() / 1000)) => `t=${time},v1=${code(time, body).toString('hex')}`;

function isSigned(header = '', body) {
  const [, time, hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header) ?? [];
  const isFresh = Math.abs(Date.now() / 1000 - Number(time)) <= 300;
  return isFresh && timingSafeEqual(Buffer.from(hex, 'hex'), code(time, body));
}

function answer({ action, payment, operation, method, amount, currency, token }) {
  let charge = charges.get(payment);
  const begin = (state) => charges.set(payment, (charge = { state, amount, currency, operations: new Map() }));
  if (action === 'charge' && !charge) {
    if (token === 'decline') begin('declined');
    else if (token === 'confirm') begin('action_required');
    else begin(method === 'authorize' ? 'authorized' : 'charged'); // Take the money here, once per payment.
  }
  if (action === 'void') {
    if (!charge) begin('voided'); // A charge that arrives later finds this, and takes nothing.
    else if (['authorized', 'action_required'].includes(charge.state)) charge.state = 'voided';
  }
  if (action === 'capture' || action === 'refund') {
    const done = action === 'capture' ? 'captured' : 'refunded';
    const before = charge?.operations.get(operation); // The same operation is done once.
    if (!before && charge?.state !== (action === 'capture' ? 'authorized' : 'charged')) return { operation, state: 'refused' };
    if (!before && action === 'capture') Object.assign(charge, { state: 'charged', amount });
    charge.operations.set(operation, { operation, state: done, amount, currency: charge.currency });
    return charge.operations.get(operation);
  }
  if (!charge) return { state: 'not_found' };
  const asked = charge.state === 'action_required' ? { url: `http://127.0.0.1:${PORT}/confirm/${payment}` } : undefined;
  return { state: charge.state, amount: charge.amount, currency: charge.currency, reference: `demo-${payment}`, action: asked };
}

createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray()).toString();
  const [, confirmed] = /^\/confirm\/(\w+)$/.exec(request.url) ?? [];
  if (charges.get(confirmed)?.state === 'action_required') { // The shopper's browser comes here, and Onhand is told.
    charges.get(confirmed).state = 'charged';
    const notice = JSON.stringify({ payment: confirmed, ...answer({ action: 'look_up', payment: confirmed }) });
    await fetch(`${ONHAND}/webhooks/http`, { method: 'POST', body: notice, headers: { 'onhand-signature': sign(notice) } });
    return response.end('Thank you.\n');
  }
  if (!isSigned(request.headers['onhand-signature'], body)) return response.writeHead(400).end();
  const asked = JSON.parse(body);
  const reply = JSON.stringify({ request: asked.request, payment: asked.payment, ...answer(asked) });
  response.writeHead(200, { 'content-type': 'application/json', 'onhand-signature': sign(reply) }).end(reply);
}).listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`));
