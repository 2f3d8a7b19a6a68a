// Row-level security together with what else decides of what a subscriber gets: tenants' schemas,
// grants on columns and `select`, conflation, the rows that are there at the join. Nothing that a
// SELECT would not show comes through any of them.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { frame, RawSocket, TEXT } from '../lib/frames.mjs';
import { claimsOf, PolicyHouse } from '../lib/policies.mjs';
import { EventStream, sseUrl } from '../lib/sse.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const [ANN, BOB] = [randomUUID(), randomUUID()];
const HOMES = { default: 'public', acme: 'proj_acme', beta: 'proj_beta' };
const OWN = 'owner = auth.uid()';
// The two ways that policies are evaluated in, of the same meaning.
const WAYS = { 'in the engine': () => OWN, 'in SQL': (home = 'public') => `owner IN (SELECT p.person FROM ${home}.people p WHERE p.person = auth.uid())` };
const SCHEMA = `
  ${Object.values(HOMES).map((home) => `CREATE SCHEMA IF NOT EXISTS ${home}; GRANT USAGE ON SCHEMA ${home} TO authenticated, anon;
    CREATE TABLE ${home}.people (person uuid); INSERT INTO ${home}.people VALUES ('${ANN}'), ('${BOB}');
    CREATE TABLE ${home}.notes (id int PRIMARY KEY, owner uuid, body text); ALTER TABLE ${home}.notes ENABLE ROW LEVEL SECURITY;
    GRANT SELECT ON ${home}.people, ${home}.notes TO authenticated, service_role;`).join('')}
  CREATE TABLE state (id int PRIMARY KEY, owner uuid, version int, body text); ALTER TABLE state ENABLE ROW LEVEL SECURITY;
  CREATE TABLE papers (id int PRIMARY KEY, owner uuid, title text, secret text, level int); ALTER TABLE papers REPLICA IDENTITY FULL;
  ALTER TABLE papers ENABLE ROW LEVEL SECURITY; REVOKE ALL ON papers FROM authenticated; GRANT SELECT (id, owner, title) ON papers TO authenticated;`;

suite('row-level security together with', () => {
  let it;
  let id = 0;
  before(async () => {
    it = await PolicyHouse.start({ schema: SCHEMA, config: { 'postgres.tenant_schemas': 'proj_{project_id}', 'ws.queue_bytes': '2MiB', 'auth.policy_timeout': '2s' } });
    await waitFor('their publication', async () => (await it.sql("SELECT FROM pg_publication_tables WHERE tablename IN ('notes', 'state', 'papers')")).rowCount === 5);
  });
  after(() => it?.stop());
  const ids = (client) => client.data().map(({ record }) => record.id);

  for (const [way, condition] of Object.entries(WAYS))
    test(`tenants in schemas, ${way}: the same user, table and ids, and each row is its tenant's alone`, async (t) => {
      const made = Object.values(HOMES).map((home) => `DROP POLICY IF EXISTS own ON ${home}.notes; CREATE POLICY own ON ${home}.notes USING (${condition(home)})`);
      await it.policies('public.papers', made.join(';'));
      const of = (project, sub) => claimsOf(sub, project === 'default' ? {} : { project_id: project });
      const clients = [];
      for (const project of Object.keys(HOMES))
        for (const sub of [ANN, BOB])
          for (const binding of [{ table: 'notes' }, { schema: '*', table: '*' }, { table: 'notes', filter: `owner=in.(${ANN},${BOB})` }])
            clients.push(Object.assign(await it.join(t, of(project, sub), binding), { project, sub }));
      const first = ++id;
      for (const [project, home] of Object.entries(HOMES))
        await it.sql(`INSERT INTO ${home}.notes VALUES (${first}, '${ANN}', '${project} ann'), (${first + 1}, '${BOB}', '${project} bob'), (${first + 2}, NULL, '${project} nobody');
          UPDATE ${home}.notes SET owner = '${BOB}', body = '${project} bob later' WHERE id = ${first}; DELETE FROM ${home}.notes WHERE id = ${first + 1};
          INSERT INTO ${home}.notes VALUES (${first + 3}, '${ANN}', '${project} ann'), (${first + 4}, '${BOB}', '${project} bob')`);
      id += 5;
      for (const { data, project, sub, ...client } of clients) {
        const last = sub === ANN ? first + 3 : first + 4;
        await waitFor(`the last row of ${project}`, () => data().some(({ record }) => record?.id === last), 30_000);
        const who = sub === ANN ? 'ann' : 'bob';
        const expected = sub === ANN ? [['INSERT', first, `${project} ann`], ['INSERT', first + 3, `${project} ann`]]
          : [['INSERT', first + 1, `${project} bob`], ['UPDATE', first, `${project} bob later`], ['INSERT', first + 4, `${project} bob`]];
        assert.deepEqual(data().map(({ type, record }) => [type, record?.id, record?.body]), expected, `${who} of ${project}`);
        assert.ok(data().every(({ schema }) => schema === 'public'));
      }
      // Nor do those who come later, by the rows that are there or by history.
      const { offset } = clients[0].data()[0];
      for (const [project, sub] of [['beta', ANN], ['acme', BOB]]) {
        const copy = await it.join(t, of(project, sub), { table: 'notes', filter: `id=gte.${first}` }, { snapshot: true });
        const shown = await it.asked(of(project, sub), `SELECT id FROM ${HOMES[project]}.notes WHERE id >= ${first} ORDER BY id`);
        assert.deepEqual(copy.data().map(({ type, record }) => [type, record.id]), shown.map((row) => ['READ', row]));
        assert.ok(copy.data().every(({ record }) => record.body.startsWith(project)));
        const back = await it.join(t, of(project, sub), { table: 'notes' }, { since: offset });
        await waitFor('its history', () => back.data().some(({ record }) => record?.id === (sub === ANN ? first + 3 : first + 4)));
        assert.ok(back.data().every(({ record }) => record.body.startsWith(project) && record.owner === sub));
      }
    });

  test('many claims in one question, and a function that is called IMMUTABLE and reads them: each has its own answer', async (t) => {
    await it.sql(`CREATE FUNCTION public.who() RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN auth.uid(); END $$`);
    await it.policies('public.notes', 'CREATE POLICY own ON public.notes USING (owner = public.who())');
    const people = Array.from({ length: 12 }, () => randomUUID());
    const clients = await Promise.all(people.map((sub) => it.join(t, claimsOf(sub), { table: 'notes' })));
    const first = id + 1;
    for (let n = 0; n < 3; n++) await it.sql(`INSERT INTO notes SELECT ${id} + n, u, 'b' FROM unnest($1::uuid[]) WITH ORDINALITY AS p(u, n)`, [people]).then(() => { id += people.length; });
    for (const [n, client] of clients.entries()) {
      await waitFor('its rows', () => client.data().length >= 3, 30_000);
      assert.deepEqual(client.data().map(({ record }) => [record.id, record.owner]), [0, 1, 2].map((round) => [first + round * people.length + n, people[n]]));
    }
  });

  for (const [way, condition] of Object.entries(WAYS))
    test(`conflation, ${way}: a row that comes and goes leaves no state of it behind that was hidden`, async (t) => {
      await it.policies('state', `CREATE POLICY own ON state USING (${condition()})`);
      const watching = await it.witness(t, 'state');
      await it.sql(`DELETE FROM state; INSERT INTO state SELECT n, CASE WHEN n <= 10 THEN '${ANN}' ELSE '${BOB}' END::uuid, 0, 'x' FROM generate_series(1, 20) n`);
      await it.settled(watching, 20); // what was before is not hers to be told
      watching.socket.close();
      const raw = await RawSocket.open(t, it.walcast.port, `/realtime/v1/websocket?vsn=2.0.0&apikey=${goodToken(claimsOf(ANN))}`);
      const config = { postgres_changes: [{ event: '*', schema: 'public', table: 'state' }], slow: 'conflate' };
      await raw.send(frame(TEXT, JSON.stringify(['1', '1', 'realtime:slow', 'phx_join', { config }])));
      await waitFor('the join', () => raw.frames.some(({ payload }) => payload.includes('Subscribed to PostgreSQL')));
      raw.tcp.pause();
      const conflated = () => it.walcast.metric('walcast_ws_conflated_total');
      const before = await conflated();
      let version = 0;
      // In SQL its member follows the stream at its own pace instead, as who comes back does.
      const waits = way === 'in the engine';
      const flood = async (more) => {
        for (let until = waits ? Infinity : version + 3 * more; version < until;) {
          assert.ok(++version < 1000, 'nothing is conflated');
          await it.sql(`UPDATE state SET version = ${version}, body = CASE owner WHEN '${ANN}' THEN 'of ann' ELSE 'of bob' END || repeat('x', 10000)`);
          if (until === Infinity && (await conflated()) > before + 40) until = version + more;
        }
      };
      await flood(10);
      // 5 goes to Bob, 15 to Ann; 6 is hers under another key; 16 comes and is gone.
      await it.sql(`UPDATE state SET owner = '${BOB}', body = 'of bob' WHERE id = 5; UPDATE state SET owner = '${ANN}', body = 'of ann' WHERE id = 15;
        UPDATE state SET id = 106 WHERE id = 6; UPDATE state SET owner = '${ANN}', body = 'of ann' WHERE id = 16`);
      const parted = version;
      await flood(10);
      await it.sql(`UPDATE state SET owner = '${BOB}', body = 'of bob' WHERE id = 16`);
      await flood(10);
      await it.sql(`INSERT INTO state VALUES (500, '${ANN}', 0, 'of ann')`);
      raw.tcp.resume();
      await waitFor('the last', () => raw.frames.at(-1).payload.includes('"record":{"id":500'), 60_000);
      const got = raw.frames.map(({ payload }) => JSON.parse(payload)).filter(([, , , event]) => event === 'postgres_changes').map(({ 4: { data } }) => data);
      assert.ok(!waits || got.length < version * 8, `${got.length} of ${version * 10} came: it was conflated`);
      assert.ok(got.every(({ record }) => record.owner === ANN && record.body.startsWith('of ann')), 'no state that was hidden');
      const last = new Map(got.map(({ record }) => [record.id, record.version]));
      for (const row of [1, 2, 3, 4, 7, 8, 9, 10, 15, 106]) assert.equal(last.get(row), version, `the last state of ${row}`);
      assert.ok(last.get(5) <= parted && last.get(6) <= parted && last.get(16) < version, 'as they were seen last');
      assert.deepEqual([...last.keys()].filter((row) => row >= 11 && row <= 20 && row !== 15 && row !== 16), []);
      t.diagnostic(`${got.length} changes of ${version} versions came`);
    });

  for (const [way, condition] of Object.entries(WAYS))
    test(`grants on columns and select, ${way}: policies read what the role may not, and none of it is told`, async (t) => {
      await it.policies('papers', `CREATE POLICY own ON papers USING (${condition()} AND level > 2 AND secret <> 'top')`);
      const all = await it.join(t, claimsOf(ANN), { table: 'papers' });
      const titles = await it.join(t, claimsOf(ANN), { table: 'papers', select: ['title'], filter: 'title=neq.none', leave: true });
      const watching = await it.witness(t, 'papers');
      const first = ++id;
      const insert = (n, owner, secret, level) => it.sql(`INSERT INTO papers VALUES (${n}, '${owner}', 'title ${n}', '${secret}', ${level})`);
      await insert(first, ANN, 'sealed', 3);
      await insert(first + 1, ANN, 'sealed', 1); // below the level
      await insert(first + 2, ANN, 'top', 3);
      await insert(first + 3, BOB, 'sealed', 3);
      await it.sql(`UPDATE papers SET secret = 'sealed again' WHERE id = ${first}; UPDATE papers SET secret = 'top' WHERE id = ${first}; DELETE FROM papers WHERE id = ${first + 2}`);
      await it.sql(`UPDATE papers SET level = 4 WHERE id = ${first + 1}; DELETE FROM papers WHERE id = ${first + 1}`);
      await insert(first + 4, ANN, 'sealed', 5);
      id += 5;
      await it.settled(watching, first + 4);
      for (const client of [all, titles]) await waitFor('the last', () => client.data().some(({ record }) => record?.id === first + 4 || record?.title === `title ${first + 4}`), 30_000);
      const told = (client) => client.data().map(({ type, record, old_record: old }) => [type, record, old]);
      const row = (n) => ({ id: n, owner: ANN, title: `title ${n}` });
      assert.deepEqual(told(all), [['INSERT', row(first), undefined], ['UPDATE', row(first), row(first)],
        ['UPDATE', row(first + 1), {}], ['DELETE', undefined, row(first + 1)], ['INSERT', row(first + 4), undefined]]);
      const title = (n) => ({ title: `title ${n}` });
      assert.deepEqual(told(titles), [['INSERT', title(first), undefined], ['UPDATE', title(first), title(first)], ['LEAVE', undefined, title(first)],
        ['UPDATE', title(first + 1), {}], ['DELETE', undefined, title(first + 1)], ['INSERT', title(first + 4), undefined]]);
      const copy = await it.join(t, claimsOf(ANN), { table: 'papers', filter: `id=gte.${first}` }, { snapshot: true });
      assert.deepEqual(told(copy), (await it.asked(claimsOf(ANN), `SELECT id FROM papers WHERE id >= ${first} ORDER BY id`)).map((n) => ['READ', row(n), undefined]));
      assert.deepEqual(ids(copy), [first + 4]);
      for (const client of [all, titles, copy]) {
        assert.deepEqual(client.errors(), []);
        assert.ok(!/sealed|top|level|secret/.test(JSON.stringify(client.received)), 'nothing of what the role may not read');
      }
    });

  for (const [way, condition] of Object.entries(WAYS))
    test(`the rows that are there, as server-sent events, ${way}: those of the role and its claims, then its changes`, async (t) => {
      await it.policies('public.notes', `CREATE POLICY own ON public.notes USING (${condition()})`);
      const first = ++id;
      await it.sql(`INSERT INTO notes SELECT n, CASE n % 3 WHEN 0 THEN '${ANN}' WHEN 1 THEN '${BOB}' END::uuid, 'body ' || n FROM generate_series(${first}, ${first + 299}) n`);
      id += 300;
      const open = (claims) => EventStream.open(t, sseUrl(it.walcast, { table: 'public.notes', filter: `id=gte.${first}`, snapshot: true, apikey: goodToken(claims) }));
      const people = [claimsOf(ANN), claimsOf(BOB), claimsOf(randomUUID()), claimsOf('no uuid')];
      const writing = (async () => {
        for (let n = 0; n < 60; n++)
          await it.sql(`INSERT INTO notes VALUES (${++id}, '${[ANN, BOB, randomUUID()][n % 3]}', 'later'); UPDATE notes SET owner = '${[BOB, ANN][n % 2]}' WHERE id = ${first + n}`);
      })();
      const streams = await Promise.all(people.slice(0, 3).map(open));
      await writing;
      const last = [++id, ++id];
      await it.sql(`INSERT INTO notes VALUES (${last[0]}, '${ANN}', 'last'), (${last[1]}, '${BOB}', 'last')`);
      for (const [n, stream] of streams.entries()) {
        if (n < 2) await waitFor('the last', () => stream.changes.some(({ data }) => data.record?.id === last[n]), 30_000);
        else await stream.ready();
        const rows = new Map();
        for (const { data } of stream.changes) {
          assert.equal(data.record.owner, people[n].sub, JSON.stringify(data));
          rows.set(data.record.id, data);
        }
        // All that it may see is there; what it saw and lost is not told, and stays as it was seen.
        const shown = await it.asked(people[n], `SELECT id FROM notes WHERE id >= ${first} ORDER BY id`);
        assert.deepEqual(shown.filter((row) => !rows.has(row)), []);
        const gone = [...rows.keys()].filter((row) => !shown.includes(row));
        assert.ok(gone.every((row) => row < first + 60), `${gone}`);
        assert.ok(stream.changes.some(({ data }) => data.type === 'READ') === n < 2);
      }
      const bad = await open(people[3]); // its claims make the policies fail: refused, and not taken for nothing
      if (bad.response.status === 200) await waitFor('a problem', () => bad.events.some(({ type }) => type === 'problem'));
      assert.deepEqual(bad.changes, []);
    });
});

test('large values that are read later do not decide what a row was when it was changed', async (t) => {
  const it = await PolicyHouse.start({ config: { 'cdc.toast': 'read' }, tables: ['long'],
    schema: `CREATE TABLE long (id int PRIMARY KEY, body text, big text); ALTER TABLE long ALTER COLUMN big SET STORAGE EXTERNAL;
      ALTER TABLE long ENABLE ROW LEVEL SECURITY; INSERT INTO long VALUES (1, 'first', repeat('shut', 1000)), (2, 'first', repeat('shut', 1000));` });
  t.after(() => it.stop());
  for (const [n, policy] of ["big LIKE 'open%'", "big LIKE 'open%' AND (SELECT true)", "big LIKE 'open%' AND EXISTS (SELECT FROM pg_class)"].entries()) {
    await it.policies('long', `CREATE POLICY a ON long USING (${policy})`);
    const client = await it.join(t, claimsOf(ANN), { table: 'long' });
    const witness = await it.witness(t, 'long');
    // The first change's value is asked for behind the commit, when the second has made it another.
    await it.sql(`BEGIN; UPDATE long SET body = 'while shut ${n}' WHERE id = 1; UPDATE long SET big = repeat('open', 1000), body = 'now open ${n}' WHERE id = 1; COMMIT`);
    await waitFor('both', () => witness.data().some(({ record }) => record.body === `now open ${n}`));
    await it.sql(`UPDATE long SET big = repeat('shut', 1000) WHERE id = 1; INSERT INTO long VALUES (${10 + n}, 'last', 'open')`);
    await waitFor('the last', () => client.data().some(({ record }) => record.id === 10 + n));
    const read = witness.data().find(({ record }) => record.body === `while shut ${n}`);
    assert.ok(read.read_later.includes('big') && read.record.big.startsWith('open'), 'it was read later, and was another then');
    assert.deepEqual(client.data().map(({ record }) => record.body), [`now open ${n}`, 'last'], policy);
    assert.match(client.errors().join(), /REPLICA IDENTITY FULL/);
  }
});
