// A consumer that knows nothing of Walcast but docs/JSON.md: npm's NATS client, plain JSON.
import { jetstream } from '@nats-io/jetstream';
import { PATIENT } from './nats.mjs';

// Every message of the stream up to its present end: [{ seq, subject, text }].
export async function readStream(nats, stream = 'WALCAST') {
  const { state } = await nats.streamInfo(stream);
  if (state.messages === 0) return [];
  const connection = await nats.connect();
  try {
    const consumer = await jetstream(connection, PATIENT).consumers.get(stream);
    const messages = [];
    for await (const message of await consumer.consume()) {
      messages.push({ seq: message.seq, subject: message.subject, text: message.string() });
      if (message.seq >= state.last_seq) break;
    }
    return messages;
  } finally {
    await connection.close();
  }
}

// The changes that these messages are; parts are put together. parse: of a message's text.
export function changesOf(messages, parse = JSON.parse) {
  const changes = [];
  let chunks = [];
  for (const { text } of messages) {
    if (!text.startsWith('{"part":')) {
      changes.push(parse(text));
      continue;
    }
    const { part } = JSON.parse(text);
    if (part.index === 0) chunks = [];
    if (part.index !== chunks.length) continue; // its beginning was taken back
    chunks.push(Buffer.from(part.chunk, 'base64'));
    if (part.index + 1 === part.count) changes.push(parse(Buffer.concat(chunks).toString()));
  }
  return changes;
}

// The changes without SCHEMAs, having checked that each has the shape that was told last.
export function withoutShapes(changes) {
  const told = new Map();
  return changes.filter(({ op, source, relation }) => {
    if (op === 's') {
      if (told.get(relation.oid) === relation.version) throw new Error(`the shape of ${source.table} told again`);
      told.set(relation.oid, relation.version);
    } else if (relation && told.get(relation.oid) !== relation.version)
      throw new Error(`a change of ${source.table} whose shape was not told`);
    return op !== 's';
  });
}

// A SCHEMA has the place of the row behind it. One change a message, commits in order, each transaction's changes contiguous, counted from 0 and
// closed by one `last`.
export function assertOrdered(changes) {
  let before = { lsn: -1n, index: -1, last: true };
  for (const { op, source, transaction: { index, total_order: order, last } } of changes) {
    if (op === 's') continue;
    const lsn = BigInt(source.lsn);
    const where = `at ${source.commit_lsn}, ${index}`;
    const follows = lsn === before.lsn ? index === before.index + 1 && !before.last
      : lsn > before.lsn && index === 0 && before.last;
    if (!follows || order !== index + 1) throw new Error(`out of order ${where}`);
    before = { lsn, index, last };
  }
}

// A table rebuilt from its changes: rows by their key.
export function rebuild(changes, table) {
  const rows = new Map();
  for (const change of changes.filter(({ source }) => source.table === table)) {
    const { op, before, after, relation } = change;
    if (op === 's') continue;
    const keys = relation.columns.filter(({ key }) => key).map(({ name }) => name);
    const keyOf = (row) => JSON.stringify(keys.map((name) => row[name]));
    if (op === 't') rows.clear();
    if (op === 'c' && rows.has(keyOf(after))) throw new Error(`twice: ${keyOf(after)}`);
    const held = op === 'u' || op === 'd' ? rows.get(keyOf(before ?? after)) : {};
    if (!held) throw new Error(`${op} of a row that is not there: ${keyOf(before ?? after)}`);
    if (op === 'u' || op === 'd') rows.delete(keyOf(before ?? after));
    if (op === 'd' || op === 't') continue;
    const kept = Object.fromEntries((change.unchanged ?? []).map((name) => [name, held[name]]));
    rows.set(keyOf(after), { ...after, ...kept });
  }
  return rows;
}
