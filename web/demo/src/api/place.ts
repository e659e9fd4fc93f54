// Where this page's server is. Everything is found from where this script was loaded, `demo/assets/` below the server's
// own root, so that a proxy may put the server under any path. Never asks anybody.

// A plain variable: the build takes `new URL('...', import.meta.url)` for a file of its own.
const here = import.meta.url;

/** The server's root: the path prefix of a proxy, or `/`. */
export const ROOT = new URL('../../', here);

export const API = new URL('graphql', ROOT);

/** The same over a websocket. */
export const SOCKET = API.href.replace(/^http/, 'ws');
