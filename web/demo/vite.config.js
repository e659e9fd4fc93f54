// Builds the demo shop into dist/, which is committed and embedded in the server.
import { sourcesDigest } from '../graphiql/scripts/sources-digest.js';

const ROOT_FILES = ['index.html', 'package-lock.json', 'package.json', 'tsconfig.json', 'vite.config.js'];

/** The badge comes from the server, as in any other shop. */
const BADGE = '/stock-badge.js';

export default {
  // Every address is relative, so that the page works under the path prefix of a proxy.
  base: './',
  build: {
    target: 'es2022',
    cssTarget: 'esnext',
    // Nothing in the page that its policy would have to allow.
    assetsInlineLimit: 0,
    modulePreload: false,
    // From `demo/assets/`, where the script is.
    rolldownOptions: { external: [BADGE], output: { paths: { [BADGE]: '../../stock-badge.js' } } },
  },
  experimental: {
    // The page is at `demo` and its files in `demo/assets/`.
    renderBuiltUrl: (file, { hostType }) => (hostType === 'html' ? `demo/${file}` : { relative: true }),
  },
  plugins: [sourcesDigest(import.meta.dirname, ROOT_FILES)],
};
