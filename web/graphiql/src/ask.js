// Asks the server over HTTP, and says in words what goes wrong on the way.
import { HTTP_URL, SOCKET_URL } from './connection.js';

const SILENT = `The server at ${HTTP_URL} does not answer. Is it running?`;

/** Like `fetch`, but the answer is always one of GraphQL's. */
export async function ask(url, options) {
  let response;
  try {
    response = await fetch(url, options);
    return Response.json(await response.json());
  } catch {
    if (!response) return wrong(SILENT);
    const status = `${response.status} ${response.statusText}`.trim();
    return wrong(`${HTTP_URL} answered ${status}, and not as GraphQL does. Is there a proxy between, without the server?`);
  }
}

/** Why no websocket was ever opened: whether the server is there at all is asked over HTTP. */
export async function whyNoSocket() {
  try {
    await fetch(HTTP_URL, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ query: '{ __typename }' }),
    });
  } catch {
    return `${SILENT} This begins by itself when it does.`;
  }
  return (
    `The server answers, but the websocket to ${SOCKET_URL} was refused. A proxy between may not let it through. ` +
    'It is tried again.'
  );
}

function wrong(message) {
  return Response.json({ errors: [{ message }] });
}
