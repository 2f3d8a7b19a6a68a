// What Walcast signs, the libraries that receivers use accept: standardwebhooks and svix. What was
// changed on the way they refuse.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { Webhook as Standard } from 'standardwebhooks';
import { Webhook as Svix } from 'svix';

const signer = spawn(process.env.WALCAST_NET_SIGN, { stdio: ['pipe', 'pipe', 'inherit'] });
const answers = createInterface({ input: signer.stdout })[Symbol.asyncIterator]();
after(() => signer.stdin.end());

async function sign(id, timestamp, body, ...secrets) {
  const hex = Buffer.from(body).toString('hex') || '-';
  signer.stdin.write(`${[id, timestamp, hex, ...secrets].join(' ')}\n`);
  return (await answers.next()).value;
}

const newSecret = (bytes) => `whsec_${randomBytes(bytes).toString('base64')}`;
const now = () => Math.floor(Date.now() / 1000);

function headers(id, timestamp, signature) {
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature };
}

const bodies = [
  '{}', '{"a":"b"}', '{"text":"ü – 🙂 \\u0000"}', JSON.stringify({ long: 'x'.repeat(300_000) }),
  '{"type":"public.orders.update","timestamp":"2026-11-28T11:00:00.000Z","data":{"id":1}}',
];

test('both libraries verify every length of secret and every body', async () => {
  let verified = 0;
  for (let bytes = 24; bytes <= 64; bytes++)
    for (const body of bodies) {
      const id = `msg_${randomBytes(16).toString('base64url')}`;
      const [secret, timestamp] = [newSecret(bytes), now()];
      const given = headers(id, timestamp, await sign(id, timestamp, body, secret));
      assert.deepEqual(new Standard(secret).verify(body, given), JSON.parse(body));
      new Svix(secret).verify(body, given);
      verified += 2;
    }
  assert.equal(verified, 41 * bodies.length * 2);
});

test('the published vector', async () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const [id, timestamp, body] = ['msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}'];
  const ours = await sign(id, timestamp, body, secret);
  assert.equal(ours, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  assert.equal(ours, new Standard(secret).sign(id, new Date(timestamp * 1000), body));
});

test('during a rotation receivers with the old or the new secret verify, with a third none', async () => {
  const [old, fresh, other] = [newSecret(24), newSecret(32), newSecret(32)];
  const timestamp = now();
  const given = headers('msg_1', timestamp, await sign('msg_1', timestamp, '{}', fresh, old));
  for (const Webhook of [Standard, Svix]) {
    for (const secret of [old, fresh]) new Webhook(secret).verify('{}', given);
    assert.throws(() => new Webhook(other).verify('{}', given), /signature/i);
  }
});

test('a text is a secret as the libraries read it: base64 where it is that, else its bytes', async () => {
  const timestamp = now();
  const base64 = randomBytes(24).toString('base64');
  const given = headers('msg_1', timestamp, await sign('msg_1', timestamp, '{}', base64));
  new Standard(base64).verify('{}', given);
  for (const raw of ['a-text-that-is-no-base64', 'raw:abcdefghijklmnopqrstuvwxyz012345']) {
    const text = raw.replace(/^raw:/, '');
    const signed = headers('msg_1', timestamp, await sign('msg_1', timestamp, '{}', raw));
    new Standard(text, { format: 'raw' }).verify('{}', signed);
  }
});

test('what was changed on the way is refused', async () => {
  const [secret, timestamp] = [newSecret(32), now()];
  const good = headers('msg_1', timestamp, await sign('msg_1', timestamp, '{"a":1}', secret));
  const changes = [
    ['{"a":2}', good], ['{"a":1} ', good],
    ['{"a":1}', { ...good, 'webhook-id': 'msg_2' }],
    ['{"a":1}', { ...good, 'webhook-timestamp': String(timestamp - 1) }],
    ['{"a":1}', { ...good, 'webhook-signature': good['webhook-signature'].replace('v1,', 'v2,') }],
  ];
  for (const Webhook of [Standard, Svix]) {
    new Webhook(secret).verify('{"a":1}', good);
    for (const [body, given] of changes) assert.throws(() => new Webhook(secret).verify(body, given));
  }
});

test('what cannot be signed is refused with a reason that holds no secret', async () => {
  for (const [id, secret] of [['a.b', newSecret(24)], ['msg_1', newSecret(23)], ['msg_1', newSecret(65)],
    ['msg_1', 'whsec_hidden'], ['msg_1', 'whsk_hidden']]) {
    const refusal = await sign(id, now(), '{}', secret);
    assert.match(refusal, /^refused: .*(secret|id)/);
    assert.ok(!refusal.includes('hidden') && !refusal.includes(secret.slice(6)), refusal);
  }
});
