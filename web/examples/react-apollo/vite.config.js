// Passes the API on to the server, websockets too: page and API have one origin, and nothing has to be allowed.
const target = process.env.ONHAND_URL ?? 'http://127.0.0.1:8000';

export default { server: { proxy: { '/graphql': { target, ws: true } } } };
