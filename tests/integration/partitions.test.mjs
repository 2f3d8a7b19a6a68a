// Issue point 6: partitions, published as themselves or as their root, attached and detached while
// Walcast streams. The application's own statements always succeed.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { brief, follower, waitPublications } from '../lib/published.mjs';
import { assertShapesTold } from '../lib/shapes.mjs';
import { together } from '../lib/together.mjs';

const test = together(2);

const PARTS = `CREATE TABLE parts (id int, n int, PRIMARY KEY (id, n)) PARTITION BY RANGE (n);
  CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10);
  CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (20)`;
const LOAD = `INSERT INTO parts VALUES (1, 1), (2, 11); UPDATE parts SET n = 12 WHERE id = 1;
  DELETE FROM parts WHERE id = 2; TRUNCATE parts`;

for (const viaRoot of [true, false])
  test(`a publication of the user's, publish_via_partition_root ${viaRoot}`, async (t) => {
    const house = await startHouse(t, { schema: `${PARTS};
      CREATE PUBLICATION walcast FOR TABLE parts WITH (publish_via_partition_root = ${viaRoot})` });
    const { postgres } = house;
    const changesOf = follower(house);
    const named = (partition) => (viaRoot ? 'parts' : partition);
    const changes = await changesOf(LOAD);
    assert.deepEqual(changes.slice(0, 5).map(brief), [['INSERT', named('parts_low'), { id: 1, n: 1 }],
      ['INSERT', named('parts_high'), { id: 2, n: 11 }], ['DELETE', named('parts_low'), { id: 1, n: 1 }],
      ['INSERT', named('parts_high'), { id: 1, n: 12 }], ['DELETE', named('parts_high'), { id: 2, n: 11 }]]);
    assert.deepEqual(changes.slice(5).map(({ op, table }) => `${op} ${table}`).sort(),
      viaRoot ? ['TRUNCATE parts'] : ['TRUNCATE parts_high', 'TRUNCATE parts_low']);
    // Attached: its columns stand in another order.
    await postgres.query('CREATE TABLE late (n int NOT NULL, id int NOT NULL, PRIMARY KEY (id, n))');
    assert.deepEqual(await changesOf('INSERT INTO late VALUES (21, 3)'), []);
    await postgres.query('ALTER TABLE parts ATTACH PARTITION late FOR VALUES FROM (20) TO (30)');
    assert.deepEqual((await changesOf('INSERT INTO parts VALUES (4, 24); UPDATE late SET id = 5 WHERE id = 3')).map(brief),
      [['INSERT', named('late'), { id: 4, n: 24 }], ['UPDATE', named('late'), { id: 5, n: 21 }]]);
    await postgres.query('ALTER TABLE parts DETACH PARTITION late');
    assert.deepEqual(await changesOf('INSERT INTO late VALUES (22, 6)'), []);
    await assertShapesTold(house.nats);
  });

test("Walcast's own publication: partitions as themselves, attached and detached", async (t) => {
  const house = await startHouse(t, { schema: PARTS });
  const { postgres } = house;
  const changesOf = follower(house);
  assert.deepEqual((await changesOf('INSERT INTO parts VALUES (1, 1), (2, 11); DELETE FROM parts WHERE id = 1')).map(brief),
    [['INSERT', 'parts_low', { id: 1, n: 1 }], ['INSERT', 'parts_high', { id: 2, n: 11 }], ['DELETE', 'parts_low', { id: 1, n: 1 }]]);
  await postgres.query('CREATE TABLE late (id int NOT NULL, n int NOT NULL, PRIMARY KEY (id, n))');
  await waitPublications(postgres, 'late', 'walcast');
  assert.deepEqual((await changesOf('INSERT INTO late VALUES (3, 21)')).map(brief), [['INSERT', 'late', { id: 3, n: 21 }]]);
  // From here on it follows its root; published it is all the time, and once.
  assert.deepEqual((await changesOf(`ALTER TABLE parts ATTACH PARTITION late FOR VALUES FROM (20) TO (30);
    INSERT INTO parts VALUES (4, 22)`)).map(brief), [['INSERT', 'late', { id: 4, n: 22 }]]);
  await waitPublications(postgres, 'late', '');
  assert.deepEqual((await changesOf('DELETE FROM parts WHERE n > 20')).map(brief),
    [['DELETE', 'late', { id: 3, n: 21 }], ['DELETE', 'late', { id: 4, n: 22 }]]);
  await postgres.query('ALTER TABLE parts DETACH PARTITION late');
  await waitPublications(postgres, 'late', 'walcast');
  assert.deepEqual((await changesOf('INSERT INTO late VALUES (5, 99)')).map(brief), [['INSERT', 'late', { id: 5, n: 99 }]]);
  await assertShapesTold(house.nats);
});

// The root's own replica identity is not inherited: what counts is each partition's.
test('partitions without a key: UPDATE and DELETE go on working', async (t) => {
  const house = await startHouse(t, { schema: `
    CREATE TABLE keyless (id int, n int) PARTITION BY LIST (n); CREATE TABLE keyless_1 PARTITION OF keyless FOR VALUES IN (1);
    CREATE TABLE root_full (id int, n int) PARTITION BY LIST (n); CREATE TABLE root_full_1 PARTITION OF root_full FOR VALUES IN (1);
    ALTER TABLE root_full REPLICA IDENTITY FULL;
    CREATE TABLE part_full (id int, n int) PARTITION BY LIST (n); CREATE TABLE part_full_1 PARTITION OF part_full FOR VALUES IN (1);
    ALTER TABLE part_full_1 REPLICA IDENTITY FULL;
    CREATE TABLE empty (id int, n int) PARTITION BY LIST (n);
    CREATE TABLE keyed (id int, n int, PRIMARY KEY (id, n)) PARTITION BY LIST (n);
    CREATE TABLE keyed_1 PARTITION OF keyed FOR VALUES IN (1) PARTITION BY LIST (n);
    CREATE TABLE keyed_1_1 PARTITION OF keyed_1 FOR VALUES IN (1);` });
  const { postgres } = house;
  const changesOf = follower(house);
  const write = (table) => changesOf(`INSERT INTO ${table} VALUES (1, 1); UPDATE ${table} SET id = 2; DELETE FROM ${table}`);
  const ops = (changes) => changes.map(({ op }) => op);
  assert.deepEqual(ops(await write('keyless')), ['INSERT']);
  assert.deepEqual(ops(await write('root_full')), ['INSERT']);
  assert.deepEqual(ops(await write('part_full')), ['INSERT', 'UPDATE', 'DELETE']);
  assert.deepEqual(ops(await write('keyed')), ['INSERT', 'UPDATE', 'DELETE']);
  await postgres.query('CREATE TABLE empty_1 PARTITION OF empty FOR VALUES IN (1)');
  assert.deepEqual(ops(await write('empty')), ['INSERT']);
  // A partition's identity decides over its root's place.
  await postgres.query('ALTER TABLE keyed_1_1 REPLICA IDENTITY NOTHING');
  await waitPublications(postgres, 'keyed', 'walcast_inserts');
  assert.deepEqual(ops(await write('keyed')), ['INSERT']);
  await postgres.query('ALTER TABLE keyed_1_1 REPLICA IDENTITY DEFAULT');
  await waitPublications(postgres, 'keyed', 'walcast');
  assert.deepEqual(ops(await write('keyed')), ['INSERT', 'UPDATE', 'DELETE']);
  // A table with a key that becomes a partition of one without keeps no place of its own.
  await postgres.query('CREATE TABLE joins (id int PRIMARY KEY, n int)');
  await waitPublications(postgres, 'joins', 'walcast');
  await postgres.query('ALTER TABLE keyless ATTACH PARTITION joins FOR VALUES IN (2)');
  await waitPublications(postgres, 'joins', '');
  await postgres.query('ALTER TABLE joins DROP CONSTRAINT joins_pkey');
  assert.deepEqual(ops(await changesOf('INSERT INTO keyless VALUES (1, 2); UPDATE keyless SET id = 2; DELETE FROM keyless')), ['INSERT']);
  await assertShapesTold(house.nats);
});
