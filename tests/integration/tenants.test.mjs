// Tenants of one process: in schemas of one database, and in a database of their own. Each sees what
// is its own, under the names it knows, and nothing of another, whichever way it tries.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { createKey } from '../lib/keys.mjs';
import { RawClient, realtimeClient, refusedHandshake, subscribed, websocketUrl } from '../lib/realtime.mjs';
import { EventStream, sseUrl } from '../lib/sse.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const TABLES = (schema) => `CREATE TABLE ${schema}.todos (id int PRIMARY KEY, body text);
  CREATE TABLE ${schema}."Odd.Name" (id int PRIMARY KEY);`;
const SCHEMA = `CREATE SCHEMA proj_acme; CREATE SCHEMA proj_beta; CREATE SCHEMA "proj_Two Words";
  ${TABLES('public')} ${TABLES('proj_acme')} ${TABLES('proj_beta')} ${TABLES('"proj_Two Words"')}
  INSERT INTO proj_acme.todos VALUES (-1, 'acme was here'); INSERT INTO proj_beta.todos VALUES (-1, 'beta was here');`;
const FILE = (url) => `sources:
  eu:
    project: acme
    environment: eu
    postgres.url: ${url}
`;
const OWN = 'default';
const SCHEMAS = { default: 'public', acme: 'proj_acme', beta: 'proj_beta', 'Two Words': '"proj_Two Words"' };
const token = (project, more = {}) => goodToken({ ...(project !== OWN && { project_id: project }), ...more });
const service = (project, more) => token(project, { role: 'service_role', ...more });

suite('tenants', () => {
  let house, gateway, euUrl;
  let id = 0;
  const cleanups = [];
  const t0 = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };

  before(async () => {
    house = await startHouse(t0, { schema: SCHEMA, walcast: false });
    await query('CREATE DATABASE eu');
    euUrl = house.postgres.url.replace(/\/postgres$/, '/eu');
    await query(`${TABLES('public')}
      ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO anon, service_role; GRANT SELECT ON todos TO anon, service_role;`, euUrl);
    const config = { 'ws.max_project_messages_per_second': 100, 'postgres.tenant_schemas': 'proj_{project_id}', 'auth.grants_interval': '200ms' };
    const start = async (args) => {
      const walcast = await Walcast.start({ postgres: house.postgres, nats: house.nats, config, file: FILE(euUrl), args });
      cleanups.unshift(() => walcast.remove());
      return walcast.ready();
    };
    house.walcast = await start([]);
    await house.walcast.commandOk(['setup', '--apply']);
    gateway = await start(['--roles', 'ws']);
  });
  after(async () => { for (const cleanup of cleanups) await cleanup(); });

  const query = async (sql, url) => {
    if (!url) return house.postgres.query(sql);
    const client = await house.postgres.connect({ connectionString: url });
    try { return await client.query(sql); } finally { await client.end(); }
  };
  // One row for each tenant, the asked one's last: who has seen its own row has passed the others'.
  async function insertAll(last, table = 'todos') {
    id++;
    const others = Object.keys(SCHEMAS).filter((project) => project !== last);
    for (const project of [...others, last])
      await query(`INSERT INTO ${SCHEMAS[project]}.${table} (id) VALUES (${id})`);
    return id;
  }
  async function join(t, credential, bindings, { at = house.walcast, topic = 'realtime:room', config = {} } = {}) {
    const client = await RawClient.connect(t, websocketUrl(at, { apikey: credential, vsn: '2.0.0' }));
    client.join('1', topic, { postgres_changes: bindings, ...config });
    const { status, response } = (await client.reply('1'))[4];
    client.joined = { status, response };
    client.changes = () => client.received.filter(({ 3: event }) => event === 'postgres_changes').map(({ 4: { data } }) => data);
    client.broadcasts = () => client.received.filter(({ 3: event }) => event === 'broadcast').map(({ 4: payload }) => payload.payload);
    if (status === 'ok' && bindings.length > 0)
      await client.next('the live stream', (m) => m[3] === 'system' && m[4].message === 'Subscribed to PostgreSQL');
    return client;
  }
  const todos = { event: '*', schema: 'public', table: 'todos' };

  test('each sees its own table as public, and only that', async (t) => {
    const clients = {};
    for (const project of Object.keys(SCHEMAS)) clients[project] = await join(t, token(project), [todos]);
    for (const [project, client] of Object.entries(clients)) {
      assert.deepEqual(client.joined.response.postgres_changes[0].schema, 'public');
      for (const other of Object.values(clients)) other.received.length = 0;
      const row = await insertAll(project);
      await waitFor('its row', () => client.changes().length === 1);
      const [{ schema, table, record }] = client.changes();
      assert.deepEqual([schema, table, record.id], ['public', 'todos', row]);
    }
    const [changes] = [await house.nats.manage(async (manager) => (await manager.streams.info('WALCAST', { subjects_filter: '>' })).state.subjects)];
    for (const subject of ['atlasdb.acme.dev.todos.INSERT', 'atlasdb.beta.dev.todos.INSERT', 'atlasdb.default.dev.todos.INSERT', 'atlasdb.Two%20Words.dev.todos.INSERT'])
      assert.ok(changes[subject] >= 4, subject);
  });

  test("an API key is one tenant's, though its name is others' too", async (t) => {
    const keys = {};
    for (const project of Object.keys(SCHEMAS)) keys[project] = (await createKey(house.walcast, 'site', { project })).key;
    const eu = await createKey(house.walcast, 'site', { project: 'acme', environment: 'eu' });
    const nobody = await createKey(house.walcast, 'site', { project: 'acme', environment: 'prod' });
    await waitFor('the last key to be known', async () => /another project/.test(
      (await refusedHandshake(t, websocketUrl(house.walcast, { apikey: nobody.key })).catch(() => ({ body: {} }))).body.error));
    const clients = {};
    for (const project of Object.keys(SCHEMAS)) clients[project] = await join(t, keys[project], [todos]);
    const abroad = await join(t, eu.key, [todos]);
    for (const [project, client] of Object.entries(clients)) {
      for (const other of Object.values(clients)) other.received.length = 0;
      const row = await insertAll(project);
      await waitFor('its row', () => client.changes().length === 1);
      assert.equal(client.changes()[0].record.id, row);
    }
    assert.equal(abroad.changes().length, 0);
    clients.beta.join('2', 'realtime:other', {}, { access_token: keys.acme });
    assert.equal((await clients.beta.reply('2'))[4].status, 'error'); // a connection is one project's
    await house.walcast.commandOk(['keys', 'revoke', 'site', '--project', 'beta']);
    assert.equal((await clients.beta.closed).code, 1008);
    assert.equal((await join(t, keys.acme, [todos])).joined.status, 'ok');
  });

  test('wildcards of schema and table stay at home; filters and quoted names work there', async (t) => {
    const any = [{ event: 'INSERT', schema: '*', table: '*' }];
    const clients = {};
    for (const project of Object.keys(SCHEMAS)) clients[project] = await join(t, token(project), any);
    const named = await join(t, token('beta'), [{ ...todos, table: 'Odd.Name' }]);
    const filtered = await join(t, token('acme'), [{ ...todos, filter: 'id=gt.0', select: ['id'] }]);
    for (const [project, client] of Object.entries(clients)) {
      for (const other of Object.values(clients)) other.received.length = 0;
      const row = await insertAll(project, '"Odd.Name"');
      await waitFor('its row', () => client.changes().length === 1);
      assert.deepEqual(client.changes().map(({ schema, table, record }) => [schema, table, record.id]), [['public', 'Odd.Name', row]]);
    }
    await waitFor('rows of the quoted table', () => named.changes().length === 4);
    const row = await insertAll('acme');
    await waitFor('the filtered row', () => filtered.changes().length === 1);
    assert.deepEqual(filtered.changes()[0].record, { id: row });
  });

  test("another's schema is not there, whether it is or not", async (t) => {
    const reasons = new Set();
    for (const [project, schema] of [['acme', 'proj_beta'], ['acme', 'proj_nobody'], ['acme', 'audit'], ['beta', 'proj_acme'], [OWN, 'proj_acme'], [OWN, 'proj_nobody']]) {
      for (const event of ['*', 'INSERT']) {
        const client = await join(t, service(project), [{ event, schema, table: 'todos' }]);
        assert.equal(client.joined.status, 'error', `${project} ${schema}`);
        reasons.add(client.joined.response.reason.replace(schema, 'X'));
      }
      const stream = await EventStream.open(t, sseUrl(house.walcast, { table: `${schema}.todos`, apikey: service(project) }));
      assert.equal(stream.response.status, 400);
    }
    assert.deepEqual([...reasons], ['InvalidJoinPayload: there is no schema X in this project']);
    const own = await join(t, token('acme'), [{ ...todos, schema: 'proj_acme' }]); // by its real name
    assert.equal(own.joined.status, 'ok');
  });

  test('one topic is another in each project: broadcasts, REST, presence, replay, on two gateways', async (t) => {
    const settings = { config: { broadcast: { self: false }, presence: { key: 'me', enabled: true } } };
    const at = { acme: house.walcast, beta: house.walcast, [OWN]: gateway };
    const clients = {};
    for (const project of Object.keys(at)) clients[project] = await join(t, token(project), [], { at: at[project], ...settings });
    const far = await join(t, token('acme'), [], { at: gateway, ...settings });
    const say = (client, text) => client.send(['1', 'b', 'realtime:room', 'broadcast', { type: 'broadcast', event: 'e', payload: { text } }]);
    const post = (project, text, topic = 'room') => fetch(`${house.walcast.url}/realtime/v1/api/broadcast`, { method: 'POST',
      headers: { authorization: `Bearer ${token(project)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [{ topic, event: 'e', payload: { text } }] }) });
    for (const project of ['beta', OWN]) {
      say(clients[project], `${project} by socket`);
      assert.equal((await post(project, `${project} by REST`)).status, 202);
    }
    await waitFor('own broadcasts', () => [clients.beta, clients[OWN]].every((client) => client.broadcasts().length > 0));
    say(clients.acme, 'acme by socket');
    assert.equal((await post('acme', 'acme by REST')).status, 202);
    await waitFor('those of acme', () => far.broadcasts().length === 2 && clients.acme.broadcasts().length > 0);
    assert.deepEqual(far.broadcasts().map(({ text }) => text).sort(), ['acme by REST', 'acme by socket']);
    assert.deepEqual(clients.acme.broadcasts().map(({ text }) => text), ['acme by REST']);
    assert.deepEqual(clients.beta.broadcasts().map(({ text }) => text), ['beta by REST']);
    assert.deepEqual(clients[OWN].broadcasts().map(({ text }) => text), ['default by REST']);

    for (const [project, client] of Object.entries(clients))
      client.send(['1', 'p', 'realtime:room', 'presence', { type: 'presence', event: 'track', payload: { project } }]);
    const seen = (client) => client.received.filter(({ 3: event }) => event.startsWith('presence_'))
      .flatMap(({ 3: event, 4: payload }) => Object.values(event === 'presence_diff' ? payload.joins : payload)).flatMap(({ metas }) => metas.map(({ project }) => project));
    await waitFor('presence', () => [...Object.values(clients), far].every((client) => seen(client).length > 0));
    for (const [project, client] of Object.entries(clients)) assert.deepEqual(new Set(seen(client)), new Set([project]));
    assert.deepEqual(new Set(seen(far)), new Set(['acme']));
  });

  test('what is stored is replayed to whose it is; SQL says whose it is', async (t) => {
    await query(`CREATE POLICY p ON realtime.messages TO anon USING (true) WITH CHECK (true); GRANT SELECT, INSERT ON realtime.messages TO anon`);
    const config = { private: true, broadcast: { self: true } };
    const say = async (project, text) => {
      const client = await join(t, token(project), [], { topic: 'realtime:kept', config });
      assert.equal(client.joined.status, 'ok', JSON.stringify(client.joined));
      client.send(['1', 'b', 'realtime:kept', 'broadcast', { type: 'broadcast', event: 'e', persist: true, payload: { text } }]);
      await waitFor('it', () => client.broadcasts().some((payload) => payload.text === text));
      return client;
    };
    const live = { acme: await say('acme', 'of acme'), beta: await say('beta', 'of beta'), [OWN]: await say(OWN, 'of default') };
    await query(`BEGIN; SET LOCAL walcast.project_id = 'acme'; SELECT realtime.send('{"text":"SQL of acme"}', 'e', 'kept'); COMMIT`);
    await query(`SELECT realtime.broadcast_changes('kept', 'e', 'INSERT', 'todos', 'proj_beta', NULL::proj_beta.todos, NULL::proj_beta.todos)`);
    await query(`SELECT realtime.send('{"text":"SQL of default"}', 'e', 'kept')`);
    await waitFor('the last', () => live[OWN].broadcasts().some(({ text }) => text === 'SQL of default'));
    const texts = (client) => client.broadcasts().map(({ text, schema }) => text ?? schema);
    const expected = { acme: ['of acme', 'SQL of acme'], beta: ['of beta', 'proj_beta'], [OWN]: ['of default', 'SQL of default'] };
    for (const project of Object.keys(live)) assert.deepEqual(texts(live[project]), expected[project]);
    for (const project of Object.keys(live))
      await waitFor('their replay', async () => {
        const client = await join(t, token(project), [], { at: gateway, topic: 'realtime:kept',
          config: { private: true, broadcast: { replay: { since: 1, limit: 25 } } } });
        await waitFor('some', () => client.broadcasts().length > 0);
        assert.deepEqual(texts(client).filter((text) => !expected[project].includes(text)), []);
        return client.broadcasts().length === 2;
      });
  });

  test("offsets are places, not keys: with another's one goes on in one's own", async (t) => {
    const acme = await join(t, token('acme'), [todos]);
    acme.received.length = 0;
    await insertAll('acme');
    await waitFor('a change', () => acme.changes().length === 1);
    const [{ offset }] = acme.changes();
    const row = await insertAll('beta');
    const all = { since: '0-0.0' };
    for (const [project, since] of [['beta', offset], [OWN, offset]]) {
      const client = await join(t, token(project), [todos], { config: { since } });
      await waitFor('its own', () => client.changes().some(({ record }) => record.id === row));
      assert.deepEqual(client.changes().map(({ record }) => record.id), [row]);
      const stream = await EventStream.open(t, sseUrl(gateway, { table: 'public.todos', apikey: token(project) }), { headers: { 'last-event-id': since } });
      await waitFor('its own', () => stream.changes.length > 0);
      assert.deepEqual(stream.changes.map(({ data }) => [data.schema, data.record.id]), [['public', row]]);
    }
    const whole = await join(t, token('beta'), [{ event: '*', schema: '*', table: '*' }], { config: all });
    await waitFor('all', () => whole.changes().some(({ record }) => record.id === row));
    assert.ok(whole.changes().every(({ schema }) => schema === 'public'));
    const both = new Set(whole.changes().map(({ table }) => table));
    assert.deepEqual(both, new Set(['todos', 'Odd.Name']));
    const { rows: [{ n }] } = await query('SELECT (SELECT count(*) FROM proj_beta.todos WHERE id > 0) + (SELECT count(*) FROM proj_beta."Odd.Name") AS n');
    assert.equal(whole.changes().length, Number(n));
  });

  test('the present rows are of the home', async (t) => {
    for (const project of ['acme', 'beta']) {
      const client = await join(t, token(project), [todos], { config: { snapshot: true } });
      const first = client.changes().find(({ record }) => record.id === -1);
      assert.deepEqual([first.type, first.schema, first.record.body], ['READ', 'public', `${project} was here`]);
    }
  });

  test('a tenant whose schema comes later is there at once, by supabase-js too', async (t) => {
    await query(`CREATE SCHEMA proj_later; ${TABLES('proj_later')} GRANT SELECT ON ALL TABLES IN SCHEMA proj_later TO anon`);
    const client = realtimeClient(t, gateway, token('later'));
    const got = [];
    await subscribed(client.channel('room').on('postgres_changes', todos, (change) => got.push(change)));
    await waitFor('its publication', async () => {
      await query(`INSERT INTO proj_later.todos VALUES (${++id})`);
      return got.length > 0;
    });
    assert.equal(got[0].schema, 'public');
  });

  test('a database of its own: the same project in another environment', async (t) => {
    const eu = token('acme', { environment_id: 'eu' });
    const [there, here] = [await join(t, eu, [todos]), await join(t, token('acme'), [todos])];
    here.received.length = 0;
    await query("INSERT INTO todos VALUES (1, 'in eu')", euUrl);
    await waitFor('its row', () => there.changes().length === 1);
    const row = await insertAll('acme');
    await waitFor('its row', () => here.changes().length === 1);
    assert.deepEqual([there.changes(), here.changes()].map(([{ record }]) => record.id), [1, row]);
    for (const client of [there, here]) client.send(['1', 'b', 'realtime:room', 'broadcast', { type: 'broadcast', event: 'e', payload: {} }]);
    const stream = await EventStream.open(t, sseUrl(gateway, { table: 'public.todos', apikey: eu }), { headers: { 'last-event-id': '0-0.0' } });
    await waitFor('its row', () => stream.changes.length === 1);
    assert.equal(stream.changes[0].data.record.body, 'in eu');
    const lines = await house.walcast.commandOk(['tail', '--source', 'eu', '--json', '--from', 'first', '--until', 'now']);
    assert.deepEqual(lines.split('\n').filter(Boolean).map((line) => JSON.parse(line).record.body), ['in eu']);
    await query("SELECT pg_logical_emit_message(true, 'paid', 'in eu')", euUrl);
    await waitFor('its event', async () => (await house.nats.manage((manager) =>
      manager.streams.getMessage('WALCAST_EVENTS', { last_by_subj: 'atlasdb.events.acme.paid' }).catch(() => null)))?.string() === 'in eu');
    const offset = here.changes()[0].offset;
    const wrong = await join(t, eu, [todos], { config: { since: offset } });
    assert.match(wrong.joined.response.reason, /^HistoryNotHeld: /);
  });

  test('a connection is one project: tokens of another are refused, unknown ones too', async (t) => {
    const client = await join(t, token('acme'), [todos]);
    const others = [token('beta'), token(OWN), token('acme', { environment_id: 'eu' }), service('beta')];
    for (const [ref, access_token] of others.entries()) {
      client.join(`j${ref}`, `realtime:x${ref}`, {}, { access_token });
      assert.match((await client.reply(`j${ref}`))[4].response.reason, /^InvalidJWTToken: /);
    }
    client.received.length = 0;
    client.send(['1', '9', 'realtime:room', 'access_token', { access_token: token('beta') }]);
    await client.next('the end', (m) => m[3] === 'phx_close');
    for (const claims of [{ project_id: 'acme', environment_id: 'prod' }, { project_id: 'events' }, { project_id: 'x'.repeat(60) }]) {
      const { status } = await refusedHandshake(t, websocketUrl(house.walcast, { apikey: goodToken(claims) }));
      assert.equal(status, 401, JSON.stringify(claims));
    }
  });

  test('one that floods slows no other down', async (t) => {
    const post = (project) => fetch(`${gateway.url}/realtime/v1/api/broadcast`, { method: 'POST',
      headers: { authorization: `Bearer ${token(project)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: Array.from({ length: 60 }, () => ({ topic: 'flood', event: 'e', payload: {} })) }) });
    await waitFor('a refusal', async () => (await post('acme')).status === 429);
    assert.equal((await post('beta')).status, 202);
    assert.equal((await post(OWN)).status, 202);
  });

  test('a source whose database is away is named, and the others go on', async (t) => {
    const client = await join(t, token('acme'), [todos]);
    client.received.length = 0;
    await query(`ALTER DATABASE eu ALLOW_CONNECTIONS false`);
    await query(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'eu'`);
    await waitFor('that readiness says so', async () => {
      const { code, reason } = await house.walcast.health();
      return code === 503 && /cdc of eu: /.test(reason);
    });
    const row = await insertAll('acme');
    await waitFor('a change', () => client.changes().some(({ record }) => record.id === row));
    await query(`ALTER DATABASE eu ALLOW_CONNECTIONS true`);
    await house.walcast.ready();
  });

  test('nobody reads of another tenant in metrics, health or errors', async () => {
    const texts = await Promise.all(['/metrics', '/health/ready', '/health/live', '/nothing'].map(async (path) => (await fetch(`${house.walcast.url}${path}`)).text()));
    for (const text of texts) assert.doesNotMatch(text, /beta|proj_|Two Words/);
    assert.match(texts[0], /walcast_ws_events_total\{source="eu"\} [1-9]/);
  });
});
