// Sends what is run in GraphiQL: subscriptions over the websocket, all else as one POST.
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { Kind, OperationTypeNode, parse } from 'graphql';
import { ask } from './ask.js';
import { HTTP_URL } from './connection.js';
import { subscribe } from './subscribe.js';

// The server answers in one piece, so the page does not ask for parts.
const post = createGraphiQLFetcher({ url: HTTP_URL, enableIncrementalDelivery: false, fetch: ask });

/**
 * A fetcher for GraphiQL that shows each answer to `onAnswer` first, with the variables that were sent; what that returns
 * is the answer. What `missing` says of the variables, if anything, is the answer, and nothing is sent.
 */
export function createFetcher({ onAnswer, missing }) {
  return async (params, { headers } = {}) => {
    const message = missing(params.variables);
    if (message) return { errors: [{ message }] };
    const operations = operationsIn(params.query);
    // Right after a change of tabs GraphiQL still has the name of the operation in the tab before.
    const operationName = operations.length === 1 ? operations[0].name?.value : params.operationName;
    const operation = operations.find(({ name }) => name?.value === operationName);
    if (operation?.operation === OperationTypeNode.SUBSCRIPTION) {
      return subscribe({ ...params, operationName }, headers, (result) => onAnswer(result, params.variables));
    }
    const result = await post({ ...params, operationName }, { headers });
    return onAnswer(result, params.variables);
  };
}

function operationsIn(query) {
  try {
    return parse(query).definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  } catch {
    // The server says what is wrong with it.
    return [];
  }
}
