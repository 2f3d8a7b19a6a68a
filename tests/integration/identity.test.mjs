// Issue point 6: replica identities. A table whose rows cannot be told apart is published with INSERT
// and TRUNCATE only, so that the application's own UPDATE and DELETE go on working; when its identity
// changes while Walcast streams, it moves between the two publications and no insert is lost on the
// way.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { brief, follower, waitPublications } from '../lib/published.mjs';
import { assertShapesTold } from '../lib/shapes.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(2);

test('replica identity nothing, index and full', async (t) => {
  const changesOf = follower(await startHouse(t, { schema: `
    CREATE TABLE nothing (id int PRIMARY KEY, a int); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE by_index (id int PRIMARY KEY, a int NOT NULL UNIQUE);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_a_key;
    CREATE TABLE whole (id int, a int); ALTER TABLE whole REPLICA IDENTITY FULL` }));
  const nothing = await changesOf(
    'INSERT INTO nothing VALUES (1, 1); UPDATE nothing SET a = 2; DELETE FROM nothing');
  assert.deepEqual(nothing.map(brief), [['INSERT', 'nothing', { id: 1, a: 1 }]]);
  const index = await changesOf(
    'INSERT INTO by_index VALUES (1, 1); UPDATE by_index SET a = 2; DELETE FROM by_index');
  assert.deepEqual(index.map(({ op, old_record }) => [op, old_record]),
    [['INSERT', null], ['UPDATE', { a: 1 }], ['DELETE', { a: 2 }]]);
  const whole = await changesOf(
    'INSERT INTO whole VALUES (1, 1); UPDATE whole SET a = 2; DELETE FROM whole');
  assert.deepEqual(whole.map(({ op, old_record }) => [op, old_record]),
    [['INSERT', null], ['UPDATE', { id: 1, a: 1 }], ['DELETE', { id: 1, a: 2 }]]);
});

const IDENTITY = 'ALTER TABLE items REPLICA IDENTITY';

// [SQL, the publication that the table belongs to then, what an UPDATE and a DELETE bring].
const SWITCHES = [
  [`${IDENTITY} FULL`, 'walcast', { id: 1, a: 1, b: 1 }],
  [`${IDENTITY} USING INDEX items_a_key`, 'walcast', { a: 1 }],
  ['DROP INDEX items_a_key', 'walcast_inserts'],
  [`${IDENTITY} DEFAULT`, 'walcast', { id: 1 }],
  [`${IDENTITY} NOTHING`, 'walcast_inserts'],
  [`${IDENTITY} FULL`, 'walcast', { id: 1, a: 1, b: 1 }],
  [`${IDENTITY} DEFAULT; ALTER TABLE items DROP CONSTRAINT items_pkey`, 'walcast_inserts'],
  ['ALTER TABLE items ADD PRIMARY KEY (id)', 'walcast', { id: 1 }],
];

test('every switch of the identity while streaming', async (t) => {
  const house = await startHouse(t, { schema: `CREATE TABLE items (id int PRIMARY KEY, a int NOT NULL, b int);
    CREATE UNIQUE INDEX items_a_key ON items (a)` });
  const changesOf = follower(house, { schemas: true });
  await changesOf('INSERT INTO items VALUES (0, 0, 0)');
  let version = null;
  for (const [sql, publication, old] of SWITCHES) {
    await house.postgres.query(sql);
    await waitPublications(house.postgres, 'items', publication);
    // Each succeeds, whatever is published of it. An UPDATE of the key shows the old one.
    const changes = await changesOf(`INSERT INTO items VALUES (1, 1, 1); UPDATE items SET id = 2, a = 2 WHERE id = 1;
      DELETE FROM items WHERE id = 2`);
    const keyed = old ? [['UPDATE', old], ['DELETE', Object.fromEntries(Object.keys(old).map((name) => [name, name === 'b' ? 1 : 2]))]] : [];
    const [schema, ...rest] = changes;
    assert.deepEqual([schema.op, rest.map(({ op, old_record }) => [op, old_record])],
      ['SCHEMA', [['INSERT', null], ...keyed]], sql);
    assert.equal(schema.shape.previous_version, version ?? schema.shape.previous_version, sql);
    version = schema.shape.version;
  }
  await assertShapesTold(house.nats);
});

// In a transaction that lasts until the others got on, ended, or wait for it.
async function insertSlowly(client, id, gotOn) {
  await client.query(`BEGIN; INSERT INTO items VALUES (${id})`);
  await waitFor('the others', async () => gotOn() ||
    (await client.query('SELECT 1 FROM pg_locks WHERE NOT granted')).rowCount > 0);
  await client.query('COMMIT');
}

test('no insert is lost or doubled while a table moves between the publications', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE items (id int PRIMARY KEY, a int)' });
  const { postgres, walcast, nats } = house;
  const writers = await Promise.all([0, 1, 2].map(() => postgres.connect()));
  let next = 0;
  let ended = false;
  const load = writers.map(async (client, i) => {
    while (!ended) {
      const id = next++;
      if (i < 2) await client.query(`INSERT INTO items VALUES (${id})`);
      else await insertSlowly(client, id, () => ended || next > id + 100);
    }
  });
  for (let i = 0; i < 3; i++) {
    await postgres.query('ALTER TABLE items REPLICA IDENTITY NOTHING');
    await waitPublications(postgres, 'items', 'walcast_inserts');
    await postgres.query('ALTER TABLE items REPLICA IDENTITY DEFAULT');
    await waitPublications(postgres, 'items', 'walcast');
  }
  ended = true;
  await Promise.all(load);
  await Promise.all(writers.map((client) => client.end()));
  await waitConfirmed(postgres);
  const ids = (await walcast.changes()).filter(({ op }) => op === 'INSERT').map(({ record }) => record.id);
  assert.equal(ids.length, next);
  assert.deepEqual([...ids].sort((a, b) => a - b), Array.from({ length: next }, (_, id) => id));
  await assertShapesTold(nats);
});

test('a table that somebody has locked keeps neither the slot nor other tables waiting', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE items (id int PRIMARY KEY)' });
  const { postgres } = house;
  const changesOf = follower(house);
  await postgres.query('CREATE TABLE locked (id int PRIMARY KEY)');
  const holder = await postgres.connect();
  await waitPublications(postgres, 'locked', 'walcast');
  await holder.query('ALTER TABLE locked REPLICA IDENTITY NOTHING');
  await holder.query('BEGIN; LOCK TABLE locked IN SHARE UPDATE EXCLUSIVE MODE'); // as VACUUM does
  await postgres.query('CREATE TABLE other (id int PRIMARY KEY)');
  await waitPublications(postgres, 'other', 'walcast');
  assert.deepEqual((await changesOf('INSERT INTO items VALUES (1); INSERT INTO other VALUES (2)')).map(brief),
    [['INSERT', 'items', { id: 1 }], ['INSERT', 'other', { id: 2 }]]);
  await holder.query('COMMIT');
  await holder.end();
  await waitPublications(postgres, 'locked', 'walcast_inserts');
  await postgres.query('INSERT INTO locked VALUES (1); UPDATE locked SET id = 2; DELETE FROM locked');
});

test('a table that may not be published is no reason to leave the next one out', async (t) => {
  const house = await startHouse(t, { walcast: false, schema: `CREATE TABLE theirs (id int PRIMARY KEY);
    CREATE ROLE app LOGIN REPLICATION; GRANT CREATE ON DATABASE postgres TO app; GRANT ALL ON SCHEMA public TO app` });
  const { postgres } = house;
  const url = postgres.url.replace('postgres@', 'app@');
  house.walcast = await Walcast.start({ ...house, config: { 'postgres.url': url } });
  t.after(() => house.walcast.remove());
  await house.walcast.ready();
  // As many tables are out of place as before, but not the same ones.
  await postgres.query('BEGIN; DROP TABLE theirs; SET LOCAL ROLE app; CREATE TABLE ours (id int PRIMARY KEY); COMMIT');
  await waitPublications(postgres, 'ours', 'walcast');
  assert.equal(house.walcast.logText().match(/cannot be published/g).length, 1);
});
