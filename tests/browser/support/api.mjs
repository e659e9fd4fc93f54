// The API without the page: what somebody else does and sees at the same time.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { SERVER } from './page.mjs';

const URL_OF_API = new URL('/graphql', SERVER).href;

/** The data that the server answers; an error fails the test. */
export async function request(query, variables) {
  const response = await fetch(URL_OF_API, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** Changes the available count of a product, as another client would. */
export async function adjustStock(productId, action, quantity) {
  const { adjustStock } = await request(
    `mutation ($input: AdjustStockInput!) { adjustStock(input: $input) { stocks { available } userErrors { code } } }`,
    { input: { changes: [{ productId, action, quantity }], reason: 'RECEIVED' } },
  );
  assert.deepEqual(adjustStock.userErrors, []);
}

/** Subscribes to the stock of a product at once, as somebody else who watches it. */
export function watchStock(productId) {
  const client = createClient({ url: URL_OF_API.replace(/^http/, 'ws'), webSocketImpl: WebSocket });
  const states = client.iterate({
    query: `subscription ($ids: [ID!]!) { stockChanged(productIds: $ids) { total available allocated version } }`,
    variables: { ids: [productId] },
  });
  return {
    /** The state of `version`, or a newer one, once it is sent. */
    async reaches(version) {
      for await (const { data } of states) {
        if (data.stockChanged.version >= version) return { ...data.stockChanged };
      }
    },
    stop: () => client.dispose(),
  };
}
