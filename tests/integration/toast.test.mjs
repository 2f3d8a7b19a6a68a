// Values kept outside their row that an UPDATE did not touch: a state of their own on the whole way,
// never null; filled from the old image where there is one, read from the table where that is asked.
import assert from 'node:assert/strict';
import { fold } from '../lib/fold.mjs';
import { startHouse } from '../lib/house.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { connectRealtime, received, subscribe } from '../lib/subscriber.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(2);

// 9 kB that do not compress: kept outside by every storage strategy.
const BIG = "(SELECT string_agg(md5(random()::text || i), '') FROM generate_series(1, 290) i)";

const SCHEMA = `
CREATE TABLE docs (id bigint PRIMARY KEY, n int, body text, extra text);
CREATE TABLE docs_full (id bigint PRIMARY KEY, n int, body text, extra text);
ALTER TABLE docs_full REPLICA IDENTITY FULL;
CREATE TABLE docs_index (id bigint PRIMARY KEY, a text NOT NULL, b int NOT NULL, body text);
CREATE UNIQUE INDEX docs_index_key ON docs_index (b, a);
ALTER TABLE docs_index REPLICA IDENTITY USING INDEX docs_index_key;
CREATE TABLE wide_key (name text PRIMARY KEY, n int, body text);
ALTER TABLE wide_key ALTER name SET STORAGE EXTERNAL;
CREATE TABLE "Odd ""name"".t" ("the key" text PRIMARY KEY, "b.o,d'y" jsonb, n int);
CREATE TABLE split (id bigint, region int, body text, n int, PRIMARY KEY (id, region))
  PARTITION BY LIST (region);
CREATE TABLE split_1 PARTITION OF split FOR VALUES IN (1);
CREATE TABLE locked (id bigint PRIMARY KEY, body text, n int);
CREATE TABLE guarded (id bigint PRIMARY KEY, body text, n int);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
CREATE TABLE hidden (id bigint PRIMARY KEY, body text, n int);
`;

// A function that runs SQL and gives the changes that it brought into the stream.
function follower({ postgres, walcast }) {
  let seen = 0;
  const fresh = async () => {
    await waitConfirmed(postgres);
    const all = await walcast.changes();
    const news = all.slice(seen);
    seen = all.length;
    return news;
  };
  return async (...statements) => {
    for (const sql of statements) await postgres.query(sql);
    return fresh();
  };
}

function assertUnmarked(...changes) {
  for (const change of changes)
    assert.equal('unchanged' in change || 'read_later' in change, false);
}

test('absent, the default', async (suite) => {
  const house = await startHouse(suite, { schema: SCHEMA });
  const changesOf = follower(house);

  await suite.test('an untouched value is absent with its name listed', async () => {
    const [first, , touched, small, nulled] = await changesOf(
      `INSERT INTO docs VALUES (1, 1, ${BIG}, ${BIG}), (2, 1, NULL, 'x')`,
      'UPDATE docs SET n = 2', 'UPDATE docs SET body = NULL WHERE id = 1');
    assert.ok(first.record.body.length > 8192);
    assert.deepEqual(touched.record, { id: 1, n: 2 });
    assert.deepEqual(touched.unchanged, ['body', 'extra']);
    assert.equal(touched.old_record, null);
    assert.deepEqual(small.record, { id: 2, n: 2, body: null, extra: 'x' });
    assertUnmarked(first, small);
    assert.deepEqual(nulled.record, { id: 1, n: 2, body: null });
    assert.deepEqual(nulled.unchanged, ['extra']);
  });

  await suite.test('a key change is the old key and the new row, still without it', async () => {
    const [change] = await changesOf('UPDATE docs SET id = 10 WHERE id = 1');
    assert.deepEqual(change.old_record, { id: 1 });
    assert.deepEqual(change.record, { id: 10, n: 2, body: null });
    assert.deepEqual(change.unchanged, ['extra']);
    const copy = fold(await house.walcast.changes({ table: 'docs' }), (row) => String(row.id));
    const { rows } = await house.postgres.query('SELECT * FROM docs WHERE id = 10');
    assert.deepEqual(copy.get('10'), { ...rows[0], id: 10 });
  });

  await suite.test('with REPLICA IDENTITY FULL the old image fills it', async () => {
    const [insert, ...updates] = await changesOf(
      `INSERT INTO docs_full VALUES (1, 1, ${BIG}, NULL)`, 'UPDATE docs_full SET n = 2',
      'UPDATE docs_full SET id = 7', "UPDATE docs_full SET body = 'small'");
    const { body } = insert.record;
    const rows = [{ id: 1, n: 1, body, extra: null }, { id: 1, n: 2, body, extra: null },
      { id: 7, n: 2, body, extra: null }, { id: 7, n: 2, body: 'small', extra: null }];
    assert.deepEqual(updates.map(({ record }) => record), rows.slice(1));
    assert.deepEqual(updates.map(({ old_record: old }) => old), rows.slice(0, 3));
    assertUnmarked(...updates);
  });

  await suite.test('a key so long that it is kept outside is filled from the old key', async () => {
    const [insert, update] = await changesOf(
      `INSERT INTO wide_key VALUES (left(${BIG}, 2600), 1, ${BIG})`, 'UPDATE wide_key SET n = 2');
    assert.deepEqual(update.record, { name: insert.record.name, n: 2 });
    assert.deepEqual(update.unchanged, ['body']);
  });

  await suite.test('the real client sees it absent, never null', async (t) => {
    const client = await connectRealtime(t, house.walcast);
    const seen = await subscribe(client, [{ event: '*', schema: 'public', table: 'docs' }]);
    await house.postgres.query('UPDATE docs SET n = 3 WHERE id = 10');
    await received(seen, 1);
    assert.deepEqual(seen.changes[0].new, { id: 10, n: 3, body: null });
  });

  await suite.test('over the wire its name is listed', async (t) => {
    const apikey = await house.walcast.token({ role: 'anon' });
    const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey, vsn: '2.0.0' }));
    client.join('1', 'realtime:docs',
      { postgres_changes: [{ event: 'UPDATE', schema: 'public', table: 'docs' }] });
    await client.next('the subscription', ([, , , event, payload]) =>
      event === 'system' && payload.status === 'ok');
    await house.postgres.query('UPDATE docs SET n = 4 WHERE id = 10');
    const [, , , , { data }] = await client.next('the change', (message) => message[3] === 'postgres_changes');
    assert.deepEqual(data.record, { id: 10, n: 4, body: null });
    assert.deepEqual(data.unchanged, ['extra']);
  });
});

test('cdc.toast: read', async (suite) => {
  // Who asks for a synchronous commit waits for a standby that is not there.
  const house = await startHouse(suite, { schema: SCHEMA, config: { 'cdc.toast': 'read' },
    settings: { synchronous_standby_names: 'nobody', synchronous_commit: 'local' } });
  const changesOf = follower(house);
  const { postgres, walcast } = house;

  await suite.test('untouched values are read by the key and named', async () => {
    const [insert, update] = await changesOf(
      `INSERT INTO docs VALUES (1, 1, ${BIG}, ${BIG})`, 'UPDATE docs SET n = 2');
    assert.deepEqual(update.record, { ...insert.record, n: 2 });
    assert.deepEqual(update.read_later, ['body', 'extra']);
    const [rekeyed] = await changesOf("UPDATE docs SET id = 5, body = 'small'");
    assert.deepEqual(rekeyed.record, { id: 5, n: 2, body: 'small', extra: insert.record.extra });
    assert.deepEqual(rekeyed.read_later, ['extra']);
    assert.deepEqual(rekeyed.old_record, { id: 1 });
  });

  await suite.test('a row that is gone by then leaves it unchanged', async () => {
    const [, update] = await changesOf(`INSERT INTO docs VALUES (20, 1, ${BIG}, NULL)`,
      'BEGIN; UPDATE docs SET n = 2 WHERE id = 20; DELETE FROM docs WHERE id = 20; COMMIT');
    assert.deepEqual(update.record, { id: 20, n: 2, extra: null });
    assert.deepEqual(update.unchanged, ['body']);
  });

  await suite.test('a null of later is a null that was read later', async () => {
    const [, update] = await changesOf(`INSERT INTO docs VALUES (30, 1, ${BIG}, NULL)`,
      'BEGIN; UPDATE docs SET n = 2 WHERE id = 30; UPDATE docs SET body = NULL WHERE id = 30; COMMIT');
    assert.deepEqual(update.record, { id: 30, n: 2, body: null, extra: null });
    assert.deepEqual(update.read_later, ['body']);
  });

  const awkward = [
    ['docs_index', 'body', `(1, 'a''"\\', 2, ${BIG})`, 'id = 3'],
    ['"Odd ""name"".t"', "b.o,d'y", `('k "', to_jsonb(${BIG}), 1)`, 'n = 2'],
    ['split', 'body', `(1, 1, ${BIG}, 1)`, 'n = 2'],
    ['wide_key', 'body', `(left(${BIG}, 2600), 1, ${BIG})`, 'n = 2'],
  ];
  for (const [table, column, values, set] of awkward) {
    await suite.test(`any key, any name, partitions: ${table}`, async () => {
      const [insert, update] = await changesOf(
        `INSERT INTO ${table} VALUES ${values}`, `UPDATE ${table} SET ${set}`);
      assert.ok(insert.record[column].length > 8192);
      assert.equal(update.record[column], insert.record[column]);
      assert.deepEqual(update.read_later, [column]);
    });
  }

  await suite.test('nothing is read where the old image has it', async () => {
    assertUnmarked(...await changesOf(`INSERT INTO docs_full VALUES (1, 1, ${BIG}, NULL)`,
      'UPDATE docs_full SET n = 2'));
  });

  await suite.test('a commit that others do not see yet is not read past', async (t) => {
    await changesOf(`INSERT INTO split VALUES (9, 1, 'old' || ${BIG}, 1)`);
    const client = await postgres.connect();
    t.after(() => client.end());
    await client.query('SET synchronous_commit = on');
    const waiting = client.query(`BEGIN; UPDATE split SET body = 'new' || ${BIG} WHERE id = 9;
      UPDATE split SET n = 2 WHERE id = 9; COMMIT`);
    let changes = [];
    await waitFor('both changes', async () => {
      changes = await walcast.changes({ table: 'split_1' });
      return changes.at(-1).record.n === 2 && changes.at(-1).record.id === 9;
    });
    const { rowCount } = await postgres.query('SELECT FROM split WHERE id = 9 AND n = 2');
    await postgres.query("ALTER SYSTEM SET synchronous_standby_names = ''");
    await postgres.query('SELECT pg_reload_conf()');
    await waiting;
    assert.equal(rowCount, 0, 'nobody saw it then');
    assert.match(changes.at(-2).record.body, /^new/);
    assert.deepEqual(changes.at(-1).unchanged, ['body']);
    await changesOf();
  });

  await suite.test('a database that goes away is waited for', async () => {
    await changesOf(`INSERT INTO docs VALUES (50, 1, ${BIG}, NULL)`);
    await postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'walcast lookup'");
    await postgres.query('UPDATE docs SET n = 2 WHERE id = 50');
    await waitFor('the value', async () => {
      const last = (await walcast.changes({ table: 'docs' })).at(-1);
      return last.record.n === 2 && last.read_later?.includes('body');
    }, 15_000);
  });

  await suite.test('a lock on the table delays the slot a second, and it says so', async (t) => {
    await changesOf(`INSERT INTO locked VALUES (1, ${BIG}, 1), (2, ${BIG}, 1)`);
    await walcast.stop();
    await postgres.query('UPDATE locked SET n = 2');
    const holder = await postgres.connect();
    t.after(() => holder.end());
    await holder.query('BEGIN; LOCK TABLE locked');
    walcast.start();
    await walcast.ready();
    const updates = await changesOf();
    assert.deepEqual(updates.map(({ unchanged }) => unchanged), [['body'], ['body']]);
    assert.match(walcast.logText(), /unchanged values cannot be read now.*public\.locked.*lock/);
    await holder.query('ROLLBACK');
  });
});

test('what the user may not see is not read', async (suite) => {
  const house = await startHouse(suite, { walcast: false, schema: `${SCHEMA}
    CREATE POLICY all_rows ON guarded USING (true);
    CREATE ROLE streamer LOGIN REPLICATION;
    GRANT SELECT ON guarded TO streamer;
    CREATE PUBLICATION walcast FOR ALL TABLES;` });
  house.walcast = await Walcast.start({ ...house, config: { 'cdc.toast': 'read',
    'postgres.url': house.postgres.url.replace('postgres@', 'streamer@') } });
  await house.walcast.ready();
  const changesOf = follower(house);
  for (const [table, reason] of [['guarded', 'row-level security'], ['hidden', 'permission denied']]) {
    await suite.test(table, async () => {
      const [, update] = await changesOf(
        `INSERT INTO ${table} VALUES (1, ${BIG}, 1)`, `UPDATE ${table} SET n = 2`);
      assert.deepEqual(update.record, { id: 1, n: 2 });
      assert.deepEqual(update.unchanged, ['body']);
      if (table === 'guarded') assert.match(house.walcast.logText(), new RegExp(`cannot be read.*${reason}`));
    });
  }
});
