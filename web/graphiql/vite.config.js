// Builds the page into dist/, which is committed and embedded in the server.
import { sourcesDigest } from './scripts/sources-digest.js';

// A style sheet in the head keeps the page white until it has come. At the end of the body what stands before it is shown.
const stylesLast = {
  name: 'styles-last',
  transformIndexHtml: {
    order: 'post',
    handler(html) {
      const links = html.match(/^ *<link rel="stylesheet".*>\n/gm) ?? [];
      return links.reduce((rest, link) => rest.replace(link, ''), html).replace('  </body>', `${links.join('')}  </body>`);
    },
  },
};

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
  plugins: [stylesLast, sourcesDigest(import.meta.dirname)],
};
