// Writes dist/sources.sha256: one line, the hex SHA-256 of what a package was built from. A test of the
// server computes it again, and so notices a dist/ that was not rebuilt after a change.
//
// What is hashed: the named files of the root and everything under src/, sorted bytewise by their path relative
// to the root with "/" between its parts; of each the path, a line feed, its bytes, a line feed.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

const ROOT_FILES = ['index.html', 'package-lock.json', 'package.json', 'vite.config.js'];

/** A vite plugin that adds the digest of the sources under `root` to what is built. */
export function sourcesDigest(root, rootFiles = ROOT_FILES) {
  return {
    name: 'sources-digest',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'sources.sha256', source: `${digest(root, rootFiles)}\n` });
    },
  };
}

function digest(root, rootFiles) {
  const hash = createHash('sha256');
  for (const path of sources(root, rootFiles)) {
    hash.update(`${path}\n`).update(readFileSync(join(root, path))).update('\n');
  }
  return hash.digest('hex');
}

function sources(root, rootFiles) {
  const under = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, '/'));
  return [...rootFiles, ...under].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
