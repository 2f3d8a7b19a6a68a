// A transaction larger than what memory may hold; `tests/campaign big-transaction` runs it with ten
// million rows.
import { test } from 'node:test';
import { bigTransaction } from '../lib/big_transaction.mjs';

test('300,000 rows in one transaction, within memory, the walsender content', async (t) => {
  const figures = await bigTransaction(t,
    { rows: 300_000, rowBytes: 200, peak_mib: 60, timeout_ms: 120_000 });
  t.diagnostic(JSON.stringify(figures));
});
