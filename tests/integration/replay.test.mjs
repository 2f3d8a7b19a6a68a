// Replay: a private channel's stored broadcasts, from clients, and from SQL, told to who joins later.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, realtimeClient, subscribed, websocketUrl } from '../lib/realtime.mjs';
import { runOk } from '../lib/process.mjs';
import { BINARY, Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

suite('replay', () => {
  let house;
  let token;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { config: { 'http.threads': 2 } });
    token = await house.walcast.token({ role: 'service_role', sub: 'me' });
    await runOk([BINARY, 'setup', '--apply'], { env: house.walcast.env });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function enter(t, topic, { replay, walcast = house.walcast, ...config } = {}) {
    const client = realtimeClient(t, walcast, token, { vsn: '2.0.0' });
    const channel = client.channel(topic, { config: { private: true, broadcast: { ack: true, ...(replay && { replay }) }, ...config } });
    const heard = [];
    channel.on('broadcast', { event: '*' }, (message) => heard.push(message));
    await subscribed(channel);
    return { channel, heard };
  }
  const persist = (channel, n, how = true) => channel.send({ type: 'broadcast', event: 'e', payload: { n }, persist: how });
  const numbers = ({ heard }) => heard.map(({ payload }) => payload.n);

  // A replay that has everything in it: storing is not awaited by who sends.
  async function replayed(t, topic, replay, expected, options) {
    return waitFor(`${expected} replayed`, async () => {
      const late = await enter(t, topic, { replay, ...options });
      return waitFor('them', () => JSON.stringify(numbers(late)) === JSON.stringify(expected) && late, 500).catch(() => {
        late.channel.unsubscribe();
        return false;
      });
    });
  }

  test('what was stored is told to who comes later, marked and in order; what was not is gone', async (t) => {
    const sender = await enter(t, 'kept');
    const live = await enter(t, 'kept');
    for (let n = 0; n < 6; n++) assert.equal(await persist(sender.channel, n, n % 2 === 0), 'ok');
    const late = await replayed(t, 'kept', { since: 1 }, [0, 2, 4]);
    assert.deepEqual(numbers(live), [0, 1, 2, 3, 4, 5]);
    for (const [i, { event, meta }] of late.heard.entries()) {
      assert.equal(event, 'e');
      assert.deepEqual(meta, { id: live.heard[2 * i].meta.id, replayed: true });
    }
    assert.deepEqual(numbers(await replayed(t, 'kept', { since: 1, limit: 2 }, [2, 4])), [2, 4]);
    await persist(sender.channel, 7);
    await waitFor('the live one', () => numbers(late).includes(7));
    assert.equal(late.heard.at(-1).meta.replayed, undefined);
  });

  test('who comes back with an offset of the changes is told it too', async (t) => {
    const sender = await enter(t, 'back');
    await persist(sender.channel, 1);
    await replayed(t, 'back', { since: 1 }, [1]);
    const join = async (config) => {
      const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: token, vsn: '2.0.0' }));
      client.join('1', 'realtime:back', { private: true, postgres_changes: [{ event: '*', schema: 'public', table: '*' }], ...config });
      assert.equal((await client.reply('1'))[4].status, 'ok');
      const { offset } = await waitFor('it to be live', () => client.received.find((m) => m[3] === 'system' && m[4].offset)?.[4]);
      return { client, offset };
    };
    await house.postgres.query('CREATE TABLE IF NOT EXISTS rows (id int PRIMARY KEY)');
    await waitFor('a first change', async () => {
      await house.postgres.query('INSERT INTO rows SELECT coalesce(max(id), 0) + 1 FROM rows');
      return (await house.walcast.changes({ table: 'public.rows' })).length > 0;
    });
    const { offset } = await join({});
    const { client } = await join({ since: offset, broadcast: { replay: { since: 1 } } });
    await waitFor('the broadcast', () => client.received.some((m) => Buffer.isBuffer(m) && m.includes('"replayed":true')), 5000);
  });

  test('since counts; a time to live ends; another topic, and another environment, are others', async (t) => {
    const sender = await enter(t, 'times');
    await persist(sender.channel, 1);
    await replayed(t, 'times', { since: 1 }, [1]);
    await persist(sender.channel, 2, { ttl: 1 });
    await persist(sender.channel, 3, { ttl: 3600 });
    await replayed(t, 'times', { since: 1 }, [1, 3]);
    const after_ms = Date.now();
    await waitFor('the clock', () => Date.now() > after_ms + 20);
    await persist(sender.channel, 4);
    await replayed(t, 'times', { since: after_ms + 10 }, [4]);
    const other = await Walcast.start({ ...house, args: ['--roles', 'ws'], config: { environment: 'prod' } });
    t.after(() => other.remove());
    await other.ready();
    const there = await enter(t, 'times', { walcast: other, replay: { since: 1 } });
    const elsewhere = await enter(t, 'other times', { replay: { since: 1 } });
    await persist(sender.channel, 5);
    await replayed(t, 'times', { since: after_ms + 10 }, [4, 5]);
    assert.deepEqual([there.heard, elsewhere.heard], [[], []]);
  });

  test('from SQL: private ones are kept, once, and outlive the gateway; public ones are not', async (t) => {
    const live = await enter(t, 'sql');
    for (let n = 0; n < 3; n++)
      await house.postgres.query(`SELECT realtime.send(jsonb_build_object('n', ${n}::int), 'e', 'sql', ${n !== 1})`);
    await waitFor('both', () => live.heard.length === 2);
    await replayed(t, 'sql', { since: 1 }, [0, 2]);
    const events = await house.nats.manage((manager) => manager.streams.info('WALCAST_EVENTS'));
    assert.equal(events.state.messages, 0);
    await house.walcast.restart();
    const late = await replayed(t, 'sql', { since: 1 }, [0, 2]);
    assert.deepEqual(late.heard.map(({ meta }) => meta.id), live.heard.map(({ meta }) => meta.id));
  });

  test('what cannot be: public channels, odd limits; a refusal says so', async (t) => {
    const join = async (config) => {
      const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: token, vsn: '2.0.0' }));
      client.join('1', 'realtime:odd', config);
      return (await client.reply('1'))[4];
    };
    for (const [config, expected] of [
      [{ broadcast: { replay: { since: 1 } } }, /private channels only/],
      [{ private: true, broadcast: { replay: { since: -1 } } }, /since/],
      [{ private: true, broadcast: { replay: { since: '1' } } }, /since/],
      [{ private: true, broadcast: { replay: { since: 1, limit: 26 } } }, /limit/],
      [{ private: true, broadcast: { replay: { since: 1, limit: 0 } } }, /limit/],
      [{ private: true, broadcast: { replay: {} } }, /since/]]) {
      const { status, response } = await join(config);
      assert.equal(status, 'error', JSON.stringify(config));
      assert.match(response.reason, /^UnableToReplayMessages: /);
      assert.match(response.reason, expected);
    }
    const open = realtimeClient(t, house.walcast, token, { vsn: '2.0.0' }).channel('public', { config: { broadcast: { ack: true } } });
    await subscribed(open);
    open.private = true; // past the client's own check
    assert.match(await persist(open, 1), /only broadcasts of private channels/);
  });
});
