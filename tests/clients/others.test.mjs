// Clients that cannot run here: what each of them sends, as its documentation and its source say, and that it is answered
// with what it reads. Only what they send differently is here.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import WebSocket from 'ws';
import { API, LIST, SOCKET, STOCK, arrivals, product, receive } from './support/api.mjs';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const GRAPHQL_RESPONSE = /^application\/graphql-response\+json/;
const PLAIN_JSON = /^application\/json/;

/** One request as its sender spells it. */
const CALLERS = {
  'Apollo Kotlin': {
    headers: {
      ...JSON_TYPE,
      Accept: 'multipart/mixed;deferSpec=20220824, application/graphql-response+json, application/json',
      'X-APOLLO-OPERATION-ID': '5f1f',
      'X-APOLLO-OPERATION-NAME': 'List',
    },
    body: { operationName: 'List', extensions: { clientLibrary: { name: 'apollo-kotlin', version: '4.3.3' } } },
    type: GRAPHQL_RESPONSE,
  },
  'Apollo iOS': {
    headers: {
      ...JSON_TYPE,
      Accept: 'multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json',
      'apollographql-client-name': 'shop-apollo-ios',
      'apollographql-client-version': '1.0-1',
      'X-APOLLO-OPERATION-TYPE': 'query',
    },
    body: { operationName: 'List' },
    type: GRAPHQL_RESPONSE,
  },
  'Spring for GraphQL': {
    headers: { ...JSON_TYPE, Accept: 'application/json, application/graphql-response+json' },
    body: { operationName: null, extensions: {} },
    type: GRAPHQL_RESPONSE,
  },
  // Go's own HTTP client, and genqlient, shurcooL's and Hasura's above it.
  'Go': { headers: { ...JSON_TYPE, Accept: undefined, 'Accept-Encoding': 'gzip' }, body: { operationName: 'List' } },
  'GraphQL.Client of .NET': {
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      Accept: 'application/graphql-response+json; charset=utf-8; q=1.0, application/json; q=0.9',
      'Accept-Charset': 'utf-8',
    },
    body: { operationName: null, extensions: null },
    type: GRAPHQL_RESPONSE,
  },
  'Postman': { headers: { ...JSON_TYPE, Accept: '*/*', 'Postman-Token': '7b7e' }, body: { operationName: '' } },
  'Insomnia': { headers: { ...JSON_TYPE, Accept: '*/*' }, body: { operationName: 'List' } },
  'curl': { headers: { 'content-type': 'application/json;charset=UTF-8', Accept: '*/*' }, body: {} },
};

for (const [name, { headers, body, type = PLAIN_JSON }] of Object.entries(CALLERS)) {
  test(`${name}: a query with variables, and an error`, async () => {
    const { sku } = await product(5);
    const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
    const post = (operation) => fetch(API, { method: 'POST', headers: given, body: JSON.stringify(operation) });
    const response = await post({ ...body, query: LIST, variables: { search: sku } });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), type);
    assert.equal((await response.json()).data.products.nodes[0].sku, sku);
    const fault = await post({ query: 'query List { nothing }', variables: null });
    assert.equal(fault.status, type === GRAPHQL_RESPONSE ? 400 : 200);
    assert.equal((await fault.json()).errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
  });
}

test('by GET: what is empty is not given', async () => {
  const { sku } = await product(5);
  const ask = async (parameters) => (await fetch(`${API}?${new URLSearchParams(parameters)}`)).json();
  const list = { query: LIST, variables: JSON.stringify({ search: sku }), operationName: '', extensions: '' };
  assert.equal((await ask(list)).data.products.nodes[0].sku, sku);
  assert.equal((await ask({ query: '{ __typename }', variables: '' })).data.__typename, 'Query');
});

test('what is not served is refused in words', async () => {
  const query = JSON.stringify({ query: '{ __typename }' });
  for (const [headers, body, status, words] of [
    [JSON_TYPE, `[${query}, ${query}]`, 400, /^Batches are not supported/],
    [{ 'Content-Type': 'application/x-www-form-urlencoded' }, query, 415, /^Send the operation as application\/json/],
    [{ 'Content-Type': 'application/graphql' }, '{ __typename }', 415, /^Send the operation as application\/json/],
  ]) {
    const response = await fetch(API, { method: 'POST', headers, body });
    const { errors } = await response.json();
    assert.equal(response.status, status);
    assert.match(errors[0].message, words);
  }
});

test('a compressed body is not executed', async () => {
  const body = gzipSync(JSON.stringify({ query: '{ __typename }' }));
  const response = await fetch(API, { method: 'POST', headers: { ...JSON_TYPE, 'Content-Encoding': 'gzip' }, body });
  assert.equal(response.status, 415);
  assert.equal(response.headers.get('accept-encoding'), 'identity');
  assert.equal((await response.json()).errors[0].extensions.code, 'BAD_USER_INPUT');
});

/** A socket as its opener spells it: which protocols it offers, and how it begins. */
const OPENERS = {
  'gql for Python and others that offer the old protocol first': [['graphql-ws', 'graphql-transport-ws'], {}],
  'clients that offer the old protocol last': [['graphql-transport-ws', 'graphql-ws'], {}],
  'no payload': [['graphql-transport-ws'], {}],
  'a payload that is null: go-graphql-client': [['graphql-transport-ws'], { payload: null }],
  'an empty payload: Spring, Postman': [['graphql-transport-ws'], { payload: {} }],
  'an id: GraphQL.Client of .NET': [['graphql-transport-ws'], { id: '1', payload: null }],
  'headers in the payload: Hasura': [['graphql-transport-ws'], { payload: { headers: { 'X-Client': 'shop' } } }],
  'a locale in the payload': [['graphql-transport-ws'], { payload: { locale: 'de', nested: { list: [1, null] } } }],
};

for (const [name, [protocols, init]] of Object.entries(OPENERS)) {
  test(`a socket begins with ${name}`, async (t) => {
    const { id } = await product(5);
    const socket = new WebSocket(SOCKET, protocols);
    t.after(() => socket.terminate());
    const came = arrivals();
    socket.on('message', (text) => came.came(JSON.parse(text)));
    socket.on('close', (code, reason) => came.came({ type: 'close', code, reason: String(reason) }));
    await once(socket, 'open');
    assert.equal(socket.protocol, 'graphql-transport-ws');
    // websocat ends what it sends with the line's end.
    socket.send(`${JSON.stringify({ type: 'connection_init', ...init })}\n`);
    await came.wait(({ type }) => type === 'connection_ack', 'the acknowledgement');
    socket.send(JSON.stringify({ type: 'ping', payload: null }));
    await came.wait(({ type }) => type === 'pong', 'the answer to a ping');
    const payload = { query: STOCK, variables: { ids: [id] }, operationName: null, extensions: null };
    socket.send(JSON.stringify({ id: 'a', type: 'subscribe', payload }));
    const state = (available) => (message) => message.payload?.data?.stockChanged.available === available;
    await came.wait(state(5), 'the present state');
    await receive(id, 2);
    await came.wait(state(7), 'the next state');
  });
}

test('a socket that offers no protocol, as of websocat without --protocol, is closed with 4406 and words', async (t) => {
  const socket = new WebSocket(SOCKET);
  t.after(() => socket.terminate());
  const [code, reason] = await once(socket, 'close');
  assert.deepEqual([code, String(reason)], [4406, 'Subprotocol not acceptable: use graphql-transport-ws']);
});

test('a socket that offers only the old protocol is given none, which its client takes for a refusal', async (t) => {
  const socket = new WebSocket(SOCKET, ['graphql-ws']);
  t.after(() => socket.terminate());
  const [error] = await once(socket, 'error');
  assert.equal(error.message, 'Server sent no subprotocol');
});
