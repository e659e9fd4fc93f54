// graphql-codegen: types for every operation of the README, and code that uses them under `tsc --strict`.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { codegen } from '@graphql-codegen/core';
import * as typedDocumentNode from '@graphql-codegen/typed-document-node';
import * as typescript from '@graphql-codegen/typescript';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import { parse } from 'graphql';
import ts from 'typescript';

const ROOT = join(import.meta.dirname, '../..');

/** The operations of the README, with names. */
function operations() {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const inRequests = [...readme.matchAll(/"query": ("(?:query|mutation).*")/g)].map(([, text]) => JSON.parse(text));
  const inScripts = [...readme.matchAll(/`((?:query|subscription)\b[^`]*\{[^`]*)`/g)].map(([, text]) => text);
  assert.equal(inRequests.length, 5);
  assert.ok(inScripts.length > 1);
  return [...inRequests, ...inScripts].map((text, at) => text.replace(/^\w+/, (kind) => `${kind} Readme${at + 1}`));
}

const USE = `
import type { ResultOf, VariablesOf } from '@graphql-typed-document-node/core';
import type { Stock } from './schema';
import { Readme5Document, Readme6Document } from './operations';

type Read = ResultOf<typeof Readme5Document>;
export const total = (read: Read): number | null | undefined => read.stock?.total;
export const quantities = (read: Read): number[] => read.stock?.transactions?.nodes.map((row) => row.quantity) ?? [];
export const available = (event: ResultOf<typeof Readme6Document>): number => event.stockChanged.available;
export const variables: VariablesOf<typeof Readme6Document> = { productIds: ['product_01j0000000e008000000000001'] };
export const versions = (stocks: Stock[]): number[] => stocks.map((stock) => stock.version);
// @ts-expect-error: a number is no text
export const wrong = (event: ResultOf<typeof Readme6Document>): string => event.stockChanged.available;
// @ts-expect-error: the ids are needed
export const missing: VariablesOf<typeof Readme6Document> = {};
`;

test('the types of the whole schema and of the README compile under tsc --strict', async (t) => {
  const schema = parse(readFileSync(join(ROOT, 'schema.graphql'), 'utf8'));
  const documents = operations().map((text, at) => ({ location: `README.md ${at + 1}`, document: parse(text) }));
  const generate = (filename, plugins) =>
    codegen({
      schema,
      documents,
      filename,
      config: { strictScalars: true, scalars: { DateTime: 'string', Long: 'number' }, useTypeImports: true },
      plugins: Object.keys(plugins).map((name) => ({ [name]: {} })),
      pluginMap: plugins,
    });
  // Beside the packages that the generated code imports.
  const folder = mkdtempSync(join(import.meta.dirname, 'node_modules/.codegen-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'schema.ts'), await generate('schema.ts', { typescript }));
  writeFileSync(join(folder, 'operations.ts'), await generate('operations.ts', { typescriptOperations, typedDocumentNode }));
  writeFileSync(join(folder, 'use.ts'), USE);
  const program = ts.createProgram([join(folder, 'use.ts')], {
    strict: true,
    noEmit: true,
    noUncheckedIndexedAccess: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: [],
  });
  const faults = ts.getPreEmitDiagnostics(program);
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => folder, getNewLine: () => '\n' };
  assert.equal(faults.length, 0, ts.formatDiagnostics(faults, host));
});
