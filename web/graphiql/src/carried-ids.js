// The ids that one example's answer hands to the variables of the next: the rules, free of any page.

/** What the variables say until there is an id. */
export const PLACEHOLDERS = {
  cartId: 'comes from Cart',
  orderId: 'comes from CheckOut',
};

/** What is missing, in words, when variables that are sent still hold a placeholder; nothing otherwise. */
export function whatIsMissing(variables, carried) {
  const values = Object.values(variables ?? {});
  if (values.includes(PLACEHOLDERS.cartId)) {
    return 'There is no cart yet. Run Cart first: its answer puts the id of the cart here.';
  }
  if (!values.includes(PLACEHOLDERS.orderId)) return undefined;
  const hasCart = (carried.cartId.at(-1) ?? PLACEHOLDERS.cartId) !== PLACEHOLDERS.cartId;
  const first = hasCart ? 'CheckOut' : 'Cart and then CheckOut';
  return `There is no order yet. Run ${first} first: the answer puts the id of the order here.`;
}

/** Of each variable the ids that answers brought, newest last. */
export const NOTHING_CARRIED = { cartId: [], orderId: [] };

/** Enough to know again an id in a tab that was not opened for a while. */
const REMEMBERED = 50;

/** What is carried after `answer`, a GraphQL response; the same object when it brings nothing. */
export function carriedAfter(carried, answer) {
  const found = {
    cartId: answer?.data?.createCart?.cart?.id,
    orderId: answer?.data?.checkOut?.order?.id,
  };
  const keys = Object.keys(found).filter((key) => typeof found[key] === 'string');
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
  const isUnknown = (key) => carried[key].includes(variables?.[key]) && saysUnknown(answer, key);
  // Without its order the cart is unknown as well.
  const keys = isUnknown('orderId') ? ['orderId', 'cartId'] : isUnknown('cartId') ? ['cartId'] : [];
  if (keys.length === 0) return carried;
  const forgotten = keys.map((key) => [key, [...carried[key], PLACEHOLDERS[key]].slice(-REMEMBERED)]);
  return { ...carried, ...Object.fromEntries(forgotten) };
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

// Works on the text, not on the parsed JSON, so that comments and layout stay. A value that is neither a
// placeholder nor a carried id was typed by somebody and stays too.
function replaced(variables, carried, valueOf) {
  return variables.replace(/"(cartId|orderId)"(\s*:\s*)"([^"\\]*)"/g, (whole, key, colon, value) => {
    const ours = value === PLACEHOLDERS[key] || carried[key].includes(value);
    return ours ? `"${key}"${colon}"${valueOf(key)}"` : whole;
  });
}
