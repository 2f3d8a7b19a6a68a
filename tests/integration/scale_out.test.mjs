// Several gateways over one stream: broadcasts and presence cross them, one that is killed takes its
// members along, and its clients lose nothing by going to another. Broadcasts from SQL.
import assert from 'node:assert/strict';
import { RealtimeClient as OldestClient } from 'realtime-js-oldest';
import WebSocket from 'ws';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, realtimeClient, subscribed, VERSIONS, websocketUrl } from '../lib/realtime.mjs';
import { runOk } from '../lib/process.mjs';
import { BINARY, Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = 'CREATE TABLE items (id int PRIMARY KEY, note text);';
const DOWN_MS = 15_000;

suite('several gateways', () => {
  let house;
  let token;
  let gateways;
  const cleanups = [];
  const gateway = (args = ['--roles', 'ws']) => Walcast.start({ ...house, args, config: { 'http.threads': 2 } });
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: SCHEMA, config: { 'http.threads': 2 } });
    token = await house.walcast.token({ role: 'service_role', sub: 'me' });
    await runOk([BINARY, 'setup', '--apply'], { env: house.walcast.env });
    gateways = [house.walcast, await gateway()];
    await gateways[1].ready();
  });
  after(async () => {
    await gateways[1].remove();
    await Promise.all(cleanups.map((cleanup) => cleanup()));
  });
  const sql = (...all) => house.postgres.query(...all);

  // A subscribed channel at a gateway that collects broadcasts and knows who is there.
  async function enter(t, walcast, topic, { vsn = '2.0.0', key = '', ...config } = {}) {
    const client = realtimeClient(t, walcast, token, { vsn });
    const channel = client.channel(topic, { config: { presence: { key, enabled: true }, ...config } });
    const heard = [], told = [];
    channel.on('broadcast', { event: '*' }, (message) => heard.push(message));
    for (const event of ['join', 'leave'])
      channel.on('presence', { event }, (message) => told.push([event, message.key]));
    await subscribed(channel);
    const present = () => Object.keys(channel.presenceState()).sort();
    return { client, channel, heard, told, present, sees: (...keys) => waitFor(`${keys} to be present`,
      () => JSON.stringify(present()) === JSON.stringify([...keys].sort()), DOWN_MS) };
  }
  const say = (channel, event, payload) => channel.send({ type: 'broadcast', event, payload });

  for (const vsn of VERSIONS) {
    test(`${vsn}: a broadcast reaches both gateways' clients, once and in order`, async (t) => {
      const sender = await enter(t, gateways[0], `cross ${vsn}`, { vsn });
      const receivers = [await enter(t, gateways[0], `cross ${vsn}`, { vsn }), await enter(t, gateways[1], `cross ${vsn}`, { vsn })];
      for (let n = 0; n < 50; n++) await say(sender.channel, 'n', { n });
      for (const { heard } of receivers) {
        await waitFor('all', () => heard.length >= 50);
        assert.deepEqual(heard.map(({ payload }) => payload.n), Array.from({ length: 50 }, (_, n) => n));
      }
      assert.equal(sender.heard.length, 0);
    });

    test(`${vsn}: presence: who tracks is seen everywhere, with its payload; who goes is not`, async (t) => {
      const topic = `who ${vsn}`;
      const ann = await enter(t, gateways[0], topic, { vsn, key: 'ann' });
      const bob = await enter(t, gateways[1], topic, { vsn, key: 'bob ☃' });
      assert.equal(await ann.channel.track({ mood: 'fine', n: 1 }), 'ok');
      assert.equal(await bob.channel.track({ mood: 'so-so' }), 'ok');
      for (const { sees } of [ann, bob]) await sees('ann', 'bob ☃');
      assert.equal(bob.channel.presenceState().ann[0].mood, 'fine');
      assert.ok(bob.channel.presenceState().ann[0].presence_ref);
      const late = await enter(t, gateways[1], topic, { vsn, key: 'late' });
      await late.sees('ann', 'bob ☃');
      await ann.channel.track({ mood: 'better' });
      await waitFor('the new payload', () => late.channel.presenceState().ann?.[0].mood === 'better');
      assert.equal(late.channel.presenceState().ann.length, 1);
      await ann.channel.untrack();
      for (const { sees } of [ann, bob, late]) await sees('bob ☃');
      bob.client.disconnect();
      for (const { sees } of [ann, late]) await sees();
    });
  }

  test('a topic may hold any character', async (t) => {
    const sender = await enter(t, gateways[0], 'odd \u0000 ☃ . * >');
    const receiver = await enter(t, gateways[1], 'odd \u0000 ☃ . * >');
    await say(sender.channel, 'n', { n: 1 });
    await waitFor('it', () => receiver.heard.length === 1);
  });

  test('presence without a key gets one; a topic is its own; several under one key', async (t) => {
    const one = await enter(t, gateways[0], 'keys');
    const other = await enter(t, gateways[1], 'keys', { key: 'k' });
    const third = await enter(t, gateways[0], 'keys', { key: 'k' });
    const elsewhere = await enter(t, gateways[0], 'other keys');
    await one.channel.track({});
    await other.channel.track({ n: 1 });
    await third.channel.track({ n: 2 });
    await waitFor('all', () => one.present().length === 2 && one.channel.presenceState().k?.length === 2);
    assert.match(one.present().find((key) => key !== 'k'), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(elsewhere.present(), []);
    other.client.disconnect();
    await waitFor('one of them', () => one.channel.presenceState().k?.length === 1);
    assert.equal(one.channel.presenceState().k[0].n, 2);
  });

  // It has no `enabled`: it always expects to be told.
  test('the oldest realtime-js of 2.x sees who is there, and is seen', async (t) => {
    const enterOld = async (walcast, key) => {
      const client = new OldestClient(`ws://127.0.0.1:${walcast.port}/realtime/v1`,
        { params: { apikey: token }, transport: WebSocket });
      t.after(() => client.disconnect());
      client.connect();
      const channel = client.channel('old presence', { config: { presence: { key } } });
      await subscribed(channel);
      return channel;
    };
    const present = (channel) => Object.keys(channel.presenceState()).sort().join();
    const ann = await enterOld(gateways[0], 'ann');
    const newest = await enter(t, gateways[1], 'old presence', { key: 'new' });
    await ann.track({ mood: 'fine' });
    await newest.channel.track({ mood: 'so-so' });
    const watcher = await enterOld(gateways[1], 'watcher');
    for (const channel of [ann, watcher]) await waitFor('both', () => present(channel) === 'ann,new');
    await newest.sees('ann', 'new');
    assert.equal(watcher.presenceState().ann[0].mood, 'fine');
    await newest.channel.untrack();
    for (const channel of [ann, watcher]) await waitFor('one', () => present(channel) === 'ann');
  });

  test('who tracks without having asked is told who is there, in a private channel by its rights', async (t) => {
    await sql(`DROP POLICY IF EXISTS p ON realtime.messages;
      CREATE POLICY p ON realtime.messages TO authenticated USING (extension = 'presence') WITH CHECK (extension = 'presence')`);
    const me = await house.walcast.token({ role: 'authenticated', sub: 'me' });
    for (const [topic, config] of [['asks late', {}], ['asks late, private', { private: true }]]) {
      const [first, late] = await Promise.all([0, 1].map((n) =>
        RawClient.connect(t, websocketUrl(gateways[n], { apikey: me, vsn: '2.0.0' }))));
      const track = (client, ref, event, payload) =>
        client.send(['1', ref, `realtime:${topic}`, 'presence', { type: 'presence', event, payload }]);
      const presence = (client, event, key) => client.next(`${event} of ${key}`,
        (message) => message[3] === event && JSON.stringify(message[4]).includes(`"${key}":{"metas"`));
      first.join('1', `realtime:${topic}`, { ...config, presence: { key: 'first', enabled: true } });
      await first.reply('1');
      track(first, '2', 'track', { n: 1 });
      await presence(first, 'presence_diff', 'first');
      late.join('1', `realtime:${topic}`, { ...config, presence: { key: 7, enabled: false } });
      assert.equal((await late.reply('1'))[4].status, 'ok');
      track(late, '2', 'track', [1]);
      assert.match((await late.reply('2'))[4].response.reason, /^InvalidPresencePayload/);
      track(late, '3', 'TRACK', { n: 2 });
      assert.equal((await late.reply('3'))[4].status, 'ok');
      const state = (await presence(late, 'presence_state', 'first'))[4];
      assert.equal(state.first.metas[0].n, 1);
      await presence(first, 'presence_diff', '7');
      track(first, '3', 'untrack');
      await presence(late, 'presence_diff', 'first');
      assert.ok(!late.received.some((message) => message[3] === 'presence_state'), 'told once');
    }
  });

  test('a gateway that is killed: its members leave everywhere once, its clients lose no change', async (t) => {
    const third = await gateway();
    t.after(() => third.remove());
    await third.ready();
    const stays = await enter(t, gateways[0], 'killed', { key: 'stays' });
    await stays.channel.track({});
    const gone = [];
    for (let i = 0; i < 5; i++) {
      gone.push(await enter(t, third, 'killed', { key: `gone ${i}` }));
      await gone[i].channel.track({});
    }
    await stays.sees('stays', ...gone.map((_, i) => `gone ${i}`));
    const follower = await RawClient.connect(t, websocketUrl(third, { apikey: token, vsn: '2.0.0' }));
    follower.join('1', 'realtime:r', { postgres_changes: [{ event: '*', schema: 'public', table: 'items' }] });
    await follower.reply('1');
    const ids = (client) => client.received.filter((m) => m[3] === 'postgres_changes').map((m) => m[4].data.record.id);
    await sql("INSERT INTO items VALUES (1, 'a'), (2, 'b')");
    await waitFor('the changes', () => ids(follower).length === 2);
    const since = follower.received.filter((m) => m[3] === 'postgres_changes')[0][4].data.offset;
    stays.told.length = 0;
    const killed = Date.now();
    await third.kill();
    for (const { client } of gone) client.disconnect();
    await sql("INSERT INTO items VALUES (3, 'c')");
    const again = await RawClient.connect(t, websocketUrl(gateways[1], { apikey: token, vsn: '2.0.0' }));
    again.join('1', 'realtime:r', { postgres_changes: [{ event: '*', schema: 'public', table: 'items' }], since });
    await sql("INSERT INTO items VALUES (4, 'd')");
    await waitFor('what was missed', () => ids(again).length === 3);
    assert.deepEqual(ids(again), [2, 3, 4]);
    await stays.sees('stays');
    assert.ok(Date.now() - killed < DOWN_MS);
    assert.deepEqual(stays.told.sort(), gone.map((_, i) => ['leave', `gone ${i}`]));
  });

  test('a clean stop: its members leave at once', async (t) => {
    const third = await gateway();
    t.after(() => third.remove());
    await third.ready();
    const stays = await enter(t, gateways[0], 'stopped', { key: 'stays' });
    const goes = await enter(t, third, 'stopped', { key: 'goes' });
    await goes.channel.track({});
    await stays.sees('goes');
    const stopped = Date.now();
    await third.stop();
    goes.client.disconnect();
    await stays.sees();
    assert.ok(Date.now() - stopped < 5000);
  });

  test('a clean stop while others talk: nothing is heard by what is gone', async (t) => {
    let talking = true;
    const url = `${gateways[0].url}/realtime/v1/api/broadcast`;
    const body = JSON.stringify({ messages: Array.from({ length: 200 }, (_, n) => ({ topic: 'talk', event: 'e', payload: { n } })) });
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const talk = async () => {
      while (talking) await (await fetch(url, { method: 'POST', headers, body })).arrayBuffer();
    };
    const talkers = [talk(), talk(), talk()];
    t.after(async () => {
      talking = false;
      await Promise.all(talkers);
    });
    for (let i = 0; i < 5; i++) {
      const third = await gateway();
      t.after(() => third.remove());
      await third.ready();
      await waitFor('it to hear', async () => await third.metric('walcast_fanout_bus_received_total') > 1000);
      assert.deepEqual(await third.stop(), { code: 0, signal: null });
    }
  });

  test('realtime.send and broadcast_changes: with their transaction, at every gateway once', async (t) => {
    const listeners = [];
    for (const walcast of gateways) {
      listeners.push(await enter(t, walcast, 'from sql'));
      listeners.push(await enter(t, walcast, 'from sql', { private: true }));
    }
    await sql('BEGIN').catch(() => {});
    const connection = await house.postgres.connect();
    t.after(() => connection.end());
    await connection.query('BEGIN');
    await connection.query(`SELECT realtime.send('{"n":0}', 'never', 'from sql', false)`);
    await connection.query('ROLLBACK');
    await connection.query('BEGIN');
    await connection.query(`SELECT realtime.send('{"n":1}', 'said', 'from sql', false)`);
    await connection.query(`SELECT realtime.send('{"n":2}', 'said "☃"', 'from sql')`);
    await connection.query('COMMIT');
    for (const [i, { heard }] of listeners.entries()) {
      await waitFor('it', () => heard.length > 0);
      assert.equal(heard.length, 1);
      assert.equal(heard[0].event, i % 2 === 0 ? 'said' : 'said "☃"');
      assert.equal(heard[0].payload.n, 1 + i % 2);
      assert.match(heard[0].meta.id, /^[0-9a-f-]{36}$/);
    }
    await sql(`CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
      PERFORM realtime.broadcast_changes('items:' || NEW.id, TG_OP, TG_OP, TG_TABLE_NAME, TG_TABLE_SCHEMA, NEW, OLD);
      RETURN NULL; END $$;
      CREATE TRIGGER tell AFTER INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION tell();`);
    const changes = await enter(t, gateways[1], 'items:77', { private: true });
    await sql(`INSERT INTO items VALUES (77, 'first'); UPDATE items SET note = 'second' WHERE id = 77`);
    await waitFor('both', () => changes.heard.length === 2);
    assert.deepEqual(changes.heard.map(({ event, payload }) => [event, payload.operation, payload.record?.note, payload.old_record?.note ?? null]),
      [['INSERT', 'INSERT', 'first', null], ['UPDATE', 'UPDATE', 'second', 'first']]);
  });

  test('a broadcast or presence of another environment is not heard', async (t) => {
    const other = await Walcast.start({ ...house, args: ['--roles', 'ws'], config: { environment: 'prod' } });
    t.after(() => other.remove());
    await waitFor('it to listen', async () => (await fetch(`${other.url}/health/live`)).ok);
    const here = await enter(t, gateways[0], 'environments', { key: 'here' });
    const otherToken = await other.token({ role: 'service_role', sub: 'me' });
    const client = realtimeClient(t, other, otherToken, { vsn: '2.0.0' });
    const channel = client.channel('environments', { config: { presence: { key: 'there' } } });
    await subscribed(channel);
    await channel.track({});
    await say(channel, 'e', {});
    const witness = await enter(t, gateways[1], 'environments', { key: 'witness' });
    await witness.channel.track({});
    await say(witness.channel, 'e', { from: 'witness' });
    await here.sees('witness');
    await waitFor('the broadcast', () => here.heard.length > 0);
    assert.deepEqual(here.heard.map(({ payload }) => payload), [{ from: 'witness' }]);
  });
});
