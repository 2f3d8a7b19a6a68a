// What a consumer that keeps a copy of a table does with the table's changes.

// changes: objects of `walcast tail --json`, in stream order; keyOf: a record's key as a string.
// Returns the rows by key. An unchanged value is kept from the row before: never null.
export function fold(changes, keyOf) {
  const rows = new Map();
  for (const { op, record, old_record: old } of changes) {
    if (op === 'SCHEMA') continue; // no change of a row
    if (op === 'TRUNCATE') {
      rows.clear();
      continue;
    }
    const before = old ?? record;
    const held = rows.get(keyOf(before));
    if (op !== 'INSERT' && !held) throw new Error(`${op} of a row that is not there: ${keyOf(before)}`);
    if (op !== 'INSERT') rows.delete(keyOf(before));
    if (op !== 'DELETE') rows.set(keyOf(record), { ...held, ...record });
  }
  return rows;
}
