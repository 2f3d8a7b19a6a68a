// The runs of the raw stream, split ones put together, and the values of their rows byte for byte: what
// `walcast tail` makes JSON of.
import { jetstream } from '@nats-io/jetstream';
import { PATIENT } from './nats.mjs';
import { fieldsOf } from './parts.mjs';

const READ = 5;

export const isJson = (bytes) => bytes[0] === '{'.charCodeAt(0);

// The first field of that number in a message, or undefined.
export const fieldOf = (bytes, number) =>
  [...fieldsOf(bytes)].find((field) => field.number === number)?.value;

const allOf = (bytes, number) => [...fieldsOf(bytes)].filter((field) => field.number === number)
  .map(({ value }) => value);

// { index, count, chunk } of a message that is a part.
function partOf(bytes) {
  if (isJson(bytes)) {
    const { part } = JSON.parse(Buffer.from(bytes).toString());
    return part && { ...part, chunk: Buffer.from(part.chunk, 'base64') };
  }
  const part = fieldOf(bytes, 7);
  return part && { index: fieldOf(part, 1) ?? 0, count: fieldOf(part, 2), chunk: fieldOf(part, 4) };
}

// Yields { bytes, sequence } of each run.
export async function* runsOf(nats, stream = 'WALCAST') {
  const { state } = await nats.streamInfo(stream);
  if (state.messages === 0) return;
  const connection = await nats.connect();
  try {
    const consumer = await jetstream(connection, PATIENT).consumers.get(stream);
    let chunks = [];
    for await (const message of await consumer.consume()) {
      const part = partOf(message.data);
      if (!part) yield { bytes: message.data, sequence: message.seq };
      else {
        chunks = [...chunks.slice(0, part.index), part.chunk];
        if (part.index + 1 === part.count)
          yield { bytes: Buffer.concat(chunks), sequence: message.seq };
      }
      if (message.seq >= state.last_seq) break;
    }
  } finally {
    await connection.close();
  }
}

// A value's bytes when it is text, null, or else what kind it is (a number, as event.proto has it).
function textOf(value) {
  const [kind] = fieldsOf(value);
  if (kind.number === 1) return Buffer.from(kind.value);
  return kind.number === 3 ? null : kind.number;
}

// The rows of snapshots as Map: table → [{ column: its text as Buffer, or null }].
export async function readTexts(nats, stream) {
  const tables = new Map();
  for await (const { bytes } of runsOf(nats, stream)) {
    if (fieldOf(bytes, 3) !== READ) continue;
    const relation = fieldOf(bytes, 4);
    const table = Buffer.from(fieldOf(relation, 3)).toString();
    const columns = allOf(relation, 6).map((column) => Buffer.from(fieldOf(column, 1)).toString());
    if (!tables.has(table)) tables.set(table, []);
    for (const row of allOf(bytes, 6)) {
      const values = allOf(fieldOf(row, 1), 1).map(textOf);
      tables.get(table).push(Object.fromEntries(columns.map((name, i) => [name, values[i]])));
    }
  }
  return tables;
}
