// SCHEMA events in the raw stream, and the promise that they keep: every run has the shape that was
// told last for its table, and no shape is told when it is known.
import assert from 'node:assert/strict';
import { jetstream } from '@nats-io/jetstream';
import { fieldsOf } from './parts.mjs';

const SCHEMA = 6;

const value = (bytes, number) => [...fieldsOf(bytes)].find((field) => field.number === number)?.value;
const text = (bytes) => Buffer.from(bytes ?? []).toString();

const isJson = (bytes) => bytes[0] === '{'.charCodeAt(0);

// { index, count, chunk } of a message that is a part.
function partOf(bytes) {
  if (isJson(bytes)) {
    const { part } = JSON.parse(text(bytes));
    return part && { ...part, chunk: Buffer.from(part.chunk, 'base64') };
  }
  const part = value(bytes, 7);
  return part && { index: value(part, 1) ?? 0, count: value(part, 2), chunk: value(part, 4) };
}

// { schema: is it one, oid, version, table } of a whole run's bytes.
function headOf(run) {
  if (isJson(run)) {
    const { op, source, relation } = JSON.parse(text(run));
    return { schema: op === 's', ...(relation && { oid: relation.oid, table: source.table, version: relation.version }) };
  }
  const relation = value(run, 4);
  return { schema: value(run, 3) === SCHEMA, ...(relation && { oid: value(relation, 1),
    table: text(value(relation, 3)), version: value(relation, 5) }) };
}

// Yields each run of the stream, split ones put together.
async function* runsOf(nats, stream = 'WALCAST') {
  const { state } = await nats.streamInfo(stream);
  if (state.messages === 0) return;
  const connection = await nats.connect();
  try {
    const consumer = await jetstream(connection).consumers.get(stream);
    let chunks = [];
    for await (const message of await consumer.consume()) {
      const part = partOf(message.data);
      if (!part) yield { ...headOf(message.data), sequence: message.seq };
      else {
        chunks = [...chunks.slice(0, part.index), part.chunk];
        if (part.index + 1 === part.count)
          yield { ...headOf(Buffer.concat(chunks)), sequence: message.seq };
      }
      if (message.seq >= state.last_seq) break;
    }
  } finally {
    await connection.close();
  }
}

// Over the whole stream; returns the versions told, by table name, in order.
export async function assertShapesTold(nats, stream) {
  const told = new Map();
  const story = {};
  for await (const { schema, oid, version, table, sequence } of runsOf(nats, stream)) {
    if (oid === undefined) continue;
    if (schema) {
      assert.notEqual(told.get(oid), version, `shape ${version} of ${table} told again at ${sequence}`);
      told.set(oid, version);
      (story[table] ??= []).push(version);
    } else assert.equal(version, told.get(oid), `the shape of ${table} at ${sequence} was told before`);
  }
  return story;
}
