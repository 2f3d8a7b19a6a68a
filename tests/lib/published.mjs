// Which of Walcast's two publications a table is in, and what a piece of SQL brought into the stream.
import { waitConfirmed } from './slot.mjs';
import { waitFor } from './wait.mjs';

export async function publicationsOf(postgres, table) {
  const { rows } = await postgres.query(`SELECT p.pubname FROM pg_publication_rel r
    JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = $1::regclass ORDER BY 1`, [table]);
  return rows.map(({ pubname }) => pubname).join(' ');
}

// Once Walcast has looked: '' when it is in none.
export async function waitPublications(postgres, table, expected) {
  await waitFor(`${table} in "${expected}"`, async () => {
    const found = await publicationsOf(postgres, table);
    return found === expected || Promise.reject(new Error(`it is in "${found}"`));
  });
}

// What running `sql` brought into the stream, without SCHEMAs unless they are asked for.
export function follower({ postgres, walcast }, { schemas = false } = {}) {
  let seen = 0;
  return async (sql) => {
    await postgres.query(sql);
    await waitConfirmed(postgres);
    const all = await walcast.changes();
    const fresh = all.slice(seen);
    seen = all.length;
    return fresh.filter(({ op }) => schemas || op !== 'SCHEMA');
  };
}

export const brief = ({ op, table, record, old_record: old }) => [op, table, record ?? old];
