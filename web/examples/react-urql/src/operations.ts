// What this page asks of the server. The types are written by hand here; graphql-codegen makes them from the schema.
import { gql, type TypedDocumentNode } from 'urql';

export interface Stock {
  id: string;
  available: number;
  availability: 'IN_STOCK' | 'LOW_STOCK' | 'OUT_OF_STOCK' | 'UNTRACKED';
  version: number;
}

/** Amounts are whole minor units: 1200 EUR are twelve euros. */
export interface Money {
  amount: number;
  currency: string;
}

export interface Product {
  id: string;
  name: string;
  price: Money;
  /** Null when nobody counts it. */
  stock: Stock | null;
}

export interface Cart {
  id: string;
  totalQuantity: number;
  subtotal: Money | null;
}

export interface Order {
  id: string;
  number: string;
  payment: 'UNPAID' | 'IN_PROGRESS' | 'PAID';
  total: Money;
}

export type Payload<Name extends string, Thing> = Record<Name, Thing | null> & { userErrors: { message: string }[] };

/** Every operation takes the same fields of a Stock, so that whichever answers has all that the page shows. */
export const STOCK = gql`
  fragment StockFields on Stock {
    id
    available
    availability
    version
  }
` as TypedDocumentNode<Stock>;

export const PRODUCTS: TypedDocumentNode<{ products: { nodes: Product[] } }> = gql`
  query Products {
    products(first: 50) {
      nodes {
        id
        name
        price { amount currency }
        stock { ...StockFields }
      }
    }
  }
  ${STOCK}
`;

/** First the stock of each product as it is, then each newer one. */
export const STOCK_CHANGED: TypedDocumentNode<{ stockChanged: Stock }, { ids: string[] }> = gql`
  subscription StockChanged($ids: [ID!]!) {
    stockChanged(productIds: $ids) { ...StockFields }
  }
  ${STOCK}
`;

type Items = { productId: string; quantity: number }[];

export const CREATE_CART: TypedDocumentNode<{ createCart: Payload<'cart', Cart> }, { items: Items }> = gql`
  mutation CreateCart($items: [CartItemInput!]) {
    createCart(input: { items: $items }) {
      cart { id totalQuantity subtotal { amount currency } }
      userErrors { message }
    }
  }
`;

export const ADD_TO_CART: TypedDocumentNode<{ addToCart: Payload<'cart', Cart> }, { cartId: string; items: Items }> = gql`
  mutation AddToCart($cartId: ID!, $items: [CartItemInput!]!) {
    addToCart(input: { cartId: $cartId, items: $items }) {
      cart { id totalQuantity subtotal { amount currency } }
      userErrors { message }
    }
  }
`;

export const CHECK_OUT: TypedDocumentNode<{ checkOut: Payload<'order', Order> }, { cartId: string }> = gql`
  mutation CheckOut($cartId: ID!) {
    checkOut(input: { cartId: $cartId }) {
      order { id number payment total { amount currency } }
      userErrors { message }
    }
  }
`;

/** The sandbox plays the payment provider, in development only. */
export const PAY: TypedDocumentNode<{ payOrder: Payload<'order', Order> }, { orderId: string }> = gql`
  mutation Pay($orderId: ID!) {
    payOrder(input: { orderId: $orderId, gateway: "sandbox", token: "succeed" }) {
      order {
        id
        number
        payment
        total { amount currency }
        items { id product { id stock { ...StockFields } } }
      }
      userErrors { message }
    }
  }
  ${STOCK}
`;
