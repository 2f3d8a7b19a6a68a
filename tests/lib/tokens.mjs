// Tokens signed by hand: good ones, and every kind of broken one.
import { createHmac } from 'node:crypto';
import { JWT_SECRET } from './walcast.mjs';

const base64url = (value) => Buffer.from(value).toString('base64url');
const now_s = () => Math.floor(Date.now() / 1000);

// claims and header: objects, or the JSON text itself.
export function sign(claims, { secret = JWT_SECRET, header = { alg: 'HS256', typ: 'JWT' } } = {}) {
  const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
  const signed = `${base64url(text(header))}.${base64url(text(claims))}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

export const goodToken = (more = {}) => sign({ role: 'anon', exp: now_s() + 3600, ...more });

export function brokenTokens() {
  const good = goodToken();
  const [head, body, signature] = good.split('.');
  const claims = { role: 'anon', exp: now_s() + 3600 };
  const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
  return {
    'one word': 'nonsense',
    'two parts': `${head}.${body}`,
    'four parts': `${good}.x`,
    'only dots': '..',
    'an empty signature': `${head}.${body}.`,
    'a signature cut short': good.slice(0, -3),
    'another signature': `${head}.${body}.${flipped}`,
    'another secret': sign(claims, { secret: 'x'.repeat(40) }),
    'claims changed after signing': `${head}.${base64url(JSON.stringify({ ...claims, role: 'service_role' }))}.${signature}`,
    'no base64': `${head}.!!!!.${signature}`,
    'base64 with padding': sign(claims).replace(/\./, '=.'),
    'blanks around': ` ${good} `,
    'a line break inside': `${head}.\n${body}.${signature}`,
    'algorithm none': `${base64url('{"alg":"none"}')}.${body}.`,
    'algorithm none, signed': sign(claims, { header: { alg: 'none' } }),
    'an algorithm of another family': sign(claims, { header: { alg: 'RS256', typ: 'JWT' } }),
    'no algorithm': sign(claims, { header: {} }),
    'an algorithm that is a number': sign(claims, { header: { alg: 256 } }),
    'a header that is no object': sign(claims, { header: '[]' }),
    'a header that is no JSON': sign(claims, { header: '{' }),
    'claims that are an array': sign('[]'),
    'claims that are no JSON': sign('{"role":'),
    'claims that are not UTF-8': `${head}.${Buffer.from([0x7B, 0xC3, 0x28, 0x7D]).toString('base64url')}.${signature}`,
    'no role': sign({ exp: claims.exp }),
    'an empty role': sign({ ...claims, role: '' }),
    'a role that is null': sign({ ...claims, role: null }),
    'a role that is a number': sign({ ...claims, role: 5 }),
    'a role that is an array': sign({ ...claims, role: ['anon'] }),
    'no exp': sign({ role: 'anon' }),
    'an exp that is a string': sign({ role: 'anon', exp: `${claims.exp}` }),
    'an exp that is null': sign({ role: 'anon', exp: null }),
    'an exp below zero': sign({ role: 'anon', exp: -1 }),
    expired: sign({ role: 'anon', exp: now_s() - 60 }),
    'another project': sign({ ...claims, project_id: 'other' }),
    'another environment': sign({ ...claims, environment_id: 'other' }),
    'ten kilobytes': `${head}.${'A'.repeat(10_000)}.${signature}`,
    'a hundred kilobytes': `${head}.${'A'.repeat(100_000)}.${signature}`,
    'not ASCII': `${head}.${body}.ü${signature}`,
  };
}
