// Rows that belong to somebody, and ten thousand who each want to hear of their own: a house whose
// tables have them, and one measurement of a gateway that hands them out.
//
// The rows are committed and in the stream before the gateway, which is held still until then, may
// go on: it works at its own pace, with the source, the reader and the broker at rest, and what is
// timed is the way from the first of them to the last client.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHouse } from '../../tests/lib/house.mjs';
import { removeScratch, scratchDirectory } from '../../tests/lib/scratch.mjs';
import { goodToken } from '../../tests/lib/tokens.mjs';
import { Walcast } from '../../tests/lib/walcast.mjs';
import { waitFor } from '../../tests/lib/wait.mjs';
import { realtimeClients, startReader } from './commits.mjs';
import { cpuSeconds, threadSeconds } from './proc.mjs';
import { Scope } from './scope.mjs';
import { UNLIMITED } from './unlimited.mjs';

const CONFIG = { ...UNLIMITED, 'ws.max_connections': '100000', 'ws.idle_timeout': '1h' };
const SETTINGS = { fsync: 'off', autovacuum: 'off' };
const ROWS_EACH = 1000; // a transaction
const OWNER_STEP = 7919; // as load/realtime_clients.c has it, and what a UUID looks like
const NOBODY = 0xffff_ffff;
const TIMEOUT_MS = 180_000;

export const uuid = (number) => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

const tableOf = (name) => `
CREATE TABLE ${name} (id bigint PRIMARY KEY, user_id uuid NOT NULL, note text NOT NULL);`;
// Everybody is a member of one team.
const TABLES = `
CREATE TABLE members (member uuid PRIMARY KEY, team uuid NOT NULL);
${['plain', 'own', 'team'].map(tableOf).join('')}
-- Not IMMUTABLE: where there is such a function each claims' policies in SQL are planned anew (docs/RLS.md).
CREATE FUNCTION numbered(n bigint) RETURNS uuid LANGUAGE sql STABLE AS
  $$ SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
CREATE PROCEDURE fill(target regclass, owners int, rows int) LANGUAGE plpgsql AS $$
BEGIN
  FOR low IN 1..rows BY ${ROWS_EACH} LOOP
    EXECUTE format('INSERT INTO %s SELECT i, numbered(i::bigint * ${OWNER_STEP} %% $1), repeat(md5(i::text), 2)
      FROM generate_series($2, $3) i', target) USING owners, low, least(low + ${ROWS_EACH} - 1, rows);
    COMMIT;
  END LOOP;
END $$;`;
// auth.uid() is of `walcast setup`.
const POLICIES = `
GRANT USAGE ON SCHEMA auth TO authenticated;
ALTER TABLE own ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON own FOR SELECT USING (user_id = auth.uid());
ALTER TABLE team ENABLE ROW LEVEL SECURITY;
CREATE POLICY team ON team FOR SELECT
  USING (user_id IN (SELECT m.team FROM members m WHERE m.member = auth.uid()));`;

export async function startOwnedRows(scope) {
  const house = await startHouse(scope, { schema: TABLES, settings: SETTINGS, args: ['--roles', 'cdc'] });
  await house.walcast.commandOk(['setup', '--apply']);
  await house.postgres.query(POLICIES);
  return house;
}

// A file of tokens: connection i's is of subject i modulo `subjects`, and no two are alike, since
// each is of another session.
function writeTokens(scope, connections, subjects) {
  const directory = scratchDirectory();
  scope.after(() => removeScratch(directory));
  const file = join(directory, 'tokens');
  const tokens = Array.from({ length: connections }, (_, at) => goodToken({
    role: 'authenticated', aud: 'authenticated', sub: uuid(at % subjects), session_id: uuid(at) }));
  writeFileSync(file, `${tokens.join('\n')}\n`);
  return file;
}

// What changes somebody's place (who is asked how) is done with the first row that there is, and
// another shows that it is: nobody is told of either.
async function settle({ postgres }, gateway, table) {
  const events = () => gateway.metric('walcast_ws_events_total');
  for (let id = -1; id >= -3; id--) {
    const before = await events();
    await postgres.query(`INSERT INTO ${table} VALUES (${id}, '${uuid(NOBODY)}', '')`);
    await waitFor('a row that nobody sees', async () => await events() > before, TIMEOUT_MS);
  }
}

// All rows are committed and in the stream, every message of them acknowledged.
async function fillStream({ postgres, walcast }, { table, owners, rows }) {
  const of = (name) => walcast.metric(`walcast_${name}_total`);
  const before = await of('cdc_rows');
  await postgres.query(`CALL fill('${table}', ${owners}, ${rows})`);
  await waitFor('the rows in the stream', async () => await of('cdc_rows') >= before + rows &&
    await of('fanout_acked_messages') >= await of('fanout_published_messages'), TIMEOUT_MS);
}

const nowUs = () => (performance.timeOrigin + performance.now()) * 1000;

// Processor time in µs until the last row came; the connections are closed behind it.
async function spent(pid, reader) {
  const now = () => ({ all: cpuSeconds(pid), hub: threadSeconds(pid, 'walcast-hub') });
  const before = now();
  const load_s = await reader.done;
  const after = now();
  reader.release();
  return { all: (after.all - before.all) * 1e6, hub: (after.hub - before.hub) * 1e6, load: load_s * 1e6 };
}

// `connections` with a channel each, of whom each row reaches those of its owner, and `owners` of
// these. by: 'filter', 'policy' or 'query', which is what says whose a row is.
// Resolves with { rate, changes_s, server_us, hub_us, load_cpu, joins_s }: deliveries and changes a
// second, the gateway's processor time a delivery and the part of its one thread that decides who
// gets what, and which share of a core the clients took.
export function deliver(house, { by, connections, owners, rows }) {
  const table = { filter: 'plain', policy: 'own', query: 'team' }[by];
  return Scope.run(async (scope) => {
    await house.postgres.query(`TRUNCATE ${table}, members; INSERT INTO members
      SELECT numbered(i), numbered(i % ${owners}) FROM generate_series(0, ${connections - 1}) i`);
    const tokens = writeTokens(scope, connections, by === 'query' ? connections : owners);
    const gateway = await Walcast.start({ ...house, config: CONFIG, args: ['--roles', 'ws'] });
    scope.after(() => gateway.remove());
    await gateway.ready();
    const reader = startReader(await realtimeClients(gateway, { table, connections, rows, tokens, owners,
      column: by === 'filter' ? 'user_id' : '-' }), scope);
    const joining_s = await reader.ready;
    await settle(house, gateway, table);
    const { pid } = gateway.process;
    process.kill(pid, 'SIGSTOP'); // it is killed where it is left so
    await fillStream(house, { table, owners, rows });
    const resumed_us = nowUs();
    process.kill(pid, 'SIGCONT');
    const { all, hub, load } = await spent(pid, reader);
    const received_us = (await reader.received).flat();
    const taken_us = received_us.reduce((last, one) => Math.max(last, one)) - resumed_us;
    const deliveries = received_us.length;
    return { rate: deliveries * 1e6 / taken_us, changes_s: rows * 1e6 / taken_us, server_us: all / deliveries,
      hub_us: hub / deliveries, load_cpu: load / taken_us, joins_s: connections / joining_s };
  });
}
