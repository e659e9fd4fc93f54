// The ids of the demo catalogue's products. They never change, so that the examples run as they are.

export const BLUE_MUG = 'product_01j0000000e008000000000001';

/** All products of the demo catalogue, in its order. */
export const DEMO_PRODUCTS = [
  BLUE_MUG,
  'product_01j0000000e008000000000002',
  'product_01j0000000e008000000000003',
  'product_01j0000000e008000000000004',
  'product_01j0000000e008000000000005',
  'product_01j0000000e008000000000006',
  'product_01j0000000e008000000000007',
  'product_01j0000000e008000000000008',
  'product_01j0000000e008000000000009',
  'product_01j0000000e00800000000000a',
  'product_01j0000000e00800000000000b',
  'product_01j0000000e00800000000000c',
];
