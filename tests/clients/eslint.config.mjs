// What graphql-eslint recommends for schemas, and Relay's rules. Each exception says why.
import { join } from 'node:path';
import graphql from '@graphql-eslint/eslint-plugin';

const schema = join(import.meta.dirname, '../../schema.graphql');

export default [
  {
    files: ['**/schema.graphql'],
    plugins: { '@graphql-eslint': graphql },
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      // The printer puts a description on one line where it fits, and in a block where it does not.
      '@graphql-eslint/description-style': 'off',
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          exceptions: {
            // Answers and pages, not things.
            suffixes: ['Payload', 'Connection', 'Edge'],
            types: [
              // Values that are nothing apart from what they belong to.
              'Money',
              'CartItem',
              'Customer',
              'PaymentAction',
              'ShipmentItem',
              'StockNumbers',
              'StockDemand',
              'StockAllocation',
              // What a subscription tells of a product.
              'AvailabilityChange',
              // What an answer says about itself.
              'PageInfo',
              'StockPreview',
              'UserError',
            ],
          },
        },
      ],
      // Lists that are bounded by what they belong to, such as the items of an order, are plain lists.
      // What an order holds of a product is a node of a list, and nothing apart from the two.
      '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false }],
    },
  },
];
