// GraphQL over HTTP: every audit of graphql-http, those that only recommend something included.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverAudits } from 'graphql-http';
import { API } from './support/api.mjs';

for (const audit of serverAudits({ url: API })) {
  test(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', result.reason);
  });
}
