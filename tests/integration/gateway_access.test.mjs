// Closed by default: a role gets a table's changes only if PostgreSQL grants them, and a private
// channel is what the policies on realtime.messages allow. Through the gateway, as clients see it.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, realtimeClient, subscribed, websocketUrl } from '../lib/realtime.mjs';
import { runOk } from '../lib/process.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { BINARY, Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = `
  CREATE TABLE open (id int PRIMARY KEY, title text, secret text);
  CREATE TABLE closed (id int PRIMARY KEY, title text);
  CREATE TABLE guarded (id int PRIMARY KEY, title text);
  CREATE TABLE parts (id int PRIMARY KEY, title text, secret text);
  CREATE SCHEMA "Odd.Place"; CREATE TABLE "Odd.Place"."T ""x""" (id int PRIMARY KEY, title text);
  GRANT USAGE ON SCHEMA "Odd.Place" TO anon; GRANT SELECT ON "Odd.Place"."T ""x""" TO anon;
  REVOKE ALL ON closed, parts FROM anon, authenticated;
  GRANT SELECT (id, title) ON parts TO anon;
  ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
  CREATE POLICY all_rows ON guarded FOR SELECT USING (true);`;

suite('access', () => {
  let house;
  const tokens = {};
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true }, {
      schema: SCHEMA, config: { 'http.threads': 2, 'auth.grants_interval': '200ms', 'auth.policy_cache': 0,
        'postgres.tables': 'public.*,"Odd.Place".*' } });
    for (const role of ['anon', 'authenticated', 'service_role', 'nobody', 'odd "role"'])
      tokens[role] = await house.walcast.token({ role, sub: '00000000-0000-4000-8000-000000000001' });
    await runOk([BINARY, 'setup', '--apply'], { env: house.walcast.env });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));
  const sql = (...all) => house.postgres.query(...all);

  async function join(t, role, bindings, topic = 'realtime:r') {
    const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: tokens[role], vsn: '2.0.0' }));
    client.join('1', topic, { postgres_changes: bindings.map((binding) => ({ event: '*', schema: 'public', ...binding })) });
    const { status, response } = (await client.reply('1'))[4];
    const of = (event) => client.received.filter((message) => message[3] === event).map((message) => message[4]);
    return Object.assign(client, { status, reason: response.reason, data: () => of('postgres_changes').map(({ data }) => data),
      errors: () => of('system').filter(({ status: s }) => s === 'error').map(({ message }) => message) });
  }

  test('what is granted is served, under quoted names of another schema too', async (t) => {
    const client = await join(t, 'anon', [{ table: 'open' }, { schema: 'Odd.Place', table: 'T "x"' }]);
    assert.equal(client.status, 'ok', client.reason);
    await sql(`INSERT INTO open VALUES (1, 'a', 'b'); INSERT INTO "Odd.Place"."T ""x""" VALUES (2, 'c')`);
    await waitFor('both', () => client.data().length === 2);
    assert.deepEqual(client.data().map(({ record }) => record), [{ id: 1, title: 'a', secret: 'b' }, { id: 2, title: 'c' }]);
  });

  for (const [role, table, reason] of [
    ['anon', 'closed', /^Unauthorized: .*GRANT SELECT/],
    ['anon', 'missing', /^Unauthorized: .*missing/],
    ['nobody', 'open', /^Unauthorized: .*CREATE ROLE/],
    ['odd "role"', 'open', /^Unauthorized: .*CREATE ROLE "odd ""role"""/]]) {
    test(`${role} on ${table} is refused with what to do`, async (t) => {
      const client = await join(t, role, [{ table: 'open' }, { table }]);
      assert.equal(client.status, 'error');
      assert.match(client.reason, reason);
    });
  }

  test('row-level security is no bar to a role that bypasses it', async (t) => {
    const client = await join(t, 'service_role', [{ table: 'guarded' }]);
    assert.equal(client.status, 'ok', client.reason);
    await sql("INSERT INTO guarded VALUES (1, 'x')");
    await waitFor('it', () => client.data().length === 1);
  });

  test('columns that are not granted are neither sent nor selected nor filtered by', async (t) => {
    const client = await join(t, 'anon', [{ table: 'parts' }]);
    assert.equal(client.status, 'ok', client.reason);
    const whole = await join(t, 'service_role', [{ table: 'parts' }]);
    await sql("INSERT INTO parts VALUES (1, 'a', 'hidden'); UPDATE parts SET secret = 'more'; DELETE FROM parts");
    await waitFor('all', () => client.data().length === 3 && whole.data().length === 3);
    assert.deepEqual(client.data().map(({ record, columns }) => [record, columns.map(({ name }) => name)]),
      [[{ id: 1, title: 'a' }, ['id', 'title']], [{ id: 1, title: 'a' }, ['id', 'title']], [undefined, ['id', 'title']]]);
    assert.ok(!JSON.stringify(client.received).includes('hidden') && !JSON.stringify(client.received).includes('more'));
    assert.equal(whole.data()[1].record.secret, 'more');
    for (const binding of [{ select: ['secret'] }, { filter: 'secret=eq.hidden' }, { filter: 'title=eq.a,secret=not.is.null' }]) {
      const refused = await join(t, 'anon', [{ table: 'parts', ...binding }]);
      assert.match(refused.reason ?? '', /^Unauthorized: column secret /, JSON.stringify(binding));
    }
  });

  test('a filter over a column that was revoked since tells nothing of it', async (t) => {
    await sql('GRANT SELECT (secret) ON parts TO anon');
    const joined = () => join(t, 'anon', [{ table: 'parts', filter: 'secret=eq.hidden' }]);
    const client = await waitFor('the GRANT to count', async () => {
      const tried = await joined();
      return tried.status === 'ok' && tried;
    });
    const whole = await join(t, 'service_role', [{ table: 'parts' }]);
    await sql("INSERT INTO parts VALUES (50, 'a', 'hidden')");
    await waitFor('it', () => client.data().length === 1);
    await sql('REVOKE SELECT (secret) ON parts FROM anon');
    await waitFor('the REVOKE to count', async () => (await joined()).status === 'error');
    await sql("INSERT INTO parts VALUES (51, 'a', 'hidden')");
    await waitFor('all', () => whole.data().length === 2);
    await waitFor('the reason', () => client.errors().length > 0);
    assert.match(client.errors()[0], /^Unauthorized: column secret/);
    assert.equal(client.data().length, 1);
  });

  test('a wildcard gives what is granted, and tells once of what is not', async (t) => {
    const client = await join(t, 'anon', [{ schema: '*', table: '*' }].map(({ schema }) => ({ schema, table: '*' })));
    assert.equal(client.status, 'ok', client.reason);
    await sql("INSERT INTO closed VALUES (10, 'x'), (11, 'y'); INSERT INTO guarded VALUES (12, 'x'); INSERT INTO open VALUES (13, 'a', 'b')");
    await waitFor('the last', () => client.data().length === 2);
    assert.deepEqual(client.data().map(({ record }) => record.id), [12, 13]);
    assert.equal(client.errors().length, 1);
    assert.match(client.errors()[0], /^Unauthorized: .*closed/);
    await sql("INSERT INTO closed VALUES (14, 'x'); INSERT INTO open VALUES (15, 'a', 'b')");
    await waitFor('the next', () => client.data().length === 3);
    assert.equal(client.errors().length, 1);
  });

  test('a table that is not published is said to its subscriber, and hinders nothing', async (t) => {
    await sql(`CREATE SCHEMA unpublished; GRANT USAGE ON SCHEMA unpublished TO anon;
      CREATE TABLE unpublished.u (id int PRIMARY KEY); GRANT SELECT ON unpublished.u TO anon`);
    const client = await join(t, 'anon', [{ schema: 'unpublished', table: 'u' }, { table: 'open' }]);
    assert.equal(client.status, 'ok', client.reason);
    await waitFor('the word', () => client.errors().length > 0);
    assert.match(client.errors()[0], /^table unpublished\.u is not in publication walcast: .*ALTER PUBLICATION walcast ADD TABLE/);
    await sql("INSERT INTO open VALUES (300, 'a', 'b')");
    await waitFor('the other table’s', () => client.data().length === 1);
    await sql('ALTER PUBLICATION walcast ADD TABLE unpublished.u');
    t.after(() => sql('ALTER PUBLICATION walcast DROP TABLE unpublished.u'));
    await sql('INSERT INTO unpublished.u VALUES (1)');
    await waitFor('its own', () => client.data().length === 2);
    assert.equal(client.errors().length, 1);
    let told;
    await waitFor('the look that finds it', async () => {
      told = await join(t, 'anon', [{ schema: 'unpublished', table: 'u' }]);
      await told.next('the last word', (message) => message[3] === 'system' && message[4].status === 'ok');
      told.send([null, 'beat', 'phoenix', 'heartbeat', {}]);
      await told.reply('beat');
      await sql(`INSERT INTO unpublished.u SELECT max(id) + 1 FROM unpublished.u`);
      await waitFor('a change', () => told.data().length > 0);
      return told.errors().length === 0;
    });
  });

  test('a REVOKE and a GRANT reach live subscriptions; a table made later is served in order', async (t) => {
    const client = await join(t, 'authenticated', [{ table: '*' }]);
    await sql("CREATE TABLE later (id int PRIMARY KEY)");
    await sql("INSERT INTO open VALUES (20, 'a', 'b')");
    await waitFor('it to be published', async () => (await sql("SELECT 1 FROM pg_publication_tables WHERE tablename = 'later'")).rows.length > 0);
    await sql("INSERT INTO later VALUES (1)");
    await waitFor('both', () => client.data().length === 2);
    assert.deepEqual(client.data().map(({ table }) => table), ['open', 'later']);
    await sql('REVOKE SELECT ON open FROM authenticated');
    let id = 100;
    await waitFor('the REVOKE to count', async () => {
      await sql(`INSERT INTO open VALUES (${id++}, 'a', 'b')`);
      return client.errors().length > 0;
    });
    const before = client.data().length;
    await sql('GRANT SELECT ON open TO authenticated');
    await waitFor('the GRANT to count', async () => {
      await sql(`INSERT INTO open VALUES (${id++}, 'a', 'b')`);
      return client.data().length > before;
    });
    const told = client.errors().length;
    await sql('REVOKE SELECT ON open FROM authenticated');
    await waitFor('the second REVOKE to be told too', async () => {
      await sql(`INSERT INTO open VALUES (${id++}, 'a', 'b')`);
      return client.errors().length > told;
    });
    await sql('GRANT SELECT ON open TO authenticated');
  });

  test('a database that cannot be asked: clients must join again, and lose nothing', async (t) => {
    const proxy = await Proxy.start(t, house.postgres.port);
    const gateway = await Walcast.start({ ...house, args: ['--roles', 'ws'], config: {
      'postgres.url': house.postgres.url.replace(`:${house.postgres.port}`, `:${proxy.port}`),
      'auth.grants_interval': '100ms', 'auth.grants_valid': '1s' } });
    t.after(() => gateway.remove());
    await gateway.ready();
    const connect = () => RawClient.connect(t, websocketUrl(gateway, { apikey: tokens.service_role, vsn: '2.0.0' }));
    const config = { postgres_changes: [{ event: 'INSERT', schema: 'public', table: 'open' }] };
    const client = await connect();
    client.join('1', 'realtime:r', config);
    await client.reply('1');
    await sql("INSERT INTO open VALUES (1000, 'a', 'b')");
    const first = await client.next('the first', (m) => m[3] === 'postgres_changes');
    proxy.down();
    let id = 1001;
    await waitFor('it to be told', async () => {
      await sql(`INSERT INTO open VALUES (${id++}, 'a', 'b')`);
      return client.received.some((m) => m[3] === 'phx_error');
    }, 30_000);
    assert.match(client.received.find((m) => m[3] === 'system' && m[4].status === 'error')[4].message, /^DatabaseUnavailable/);
    const got = client.received.filter((m) => m[3] === 'postgres_changes').map((m) => m[4].data);
    proxy.up();
    const again = await waitFor('the join', async () => {
      const it = await connect();
      it.join('1', 'realtime:r', { ...config, since: (got.at(-1) ?? first[4].data).offset });
      return (await it.reply('1'))[4].status === 'ok' && it;
    }, 30_000);
    const ids = () => again.received.filter((m) => m[3] === 'postgres_changes').map((m) => m[4].data.record.id);
    const rest = id - 1001 - got.length;
    await waitFor('the rest', () => ids().length >= rest);
    assert.deepEqual([...got.map(({ record }) => record.id), ...ids()], Array.from({ length: id - 1001 }, (_, i) => 1001 + i));
  });

  suite('private channels', () => {
    before(() => sql(`
      CREATE POLICY read ON realtime.messages FOR SELECT TO authenticated
        USING (realtime.topic() LIKE 'mine-%' AND (auth.uid())::text = '00000000-0000-4000-8000-000000000001');
      CREATE POLICY write ON realtime.messages FOR INSERT TO authenticated WITH CHECK (realtime.topic() = 'mine-both');
      CREATE POLICY broken ON realtime.messages FOR SELECT TO authenticated USING (CASE WHEN realtime.topic() = 'broken' THEN 1 / (length(topic) - length(topic)) = 1 ELSE false END);`));

    async function listen(t, role, topic, isPrivate = true) {
      const client = realtimeClient(t, house.walcast, tokens[role], { vsn: '2.0.0' });
      const channel = client.channel(topic, { config: { private: isPrivate, broadcast: { ack: true } } });
      const heard = [];
      channel.on('broadcast', { event: '*' }, ({ payload }) => heard.push(payload));
      await subscribed(channel);
      return { channel, heard, say: (payload) => channel.send({ type: 'broadcast', event: 'e', payload }) };
    }

    test('the policies decide who reads and who writes', async (t) => {
      const writer = await listen(t, 'authenticated', 'mine-both');
      const reader = await listen(t, 'service_role', 'mine-both');
      assert.equal(await writer.say({ n: 1 }), 'ok');
      await waitFor('it', () => reader.heard.length === 1);
      const silent = await listen(t, 'authenticated', 'mine-read');
      assert.equal(await silent.say({ n: 2 }), 'error');
      await assert.rejects(listen(t, 'authenticated', 'yours'), /Unauthorized: You do not have permissions to read from this Channel topic: yours/);
      await assert.rejects(listen(t, 'anon', 'mine-both'), /Unauthorized/);
    });

    test('a policy that fails refuses that one with its error', async (t) => {
      await assert.rejects(listen(t, 'authenticated', 'broken'), /division by zero/);
      await listen(t, 'authenticated', 'mine-both');
    });

    test('the private room is another than the public one of the topic', async (t) => {
      const open = await listen(t, 'authenticated', 'mine-both', false);
      const closed = await listen(t, 'authenticated', 'mine-both');
      const reader = await listen(t, 'authenticated', 'mine-both');
      const outside = await listen(t, 'authenticated', 'mine-both', false);
      await open.say({ from: 'public' });
      await closed.say({ from: 'private' });
      await waitFor('each', () => reader.heard.length > 0 && outside.heard.length > 0);
      assert.deepEqual([reader.heard, outside.heard], [[{ from: 'private' }], [{ from: 'public' }]]);
    });
  });
});
