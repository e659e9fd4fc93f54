// graphql-request: it accepts GraphQL's own media type, throws for every status that is not 2xx, and can ask by GET.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientError, GraphQLClient, gql } from 'graphql-request';
import { ADJUST, API, LIST, product, receipt, refusedReceipt } from './support/api.mjs';

/** The codes of the errors that a request throws, and the status that they came with. */
async function fault(request) {
  const error = await request.then(() => assert.fail('it was answered'), (thrown) => thrown);
  assert.ok(error instanceof ClientError, String(error));
  return { status: error.response.status, codes: error.response.errors.map((one) => one.extensions.code) };
}

for (const method of ['POST', 'GET']) {
  test(`a query with variables, by ${method}`, async () => {
    const { sku } = await product(5);
    const client = new GraphQLClient(API, { method });
    const { data, headers, status } = await client.rawRequest(LIST, { search: sku });
    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^application\/graphql-response\+json/);
    assert.equal(data.products.nodes[0].stock.available, 5);
  });
}

test('a mutation, its refusal, and GET is only asked for queries', async () => {
  const { id } = await product(5);
  const client = new GraphQLClient(API, { method: 'GET' });
  const { adjustStock } = await client.request(gql`${ADJUST}`, receipt(id, 2));
  assert.equal(adjustStock.stocks[0].available, 7);
  const refused = await client.request(ADJUST, refusedReceipt(id));
  assert.deepEqual(refused.adjustStock.userErrors.map((one) => one.code), ['INVALID_QUANTITY']);
});

test('errors are thrown with their codes, whatever the status', async () => {
  const client = new GraphQLClient(API);
  const invalid = await fault(client.request('query Wrong { nothing }'));
  assert.deepEqual(invalid, { status: 400, codes: ['GRAPHQL_VALIDATION_FAILED'] });
  const badId = await fault(client.request('query One($id: ID!) { node(id: $id) { id } }', { id: 'x' }));
  assert.deepEqual(badId, { status: 200, codes: ['BAD_ID'] });
  const badVariable = await fault(client.request('query One($id: ID!) { node(id: $id) { id } }', {}));
  assert.deepEqual(badVariable, { status: 400, codes: ['BAD_USER_INPUT'] });
});

test('with the policy "all" what could be read comes beside the errors', async () => {
  const client = new GraphQLClient(API, { errorPolicy: 'all' });
  const { data, errors } = await client.rawRequest('{ __typename node(id: "x") { id } }');
  assert.deepEqual(data, { __typename: 'Query', node: null });
  assert.deepEqual(errors.map((one) => one.path), [['node']]);
});

test('batches are refused in words', async () => {
  const client = new GraphQLClient(API);
  const batch = client.batchRequests([{ document: '{ __typename }' }, { document: '{ __typename }' }]);
  await assert.rejects(batch, /Batches are not supported: send one operation\./);
});
