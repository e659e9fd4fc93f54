// Tokens for servers of the tests, whose issuer is "tests" and whose audience is "onhand".
import { createHmac } from 'node:crypto';

/** A token of the staff, for ten minutes. */
export function staffToken(secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: 'tests', role: 'staff', iss: 'tests', aud: 'onhand', iat: now, exp: now + 600 };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
