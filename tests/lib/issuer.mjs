// An identity provider of the tests' own: keys of every kind, tokens signed with them, and a server
// of its key set that can be told to answer otherwise.
import { createHmac, generateKeyPairSync, sign as cryptoSign } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';

const base64url = (value) => Buffer.from(value).toString('base64url');
const now_s = () => Math.floor(Date.now() / 1000);

const KINDS = {
  RS: (bits) => generateKeyPairSync('rsa', { modulusLength: bits ?? 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};
export const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

// A key for that algorithm: { kid, alg, privateKey, publicKey, jwk }. more: further members of jwk.
export function makeKey(alg, kid, { bits, more = {} } = {}) {
  const pair = (KINDS[alg] ?? KINDS[alg.slice(0, 2)])(bits);
  return { kid, alg, ...pair, jwk: { kid, ...pair.publicKey.export({ format: 'jwk' }), ...more } };
}

// The claims signed with the key; header: instead of what the key says, undefined members left out.
export function signWith(key, claims = {}, header = {}) {
  const head = { alg: key.alg, kid: key.kid, ...header };
  const body = { role: 'anon', aud: 'walcast', exp: now_s() + 3600, ...claims };
  const signed = `${base64url(JSON.stringify(head))}.${base64url(JSON.stringify(body))}`;
  if (key.secret !== undefined)
    return `${signed}.${createHmac(`sha${head.alg.slice(2)}`, key.secret).update(signed).digest('base64url')}`;
  const digest = key.alg === 'EdDSA' ? null : `sha${key.alg.slice(2)}`;
  const signature = cryptoSign(digest, Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

export class Issuer {
  // tls: { cert, key } for HTTPS.
  static async start(t, { keys = [], tls } = {}) {
    const issuer = new Issuer();
    Object.assign(issuer, { keys, requests: 0, answer: null, tls });
    const serve = (request, response) => {
      issuer.requests++;
      if (issuer.answer) issuer.answer(response);
      else response.setHeader('content-type', 'application/json').end(issuer.text);
    };
    issuer.server = tls ? createHttpsServer(tls, serve) : createHttpServer(serve);
    await issuer.listen(0);
    t.after(() => issuer.close());
    return issuer;
  }

  async listen(port = this.port) {
    await new Promise((resolve, reject) => this.server.once('error', reject).listen(port, '127.0.0.1', resolve));
    this.port = this.server.address().port;
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get text() {
    return JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) });
  }

  get url() {
    return `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}/jwks.json`;
  }
}
