// A house with triggers on public.orders, from files, and what of their deliveries tests ask for.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { startHouse } from './house.mjs';
import { PATIENT } from './nats.mjs';
import { Walcast } from './walcast.mjs';
import { waitFor } from './wait.mjs';
import './triggers_role.mjs';

export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
export const SCHEMA = 'CREATE TABLE orders (id bigint PRIMARY KEY, customer int, status text)';
const CONFIG = { 'triggers.allow': '127.0.0.1', 'triggers.lease': '2s', 'postgres.tables': 'public.*' };

export function trigger(url, { name = 'orders', when = "new.status = 'paid'", more = '', retry = '[200ms, 500ms, 1s]' } = {}) {
  return `name: ${name}
on: { table: orders, ops: [insert] }
when: ${JSON.stringify(when)}
select: [new.id, new.customer]
key: new.customer
do: { webhook: { url: "${url}", secret: "${SECRET}"${more} } }
retry: { delays: ${retry}, jitter: 0 }
`;
}

// Every trigger is there and its table published before a row comes.
export async function startTriggers(t, definitions, config = {}, schema = SCHEMA) {
  const house = await startHouse(t, { schema, walcast: false });
  house.walcast = await Walcast.start({ ...house, config: { ...CONFIG, ...config } });
  const directory = join(house.walcast.directory, 'triggers');
  mkdirSync(directory, { recursive: true });
  definitions.forEach((text, i) => writeFileSync(join(directory, `${i}.yaml`), text));
  house.more = async (given = {}) => {
    const walcast = await Walcast.start({ ...house, config: { ...CONFIG, ...config, roles: 'triggers',
      'triggers.dir': directory, ...given } });
    t.after(() => walcast.remove());
    return walcast.ready();
  };
  await house.walcast.ready();
  await waitFor('loaded triggers', async () => {
    const lines = (await house.walcast.commandOk(['trigger', 'list', '--json'])).trim().split('\n');
    return lines.filter(Boolean).length === definitions.length;
  });
  await waitFor('all partitions', async () =>
    await house.walcast.metric('walcast_triggers_partitions') === 16);
  return house;
}

export const insertOrders = (house, first, last, customers) => house.postgres.query(
  `INSERT INTO orders SELECT i, i % ${customers}, 'paid' FROM generate_series(${first}, ${last}) i`);

// As `walcast trigger deliveries` tells them.
export const outcomes = async (house, name, ...more) =>
  (await house.walcast.commandOk(['trigger', 'deliveries', name, '--json', ...more])).split('\n').filter(Boolean).map(JSON.parse);

// The outcomes of that kind, once there are so many: each is told behind what it tells of, a good one
// up to 50 ms; and `held`, `throttled` and `parked` may come before any.
export const told = (house, name, outcome, count = 1, timeout_ms = 60_000) => waitFor(`${count} ${outcome} of ${name}`, async () => {
  const found = (await outcomes(house, name)).filter((it) => it.outcome === outcome);
  return found.length >= count && found;
}, timeout_ms, 50);

// They are counted when their letters are stored, before their outcomes are told.
export const deadLetters = (house, count, timeout_ms = 60_000) => waitFor(`${count} dead letters`,
  async () => await house.walcast.metric('walcast_triggers_dead_total') >= count, timeout_ms);

// A task's head, as triggers/task.c writes it.
function taskOf(sequence, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at) => new TextDecoder().decode(bytes.subarray(at + 2, at + 2 + view.getUint16(at)));
  const PLACE_BYTES = 38; // besides its epoch
  let at = 27;
  const task = { sequence, depth: view.getUint16(1), turn: view.getBigUint64(at), input: bytes[at + 8] };
  let known = bytes[at + 9];
  for (at += 10; known !== 0; known &= known - 1) at += 1 + bytes[at] + PLACE_BYTES;
  for (const name of ['project', 'trigger', 'event_id']) {
    task[name] = text(at);
    at += 2 + view.getUint16(at);
  }
  return task;
}

// All tasks that the matcher writes from now on, while nats-server lives: what is done is removed
// from their stream.
export async function watchTasks(t, nats) {
  const tasks = [];
  const connection = await nats.connect({ maxReconnectAttempts: -1 });
  t.after(() => connection.close());
  const consumer = await jetstream(connection, PATIENT).consumers.get('WALCAST_TRIGGERS');
  const messages = await consumer.consume({ max_messages: 10_000 }); // asked for before they are written
  (async () => {
    for await (const message of messages) tasks.push(taskOf(message.seq, message.data));
  })().catch(() => {}); // the connection was closed
  return tasks;
}
