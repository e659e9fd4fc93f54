// The server and graphql-js agree on which documents are valid: those of tests/corpus, and many that differ from them by a
// few words. The schema is the one that graphql-js reads out of the server by introspection, with all of its options.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildClientSchema, getIntrospectionQuery, getOperationAST, parse, validate } from 'graphql';

const url = `${process.env.ONHAND_URL}/graphql`;
const seed = Number(process.env.ONHAND_FUZZ_SEED ?? Date.now() % 2 ** 31);

// How many changed documents are compared.
const CHANGED = 600;

// Every option of graphql-js: what GraphiQL and code generators ask for.
const EVERYTHING = {
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  oneOf: true,
};

// Where the server is stricter, on purpose.
const STRICTER = [
  // A deprecated directive is a proposal that graphql-js knows already; no published specification has it.
  /^Type `__Directive` does not have a field `(isDeprecated|deprecationReason)`/,
  // Of our own scalars graphql-js knows nothing.
  /expected type "(Long|DateTime)"|value of type (Long|DateTime)(, found|: )/,
  // The draft of the specification; graphql-js 17 has it.
  /can not specify @skip or @include on root fields/,
];

// Numbers by chance that can be had again.
function chance(state) {
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

async function send(query, operationName) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, operationName }),
  });
  return response.json();
}

// What graphql-js says of a document, and the name of the operation to send.
function judge(schema, text) {
  let document;
  try {
    document = parse(text);
  } catch (error) {
    return { verdict: 'GRAPHQL_PARSE_FAILED', why: error.message };
  }
  const [error] = validate(schema, document);
  const operation = document.definitions.find((definition) => definition.kind === 'OperationDefinition');
  const name = getOperationAST(document) ? undefined : operation?.name?.value;
  return { verdict: error ? 'GRAPHQL_VALIDATION_FAILED' : 'valid', why: error?.message, name };
}

// What the server says of it: nothing when that is beyond what validation is about.
async function asked(text, name) {
  const { errors: [error] = [] } = await send(text, name);
  const code = error?.extensions.code;
  if (code === 'LIMIT_EXCEEDED') return {};
  const refuses = code === 'GRAPHQL_PARSE_FAILED' || code === 'GRAPHQL_VALIDATION_FAILED';
  return { verdict: refuses ? code : 'valid', why: error?.message };
}

const folder = new URL('../corpus/', import.meta.url);
const corpus = readdirSync(folder).sort().map((name) => readFileSync(new URL(name, folder), 'utf8'));
const TOKEN = /#.*|"""[^]*?"""|"(?:\\.|[^"\\\n])*"|\.\.\.|[_A-Za-z]\w*|-?\d[\d.eE+-]*|[^\s,]/g;

// The document with one to three of its words left out, doubled or replaced.
function changed(text, words, random) {
  const tokens = text.match(TOKEN).filter((token) => !token.startsWith('#'));
  for (let left = 1 + random(3); left > 0 && tokens.length > 0; left -= 1) {
    const at = random(tokens.length);
    switch (random(4)) {
      case 0: tokens.splice(at, 1); break;
      case 1: tokens.splice(at, 0, tokens[at]); break;
      case 2: tokens[at] = tokens[random(tokens.length)]; break;
      default: tokens[at] = words[random(words.length)];
    }
  }
  return tokens.join(' ');
}

test('the whole schema is read by graphql-js, and documents are valid for both or for neither', async () => {
  const { data, errors } = await send(getIntrospectionQuery(EVERYTHING));
  assert.equal(errors, undefined);
  const schema = buildClientSchema(data);
  const words = ['$a', '@skip(if: true)', '@include(if: $a)', '{', '}', '(', ')', '[', ']', '!', 'null', 'true', '1', '1.5', '"x"', '{ a: 1 }'];
  for (const type of Object.values(schema.getTypeMap())) {
    words.push(type.name, ...Object.keys(type.getFields?.() ?? {}));
  }
  const random = chance(seed);
  const documents = [...corpus];
  for (let count = 0; count < CHANGED; count += 1) {
    documents.push(changed(corpus[random(corpus.length)], words, random));
  }
  const differences = [];
  for (const text of documents) {
    const right = judge(schema, text);
    const found = await asked(text, right.name);
    const is_stricter = right.verdict === 'valid' && STRICTER.some((reason) => reason.test(found.why));
    if (found.verdict && found.verdict !== right.verdict && !is_stricter) {
      differences.push({ text, right, found });
    }
  }
  assert.deepEqual(differences, [], `with ONHAND_FUZZ_SEED=${seed}`);
});
