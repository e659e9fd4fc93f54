// genql: a client that is generated from what the server says of its schema. It sends types with every variable, `__scalar: true` for all scalars
// of a type, names of fragments only inline, no operation name, and no Accept header of its own.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { API, product, receipt, refusedReceipt } from './support/api.mjs';

let folder;
let genql;

/** JavaScript of what genql wrote in TypeScript. */
function transpile(from, to) {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) transpile(join(from, entry.name), join(to, entry.name));
    if (!entry.name.endsWith('.ts')) continue;
    const { outputText } = ts.transpileModule(readFileSync(join(from, entry.name), 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true },
    });
    writeFileSync(join(to, entry.name.replace(/\.ts$/, '.js')), outputText);
  }
}

before(async () => {
  // Beside the packages that the generated code imports.
  folder = mkdtempSync(join(import.meta.dirname, 'node_modules/.genql-'));
  const command = join(import.meta.dirname, 'node_modules/@genql/cli/dist/cli.js');
  const scalars = ['--scalar', 'DateTime:string', '--scalar', 'Long:number'];
  const flags = ['--endpoint', API, '--output', join(folder, 'generated'), ...scalars];
  await promisify(execFile)(process.execPath, [command, ...flags]);
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }');
  transpile(join(folder, 'generated'), join(folder, 'client'));
  genql = (await import(pathToFileURL(join(folder, 'client/index.js')))).default;
});
after(() => rmSync(folder, { recursive: true }));

test('a query with arguments, all scalars of a type, and a fragment on an interface', async () => {
  const { id, sku } = await product(5);
  const client = genql.createClient({ url: API });
  const { products, node } = await client.query({
    __name: 'Shelf',
    products: {
      __args: { search: sku, availability: [genql.enumAvailability.IN_STOCK], first: 1 },
      nodes: { __scalar: true, stock: { available: true } },
    },
    node: { __args: { id }, __typename: true, on_Product: { sku: true } },
  });
  assert.equal(products.nodes[0].stock.available, 5);
  assert.equal(products.nodes[0].status, genql.enumProductStatus.ACTIVE);
  assert.deepEqual(node, { __typename: 'Product', sku });
});

test('a mutation and its refusal', async () => {
  const { id } = await product(5);
  const client = genql.createClient({ url: API });
  const adjust = (variables) =>
    client.mutation({
      adjustStock: { __args: variables, stocks: { available: true }, userErrors: { code: true, field: true } },
    });
  assert.deepEqual((await adjust(receipt(id, 2))).adjustStock.stocks, [{ available: 7 }]);
  const { adjustStock } = await adjust(refusedReceipt(id));
  assert.deepEqual(adjustStock.userErrors.map((one) => one.code), [genql.enumUserErrorCode.INVALID_QUANTITY]);
});

test('errors are thrown with their codes', async () => {
  const client = genql.createClient({ url: API });
  const code = ({ errors }) => errors[0].extensions.code;
  await assert.rejects(client.query({ node: { __args: { id: 'x' }, id: true } }), (error) => code(error) === 'BAD_ID');
  const negative = client.query({ products: { __args: { first: -1 }, nodes: { id: true } } });
  await assert.rejects(negative, (error) => code(error) === 'BAD_USER_INPUT');
});

test('one value is read with the types of the schema: the generated client passes tsc', () => {
  const use = join(folder, 'generated/use.ts');
  writeFileSync(
    use,
    `import { createClient } from './index';
     const client = createClient({ url: 'http://127.0.0.1' });
     export async function available(sku: string): Promise<number | undefined> {
       const { product } = await client.query({ product: { __args: { by: { sku } }, stock: { available: true } } });
       return product?.stock?.available;
     }
     // @ts-expect-error: there is no such field
     export const wrong = client.query({ nothing: true });`,
  );
  const program = ts.createProgram([use], {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: [],
  });
  const faults = ts.getPreEmitDiagnostics(program);
  assert.deepEqual(faults.map((fault) => ts.flattenDiagnosticMessageText(fault.messageText, '\n')), []);
});

test('its batches are refused in words', async () => {
  const client = genql.createClient({ url: API, batch: true });
  const ask = () => client.query({ __typename: true });
  const answers = await Promise.allSettled([ask(), ask()]);
  for (const { reason } of answers) assert.match(String(reason), /Batches are not supported: send one operation\./);
});
