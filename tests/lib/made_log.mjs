// The search log as whoever writes into it has it, what is written, and the base that it comes to.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Model } from './made.mjs';
import { randomOf } from './mixed.mjs';
import { PATIENT } from './nats.mjs';
import { waitFor } from './wait.mjs';
import { Walcast } from './walcast.mjs';

export const LOG = 'WALCAST_SEARCH';
export const BASE = 'WALCAST_SEARCHBASE';

const SPARE = 64 << 10; // bytes that documents leave, as Walcast's own do, for what tells of them

// The log as whoever writes into it has it; a full one is waited for.
export async function logOf(t, house, max_bytes) {
  const connection = await house.nats.connect();
  t.after(() => connection.close());
  const manager = await jetstreamManager(connection, PATIENT);
  await manager.streams.add({ name: LOG, subjects: ['atlasdb.search.default.*'], max_bytes, num_replicas: 1,
    discard: 'new', duplicate_window: 120e9, deny_delete: true });
  const js = jetstream(connection);
  let count = 0;
  const publish = (text) => {
    const options = { ...PATIENT, msgID: `test-${++count}` }; // what is asked again is stored once
    return waitFor('room in the log', async () => {
      const { state } = await manager.streams.info(LOG);
      return state.bytes + text.length + SPARE <= max_bytes && js.publish('atlasdb.search.default.log', text, options);
    }, 60_000, 20);
  };
  const log = { manager, publish, model: new Model(), bytes: 0, async append(line, body) {
    const text = `${JSON.stringify({ v: 1, project: 'default', environment: 'dev', at: Date.now() * 1000, ...line })}\n${body === undefined ? '' : JSON.stringify(body)}`;
    const { seq } = await publish(text);
    log.bytes += text.length;
    log.model.take(seq, line, body);
    return seq;
  } };
  return log;
}

export const another = async (t, house, config) => {
  const walcast = await Walcast.start({ ...house, config: { ...config, roles: 'search' } });
  t.after(() => walcast.remove());
  return walcast;
};

export class Writer {
  constructor(log, { ids, bytes, seed }) { Object.assign(this, { log, ids, bytes, random: randomOf(seed), count: 0 }); }

  document(id) {
    return { id, n: this.random(7), t: `word${this.random(50)} of ${this.count}`, long: String.fromCharCode(97 + this.random(26)).repeat(this.bytes) };
  }

  async batch() {
    const { random, log } = this;
    const index = `i${random(3)}`;
    const documents = Array.from({ length: 12 }, () => this.document(random(this.ids)));
    this.count++;
    switch (random(12)) {
      case 0: return log.append({ kind: 'documentDeletion', index }, { ids: documents.slice(0, 3).map(({ id }) => id) });
      case 1: return log.append({ kind: 'documentPartialUpdate', index }, documents.map(({ id, n }) => ({ id, n })));
      case 2: return random(3) > 0 ? log.append({ kind: 'indexSwap', swaps: ['i0', 'i1'] }) : log.append({ kind: 'indexDeletion', index: 'i2' });
      case 3: if (random(8) === 0) return log.append({ kind: 'settingsUpdate', index }, { searchableAttributes: random(2) ? ['t'] : ['*'] });
      // falls through
      default: return log.append({ kind: 'documentAdditionOrUpdate', index }, documents);
    }
  }
}

// { last message, newest head, up to where the log need not be }, 0 where there is none.
export async function baseOf({ manager }) {
  try {
    const { state } = await manager.streams.info(BASE);
    const head = await manager.streams.getMessage(BASE, { last_by_subj: 'atlasdb.searchbase.default.head' }).catch(() => null);
    return { last: state.last_seq, head: head?.seq ?? 0, spared: head ? Number(Buffer.from(head.data).readBigUInt64BE(17)) : 0 };
  } catch (error) {
    if (!/not found/.test(error.message)) throw error;
    return { last: 0, head: 0, spared: 0 };
  }
}
