// Snapshots on the oldest and the newest PostgreSQL that there are: under changes, killed once.
import { test } from 'node:test';
import { CHURN_KEYS, churnSchema, startChurn } from '../lib/churn.mjs';
import { startHouse } from '../lib/house.mjs';
import { majors } from '../lib/postgres.mjs';
import { assertCopied, quoted, started, waitRecord, waitState } from '../lib/snapshot.mjs';

for (const major of [majors().at(0), majors().at(-1)]) test(`PostgreSQL ${major}`, async (t) => {
  const rows = 1500;
  const house = await startHouse(t, { major, schema: churnSchema(rows),
    config: { 'postgres.tables': '*.*', 'snapshot.piece_bytes': '128KiB' } });
  const churn = startChurn(house.postgres, { seed: major, rows });
  t.after(() => churn.stop());
  const ids = [];
  for (const table of Object.keys(CHURN_KEYS)) ids.push(await started(house.walcast, quoted(table)));
  await waitRecord(house.walcast, ids[0], 'rows', (record) => record.rows > 0);
  await house.walcast.kill();
  house.walcast.start();
  await house.walcast.ready();
  for (const id of ids) await waitState(house.walcast, id, 'done', 120_000);
  await churn.stop();
  await assertCopied(house, CHURN_KEYS);
});
