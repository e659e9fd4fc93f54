// Builds the demo shop into dist/, which is committed and embedded in the server.
import { sourcesDigest } from '../graphiql/scripts/sources-digest.js';

const ROOT_FILES = ['index.html', 'package-lock.json', 'package.json', 'tsconfig.json', 'vite.config.js'];

export default {
  base: '/demo/',
  build: {
    target: 'es2022',
    cssTarget: 'esnext',
    // Nothing in the page that its policy would have to allow.
    assetsInlineLimit: 0,
    modulePreload: false,
    // The badge comes from the server, as in any other shop.
    rolldownOptions: { external: ['/stock-badge.js'] },
  },
  plugins: [sourcesDigest(import.meta.dirname, ROOT_FILES)],
};
