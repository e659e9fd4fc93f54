// Sends what is run in GraphiQL: subscriptions over the websocket, all else as one POST.
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { Kind, OperationTypeNode, parse } from 'graphql';
import { FORBIDDEN, HTTP_URL, socketFor } from './connection.js';

// The server answers in one piece, so the page does not ask for parts.
const post = createGraphiQLFetcher({ url: HTTP_URL, enableIncrementalDelivery: false });

/** A fetcher for GraphiQL that shows each answer to a POST to `onAnswer` as well. */
export function createFetcher(onAnswer) {
  return async (params, { headers } = {}) => {
    const operations = operationsIn(params.query);
    // Right after a change of tabs GraphiQL still has the name of the operation in the tab before.
    const operationName = operations.length === 1 ? operations[0].name?.value : params.operationName;
    const operation = operations.find(({ name }) => name?.value === operationName);
    if (operation?.operation === OperationTypeNode.SUBSCRIPTION) {
      return subscribe({ ...params, operationName }, headers);
    }
    const result = await post({ ...params, operationName }, { headers });
    onAnswer(result);
    return result;
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

/** The results of a subscription, which ends with an answer that says why when it fails. */
function subscribe(params, headers) {
  const results = socketFor(headers).iterate(params);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => results.next().catch((reason) => ({ done: false, value: { errors: errorsOf(reason) } })),
    return: () => results.return(),
  };
}

/** `reason` is a list when it is the server's answer; anything else is the connection's end. */
function errorsOf(reason) {
  if (Array.isArray(reason)) return reason;
  if (reason?.code === FORBIDDEN) return [{ message: 'The token is not good, or not any more.' }];
  return [{ message: `The connection has ended: ${reason?.code ?? ''} ${reason?.reason || reason?.message || ''}`.trim() }];
}
