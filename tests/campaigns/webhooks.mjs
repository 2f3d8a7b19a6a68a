// 50,000 webhooks (--count N) under 60 faults (--faults K): kills of two Walcasts and nats-server, pauses.
// Two processes with all roles share the deliveries of one trigger to a receiver that fails, hangs,
// asks for time, closes within its answer and answers byte by byte (webhooks/bad_receiver.mjs). Amid
// the deliveries one of them is killed and started again, or sleeps past its leases and wakes, or
// nats-server is killed. Then every row was taken, those of a key in order, and the log has one
// delivery of each and no more: nothing that a stale owner did was recorded.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { randomOf } from '../lib/mixed.mjs';
import { Nats } from '../lib/nats.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { keepScratch } from '../lib/scratch.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';
import { BadReceiver } from './webhooks/bad_receiver.mjs';
import '../lib/triggers_role.mjs';

const { values } = parseArgs({ options: { count: { type: 'string', default: '50000' }, faults: { type: 'string', default: '60' } } });
const COUNT = Number(values.count);
const FAULTS = Number(values.faults);
const SEED = Number(process.env.WALCAST_SEED ?? Date.now() % 1_000_000);
const KEYS = 1000;
const LEASE_S = 2;
const PAST_LEASE_MS = LEASE_S * 1000 + 1500;
const ALL_MS = 300_000;
const CONFIG = { 'triggers.allow': '127.0.0.1', 'triggers.lease': `${LEASE_S}s`, 'nats.ack_timeout': '2s' };
// Of a thousand requests; the rest is good.
const BAD = { fails: 15, 'asks for time': 3, hangs: 1, 'closes in its answer': 4, 'closes in the request': 4, 'answers slowly': 5 };

const triggerOf = (url) => `name: orders
on: { table: orders, ops: [insert] }
select: [new.id, new.customer]
key: new.customer
do: { webhook: { url: "${url}", timeout: 2s } }
retry: { delays: [${Array(32).fill('300ms').join(', ')}], jitter: 20 }
`;

function mannerOf(random) {
  const manners = Object.entries(BAD).flatMap(([name, count]) => Array(count).fill(name));
  return () => manners[random(1000)] ?? 'good';
}

async function startServers(servers, receiver) {
  const own = async (server) => {
    servers.unshift(server);
    return server;
  };
  const postgres = await own(await Postgres.start({}));
  const nats = await own(await Nats.start());
  await postgres.query('CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL)');
  const walcasts = [];
  for (let i = 0; i < 2; i++) {
    const walcast = await own(await Walcast.start({ postgres, nats, config: CONFIG }));
    mkdirSync(join(walcast.directory, 'triggers'));
    writeFileSync(join(walcast.directory, 'triggers', 'orders.yaml'), triggerOf(receiver.url));
    walcasts.push(walcast);
    await walcast.ready();
  }
  const partitions = () => Promise.all(walcasts.map((each) => each.metric('walcast_triggers_partitions')));
  await waitFor('shared partitions', async () => `${await partitions()}` === '8,8', 30_000);
  await waitFor('the trigger', async () => (await walcasts[0].commandOk(['trigger', 'list', '--json'])).includes('"orders"'));
  return { postgres, nats, walcasts, receiver };
}

async function restarted(server) {
  await server.kill();
  if (server.start) server.start();
  else await server.restart();
}

async function slept({ process }, ms) {
  process.child.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, ms));
  process.child.kill('SIGCONT');
}

const FAULTS_OF = {
  'kill of a walcast': ({ walcasts }, random) => restarted(walcasts[random(2)]),
  'kill of both': ({ walcasts }) => Promise.all(walcasts.map(restarted)),
  'kill of nats-server': ({ nats }) => restarted(nats),
  'sleep past the leases': ({ walcasts }, random) => slept(walcasts[random(2)], PAST_LEASE_MS),
  'sleep past the leases while nats-server is killed': async ({ walcasts, nats }, random) => {
    const sleep = slept(walcasts[random(2)], PAST_LEASE_MS);
    await restarted(nats);
    await sleep;
  },
};

// Rows come in as many parts as there are faults, each while what came before is on its way.
async function deliverAmidFaults(house, random, say) {
  const names = Object.keys(FAULTS_OF);
  for (let turn = 0, first = 1; turn < FAULTS; turn++) {
    const last = Math.floor(COUNT * (turn + 1) / FAULTS);
    await house.postgres.query(`INSERT INTO orders SELECT i, i % ${KEYS} FROM generate_series(${first}, ${last}) i`);
    const goal = first + random(last - first + 1);
    await waitFor('deliveries that go on', () => house.receiver.taken.size >= goal * 0.9, 60_000);
    const name = turn < names.length ? names[turn] : names[random(names.length)];
    say(`${turn + 1} of ${FAULTS}: ${name}; ${house.receiver.taken.size} of ${last} rows were taken`);
    await FAULTS_OF[name](house, random);
    first = last + 1;
  }
}

// Of each row the log has one delivery and nothing behind it. Attempts are counted on over owners,
// but for a first one that failed when its owner died before the row was parked.
async function checkLog({ walcasts: [walcast] }) {
  const text = await walcast.commandOk(['trigger', 'deliveries', 'orders', '--json'], { timeout_ms: 120_000 });
  const [attempts, parked, delivered] = [new Map(), new Set(), new Set()];
  for (const { outcome, event_id: id, attempts: number } of text.split('\n').filter(Boolean).map(JSON.parse)) {
    assert.ok(!delivered.has(id), `${outcome} behind the delivery of ${id}`);
    if (outcome === 'parked') parked.add(id);
    else if (outcome === 'delivered') delivered.add(id);
    else assert.ok(['failed', 'throttled', 'held'].includes(outcome), `${outcome}: ${id}`);
    if (['parked', 'throttled', 'held'].includes(outcome)) continue; // no attempt
    assert.ok(number > (attempts.get(id) ?? 0) || (number === 1 && !parked.has(id)),
      `${id}: attempt ${number} was recorded behind attempt ${attempts.get(id)}`);
    attempts.set(id, number);
  }
  assert.equal(delivered.size, COUNT, 'deliveries in the log');
}

test(`seed ${SEED}: ${COUNT} webhooks, ${FAULTS} faults`, async (t) => {
  const servers = [];
  const random = randomOf(SEED);
  try {
    const receiver = await BadReceiver.start(mannerOf(random));
    servers.unshift(receiver);
    const house = await startServers(servers, receiver);
    await deliverAmidFaults(house, random, (text) => t.diagnostic(text));
    await waitFor('all rows', () => receiver.taken.size === COUNT, ALL_MS)
      .catch((error) => assert.fail(`${error.message}: ${receiver.taken.size} rows were taken`));
    await waitFor('an empty stream of tasks', async () => (await house.nats.streamInfo('WALCAST_TRIGGERS')).state.messages <= 1 &&
      (await Promise.all(house.walcasts.map((each) => each.metric('walcast_triggers_parked_tasks')))).every((parked) => parked === 0), 60_000);
    assert.deepEqual(receiver.problems, []);
    await checkLog(house);
    const again = [...receiver.taken.values()].filter((times) => times > 1).length;
    t.diagnostic(`${receiver.attempts} attempts, ${again} rows were taken more than once; ${JSON.stringify(receiver.counts)}`);
  } catch (error) {
    for (const server of servers) await Promise.resolve(server.kill()).catch(() => {});
    for (const directory of keepScratch()) console.log(`kept: ${directory}`);
    console.log(`failed: tests/campaign webhooks --seed ${SEED} --count ${COUNT} --faults ${FAULTS}`);
    throw error;
  }
  for (const server of servers) await server.remove();
});
