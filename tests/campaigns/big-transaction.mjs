// Ten million rows, 2 GB, in one transaction: within 100 MB, every row once, the walsender content.
// Takes some ten minutes and 15 GB of disk. Nothing in it is random: --seed changes nothing.
import { test } from 'node:test';
import { bigTransaction } from '../lib/big_transaction.mjs';

test('10,000,000 rows in one transaction', async (t) => {
  const figures = await bigTransaction(t, { rows: 10_000_000, rowBytes: 200, peak_mib: 95,
    timeout_ms: 1_800_000, progress: (text) => console.log(text) });
  t.diagnostic(JSON.stringify(figures));
});
