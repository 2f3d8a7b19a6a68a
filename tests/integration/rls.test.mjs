// Row-level security on streamed changes: what a subscriber gets is what a SELECT as its role with
// its claims would show, for any policies, at once when they change, and at nobody else's cost.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { claimsOf, PolicyHouse } from '../lib/policies.mjs';
import { EventStream, sseUrl } from '../lib/sse.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const USERS = Array.from({ length: 4 }, () => randomUUID());
const SCHEMA = `
  CREATE TABLE notes (id int PRIMARY KEY, owner uuid, org text, level int, shared boolean, due timestamptz, body text);
  ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
  CREATE TABLE whole (LIKE notes INCLUDING ALL); ALTER TABLE whole REPLICA IDENTITY FULL; ALTER TABLE whole ENABLE ROW LEVEL SECURITY;
  CREATE SCHEMA "Odd ""One"; CREATE TABLE "Odd ""One"."T.x" (id int PRIMARY KEY, "Owner Id" uuid);
  ALTER TABLE "Odd ""One"."T.x" ENABLE ROW LEVEL SECURITY; GRANT USAGE ON SCHEMA "Odd ""One" TO authenticated, anon;
  CREATE POLICY own ON "Odd ""One"."T.x" USING ("Owner Id" = (SELECT auth.uid()));
  CREATE TABLE late (id int PRIMARY KEY, owner uuid);
  CREATE TABLE teams (member uuid, org text);
  INSERT INTO teams VALUES ('${USERS[0]}', 'acme'), ('${USERS[1]}', 'beta'), ('${USERS[1]}', 'ab');
  CREATE FUNCTION public.may_read(o text) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
    BEGIN RETURN EXISTS (SELECT FROM public.teams WHERE member = auth.uid() AND org = o); END $$;
  CREATE FUNCTION public.my_org() RETURNS text LANGUAGE sql STABLE AS $$ SELECT auth.jwt() -> 'app_metadata' ->> 'org' $$;
  CREATE FUNCTION public.is_mine(uuid) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT $1 = auth.uid() $$;
  CREATE FUNCTION public.fits(numeric) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT $1 > 0 $$;
  CREATE FUNCTION public.fits(int) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN $1 = 2; END $$;
  CREATE FUNCTION public.for_some() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT true $$;
  REVOKE EXECUTE ON FUNCTION public.for_some() FROM PUBLIC; GRANT EXECUTE ON FUNCTION public.for_some() TO authenticated;
  CREATE TABLE paused (id int PRIMARY KEY, owner uuid);
  CREATE SCHEMA private; CREATE TYPE private.shade AS ENUM ('a', 'b'); CREATE TABLE private.sets AS SELECT * FROM teams; REVOKE ALL ON SCHEMA private FROM PUBLIC, anon, authenticated, service_role; REVOKE ALL ON private.sets FROM anon;
  GRANT SELECT ON private.sets TO authenticated; CREATE FUNCTION private.has_org(o text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT EXISTS (SELECT FROM public.teams t WHERE t.member = auth.uid() AND t.org = o) $$; GRANT EXECUTE ON FUNCTION private.has_org TO PUBLIC;
  CREATE TABLE groups (member uuid, org text); INSERT INTO groups SELECT * FROM teams; ALTER TABLE groups ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON groups TO authenticated USING (member = auth.uid()); GRANT SELECT ON groups TO authenticated, anon;
  CREATE ROLE rls_owner; CREATE ROLE rls_heir; GRANT rls_owner TO rls_heir; CREATE ROLE rls_member; GRANT authenticated TO rls_member;
  GRANT USAGE ON SCHEMA auth TO rls_owner;
  CREATE TABLE owned (id int PRIMARY KEY, owner uuid);
  ALTER TABLE owned OWNER TO rls_owner; ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON owned TO authenticated, rls_owner USING (owner = auth.uid());`;

suite('row-level security', () => {
  let it, house;
  let id = 0;
  before(async () => {
    it = await PolicyHouse.start({ schema: SCHEMA, tables: ['notes', 'whole', 'T.x', 'late', 'paused', 'owned'] });
    house = it.house;
    await policies('notes', 'CREATE POLICY a ON notes USING (true)');
  });
  after(() => it?.stop());
  const token = (claims) => goodToken(claims);
  const sql = (...all) => it.sql(...all);
  const join = (...all) => it.join(...all);
  const visible = (...all) => it.visible(...all);
  const policies = (...all) => it.policies(...all);
  const witness = (...all) => it.witness(...all);
  const settled = (...all) => it.settled(...all);

  // Supabase's documented policies, and others: [name, policies, whether the engine decides].
  const EXAMPLES = [
    ['auth.uid() = owner', "CREATE POLICY a ON notes FOR SELECT USING (auth.uid() = owner)"],
    ['wrapped in a select', "CREATE POLICY a ON notes FOR SELECT TO authenticated USING ((SELECT auth.uid()) = owner)"],
    ['everybody', 'CREATE POLICY a ON notes FOR SELECT TO authenticated, anon USING (true)'],
    ['nobody', 'SELECT 1'],
    ['for another command', 'CREATE POLICY a ON notes FOR UPDATE USING (true)'],
    ['for another role', 'CREATE POLICY a ON notes FOR SELECT TO anon USING (true)'],
    ['claims in JSON', "CREATE POLICY a ON notes USING (org = (auth.jwt() -> 'app_metadata' ->> 'org'))"],
    ['a claim as a number', "CREATE POLICY a ON notes USING (level <= ((auth.jwt() -> 'app_metadata' ->> 'level')::int))"],
    ['several permissive', 'CREATE POLICY a ON notes USING (owner = auth.uid()); CREATE POLICY b ON notes FOR SELECT USING (shared)'],
    ['of all, of the team, or own', "CREATE POLICY a ON notes USING (shared OR org = (auth.jwt() -> 'app_metadata' ->> 'org') OR owner = auth.uid())"],
    ['restrictive', "CREATE POLICY a ON notes USING (true); CREATE POLICY b ON notes AS RESTRICTIVE TO authenticated USING ((SELECT auth.jwt() ->> 'aal') = 'aal2')"],
    ['restrictive alone', 'CREATE POLICY a ON notes AS RESTRICTIVE USING (true)'],
    ['auth.role()', "CREATE POLICY a ON notes USING (auth.role() = 'authenticated' AND org IS NOT NULL)"],
    ['helper functions', 'CREATE POLICY a ON notes USING (is_mine(owner) OR org = my_org())'],
    ['a setting', "CREATE POLICY a ON notes USING (owner::text = current_setting('request.jwt.claims', true)::json ->> 'sub')"],
    ['lists, nulls, cases', "CREATE POLICY a ON notes USING (org IN ('acme', 'beta') AND (shared IS NOT FALSE OR level = ANY (ARRAY[1, 2])) AND NOT level IS DISTINCT FROM coalesce(level, 0))"],
    // Those that only PostgreSQL can decide.
    ['a sub-query', 'CREATE POLICY a ON notes USING (org IN (SELECT t.org FROM teams t WHERE t.member = auth.uid()))'],
    ['EXISTS over the row', 'CREATE POLICY a ON notes TO authenticated USING (EXISTS (SELECT FROM teams t WHERE t.member = (SELECT auth.uid()) AND t.org = notes.org) OR shared); CREATE POLICY b ON notes TO anon USING (level = 2)'],
    ['a function that reads a table', 'CREATE POLICY a ON notes USING (may_read(org))'],
    ['a function in a schema that the role may not use', 'CREATE POLICY a ON notes USING (private.has_org(org))'],
    ['a table there, and a type', "CREATE POLICY a ON notes TO authenticated USING (org IN (SELECT s.org FROM private.sets s WHERE s.member = auth.uid()) AND 'a'::private.shade <> 'b'::private.shade)"],
    ['a sub-query on a table with policies of its own', 'CREATE POLICY a ON notes USING (org IN (SELECT g.org FROM groups g))'],
    ['time', "CREATE POLICY a ON notes USING (coalesce(due, now()) <= now() AND level > 1)"],
    ['both ways', 'CREATE POLICY a ON notes USING (owner = auth.uid() OR length(lower(org)) = (SELECT 2))'],
    ['an overload in another language', 'CREATE POLICY a ON notes USING (fits(level))'],
    ['letters outside ASCII, of each row', "CREATE POLICY a ON notes USING (lower(org || 'É') IN ('acmeé', auth.uid()::text) OR owner = auth.uid())"],
    ['patterns', "CREATE POLICY a ON notes USING (org LIKE 'a%' AND body ~ '^[a-m]')"],
  ];
  const rowSql = (table, n, owner, i) => `INSERT INTO ${table} VALUES (${n}, ${owner ? `'${owner}'` : 'NULL'}, ${['\'acme\'', '\'beta\'', 'NULL', '\'ab\''][i % 4]},
    ${[1, 2, 5, 'NULL', 3][i % 5]}, ${['true', 'false', 'NULL'][i % 3]}, NULL, '${'kx'[i % 2]}')`;

  for (const [name, statements] of EXAMPLES)
    test(name, async (t) => {
      await policies('notes', statements);
      const people = [claimsOf(USERS[0]), claimsOf(USERS[1], { aal: 'aal2', app_metadata: { org: 'beta', level: 1 } }), claimsOf(USERS[2], { app_metadata: {} }), { role: 'anon' }];
      const clients = await Promise.all(people.map((claims) => join(t, claims, { table: 'notes' })));
      const watching = await witness(t, 'notes');
      const ids = [];
      for (let i = 0; i < 12; i++) {
        ids.push(++id);
        await sql(rowSql('notes', id, [...USERS.slice(0, 3), null][i % 4], i));
      }
      await settled(watching, id);
      for (const client of clients) {
        const expected = await visible('notes', client.claims, ids);
        await waitFor('its rows', () => client.data().length >= expected.length);
        assert.deepEqual(client.data().map(({ record }) => record.id), expected, JSON.stringify(client.claims));
        assert.deepEqual(client.errors(), []);
      }
    });

  // Random policies over random rows for random people, from a seed: what each gets is what a SELECT shows.
  test('random policies, rows and claims', async (t) => {
    const seed = Number(process.env.WALCAST_SEED ?? Date.now() % 1e6);
    t.diagnostic(`seed ${seed}`);
    let state = seed + 1;
    const random = (n) => { state = (state * 48271) % 2147483647; return state % n; };
    const one = (list) => list[random(list.length)];
    const leaf = () => one([
      () => 'owner = auth.uid()', () => `owner <> '${one(USERS)}'`, () => `org ${one(['=', '<>', 'IS DISTINCT FROM'])} (auth.jwt() -> 'app_metadata' ->> 'org')`,
      () => `level ${one(['<', '>=', '='])} ${one(["((auth.jwt() -> 'app_metadata' ->> 'level')::int)", '2', 'coalesce(level, 1)'])}`,
      () => `org IN ('acme', ${one(["'beta'", 'NULL', "auth.jwt() ->> 'aal'"])})`, () => `shared IS ${one(['TRUE', 'NOT TRUE', 'NULL', 'UNKNOWN'])}`, () => 'shared',
      () => `level ${one(['= ANY', '<> ALL'])} (ARRAY[1, ${one(['5', 'NULL'])}])`, () => `body ${one(["LIKE 'k%'", "~ '^x'", 'IS NULL', "|| org = 'kacme'"])}`,
      () => `${one(['is_mine(owner)', 'my_org() = org', 'may_read(org)'])}`, () => 'org IN (SELECT t.org FROM teams t WHERE t.member = auth.uid())',
      () => `CASE WHEN level > 2 THEN shared ELSE owner IS NOT NULL END`, () => `nullif(org, 'beta') IS NOT NULL`, () => `level BETWEEN 2 AND 4`])();
    const condition = (depth) => (depth === 0 || random(3) === 0 ? leaf()
      : one([() => `(${condition(depth - 1)} AND ${condition(depth - 1)})`, () => `(${condition(depth - 1)} OR ${condition(depth - 1)})`, () => `NOT (${condition(depth - 1)})`])());
    const people = [claimsOf(USERS[0]), claimsOf(USERS[1], { aal: 'aal2', app_metadata: { org: 'beta', level: 1 } }), claimsOf(USERS[3], { app_metadata: {} }), { role: 'anon', sub: USERS[0] }];
    const clients = await Promise.all(people.map((claims) => join(t, claims, { table: 'whole' })));
    const watching = await witness(t, 'whole');
    let decided = 0, shown = 0;
    for (let round = 0; round < 12; round++) {
      const made = Array.from({ length: 1 + random(3) }, (_, n) => `CREATE POLICY p${n} ON whole AS ${n > 0 && random(3) === 0 ? 'RESTRICTIVE' : 'PERMISSIVE'}
        ${one(['', 'FOR SELECT', 'FOR ALL', 'FOR UPDATE'])} TO ${one(['PUBLIC', 'authenticated', 'anon, authenticated'])} USING (${condition(2)})`);
      await policies('whole', made.join(';'));
      const first = id + 1;
      const rows = Array.from({ length: 60 }, () => `(${++id}, ${one([...USERS.map((user) => `'${user}'`), 'NULL'])}, ${one(["'acme'", "'beta'", "'ab'", 'NULL'])}, ${one([1, 2, 3, 5, 'NULL'])}, ${one(['true', 'false', 'NULL'])}, NULL, ${one(["'k'", "'x'", 'NULL'])})`);
      for (let at = 0; at < rows.length; at += 20) await sql(`INSERT INTO whole VALUES ${rows.slice(at, at + 20).join()}`);
      await settled(watching, id);
      const ids = Array.from({ length: 60 }, (_, n) => first + n);
      for (const client of clients) {
        const expected = await visible('whole', client.claims, ids);
        const got = () => client.data().map(({ record }) => record.id).filter((row) => row >= first);
        await waitFor(`rows of ${JSON.stringify(client.claims)} under ${made} (seed ${seed})`, () => got().length >= expected.length);
        assert.deepEqual(got(), expected, `${made} (seed ${seed})`);
        decided += ids.length;
        shown += expected.length;
      }
    }
    t.diagnostic(`${decided} decisions, ${shown} rows shown`);
    assert.ok(shown > decided / 20 && shown < decided * 0.95);
  });

  test('walcast check --policies tells where each is evaluated, and why', async () => {
    await policies('notes', `CREATE POLICY a ON notes TO authenticated USING (owner = auth.uid()); CREATE POLICY b ON notes TO anon USING (org IN (SELECT t.org FROM teams t))`);
    // More than is read of a table's policies, 64 KiB.
    await sql(`CREATE TABLE lengthy (id int PRIMARY KEY, org text); ALTER TABLE lengthy ENABLE ROW LEVEL SECURITY;
      CREATE POLICY a ON lengthy TO anon USING (org IN (${Array.from({ length: 8000 }, (_, n) => `'org${n}'`)}))`);
    await waitFor('its publication', async () => (await sql("SELECT FROM pg_publication_tables WHERE tablename = 'lengthy'")).rowCount === 1);
    const text = await house.walcast.commandOk(['check', '--policies']);
    assert.match(text, /public\.lengthy as anon: none of its rows is given out: its policies are longer than 64 KiB/);
    await waitFor('its being logged', () => /policies are longer than 64 KiB.* role=anon table=public\.lengthy/.test(house.walcast.process.logText()));
    await sql('DROP TABLE lengthy');
    assert.match(text, /public\.notes as authenticated: in the engine\n/);
    assert.match(text, /public\.notes as anon: in SQL, .*sub-?quer/i);
    assert.doesNotMatch(text, /as service_role/);
    const { policies: part } = JSON.parse(await house.walcast.commandOk(['check', '--policies', '--json']));
    assert.ok(part.ok && part.findings.some((line) => /Odd "One\.T\.x as authenticated: in the engine/.test(line)), part.findings.join('\n'));
  });

  test('updates and deletes: who loses sight gets nothing of the row, or a leave; who gains it no old row', async (t) => {
    for (const table of ['notes', 'whole']) {
      await policies(table, `CREATE POLICY a ON ${table} USING (owner = auth.uid())`);
      const [ann, bob] = await Promise.all([0, 1].map((n) => join(t, claimsOf(USERS[n]), { table })));
      const leaving = await join(t, claimsOf(USERS[0]), { table, filter: 'level=gte.0', leave: true });
      const watching = await witness(t, table);
      const [n, last] = [++id, ++id];
      await sql(`INSERT INTO ${table} VALUES (${n}, '${USERS[0]}', 'secret of ann', 1)`);
      await sql(`UPDATE ${table} SET org = 'still of ann' WHERE id = ${n}`);
      await sql(`UPDATE ${table} SET owner = '${USERS[1]}', org = 'secret of bob' WHERE id = ${n}`);
      await sql(`DELETE FROM ${table} WHERE id = ${n}; INSERT INTO ${table} VALUES (${last}, NULL)`);
      await settled(watching, last);
      const full = table === 'whole';
      await waitFor('the delete', () => !full || bob.data().some(({ type }) => type === 'DELETE'));
      assert.deepEqual(ann.data().map(({ type }) => type), ['INSERT', 'UPDATE']);
      assert.deepEqual(bob.data().map(({ type }) => type), full ? ['UPDATE', 'DELETE'] : ['UPDATE']);
      assert.ok(!JSON.stringify(ann.received).includes('secret of bob'));
      assert.ok(!JSON.stringify(bob.received).includes('of ann'));
      assert.deepEqual(bob.data()[0].old_record, full ? {} : { id: n });
      if (full) assert.deepEqual(leaving.data().map(({ type, old_record: old }) => [type, old?.org]), [['INSERT', undefined], ['UPDATE', 'secret of ann'], ['LEAVE', 'still of ann']]);
      else await waitFor('that deletes cannot be told', () => bob.errors().some((text) => /REPLICA IDENTITY FULL/.test(text)));
    }
  });

  test('a leave tells nothing of a row that is hidden, before or behind the update', async (t) => {
    await policies('whole', 'CREATE POLICY a ON whole USING (owner = auth.uid())');
    const leaving = await join(t, claimsOf(USERS[0]), { table: 'whole', filter: 'level=gte.5', leave: true });
    const watching = await witness(t, 'whole');
    const [n, m, last] = [++id, ++id, ++id];
    await sql(`INSERT INTO whole (id, owner, level) VALUES (${n}, '${USERS[0]}', 1), (${m}, '${USERS[1]}', 9)`);
    await sql(`UPDATE whole SET owner = '${USERS[1]}', level = 9 WHERE id = ${n}`); // out of sight, and into the filter
    await sql(`UPDATE whole SET owner = '${USERS[0]}', level = 1 WHERE id = ${m}`); // into sight, and out of the filter
    await sql(`INSERT INTO whole (id, owner, level) VALUES (${last}, '${USERS[0]}', 5)`);
    await settled(watching, last);
    await waitFor('the last', () => leaving.data().some(({ record }) => record?.id === last));
    assert.deepEqual(leaving.data().map(({ type, record }) => [type, record.id]), [['INSERT', last]]);
  });

  test('a function that the role may not execute, and tokens that differ in their jti alone', async (t) => {
    await policies('notes', "CREATE POLICY a ON notes TO authenticated USING (for_some() AND org = (auth.jwt() ->> 'jti')); CREATE POLICY b ON notes TO anon USING (for_some())");
    const [acme, beta] = await Promise.all(['acme', 'beta'].map((jti) => join(t, claimsOf(USERS[0], { jti }), { table: 'notes' })));
    const barred = await join(t, { role: 'anon' }, { table: 'notes' });
    const watching = await witness(t, 'notes');
    const [n, m] = [++id, ++id];
    await sql(`INSERT INTO notes (id, org) VALUES (${n}, 'acme'), (${m}, 'beta')`);
    await settled(watching, m);
    await waitFor('both', () => acme.data().length > 0 && beta.data().length > 0 && barred.errors().length > 0);
    assert.deepEqual([acme, beta, barred].map((client) => client.data().map(({ record }) => record.id)), [[n], [m], []]);
    assert.match(barred.errors()[0], /permission denied for function for_some/);
  });

  test('a channel that is suspended holds nobody when its class is to be renewed', async (t) => {
    await sql('CREATE POLICY a ON paused USING (owner = auth.uid())');
    const pausing = await join(t, claimsOf(USERS[0], { exp: Math.ceil(Date.now() / 1000) + 2 }), { table: 'paused' });
    const other = await join(t, claimsOf(USERS[0]), { table: 'paused' });
    await waitFor('the suspension', () => pausing.errors().some((text) => /is suspended/.test(text)), 20_000);
    const watching = await witness(t, 'paused');
    await sql('ALTER TABLE paused ENABLE ROW LEVEL SECURITY');
    await policies('notes', 'SELECT 1'); // which is looked at behind it
    const started = performance.now();
    const rows = [++id, ++id];
    for (const row of rows) await sql(`INSERT INTO paused VALUES (${row}, '${USERS[0]}')`);
    await settled(watching, rows[1]);
    await waitFor('its rows', () => other.data().length === 2);
    assert.ok(performance.now() - started < 4800, 'no change waited for its time limit');
    pausing.send(['1', '2', 'realtime:r', 'access_token', { access_token: token(claimsOf(USERS[0])) }]);
    await waitFor('what it missed', () => pausing.data().length === 2);
    assert.deepEqual(pausing.data().map(({ record }) => record.id), rows);
  });

  test('names in quotes, wildcards, SSE, resume and the present rows', async (t) => {
    await policies('notes', 'CREATE POLICY a ON notes USING (owner = auth.uid())');
    const odd = await join(t, claimsOf(USERS[0]), { schema: 'Odd "One', table: 'T.x' });
    const any = await join(t, claimsOf(USERS[0]), { schema: '*', table: '*' });
    const watching = await witness(t, 'notes');
    const stream = await EventStream.open(t, sseUrl(house.walcast, { table: 'public.notes', apikey: token(claimsOf(USERS[0])) }));
    await stream.ready();
    const [n, other, last] = [++id, ++id, ++id];
    await sql(`INSERT INTO "Odd ""One"."T.x" VALUES (${n}, '${USERS[0]}'), (${other}, '${USERS[1]}')`);
    await sql(`INSERT INTO notes VALUES (${n}, '${USERS[0]}'), (${other}, '${USERS[1]}'), (${last}, '${USERS[0]}')`);
    await settled(watching, last);
    await waitFor('all', () => any.data().length === 3 && stream.changes.length === 2 && odd.data().length === 1);
    assert.deepEqual(any.data().map(({ table, record }) => [table, record.id]), [['T.x', n], ['notes', n], ['notes', last]]);
    assert.deepEqual(stream.changes.map(({ data }) => data.record.id), [n, last]);
    assert.equal(odd.data()[0].record.id, n);
    const [{ offset }] = any.data();
    const back = await join(t, claimsOf(USERS[1]), { table: 'notes' }, { since: offset });
    assert.deepEqual(back.data().map(({ record }) => record.id), [other]);
    const copy = await join(t, claimsOf(USERS[1]), { table: 'notes', filter: `id=gte.${n}` }, { snapshot: true });
    assert.deepEqual(copy.data().map(({ type, record }) => [type, record.id]), [['READ', other]]);
  });

  test('a policy that changes under live subscribers: from then on, and nobody misses what is theirs', async (t) => {
    await policies('notes', 'CREATE POLICY a ON notes USING (owner = auth.uid())');
    const clients = await Promise.all(USERS.map((user) => join(t, claimsOf(user), { table: 'notes' })));
    const watching = await witness(t, 'notes');
    const insert = async (owner, org = 'acme') => { await sql(`INSERT INTO notes VALUES (${++id}, '${owner}', '${org}')`); return id; };
    const own = [];
    for (const user of USERS) own.push(await insert(user));
    await policies('notes', "CREATE POLICY a ON notes USING (owner = auth.uid() OR org = 'open')");
    await waitFor('the new policy', async () => {
      const row = await insert(randomUUID(), 'open');
      await settled(watching, row);
      return clients.every((client) => client.data().some(({ record }) => record.id === row));
    });
    await policies('notes', 'CREATE POLICY a ON notes USING (false)');
    await waitFor('none', async () => {
      const row = await insert(USERS[0]);
      await settled(watching, row);
      return !clients[0].data().some(({ record }) => record.id === row);
    });
    for (const [n, client] of clients.entries()) {
      assert.ok(client.data().some(({ record }) => record.id === own[n]));
      assert.equal(client.data().filter(({ record }) => own.includes(record.id)).length, 1);
      assert.ok(!client.ended());
    }
  });

  test('a function that changes under live subscribers', async (t) => {
    const made = (org) => `CREATE OR REPLACE FUNCTION public.is_open(o text) RETURNS boolean LANGUAGE sql STABLE AS $f$ SELECT o = '${org}' $f$`;
    await policies('notes', `${made('acme')}; CREATE POLICY a ON notes USING (is_open(org))`);
    const client = await join(t, claimsOf(USERS[0]), { table: 'notes' });
    const watching = await witness(t, 'notes');
    for (const org of ['acme', 'beta']) {
      await policies('whole', made(org));
      await sql(`INSERT INTO notes (id, org) VALUES (${++id}, 'acme'), (${++id}, 'beta')`);
      await settled(watching, id);
    }
    await waitFor('both', () => client.data().length === 2);
    assert.deepEqual(client.data().map(({ record }) => record.id), [id - 3, id]);
  });

  test('row-level security that is switched on moves live subscribers apart, with no gap and no leak', async (t) => {
    await sql('CREATE POLICY a ON late USING (owner = auth.uid())');
    const clients = await Promise.all([0, 1, 2].map((n) => join(t, claimsOf(USERS[n % 2]), { table: 'late' })));
    const watching = await witness(t, 'late');
    const owners = new Map();
    let goes = true;
    const writing = (async () => {
      while (goes) {
        const owner = USERS[id % 2];
        await sql(`INSERT INTO late VALUES (${++id}, '${owner}')`);
        owners.set(id, owner);
      }
    })();
    await waitFor('rows of both', () => clients.every((client) => client.data().length > 20));
    await sql('ALTER TABLE late ENABLE ROW LEVEL SECURITY');
    const seen = (client, owner) => client.data().map(({ record }) => record.id).filter((row) => owners.get(row) === owner);
    await waitFor('an end of the other', async () => {
      const counts = clients.map((client, n) => seen(client, USERS[(n + 1) % 2]).length);
      const rows = id + 20;
      await waitFor('some more', () => id > rows);
      await settled(watching, rows);
      return clients.every((client, n) => seen(client, USERS[(n + 1) % 2]).length === counts[n]);
    }, 30_000);
    goes = false;
    await writing;
    await settled(watching, id);
    for (const [n, client] of clients.entries()) {
      const own = [...owners].filter(([, owner]) => owner === USERS[n % 2]).map(([row]) => row);
      await waitFor('all of its own', () => seen(client, USERS[n % 2]).length >= own.length);
      assert.deepEqual(seen(client, USERS[n % 2]), own);
      assert.ok(!client.ended(), 'nobody had to join again');
    }
  });

  test('a policy that fails, or that only SQL can decide, is told to whom it concerns and harms nobody', async (t) => {
    await policies('notes', `CREATE POLICY a ON notes TO authenticated USING (owner = auth.uid()); CREATE POLICY b ON notes TO anon USING (1 / level > 0)`);
    const fine = await join(t, claimsOf(USERS[0]), { table: 'notes' });
    const failing = await join(t, { role: 'anon' }, { table: 'notes' });
    const odd = await join(t, claimsOf('no uuid'), { table: 'notes' });
    const watching = await witness(t, 'notes');
    const rows = [];
    for (const level of [1, 0, 1]) {
      rows.push(++id);
      await sql(`INSERT INTO notes (id, owner, level) VALUES (${id}, '${USERS[0]}', ${level})`);
    }
    await settled(watching, id);
    await waitFor('its rows', () => fine.data().length === 3 && failing.data().length === 2);
    assert.deepEqual(fine.data().map(({ record }) => record.id), rows);
    assert.deepEqual(failing.data().map(({ record }) => record.id), [rows[0], rows[2]]);
    assert.match(failing.errors()[0], /division by zero/);
    await waitFor('its trouble', () => odd.errors().length > 0);
    assert.equal(odd.data().length, 0);
    assert.ok(!odd.ended() && !failing.ended());
  });

  test('a policy in SQL that fails or takes too long: its subscriber alone waits and is told', async (t) => {
    await policies('notes', `CREATE POLICY a ON notes TO authenticated USING (owner = auth.uid());
      CREATE POLICY b ON notes TO anon USING (CASE WHEN auth.jwt() ->> 'slow' IS NOT NULL THEN pg_sleep(20) IS NULL WHEN auth.jwt() ->> 'bad' IS NOT NULL
        THEN (SELECT 1 / (count(*) - count(*)) FROM teams) > 0 ELSE (SELECT count(*) FROM teams) > 0 END)`);
    const fine = await join(t, claimsOf(USERS[0]), { table: 'notes' });
    const [slow, bad, good] = await Promise.all([{ slow: 1 }, { bad: 1 }, {}].map((more) => join(t, { role: 'anon', ...more }, { table: 'notes' })));
    const watching = await witness(t, 'notes');
    const rows = [];
    for (let i = 0; i < 3; i++) {
      rows.push(++id);
      await sql(`INSERT INTO notes (id, owner) VALUES (${id}, '${USERS[0]}')`);
    }
    const started = performance.now();
    await settled(watching, id);
    await waitFor('its rows', () => fine.data().length === 3);
    assert.ok(performance.now() - started < 4500, 'the live stream waited for nobody');
    await waitFor('rows of the good one', () => good.data().length === 3, 30_000);
    assert.deepEqual(good.data().map(({ record }) => record.id), rows);
    await waitFor('reasons', () => slow.errors().length > 0 && bad.errors().length > 0);
    assert.match(bad.errors()[0], /division by zero/);
    assert.match(slow.errors()[0], /took too long/);
    assert.deepEqual([slow.data(), bad.data()], [[], []]);
    assert.ok([fine, good, slow, bad].every((client) => !client.ended()));
  });

  test('the time limit is a change\'s: rows that are slow together are asked about one by one', async (t) => {
    await policies('notes', 'CREATE POLICY a ON notes USING (pg_sleep(0.1) IS NOT NULL AND (SELECT count(*) FROM teams) > 0)');
    const clients = await Promise.all([0, 1].map((n) => join(t, claimsOf(USERS[n]), { table: 'notes' })));
    await sql(`INSERT INTO notes (id) SELECT n FROM generate_series(${id + 1}, ${id + 5}) n`);
    id += 5;
    await waitFor('all rows', () => clients.every((client) => client.data().length === 5), 30_000);
    for (const client of clients) assert.deepEqual([client.errors(), client.data().map(({ record }) => record.id)], [[], Array.from({ length: 5 }, (_, n) => id - 4 + n)]);
  });

  test('a connection that ends while a policy is asked hides nothing: it is asked again', async (t) => {
    await policies('notes', 'CREATE POLICY a ON notes USING (pg_sleep(0.15) IS NOT NULL AND (SELECT count(*) FROM teams) > 0)');
    const client = await join(t, claimsOf(USERS[0]), { table: 'notes' });
    await sql(`INSERT INTO notes (id) VALUES (${++id}), (${++id})`);
    let ended = 0;
    await waitFor('connections to end', async () => {
      const { rows: [{ n }] } = await house.postgres.query(`SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) AS n
        FROM pg_stat_activity WHERE query LIKE '%walcast.rows%' AND state = 'active' AND pid <> pg_backend_pid()`);
      ended += Number(n);
      return ended >= 2;
    }, 10_000, 5);
    await waitFor('both rows', () => client.data().length === 2, 30_000);
    assert.deepEqual([client.errors(), client.data().map(({ record }) => record.id), client.ended()], [[], [id - 1, id], false]);
  });

  test('a policy in SQL whose sub-query the role may not make', async (t) => {
    await policies('notes', 'CREATE POLICY b ON notes USING (org IN (SELECT s.org FROM private.sets s))');
    const [one, barred] = [await join(t, claimsOf(USERS[0]), { table: 'notes' }), await join(t, { role: 'anon' }, { table: 'notes' })];
    await sql(`INSERT INTO notes (id, org) VALUES (${++id}, 'acme')`);
    await waitFor('both answers', () => one.data().length === 1 && barred.errors().length === 1);
    assert.match(barred.errors()[0], /permission denied for table sets/);
    assert.deepEqual([one.errors(), barred.data()], [[], []]);
  });

  test('under a flow of changes a policy in SQL misses and doubles nothing, and updates are held both ways', async (t) => {
    await policies('whole', 'CREATE POLICY a ON whole USING (org IN (SELECT t.org FROM teams t WHERE t.member = auth.uid()))');
    const clients = await Promise.all([0, 1].map((n) => join(t, claimsOf(USERS[n]), { table: 'whole' })));
    const watching = await witness(t, 'whole');
    const first = id + 1;
    for (let i = 0; i < 100; i++) await sql(`INSERT INTO whole (id, org) VALUES (${++id}, '${['acme', 'beta', 'none'][i % 3]}')`);
    await sql(`UPDATE whole SET org = 'beta' WHERE org = 'acme' AND id >= ${first}`);
    await sql(`DELETE FROM whole WHERE id >= ${first}; INSERT INTO whole (id, org) VALUES (${++id}, 'acme'), (${++id}, 'beta')`);
    await settled(watching, id);
    const [acme, beta] = clients;
    await waitFor('all', () => beta.data().some(({ record }) => record?.id === id) && acme.data().some(({ record }) => record?.id === id - 1), 30_000);
    const count = (client, type) => client.data().filter((change) => change.type === type).length;
    assert.deepEqual([acme.errors(), beta.errors()], [[], []]);
    assert.deepEqual([count(acme, 'INSERT'), count(acme, 'UPDATE'), count(acme, 'DELETE')], [35, 0, 0]);
    assert.deepEqual([count(beta, 'INSERT'), count(beta, 'UPDATE'), count(beta, 'DELETE')], [34, 34, 67]);
    for (const { data } of clients) {
      const places = data().map(({ offset }) => offset.split('-')[1].split('.').map(Number));
      assert.ok(places.every(([s, n], i) => i === 0 || s > places[i - 1][0] || (s === places[i - 1][0] && n > places[i - 1][1])), 'in order');
    }
    assert.ok(beta.data().filter(({ type }) => type === 'UPDATE').every(({ old_record: old }) => Object.keys(old).length === 0));
  });

  test('many subscribers, each with its own claims: each gets its own', async (t) => {
    await policies('notes', 'CREATE POLICY a ON notes USING (owner = auth.uid())');
    const people = Array.from({ length: 200 }, () => randomUUID());
    const clients = await Promise.all(people.map((user) => join(t, claimsOf(user), { table: 'notes' })));
    const watching = await witness(t, 'notes');
    for (let round = 0; round < 3; round++)
      await sql(`INSERT INTO notes (id, owner) SELECT ${id} + n, u FROM unnest($1::uuid[]) WITH ORDINALITY AS p(u, n)`, [people]).then(async () => { id += people.length; await policies('whole', 'SELECT 1'); }); // other grants, which change nothing here
    await settled(watching, id);
    await waitFor('all', () => clients.every((client) => client.data().length === 3));
    for (const [n, client] of clients.entries()) assert.ok(client.data().every(({ record }) => record.owner === people[n]));
  });

  test('owners, who has their rights, members, and FORCE', async (t) => {
    const people = ['rls_owner', 'rls_heir', 'rls_member', 'authenticated', 'anon'].map((role) => ({ ...claimsOf(USERS[0]), role }));
    const clients = await Promise.all(people.map((claims) => join(t, claims, { table: 'owned' })));
    const watching = await witness(t, 'owned');
    for (const force of ['NO FORCE', 'FORCE']) {
      await sql(`ALTER TABLE owned ${force} ROW LEVEL SECURITY`);
      await waitFor('it', async () => {
        const rows = [++id, ++id];
        await sql(`INSERT INTO owned VALUES (${rows[0]}, '${USERS[0]}'), (${rows[1]}, '${USERS[1]}')`);
        await settled(watching, rows[1]);
        const expected = await Promise.all(people.map((claims) => visible('owned', claims, rows)));
        assert.deepEqual(expected.map((shown) => shown.length), force === 'FORCE' ? [1, 1, 1, 1, 0] : [2, 2, 1, 1, 0]);
        const got = () => clients.map((client) => client.data().map(({ record }) => record.id).filter((row) => rows.includes(row)));
        await waitFor('the rows', () => got().every((shown, i) => shown.length >= expected[i].length));
        return JSON.stringify(got()) === JSON.stringify(expected);
      }, 30_000);
    }
  });
});
