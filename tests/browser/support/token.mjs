// Tokens for servers of the tests, whose issuer is "tests" and whose audience is "onhand".
import { createHmac } from 'node:crypto';

/** A token of the staff, for ten minutes unless told otherwise. Another role is a customer's. */
export function staffToken(secret, seconds = 600, role = 'staff') {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: 'tests', role, iss: 'tests', aud: 'onhand', iat: now, exp: now + seconds };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
