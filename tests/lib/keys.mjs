// API keys made by the command line, and every kind of broken one.
const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

// The checksum of a key, as docs/ACCESS.md has it: CRC-32 of what is before it, in base 62.
export function keyChecksum(text) {
  let sum = 0xFFFFFFFF;
  for (const byte of Buffer.from(text)) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xEDB88320 : 0);
  }
  let number = ~sum >>> 0;
  let checksum = '';
  for (let i = 0; i < 6; i++, number = Math.floor(number / 62)) checksum = LETTERS[number % 62] + checksum;
  return checksum;
}

export const withChecksum = (text) => text + keyChecksum(text);

// → what `walcast keys create --json` prints.
export async function createKey(walcast, name, { role = 'anon', scope = 'subscribe,broadcast', ...options } = {}) {
  const more = Object.entries(options).flatMap(([option, value]) => [`--${option}`, value]);
  return JSON.parse(await walcast.commandOk(
    ['keys', 'create', '--name', name, '--role', role, '--scope', scope, '--json', ...more]));
}

// Keys that no surface takes, by what is wrong with them. `good` is one that is.
export async function brokenKeys(walcast, good) {
  const ended = await createKey(walcast, 'broken-ended', { ttl: '1s' });
  const revoked = await createKey(walcast, 'broken-revoked');
  await walcast.commandOk(['keys', 'revoke', 'broken-revoked']);
  const foreign = await createKey(walcast, 'broken-foreign', { project: 'other' });
  const elsewhere = await createKey(walcast, 'broken-elsewhere', { environment: 'prod' });
  const rotated = await createKey(walcast, 'broken-rotated');
  await walcast.commandOk(['keys', 'rotate', 'broken-rotated', '--overlap', '0s']);
  const body = good.slice(0, -6);
  const flip = (text, at) => text.slice(0, at) + (text[at] === 'x' ? 'y' : 'x') + text.slice(at + 1);
  return {
    'wc_ alone': 'wc_',
    'a prefix alone': good.slice(0, 11),
    'a prefix and no secret': good.slice(0, 12),
    'cut by one': good.slice(0, -1),
    'cut by half': good.slice(0, 30),
    'one letter more': `${good}x`,
    'a wrong checksum': flip(good, good.length - 1),
    'another letter in the secret': flip(good, 20),
    'another letter in the prefix': flip(good, 5),
    'another prefix, well made': withChecksum(flip(body, 5)),
    'another secret, well made': withChecksum(flip(body, 20)),
    'unknown, well made': withChecksum(`wc_AbCd1234_${'0'.repeat(40)}`),
    'in capitals': good.toUpperCase(),
    'WC_ instead': `WC_${good.slice(3)}`,
    'no underscore': good.replace(/_(?=[^_]*$)/, 'x'),
    'blanks inside': `${good.slice(0, 20)} ${good.slice(20)}`,
    'letters outside of base 62': withChecksum(`${body.slice(0, 20)}-${body.slice(21)}`),
    'not ASCII': `${good.slice(0, 20)}ü${good.slice(21)}`,
    'twice': `${good}${good}`,
    'two with a comma': `${good},${good}`,
    '15 KB': `wc_${'A'.repeat(15_000)}`,
    'a token of three parts behind wc_': `wc_${'a'.repeat(20)}.${'b'.repeat(20)}.${'c'.repeat(20)}`,
    expired: ended.key,
    revoked: revoked.key,
    'rotated away': rotated.key,
    "another project's": foreign.key,
    "another environment's": elsewhere.key,
  };
}
