// Sends what is run in GraphiQL: subscriptions over the websocket, all else as one POST.
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { Kind, parse } from 'graphql';
import { HTTP_URL, socketFor } from './connection.js';

/** A fetcher for GraphiQL that shows each answer to a POST to `onAnswer` as well. */
export function createFetcher(onAnswer) {
  return async (params, { headers } = {}) => {
    const document = parsed(params.query);
    const operationName = document ? nameIn(document, params.operationName) : params.operationName;
    const send = createGraphiQLFetcher({
      url: HTTP_URL,
      wsClient: socketFor(headers),
      // The server answers in one piece, so the page does not ask for parts.
      enableIncrementalDelivery: false,
    });
    const result = await send({ ...params, operationName }, { headers, documentAST: document });
    if (!(Symbol.asyncIterator in result)) onAnswer(result);
    return result;
  };
}

function parsed(query) {
  try {
    return parse(query);
  } catch {
    // The server says what is wrong with it.
    return undefined;
  }
}

// Right after a change of tabs GraphiQL still has the name of the operation in the tab before.
function nameIn(document, wanted) {
  const names = document.definitions
    .filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .map((operation) => operation.name?.value);
  return names.length === 1 ? names[0] : wanted;
}
