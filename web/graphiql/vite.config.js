// Builds the page into dist/, which is committed and embedded in the server.
import { sourcesDigest } from './scripts/sources-digest.js';

export default {
  // Relative addresses, so that the page works under whatever path it is served.
  base: './',
  // The editor's workers import from each other, which only module workers can.
  worker: { format: 'es' },
  build: {
    // The editor alone is more than the usual warning allows for.
    chunkSizeWarningLimit: 4000,
    // Libraries mark their modules for React's server components, which do not concern a page.
    rolldownOptions: { checks: { moduleLevelDirective: false } },
  },
  plugins: [sourcesDigest(import.meta.dirname)],
};
