// SCHEMA events in the raw stream, and the promise that they keep: every run has the shape that was
// told last for its table, and no shape is told when it is known.
import assert from 'node:assert/strict';
import { fieldOf, isJson, runsOf } from './runs.mjs';

const SCHEMA = 6;

const text = (bytes) => Buffer.from(bytes ?? []).toString();

// { schema: is it one, oid, version, table } of a whole run's bytes.
function headOf(run) {
  if (isJson(run)) {
    const { op, source, relation } = JSON.parse(text(run));
    return { schema: op === 's', ...(relation && { oid: relation.oid, table: source.table, version: relation.version }) };
  }
  const relation = fieldOf(run, 4);
  return { schema: fieldOf(run, 3) === SCHEMA, ...(relation && { oid: fieldOf(relation, 1),
    table: text(fieldOf(relation, 3)), version: fieldOf(relation, 5) }) };
}

// Over the whole stream; returns the versions told, by table name, in order.
export async function assertShapesTold(nats, stream) {
  const told = new Map();
  const story = {};
  for await (const { bytes, sequence } of runsOf(nats, stream)) {
    const { schema, oid, version, table } = headOf(bytes);
    if (oid === undefined) continue;
    if (schema) {
      assert.notEqual(told.get(oid), version, `shape ${version} of ${table} told again at ${sequence}`);
      told.set(oid, version);
      (story[table] ??= []).push(version);
    } else assert.equal(version, told.get(oid), `the shape of ${table} at ${sequence} was told before`);
  }
  return story;
}
