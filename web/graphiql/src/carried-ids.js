// The ids that one example's answer hands to the variables of the next: the rules, free of any page.

/**
 * Of each variable: `thing` is what it names, `from` the example whose answer brings it, `within` what it is a part of and is
 * unknown with, and `find` looks for it in the data of an answer.
 */
const CARRIED = {
  cartId: { thing: 'cart', from: 'Cart', within: [], find: (data) => data.createCart?.cart?.id },
  orderId: { thing: 'order', from: 'CheckOut', within: ['cartId'], find: (data) => data.checkOut?.order?.id },
  orderItemId: {
    thing: 'item of an order',
    from: 'Hold',
    within: ['orderId', 'cartId'],
    find: (data) => data.checkOut?.order?.items?.[0]?.id,
  },
  paymentId: {
    thing: 'payment',
    from: 'Authorize',
    within: ['orderId', 'cartId'],
    find: (data) => data.payOrder?.payment?.id,
  },
  deliveryId: {
    thing: 'delivery',
    from: 'Deliveries',
    within: [],
    find: (data) => data.webhooks?.flatMap(({ deliveries }) => deliveries?.nodes ?? [])[0]?.id,
  },
};

const KEYS = Object.keys(CARRIED);

/** What the variables say until there is an id. */
export const PLACEHOLDERS = Object.fromEntries(KEYS.map((key) => [key, `comes from ${CARRIED[key].from}`]));

/** What is missing, in words, when variables that are sent still hold a placeholder; nothing otherwise. */
export function whatIsMissing(variables, carried) {
  const values = Object.values(variables ?? {});
  const key = KEYS.find((one) => values.includes(PLACEHOLDERS[one]));
  if (!key) return undefined;
  const { thing, from } = CARRIED[key];
  const article = key === 'cartId' ? 'its' : 'the';
  return `There is no ${thing} yet. Run ${firstOf(key, from, carried)} first: ${article} answer puts the id of the ${thing} here.`;
}

/** What has to be run, from what is there already: `Cart and then CheckOut`. */
function firstOf(key, from, carried) {
  const has = (one) => (carried[one]?.at(-1) ?? PLACEHOLDERS[one]) !== PLACEHOLDERS[one];
  const before = {
    orderId: has('cartId') ? '' : 'Cart and then ',
    orderItemId: has('cartId') ? '' : 'SecondCart and then ',
    paymentId: has('orderId') ? '' : has('cartId') ? 'Hold and then ' : 'SecondCart, Hold and then ',
  };
  return (before[key] ?? '') + from;
}

/** Of each variable the ids that answers brought, newest last. */
export const NOTHING_CARRIED = Object.fromEntries(KEYS.map((key) => [key, []]));

/** Enough to know again an id in a tab that was not opened for a while. */
const REMEMBERED = 50;

/** What is carried after `answer`, a GraphQL response; the same object when it brings nothing. */
export function carriedAfter(carried, answer) {
  const found = Object.fromEntries(KEYS.map((key) => [key, CARRIED[key].find(answer?.data ?? {})]));
  const keys = KEYS.filter((key) => typeof found[key] === 'string' && found[key] !== carried[key].at(-1));
  if (keys.length === 0) return carried;
  const added = keys.map((key) => [key, [...carried[key], found[key]].slice(-REMEMBERED)]);
  return { ...carried, ...Object.fromEntries(added) };
}

/**
 * What is carried after an answer to what was sent with `variables`, when it says that a carried id is unknown: it is of
 * another database, or gone. The same object when it says nothing of the kind. The placeholder is what is newest then, so
 * that ids from before are known again in the tabs that still have them.
 */
export function carriedAfterRefusal(carried, answer, variables) {
  const key = unknownKey(carried, answer, variables);
  if (!key) return carried;
  // Without an order its cart is unknown as well.
  const forgotten = [key, ...CARRIED[key].within].map((one) => [one, [...carried[one], PLACEHOLDERS[one]].slice(-REMEMBERED)]);
  return { ...carried, ...Object.fromEntries(forgotten) };
}

/** The variable whose id the server does not know, as an answer says; nothing when it says nothing of the kind. */
export function unknownKey(carried, answer, variables) {
  const isUnknown = (key) => carried[key].includes(variables?.[key]) && saysUnknown(answer, key);
  return KEYS.toReversed().find(isUnknown);
}

/** Whether an answer says that there is nothing with the id of this variable. A gateway may be unknown, too. */
function saysUnknown(answer, key) {
  const refused = Object.values(answer?.data ?? {}).flatMap((field) => field?.userErrors ?? []);
  const isRefused = refused.some(({ code, field }) => code === 'NOT_FOUND' && (!field || field.includes(key)));
  return isRefused || Boolean(answer?.errors?.some(({ extensions }) => extensions?.code === 'NOT_FOUND'));
}

/** `variables`, a text, with the newest ids in place of placeholders and of earlier ids. */
export function withCarried(variables, carried) {
  return replaced(variables, carried, (key) => carried[key].at(-1) ?? PLACEHOLDERS[key]);
}

/** `variables`, a text, with placeholders in place of carried ids: what the example said at first. */
export function withoutCarried(variables, carried) {
  return replaced(variables, carried, (key) => PLACEHOLDERS[key]);
}

const VARIABLES = new RegExp(`"(${KEYS.join('|')})"(\\s*:\\s*)"([^"\\\\]*)"`, 'g');

// Works on the text, not on the parsed JSON, so that comments and layout stay. A value that is neither a
// placeholder nor a carried id was typed by somebody and stays too.
function replaced(variables, carried, valueOf) {
  return variables.replace(VARIABLES, (whole, key, colon, value) => {
    const ours = value === PLACEHOLDERS[key] || carried[key].includes(value);
    return ours ? `"${key}"${colon}"${valueOf(key)}"` : whole;
  });
}
