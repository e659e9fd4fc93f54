// What a Relay application asks for: a list that loads more, a thing by its id, and the stock of it live.
import { graphql } from 'relay-runtime';

export const list = graphql`
  fragment list_products on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
  @refetchable(queryName: "listMoreQuery") {
    products(first: $count, after: $cursor) @connection(key: "list_products") {
      edges {
        node {
          ...list_product
        }
      }
    }
  }
`;

export const product = graphql`
  fragment list_product on Product @refetchable(queryName: "listProductQuery") {
    sku
    name
    stock {
      available
      version
    }
  }
`;

export const page = graphql`
  query listPageQuery($id: ID!) {
    ...list_products
    node(id: $id) {
      ...list_product @alias
    }
  }
`;

export const live = graphql`
  subscription listStockSubscription($ids: [ID!]!) {
    stockChanged(productIds: $ids) {
      available
      version
    }
  }
`;

export const receive = graphql`
  mutation listReceiveMutation($input: AdjustStockInput!) {
    adjustStock(input: $input) {
      stocks {
        available
        version
      }
      userErrors {
        code
      }
    }
  }
`;
