// Runs one subscription of GraphiQL over the websocket, and says in its answers when the connection is away.
import { whyNoSocket } from './ask.js';
import { FORBIDDEN, socketFor } from './connection.js';

const LOST = 'The connection to the server is lost. This goes on by itself when it is back.';

/** The results, as an async iterator, each as `onResult` returns it. It ends with an answer that says why when the subscription fails. */
export function subscribe(params, headers, onResult) {
  const client = socketFor(headers);
  let wasConnected = false;
  let isTold = false;
  let isOver = false;

  const results = channel(stop);
  const listening = [
    client.on('connected', () => {
      wasConnected = true;
      isTold = false;
    }),
    client.on('closed', tellOnce),
  ];
  const unsubscribe = client.subscribe(params, {
    next: (result) => {
      wasConnected = true;
      results.put(onResult(result));
    },
    error: (reason) => {
      results.put(onResult({ errors: errorsOf(reason) }));
      end();
    },
    complete: end,
  });

  // Otherwise the last answer would look like the newest.
  async function tellOnce() {
    if (isTold) return;
    isTold = true;
    const message = wasConnected ? LOST : await whyNoSocket();
    if (isTold && !isOver) results.put({ errors: [{ message }] });
  }
  function end() {
    isOver = true;
    listening.forEach((off) => off());
    results.end();
  }
  function stop() {
    end();
    unsubscribe();
  }

  return results;
}

/** Values that come one by one, as an async iterator; `onReturn` is called when nobody wants more. */
function channel(onReturn) {
  const values = [];
  const takers = [];
  let isOver = false;
  const done = { done: true, value: undefined };
  return {
    put(value) {
      const take = takers.shift();
      if (take) take({ done: false, value });
      else values.push(value);
    },
    end() {
      isOver = true;
      takers.splice(0).forEach((take) => take(done));
    },
    async next() {
      if (values.length > 0) return { done: false, value: values.shift() };
      return isOver ? done : new Promise((take) => takers.push(take));
    },
    async return() {
      onReturn();
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** `reason` is a list when it is the server's answer; anything else is the connection's end. */
function errorsOf(reason) {
  if (Array.isArray(reason)) return reason;
  if (reason?.code === FORBIDDEN) return [{ message: 'The token is not good, or not any more.' }];
  return [{ message: `The connection has ended: ${reason?.code ?? ''} ${reason?.reason || reason?.message || ''}`.trim() }];
}
