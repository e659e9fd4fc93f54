// Relay: its compiler takes a connection, `node` to fetch a fragment again by, and a subscription; its runtime executes
// what the compiler made. It adds `__typename`, `id` and cursors to what is asked for, and keeps everything by its id.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { createClient } from 'graphql-ws';
import relay from 'relay-runtime';
import WebSocket from 'ws';
import { API, SOCKET, arrivals, keyed, product, receipt, receive, refusedReceipt } from './support/api.mjs';

const { Environment, Network, RecordSource, Store, Observable } = relay;
const HERE = import.meta.dirname;
let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'onhand-relay-'));
  mkdirSync(join(folder, 'generated'));
  cpSync(join(HERE, 'relay'), join(folder, 'src'), { recursive: true });
  cpSync(join(HERE, '../../schema.graphql'), join(folder, 'schema.graphql'));
  const config = {
    src: './src',
    schema: './schema.graphql',
    language: 'javascript',
    artifactDirectory: './generated',
    eagerEsModules: false,
  };
  writeFileSync(join(folder, 'relay.config.json'), JSON.stringify(config));
  const compiler = join(HERE, 'node_modules/relay-compiler/cli.js');
  await promisify(execFile)(process.execPath, [compiler, 'relay.config.json'], { cwd: folder });
});
after(() => rmSync(folder, { recursive: true }));

/** What the compiler made of an operation or a fragment. */
const artifact = (name) => createRequire(join(folder, 'generated/'))(`./${name}.graphql`);

/** An environment whose queries and mutations go over HTTP, or all over one websocket. */
function environment(t, { overSocket = false } = {}) {
  const socket = createClient({ url: SOCKET, webSocketImpl: WebSocket });
  t.after(() => socket.dispose());
  const listen = ({ text, name }, variables) =>
    Observable.create((sink) => socket.subscribe({ query: text, operationName: name, variables }, sink));
  const post = async ({ text, name }, variables) => {
    const response = await fetch(API, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ query: text, operationName: name, variables, extensions: {} }),
    });
    return response.json();
  };
  return new Environment({
    network: Network.create(overSocket ? listen : post, listen),
    store: new Store(new RecordSource()),
  });
}

const mutate = (relayEnvironment, variables) =>
  new Promise((resolve, reject) => {
    relay.commitMutation(relayEnvironment, {
      mutation: artifact('listReceiveMutation'),
      variables,
      onCompleted: (data, errors) => (errors ? reject(errors) : resolve(data.adjustStock)),
      onError: reject,
    });
  });

/** What the store has of a fragment on a record. */
function fragment(relayEnvironment, name, dataID, owner) {
  const selector = relay.createReaderSelector(artifact(name), dataID, owner.request.variables, owner.request);
  return relayEnvironment.lookup(selector).data;
}

test('relay-compiler accepts connections, refetching by node, subscriptions and mutations', () => {
  const artifacts = readdirSync(join(folder, 'generated'), { recursive: true }).join('\n');
  const names = ['listMoreQuery', 'listProductQuery', 'listPageQuery', 'listStockSubscription', 'listReceiveMutation'];
  for (const name of names) assert.ok(artifacts.includes(`${name}.graphql.js`), `${name} in\n${artifacts}`);
});

for (const overSocket of [false, true]) {
  const way = overSocket ? 'over one websocket' : 'over HTTP';

  test(`a page, the next one and a fragment fetched again are read into the store, ${way}`, async (t) => {
    const relayEnvironment = environment(t, { overSocket });
    const { id, sku } = await product(5);
    const read = (name, variables) => relay.fetchQuery(relayEnvironment, artifact(name), variables).toPromise();
    const page = await read('listPageQuery', { id });
    assert.ok(page.node !== null);
    const owner = relay.createOperationDescriptor(artifact('listPageQuery'), { id });
    const first = fragment(relayEnvironment, 'list_products', relay.ROOT_ID, owner).products;
    assert.equal(first.edges.length, 10);
    await read('listMoreQuery', { count: 2, cursor: first.pageInfo.endCursor });
    const { products } = fragment(relayEnvironment, 'list_products', relay.ROOT_ID, owner);
    assert.equal(products.edges.length, 12, 'the next page is put behind the first');
    await receive(id, 2);
    await read('listProductQuery', { id });
    const again = fragment(relayEnvironment, 'list_product', id, owner);
    assert.deepEqual([again.sku, again.stock.available], [sku, 7]);
  });

  test(`an error fails the operation with its code, ${way}`, async (t) => {
    const relayEnvironment = environment(t, { overSocket });
    const read = relay.fetchQuery(relayEnvironment, artifact('listProductQuery'), { id: null }).toPromise();
    // Over a websocket the errors themselves are thrown, by graphql-ws.
    const fault = (error) => (error.source?.errors ?? error)[0];
    await assert.rejects(read, (error) => fault(error).extensions.code === 'BAD_USER_INPUT');
  });
}

test('a subscription keeps what was read before up to date', async (t) => {
  const relayEnvironment = environment(t);
  const { id } = await product(5);
  await relay.fetchQuery(relayEnvironment, artifact('listProductQuery'), { id }).toPromise();
  const owner = relay.createOperationDescriptor(artifact('listProductQuery'), { id });
  const shown = arrivals();
  const selector = relay.createReaderSelector(artifact('list_product'), id, {}, owner.request);
  const snapshot = relayEnvironment.lookup(selector);
  relayEnvironment.retain(owner);
  relayEnvironment.subscribe(snapshot, ({ data }) => shown.came(data.stock.available));
  assert.equal(snapshot.data.stock.available, 5);
  const subscription = artifact('listStockSubscription');
  const live = relay.requestSubscription(relayEnvironment, { subscription, variables: { ids: [id] } });
  await receive(id, 2);
  await shown.wait((available) => available === 7, 'the state after the receipt');
  live.dispose();
});

for (const overSocket of [false, true]) {
  test(`a mutation changes the store, and its refusal is data, over ${overSocket ? 'one websocket' : 'HTTP'}`, async (t) => {
    const relayEnvironment = environment(t, { overSocket });
    const { id } = await product(5);
    assert.deepEqual((await mutate(relayEnvironment, keyed(receipt(id, 2)))).stocks.map((one) => one.available), [7]);
    const { userErrors } = await mutate(relayEnvironment, keyed(refusedReceipt(id)));
    assert.deepEqual(userErrors.map((one) => one.code), ['INVALID_QUANTITY']);
  });
}
