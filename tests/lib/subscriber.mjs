// The unmodified @supabase/realtime-js against a running Walcast, collecting what it receives.
import { RealtimeClient } from '@supabase/realtime-js';
import { leave } from './realtime.mjs';
import { waitFor } from './wait.mjs';

// t: the client is disconnected after this test. vsn: the serializer, '1.0.0' or '2.0.0'.
export async function connectRealtime(t, walcast, { role = 'anon', token, vsn = '2.0.0' } = {}) {
  const apikey = token ?? (await walcast.token({ role }));
  const url = `${walcast.url.replace('http', 'ws')}/realtime/v1`;
  const client = new RealtimeClient(url, { params: { apikey }, vsn });
  t.after(() => leave(client));
  return client;
}

// Joins a channel with one listener a binding ({ event, schema, table, filter }) and resolves once
// changes flow. What arrives is in `changes`, as the client hands it to its user, in order;
// `statuses` holds what subscribe() reported and `systems` the server's system messages.
export async function subscribe(client, bindings, { topic = 'test', timeout_ms = 15_000 } = {}) {
  const seen = { changes: [], systems: [], statuses: [] };
  seen.channel = client.channel(topic);
  for (const binding of bindings)
    seen.channel.on('postgres_changes', binding, (change) => seen.changes.push(change));
  seen.channel.on('system', {}, (message) => seen.systems.push(message));
  seen.channel.subscribe((status, error) => seen.statuses.push({ status, error: error?.message }));
  const joined = () => seen.statuses.some(({ status }) => status === 'SUBSCRIBED');
  const flowing = () => seen.systems.some(({ extension, status }) =>
    extension === 'postgres_changes' && status === 'ok');
  await waitFor('joined channel', joined, timeout_ms).catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(seen.statuses)}`);
  });
  if (bindings.length > 0)
    await waitFor('"Subscribed to PostgreSQL"', flowing, timeout_ms);
  return seen;
}

// Resolves when `count` changes have arrived.
export async function received(seen, count, timeout_ms = 15_000) {
  await waitFor(`${count} changes`, () => seen.changes.length >= count, timeout_ms)
    .catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(seen.changes).slice(0, 2000)}`);
    });
  return seen.changes;
}
