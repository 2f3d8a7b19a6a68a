// Row-level security held against PostgreSQL: random policies, rows, roles and claims, every kind of change.
// --rounds N: as many sets of policies (60). Each round replaces the policies of three tables, owned by a
// role, with and without FORCE: one whose key is its id, one whose key has the owner too, one with
// REPLICA IDENTITY FULL. Then rows are inserted, updated (their key too, large values left as they
// were) and deleted. What each of eight people is told of each change is compared with what a SELECT
// as their role with their claims shows of the row before and behind it, in a table of the same
// policies. Where the stream has not the whole row, the same is asked of rows that differ in the rest:
// only what hangs on none of it may be told, and what cannot be told must be said.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { claimsOf, PolicyHouse } from '../lib/policies.mjs';
import { waitFor } from '../lib/wait.mjs';

const at = process.argv.indexOf('--rounds');
const ROUNDS = at > 0 ? Number(process.argv[at + 1]) : 60;
const CHANGES = 36;
const VARIANTS = 3;
const TABLES = { keyed: ['id'], pair: ['id', 'owner'], whole: [] };
const ROLES = ['authenticated', 'anon', 'rls_owner', 'rls_heir', 'rls_member', 'rls_apart', 'rls_bypass'];
const COLUMNS = ['id', 'owner', 'org', 'level', 'shared', 'big', 'body'];
const USERS = Array.from({ length: 4 }, () => randomUUID());
const MADE = 'id int, owner uuid NOT NULL, org text, level int, shared boolean, big text, body text';
const SCHEMA = `
  CREATE ROLE rls_owner; CREATE ROLE rls_heir; GRANT rls_owner TO rls_heir; CREATE ROLE rls_member; GRANT authenticated TO rls_member;
  CREATE ROLE rls_apart NOINHERIT; GRANT authenticated TO rls_apart; CREATE ROLE rls_bypass BYPASSRLS;
  CREATE SCHEMA oracle;
  CREATE TABLE keyed (${MADE}, PRIMARY KEY (id)); CREATE TABLE pair (${MADE}, PRIMARY KEY (id, owner));
  CREATE TABLE whole (${MADE}, PRIMARY KEY (id)); ALTER TABLE whole REPLICA IDENTITY FULL;
  CREATE TABLE teams (member uuid, org text); CREATE TABLE picks (id int);
  INSERT INTO teams VALUES ('${USERS[0]}', 'acme'), ('${USERS[1]}', 'beta'), ('${USERS[1]}', 'ab'); INSERT INTO picks SELECT n * 3 FROM generate_series(1, 10000) n;
  CREATE FUNCTION public.may_read(o text) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ BEGIN
    RETURN EXISTS (SELECT FROM public.teams WHERE member = auth.uid() AND org = o); END $$;
  CREATE FUNCTION public.is_mine(uuid) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT $1 = auth.uid() $$;
  CREATE TABLE mark (id int PRIMARY KEY);
  GRANT USAGE ON SCHEMA public, oracle, auth TO ${ROLES.join()}; GRANT SELECT ON teams, picks, mark TO ${ROLES.join()};
  ${Object.keys(TABLES).map((table) => `CREATE TABLE oracle.${table} (${MADE}, image int);
    ALTER TABLE ${table} ALTER COLUMN big SET STORAGE EXTERNAL;
    ${[table, `oracle.${table}`].map((name) => `ALTER TABLE ${name} OWNER TO rls_owner; ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY;
      GRANT SELECT ON ${name} TO ${ROLES.join()}, service_role;`).join('')}`).join('')}
  CREATE FUNCTION drop_policies() RETURNS void LANGUAGE plpgsql AS $$ DECLARE p record; BEGIN
    FOR p IN SELECT polname, polrelid::regclass AS name FROM pg_policy WHERE polname LIKE 'p_' LOOP
      EXECUTE format('DROP POLICY %I ON %s', p.polname, p.name); END LOOP; END $$;`;

const literal = (value) => (value === null ? 'NULL' : typeof value === 'string' ? `'${value}'` : String(value));
const keyOf = (table, row) => Object.fromEntries(TABLES[table].map((name) => [name, row[name]]));

class Source {
  constructor(seed) { this.state = seed + 1; }
  random(n) { this.state = (this.state * 48271) % 2147483647; return this.state % n; }
  one(list) { return list[this.random(list.length)]; }

  leaf(table) {
    return this.one([
      () => 'owner = auth.uid()', () => `owner <> '${this.one(USERS)}'`, () => 'is_mine(owner)',
      () => `org ${this.one(['=', '<>', 'IS DISTINCT FROM'])} (auth.jwt() -> 'app_metadata' ->> 'org')`,
      () => `level ${this.one(['<', '>=', '='])} ${this.one(["((auth.jwt() -> 'app_metadata' ->> 'level')::int)", '2', 'coalesce(level, 1)'])}`,
      () => `shared IS ${this.one(['TRUE', 'NOT TRUE', 'UNKNOWN'])}`, () => `body LIKE '${this.one(['%1', '%2%'])}'`,
      () => `big ${this.one(["LIKE 'b%'", 'IS NOT NULL', "LIKE 'c%'"])}`, () => 'length(big) > 100',
      () => `id % ${this.one([2, 3])} = 0`, () => `id > ${this.random(3000)}`, () => 'id IN (SELECT s.id FROM picks s)',
      () => 'org IN (SELECT t.org FROM teams t WHERE t.member = auth.uid())', () => 'may_read(org)',
      () => `EXISTS (SELECT FROM teams t WHERE t.member = auth.uid() AND t.org = ${table}.org)`,
      () => `EXISTS (SELECT FROM teams t WHERE t.member = ${table}.owner AND t.org IN (auth.jwt() ->> 'aal', 'acme'))`,
      () => "auth.role() = 'authenticated'", () => "CASE WHEN level > 2 THEN shared ELSE id % 2 = 1 END"])();
  }
  condition(table, depth) {
    if (depth === 0 || this.random(3) === 0) return this.leaf(table);
    return this.one([() => `(${this.condition(table, depth - 1)} AND ${this.condition(table, depth - 1)})`,
      () => `(${this.condition(table, depth - 1)} OR ${this.condition(table, depth - 1)})`, () => `NOT (${this.condition(table, depth - 1)})`])();
  }
  // Statements for a table and its twin, and the conditions that a SELECT is held against.
  policies(table) {
    const counts = [];
    const made = Array.from({ length: 1 + this.random(4) }, (_, n) => {
      const command = this.one(['ALL', 'SELECT', 'SELECT', 'UPDATE', 'DELETE', 'INSERT']);
      const condition = this.condition(table, this.random(3));
      if (['ALL', 'SELECT'].includes(command)) counts.push(condition);
      return (name) => `CREATE POLICY p${n} ON ${name} AS ${n > 0 && this.fixed[n] ? 'RESTRICTIVE' : 'PERMISSIVE'} FOR ${command}
        TO ${this.to[n]} ${command === 'INSERT' ? 'WITH CHECK' : 'USING'} (${condition})`;
    });
    this.fixed = made.map(() => this.random(3) === 0);
    this.to = made.map(() => this.one(['PUBLIC', 'PUBLIC', 'authenticated', 'anon, authenticated', 'rls_owner', 'rls_apart, anon', 'rls_heir']));
    const force = this.one(['FORCE', 'NO FORCE']);
    const sql = [table, `oracle.${table}`].flatMap((name) => [...made.map((make) => make(name)), `ALTER TABLE ${name} ${force} ROW LEVEL SECURITY`]);
    return { sql, conditions: counts.join(' ; ') };
  }
  row(id, tag) {
    return { id, owner: this.one(USERS), org: this.one(['acme', 'beta', 'ab', null]), level: this.one([1, 2, 3, 5, null]),
      shared: this.one([true, false, null]), big: this.one([null, 'b', 'c', 'b'.repeat(2500), 'c'.repeat(3000)]), body: tag };
  }
}

// Changes of a table, one by one: what is run, and the row before and behind it.
class Changes {
  constructor(source, table, round) { Object.assign(this, { source, table, round, rows: [], list: [], statements: [] }); }
  static id = 0;

  where(row) { return `WHERE id = ${row.id}`; }
  add(op, before, after, statement) {
    const changed = before && after && COLUMNS.filter((name) => before[name] !== after[name]);
    this.list.push({ op, before, after, key: before && after && TABLES[this.table].some((name) => changed.includes(name)),
      unchanged: op === 'UPDATE' && !changed.includes('big') && (after.big?.length ?? 0) > 2000 });
    this.statements.push(statement);
  }
  insert(tag) {
    const row = this.source.row(++Changes.id, tag);
    this.rows.push(row);
    this.add('INSERT', null, row, `INSERT INTO ${this.table} VALUES (${COLUMNS.map((name) => literal(row[name])).join()})`);
  }
  update(tag) {
    const before = this.rows.splice(this.source.random(this.rows.length), 1)[0];
    const fresh = this.source.row(this.source.random(3) === 0 ? ++Changes.id : before.id, tag);
    const after = { ...before, body: tag, id: fresh.id };
    for (const name of ['owner', 'org', 'level', 'shared', 'big']) if (this.source.random(3) === 0) after[name] = fresh[name];
    const sets = COLUMNS.filter((name) => before[name] !== after[name]);
    this.rows.push(after);
    this.add('UPDATE', before, after, `UPDATE ${this.table} SET ${sets.map((name) => `${name} = ${literal(after[name])}`).join()} ${this.where(before)}`);
  }
  delete() {
    const before = this.rows.splice(this.source.random(this.rows.length), 1)[0];
    this.add('DELETE', before, null, `DELETE FROM ${this.table} ${this.where(before)}`);
  }
  make() {
    for (let n = 0; n < CHANGES; n++) {
      const tag = `r${this.round}.${this.table}.${n}`;
      const op = this.rows.length < 4 ? 0 : this.source.random(5);
      if (op < 2) this.insert(tag);
      else if (op < 4) this.update(tag);
      else this.delete();
    }
    return this;
  }
}

// Each image with a number, among them those that differ in what the stream does not carry.
function images(source, changes) {
  const rows = [];
  const note = (row) => { rows.push(row); return rows.length - 1; };
  const varied = (row, names) => Array.from({ length: VARIANTS }, () => note({ ...source.row(row.id, 'v1'), ...Object.fromEntries(names.map((name) => [name, row[name]])) }));
  for (const change of changes.list) {
    change.images = { before: change.before && note(change.before), after: change.after && note(change.after), ofKey: [], ofRest: [] };
    if (change.before && changes.table !== 'whole') change.images.ofKey = varied(change.before, TABLES[changes.table]);
    if (change.unchanged && changes.table !== 'whole') change.images.ofRest = varied(change.after, COLUMNS.filter((name) => name !== 'big'));
  }
  return rows;
}

const only = (row, names) => Object.fromEntries(names.map((name) => [name, row[name]]));
// What a person may and must be told of a change: { must, may, says } and the event.
function expected(table, change, { visible, secured, conditions }) {
  const sees = (image) => visible.has(image);
  const { before, after, ofKey, ofRest } = change.images;
  const others = COLUMNS.filter((name) => !TABLES[table].includes(name)).join('|');
  const byKey = !secured || !new RegExp(`\\b(${others})\\b`).test(conditions);
  if (change.op === 'INSERT') return { must: sees(after), may: sees(after), event: { record: change.after } };
  if (change.op === 'DELETE') {
    const event = { old_record: table === 'whole' ? change.before : keyOf(table, change.before) };
    if (table === 'whole') return { must: sees(before), may: sees(before), event };
    const may = sees(before) && ofKey.every(sees);
    return { must: byKey && sees(before), may, says: sees(before) && /DELETEs are not shown|carries only its key/, event };
  }
  const lacks = change.unchanged && table !== 'whole';
  const exact = !lacks || !secured || !/\bbig\b/.test(conditions);
  const event = { record: lacks ? only(change.after, COLUMNS.filter((name) => name !== 'big')) : change.after };
  const olds = table === 'whole' ? [sees(before) ? change.before : {}] : [keyOf(table, change.after)];
  if (change.key && table !== 'whole' && sees(before) && ofKey.every(sees)) {
    if (byKey) olds.pop();
    olds.push(keyOf(table, change.before));
  }
  return { must: exact && sees(after), may: sees(after) && ofRest.every(sees), says: sees(after) && /read a large value|does not carry a large value/, event, olds,
    leaves: !sees(after) && sees(before) };
}

test('what each is told of each change is what a SELECT shows', { timeout: (60 + ROUNDS * 20) * 1000 }, async (t) => {
  const seed = Number(process.env.WALCAST_SEED ?? Date.now() % 1e6);
  t.diagnostic(`seed ${seed}, ${ROUNDS} rounds`);
  const source = new Source(seed);
  const it = await PolicyHouse.start({ schema: SCHEMA, roles: ROLES, tables: [...Object.keys(TABLES), 'mark'], config: { 'auth.policy_timeout': '2s', 'postgres.tables': 'public.*' } });
  t.after(() => it.stop());
  const people = [claimsOf(USERS[0]), claimsOf(USERS[1], { aal: 'beta', app_metadata: { org: 'beta', level: 1 } }), { role: 'anon', sub: USERS[0] },
    claimsOf(USERS[1], { role: 'rls_owner' }), claimsOf(USERS[2], { role: 'rls_heir', app_metadata: {} }), claimsOf(USERS[0], { role: 'rls_member' }),
    claimsOf(USERS[1], { role: 'rls_apart' }), { role: 'rls_bypass' }];
  const clients = await Promise.all(people.map((claims) => it.join(t, claims, [...Object.keys(TABLES), 'mark'].map((table) => ({ table })))));
  const leaving = await Promise.all(people.map((claims) => it.join(t, claims, [{ table: 'whole', filter: 'id=gte.0', leave: true }, { table: 'mark' }])));
  const counts = { decisions: 0, shown: 0, leaves: 0, untold: 0, oldKeys: 0 };

  // Of one person: what came of the changes, in their order, and nothing else.
  function compare(client, table, changes, facts, leave, context) {
    const got = client.data().filter((data) => data.table === table);
    const nameOf = ({ type, record, old_record: old }) => (type === 'DELETE' ? `D${old.id}` : type === 'LEAVE' ? `L${old.body}` : record.body);
    const came = new Map(got.map((data, n) => [nameOf(data), { data, n }]));
    let last = -1;
    assert.equal(came.size, got.length, `nothing twice: ${context}`);
    for (const change of changes.list) {
      const wanted = expected(table, change, facts);
      const what = `${JSON.stringify(change)} ${context}`;
      const told = came.get(change.op === 'DELETE' ? `D${change.before.id}` : change.after.body);
      const left = change.op === 'UPDATE' && came.get(`L${change.before.body}`);
      counts.decisions++;
      if (told) assert.ok(wanted.may, `shown, and may not be: ${what}`);
      else assert.ok(!wanted.must, `not shown, and must be: ${what}`);
      if (!told && wanted.may === false && wanted.says) counts.untold++;
      if (!told && wanted.says) assert.ok(client.errors().some((text) => text.includes(`.${table}`) && wanted.says.test(text)), `not shown, and not said: ${what}`);
      assert.equal(Boolean(left), Boolean(leave && wanted.leaves), `a leave: ${what}`);
      if (left) assert.deepEqual([left.data.old_record, left.data.record], [change.before, undefined], what);
      counts.leaves += left ? 1 : 0;
      const event = told ?? left;
      if (!event) continue;
      assert.ok(event.n > last, `in order: ${what}`);
      last = event.n;
      came.delete(nameOf(event.data));
      if (!told) continue;
      counts.shown++;
      assert.equal(told.data.type, change.op, what);
      assert.deepEqual(told.data.record, wanted.event.record, what);
      if (change.op === 'DELETE') assert.deepEqual(told.data.old_record, wanted.event.old_record, what);
      if (wanted.olds) assert.ok(wanted.olds.some((old) => JSON.stringify(old) === JSON.stringify(told.data.old_record)), `old_record ${JSON.stringify(told.data.old_record)}: ${what}`);
      if (change.key && told.data.old_record.id === change.before.id) counts.oldKeys++;
    }
    assert.equal(came.size, 0, `nothing else: ${[...came.keys()]} ${context}`);
  }

  for (let round = 1; round <= ROUNDS; round++) {
    const all = Object.keys(TABLES).map((table) => ({ table, changes: new Changes(source, table, round).make(), policies: source.policies(table) }));
    await it.policies('keyed', `SELECT drop_policies(); ${all.flatMap(({ policies }) => policies.sql).join(';')}`);
    for (const client of [...clients, ...leaving]) client.received.length = 0;
    for (const { table, changes } of all) {
      const rows = images(source, changes);
      await it.sql(`TRUNCATE oracle.${table}; INSERT INTO oracle.${table} VALUES ${rows.map((row, n) => `(${COLUMNS.map((name) => literal(row[name])).join()}, ${n})`).join()}`);
      for (let n = 0; n < changes.statements.length;) {
        const size = 1 + source.random(10);
        await it.sql(changes.statements.slice(n, n += size).join(';'));
      }
    }
    await it.sql(`INSERT INTO mark VALUES (${round})`); // comes behind all else, whoever decides of it
    await waitFor(`the mark of round ${round} (seed ${seed})`, () => [...clients, ...leaving].every((client) => client.data().some(({ table }) => table === 'mark')), 60_000);
    for (const { table, changes, policies } of all)
      for (const [n, claims] of people.entries()) {
        const context = `\nfor ${JSON.stringify(claims)}, seed ${seed}, round ${round}, table ${table}:\n${policies.sql.join(';\n')}`;
        const facts = { visible: new Set(await it.asked(claims, `SELECT image FROM oracle.${table}`)), conditions: policies.conditions,
          secured: (await it.asked(claims, `SELECT row_security_active('oracle.${table}')`))[0] };
        compare(clients[n], table, changes, facts, false, context);
        if (table === 'whole') compare(leaving[n], table, changes, facts, true, context);
      }
  }
  t.diagnostic(`${counts.decisions} decisions: ${counts.shown} changes shown, ${counts.leaves} leaves, ${counts.oldKeys} old keys shown, ${counts.untold} that could not be told and were said`);
  assert.ok(counts.shown > counts.decisions / 20 && counts.shown < counts.decisions * 0.95 && counts.leaves > 0 && counts.untold > 0 && counts.oldKeys > 0);
  assert.ok([...clients, ...leaving].every((client) => !client.ended()));
});
