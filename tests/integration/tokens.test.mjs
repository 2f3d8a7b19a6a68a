// Tokens that an identity provider signs: every algorithm over every surface, broken ones, keys that
// change, and a provider that is away or answers nonsense.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { ALGORITHMS, Issuer, makeKey, signWith } from '../lib/issuer.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { removeScratch, scratchDirectory } from '../lib/scratch.mjs';
import { sseUrl } from '../lib/sse.mjs';
import { JWT_SECRET, Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const secretKey = (secret, alg = 'HS256') => ({ alg, kid: undefined, secret });

// What each surface says to a token: an HTTP status, or of a join its code.
const SURFACES = {
  async handshake(t, walcast, token) {
    const refused = await RawClient.connect(t, websocketUrl(walcast, { apikey: token })).then(() => null, (response) => response);
    refused?.resume();
    return [refused?.statusCode ?? 200, refused?.headers['retry-after']];
  },
  async sse(t, walcast, token) {
    const controller = new AbortController();
    t.after(() => controller.abort());
    const response = await fetch(sseUrl(walcast, { table: 'public.open' }),
      { headers: { authorization: `Bearer ${token}` }, signal: controller.signal });
    return [response.status, response.headers.get('retry-after')];
  },
  async rest(t, walcast, token) {
    const body = JSON.stringify({ messages: [{ topic: 'a', event: 'e', payload: {} }] });
    const response = await fetch(`${walcast.url}/realtime/v1/api/broadcast`,
      { method: 'POST', headers: { apikey: token, 'content-type': 'application/json' }, body });
    await response.text();
    return [response.status === 202 ? 200 : response.status, response.headers.get('retry-after')];
  },
};

async function joined(t, walcast, token, config = {}) {
  const client = await RawClient.connect(t, websocketUrl(walcast, { apikey: signWith(secretKey(JWT_SECRET)), vsn: '2.0.0' }));
  client.join('1', 'realtime:a', config, { access_token: token });
  const { status, response } = (await client.reply('1'))[4];
  return { client, code: status === 'ok' ? 'ok' : response.reason.split(':')[0] };
}

const statuses = (t, walcast, token) =>
  Promise.all(Object.values(SURFACES).map(async (ask) => (await ask(t, walcast, token))[0]));

async function verdicts(t, walcast, token) {
  return [...await statuses(t, walcast, token), (await joined(t, walcast, token)).code];
}

const good = (walcast, token) => fetch(`${walcast.url}/realtime/v1/api/broadcast`, { method: 'POST',
  headers: { apikey: token, 'content-type': 'application/json' }, body: '{"messages":[]}' })
  .then((response) => ({ 202: 'good', 422: 'good', 401: 'refused', 503: 'later' })[response.status]);

suite('tokens of a provider', () => {
  let house;
  let issuer;
  let lists;
  const keys = {};
  const cleanups = [];
  const suiteOf = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  before(async () => {
    for (const alg of ALGORITHMS) keys[alg] = makeKey(alg, `key-${alg}`);
    Object.assign(keys, {
      small: makeKey('RS256', 'small', { bits: 1024 }),
      encryption: makeKey('RS256', 'encryption', { more: { use: 'enc' } }),
      nameless: makeKey('ES256', undefined),
      secret: { ...secretKey('y'.repeat(40)), kid: 'secret', jwk: { kty: 'oct', kid: 'secret', k: Buffer.from('y'.repeat(40)).toString('base64url') } },
    });
    issuer = await Issuer.start(suiteOf, { keys: Object.values(keys) });
    house = await startHouse(suiteOf, { schema: 'CREATE TABLE open (id int PRIMARY KEY); CREATE ROLE other',
      config: { 'auth.jwks_url': issuer.url, 'auth.jwks_refresh': '1h', 'auth.audience': 'walcast' } });
    lists = await waitFor('keys', async () => (await house.walcast.metric('walcast_auth_jwks_keys')) || null);
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  // A gateway of its own beside it, for what needs another configuration.
  async function gateway(t, config) {
    const walcast = await Walcast.start({ ...house, args: ['--roles', 'ws'],
      config: { 'auth.audience': 'walcast', 'auth.jwks_refresh': '100ms', ...config } });
    t.after(() => walcast.remove());
    return walcast.ready();
  }

  test('every algorithm opens every surface, and what cannot be a key is left out', async (t) => {
    assert.equal(lists, ALGORITHMS.length + 1);
    assert.match(house.walcast.logText(), /keys of auth.jwks_url are not used .*small has 1024 bits/s);
    const tokens = Object.fromEntries(ALGORITHMS.map((alg) => [alg, signWith(keys[alg])]));
    for (const bits of [256, 384, 512]) tokens[`HS${bits}`] = signWith(secretKey(JWT_SECRET, `HS${bits}`));
    tokens['no kid'] = signWith(keys.ES256, {}, { kid: undefined });
    tokens['a key without one'] = signWith(keys.nameless);
    tokens['Ed25519 by its new name'] = signWith(keys.EdDSA, {}, { alg: 'Ed25519' });
    tokens['several audiences'] = signWith(keys.RS256, { aud: ['other', 'walcast'] });
    for (const [name, token] of Object.entries(tokens))
      assert.deepEqual(await verdicts(t, house.walcast, token), [200, 200, 200, 'ok'], name);
    assert.ok(await house.walcast.metric('walcast_auth_tokens_cached_total') > 0);
  });

  test('broken ones open none', async (t) => {
    const pem = keys.RS256.publicKey.export({ format: 'pem', type: 'spki' });
    const der = keys.RS256.publicKey.export({ format: 'der', type: 'spki' });
    const foreign = makeKey('RS256', 'key-RS256');
    const signature = 'JwtSignatureError';
    const claim = 'InvalidJWTToken';
    const cases = {
      "another's key under a known id": [signWith(foreign), signature],
      'a key in the header': [signWith(foreign, {}, { jwk: foreign.jwk, jku: 'http://127.0.0.1/' }), signature],
      'no id, no key': [signWith(foreign, {}, { kid: undefined }), signature],
      'the public key as a secret': [signWith({ ...secretKey(pem), kid: 'key-RS256' }), signature],
      'its DER as a secret': [signWith({ ...secretKey(der), kid: 'key-RS256' }), signature],
      'a secret that the set publishes': [signWith(keys.secret), signature],
      'another curve than the key is on': [signWith(keys.ES384, {}, { alg: 'ES256' }), signature],
      'another digest than it was signed with': [signWith(keys.RS256, {}, { alg: 'RS512' }), signature],
      "another kind's algorithm": [signWith(keys.ES256, {}, { alg: 'RS256' }), signature],
      'PS256': [signWith(keys.RS256, {}, { alg: 'PS256' }), signature],
      'none': [signWith(keys.RS256, {}, { alg: 'none' }), signature],
      'none without a signature': [signWith(keys.RS256, {}, { alg: 'none' }).replace(/[^.]*$/, ''), signature],
      'crit': [signWith(keys.RS256, {}, { crit: ['b64'], b64: false }), signature],
      'an id that is no string': [signWith(keys.RS256, {}, { kid: 7 }), signature],
      'an id that is too long': [signWith(keys.RS256, {}, { kid: 'k'.repeat(300) }), signature],
      'claims changed after signing': [signWith(keys.RS256).replace(/\.[^.]*\./, `.${Buffer.from('{"role":"service_role","aud":"walcast","exp":9999999999}').toString('base64url')}.`), signature],
      'expired': [signWith(keys.RS256, { exp: 1 }), claim],
      'not yet': [signWith(keys.RS256, { nbf: 9999999999 }), claim],
      'no audience': [signWith(keys.RS256, { aud: undefined }), claim],
      'another audience': [signWith(keys.RS256, { aud: ['walcast2', 'Walcast'] }), claim],
      'no role': [signWith(keys.RS256, { role: undefined }), claim],
      'another project': [signWith(keys.RS256, { project_id: 'other' }), claim],
    };
    for (const [name, [token, code]] of Object.entries(cases))
      assert.deepEqual(await verdicts(t, house.walcast, token), [401, 401, 401, code], name);
  });

  test('an unknown key id: try again, then refused; a new key is found so, and an old one is over', async (t) => {
    const unknown = signWith(makeKey('ES256', 'nobody'));
    for (const ask of Object.values(SURFACES)) {
      const [status, retry] = await ask(t, house.walcast, unknown);
      assert.ok(status === 401 || (status === 503 && retry === '1'), `${status} ${retry}`);
    }
    await waitFor('the refusal', async () => (await good(house.walcast, unknown)) === 'refused');
    assert.equal((await joined(t, house.walcast, unknown)).code, 'JwtSignatureError');
    const before_requests = issuer.requests;
    for (let i = 0; i < 20; i++) await good(house.walcast, unknown);
    assert.ok(issuer.requests <= before_requests + 1, `${issuer.requests - before_requests} more`);

    const old = signWith(keys.RS256);
    assert.equal(await good(house.walcast, old), 'good');
    const fresh = makeKey('RS256', 'fresh');
    issuer.keys = [fresh, ...Object.values(keys).filter((key) => key !== keys.RS256)];
    const token = signWith(fresh);
    const later = await joined(t, house.walcast, token);
    assert.equal(later.code, 'KeysUnavailable');
    await waitFor('the new key', async () => (await good(house.walcast, token)) === 'good');
    await waitFor('the old one to be refused', async () => (await good(house.walcast, old)) === 'refused');
    issuer.keys = Object.values(keys);
  });

  test('keys count on while the provider is away or answers nonsense', async (t) => {
    const directory = scratchDirectory();
    t.after(() => removeScratch(directory));
    execFileSync(new URL('../lib/make-certificates', import.meta.url).pathname, [directory]);
    const pem = (name) => readFileSync(join(directory, `${name}.pem`));
    const provider = await Issuer.start(t, { keys: [keys.RS256], tls: { cert: pem('server'), key: pem('server-key') } });
    const walcast = await gateway(t, { 'auth.jwks_url': provider.url, 'auth.jwks_ca': join(directory, 'ca.pem'),
      'auth.jwks_timeout': '300ms' });
    const token = signWith(keys.RS256);
    await waitFor('keys', async () => (await good(walcast, token)) === 'good');
    const answers = {
      'slow': () => {},
      'an error': (response) => response.writeHead(500).end(provider.text),
      'garbage': (response) => response.end('<html>'),
      'huge': (response) => response.end(`{"keys":[],"more":"${'x'.repeat(1 << 20)}"}`),
      'too many keys': (response) => response.end(JSON.stringify({ keys: Array(100).fill(keys.RS256.jwk) })),
      'a redirect to nowhere': (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      'a cut connection': (response) => response.destroy(),
    };
    for (const [name, answer] of Object.entries(answers)) {
      const failures = await walcast.metric('walcast_auth_jwks_failures_total');
      provider.answer = answer;
      await waitFor(`a failure: ${name}`, async () => (await walcast.metric('walcast_auth_jwks_failures_total')) > failures);
      assert.equal(await good(walcast, token), 'good', name);
    }
    assert.equal(await walcast.metric('walcast_auth_jwks_unavailable'), 1);
    assert.ok(walcast.logText().split('keys of tokens cannot be fetched').length <= 2 * Object.keys(answers).length);
    provider.answer = (response) => response.end('{"keys":[]}'); // a provider takes its keys away
    await waitFor('the refusal', async () => (await good(walcast, token)) === 'refused');
    assert.doesNotMatch(walcast.logText(), new RegExp(token.split('.')[2].slice(0, 20)));
  });

  test('without keys that count a token is to be tried again, and a channel keeps what it has and what it was sent', async (t) => {
    const provider = await Issuer.start(t, { keys: [keys.RS256] });
    await provider.close();
    const walcast = await gateway(t, { 'auth.jwks_url': provider.url, 'auth.jwks_valid': '1s' });
    const token = signWith(keys.RS256);
    for (const [name, ask] of Object.entries(SURFACES))
      assert.deepEqual(await ask(t, walcast, token), [503, '1'], name);
    assert.equal((await joined(t, walcast, token)).code, 'KeysUnavailable');
    assert.equal(await good(walcast, signWith(secretKey(JWT_SECRET))), 'good'); // needs nobody
    const check = await walcast.command(['check', '--json']);
    assert.equal(check.code, 1);
    assert.match(JSON.parse(check.stdout).tokens.findings.join(), /cannot be fetched: GET http/);

    await provider.listen();
    await waitFor('keys', async () => (await good(walcast, token)) === 'good');
    const binding = { event: '*', schema: 'public', table: 'open' };
    const { client, code } = await joined(t, walcast, token, { postgres_changes: [binding] });
    assert.equal(code, 'ok');
    await provider.close();
    await waitFor('the keys to be too old', async () => (await good(walcast, token)) === 'later');
    // One that may not read the table: so it shows when it counts.
    client.send(['1', '2', 'realtime:a', 'access_token', { access_token: signWith(keys.RS256, { role: 'other' }) }]);
    const told = await client.next('what is said of it', (message) => message[3] === 'system' && message[4].status === 'error');
    assert.match(told[4].message, /^KeysUnavailable: /);
    client.send(['1', '3', 'realtime:a', 'broadcast', { type: 'broadcast', event: 'e', payload: {} }]);
    client.send([null, '4', 'phoenix', 'heartbeat', {}]);
    await client.reply('4');
    assert.ok(!client.received.some((message) => ['phx_close', 'phx_error'].includes(message[3])));
    await provider.listen(); // what came meanwhile was kept
    const ended = await client.next('the new token to count', (message) => message[3] === 'system' && message[4].status === 'error');
    assert.match(ended[4].message, /^Unauthorized: .*GRANT SELECT/);
  });

  test("another provider's claims: a role by path or by default, scopes, issuer, and what policies see", async (t) => {
    const walcast = await gateway(t, { 'auth.jwks_url': issuer.url, 'auth.issuer': 'https://login.example/',
      'auth.claims.role': 'https://example.com/app.role', 'auth.default_role': 'authenticated', 'auth.claims.scopes': 'scope' });
    await walcast.commandOk(['setup', '--apply']);
    await house.postgres.query(`CREATE POLICY members ON realtime.messages FOR SELECT TO authenticated
      USING (auth.role() = 'authenticated' AND auth.jwt() ->> 'sub' = 'ann')`);
    const claims = { iss: 'https://login.example/', role: undefined, sub: 'ann', scope: 'openid subscribe' };
    const token = (more) => signWith(keys.ES256, { ...claims, ...more });
    await waitFor('keys', async () => (await SURFACES.sse(t, walcast, token()))[0] === 200);
    const own = await walcast.token(); // which is one of that issuer's and audience, too
    const joinAs = async (...all) => {
      const client = await RawClient.connect(t, websocketUrl(walcast, { apikey: all[0], vsn: '2.0.0' }));
      client.join('1', 'realtime:a', { private: true });
      return (await client.reply('1'))[4];
    };
    assert.equal((await joinAs(token())).status, 'ok');
    assert.match((await joinAs(token({ sub: 'bob' }))).response.reason, /^Unauthorized: /);
    assert.match((await joinAs(token({ 'https://example.com/app': { role: 'anon' } }))).response.reason, /^Unauthorized: /);
    for (const without of [token({ scope: 'openid' }), own]) { // good tokens, but not for this
      assert.deepEqual(await statuses(t, walcast, without), [200, 403, 403]);
      assert.match((await joinAs(without)).response.reason, /^Unauthorized: .*subscribe/);
    }
    assert.deepEqual(await statuses(t, walcast, token({ iss: 'https://other.example/' })), [401, 401, 401]);
    assert.equal((await SURFACES.rest(t, walcast, token()))[0], 403); // has no scope broadcast
    assert.equal((await SURFACES.rest(t, walcast, token({ scope: ['broadcast'] })))[0], 200);
  });

  test('check says what is accepted and what is hardly meant', async () => {
    const check = async (config, args = ['--offline']) => JSON.parse((await house.walcast.command(['check', '--json', ...args],
      { env: { ...house.walcast.env, ...config } })).stdout);
    const whole = await check({}, []);
    assert.match(whole.tokens.findings.join(), /HS256.*RS256.*auth.jwks_url has 8 keys that can be used, and 3 that cannot: key small/);
    assert.deepEqual(whole.warnings, []);
    const { warnings } = await check({ WALCAST_AUTH_AUDIENCE: '', WALCAST_AUTH_JWKS_URL: 'http://example.com/x' });
    assert.match(warnings.join(), /without auth.audience.*not https/);
    const none = await check({ WALCAST_AUTH_JWKS_URL: '', WALCAST_AUTH_JWT_SECRET: '' });
    assert.match(none.warnings.join(), /only API keys/);
    assert.deepEqual(none.tokens.findings, ['no tokens are accepted, only API keys']);
  });
});
