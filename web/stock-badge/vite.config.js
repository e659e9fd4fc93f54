// Builds the badge into one file, dist/stock-badge.js, which is committed, published and embedded in the server.
import { sourcesDigest } from '../graphiql/scripts/sources-digest.js';

export default {
  build: {
    target: 'es2022',
    cssTarget: 'esnext',
    lib: { entry: 'src/index.ts', formats: ['es'], fileName: () => 'stock-badge.js' },
    // Of libraries vite keeps the line breaks; this one is loaded as it is.
    rolldownOptions: { output: { minify: true } },
  },
  plugins: [
    sourcesDigest(import.meta.dirname, ['package-lock.json', 'package.json', 'tsconfig.json', 'vite.config.js']),
  ],
};
