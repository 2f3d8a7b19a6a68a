// node make.mjs: writes server.conf (an operator, its system account and one account with JetStream)
// and user.creds (a user of that account), for test_connection.c. The keys are thrown away; nothing
// trusts them. Made once and kept, since the test is C and these do not expire.
// Formats: https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const KIND = { operator: 14 << 3, account: 0, user: 20 << 3, seed: 18 << 3 };
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

function base32(bytes) {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return bits.match(/.{1,5}/g).map((five) => ALPHABET[parseInt(five.padEnd(5, '0'), 2)]).join('');
}

// CRC-16/XMODEM.
function checksum(bytes) {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

function encode(prefix, raw) {
  const bytes = Buffer.concat([Buffer.from(prefix), raw]);
  const crc = checksum(bytes);
  return base32(Buffer.concat([bytes, Buffer.from([crc & 0xff, crc >> 8])]));
}

function makePair(kind) {
  const seed = randomBytes(32);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  const raw = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  return {
    key,
    id: encode([KIND[kind]], raw),
    seed: encode([KIND.seed | (KIND[kind] >> 5), (KIND[kind] & 31) << 3], seed),
  };
}

function token(issuer, subject, nats) {
  const claims = { jti: '', iat: 1700000000, iss: issuer.id, name: 'walcast-test', sub: subject.id,
    nats: { ...nats, version: 2 } };
  claims.jti = base32(createHash('sha512-256').update(JSON.stringify(claims)).digest());
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), issuer.key).toString('base64url')}`;
}

const [operator, system, account, user] = ['operator', 'account', 'account', 'user'].map(makePair);
const unlimited = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true,
  conn: -1, leaf: -1 };
const jetstream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
const accountOf = (limits) => ({ type: 'account', limits, default_permissions: { pub: {}, sub: {} } });

writeFileSync('server.conf', `operator: ${token(operator, operator, { type: 'operator' })}
system_account: ${system.id}
resolver: MEMORY
resolver_preload: {
  ${system.id}: ${token(operator, system, accountOf(unlimited))}
  ${account.id}: ${token(operator, account, accountOf({ ...unlimited, ...jetstream }))}
}
`);
writeFileSync('user.creds', `-----BEGIN NATS USER JWT-----
${token(account, user, { type: 'user', pub: {}, sub: {}, subs: -1, data: -1, payload: -1 })}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${user.seed}
------END USER NKEY SEED------
`);
