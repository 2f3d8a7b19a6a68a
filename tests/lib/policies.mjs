// A house whose tables have row-level security: who joins under which claims, policies that count
// once they are set, and what PostgreSQL's own SELECT shows under a role and its claims.
import assert from 'node:assert/strict';
import { startHouse } from './house.mjs';
import { RawClient, websocketUrl } from './realtime.mjs';
import { goodToken } from './tokens.mjs';
import { waitFor } from './wait.mjs';

const BEAT_MS = 10_000;
const CANARY = 'CREATE TABLE canary (id serial PRIMARY KEY, n int); ALTER TABLE canary ENABLE ROW LEVEL SECURITY;';

export const claimsOf = (sub, more = {}) =>
  ({ role: 'authenticated', sub, aal: 'aal1', app_metadata: { org: 'acme', level: 3 }, ...more });

export class PolicyHouse {
  #cleanups = [];
  #canaries = [];
  #marks = 0;

  // schema: run once setup has. tables: of it, to be published before the start is over. roles: those
  // whose policies `policies` waits for. config: more of it.
  static async start({ schema = '', tables = [], roles = ['anon', 'authenticated'], config = {} } = {}) {
    const it = new PolicyHouse();
    it.house = await startHouse({ after: (cleanup) => it.#cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { config: { 'auth.grants_interval': '100ms', 'http.threads': 2, 'auth.policy_timeout': '300ms', 'postgres.tables': '*.*', ...config } });
    it.walcast = it.house.walcast;
    await it.walcast.commandOk(['setup', '--apply']);
    await it.sql(`GRANT USAGE ON SCHEMA auth TO anon, authenticated; ${CANARY} ${schema}`);
    for (const role of roles) await it.sql(`GRANT SELECT ON canary TO ${role}; GRANT USAGE ON SCHEMA public TO ${role}`);
    await waitFor('their publication', async () => (await it.sql('SELECT FROM pg_publication_tables WHERE tablename = ANY ($1)',
      [['canary', ...tables]])).rowCount === tables.length + 1);
    for (const role of roles)
      it.#canaries.push(await it.join({ after: (cleanup) => it.#cleanups.unshift(cleanup) }, { role }, { table: 'canary' }));
    const beats = setInterval(() => { // else they would be closed as silent, in the midst of a long suite
      for (const client of it.#canaries) client.send([null, 'beat', 'phoenix', 'heartbeat', {}]);
    }, BEAT_MS);
    it.#cleanups.unshift(() => clearInterval(beats));
    return it;
  }

  async stop() {
    for (const cleanup of this.#cleanups) await cleanup();
  }

  sql(...all) {
    return this.house.postgres.query(...all);
  }

  // binding: one, or several. more: of the join's payload.
  async join(t, claims, binding, config = {}, { topic = 'realtime:r' } = {}) {
    const client = await RawClient.connect(t, websocketUrl(this.walcast, { apikey: goodToken(claims), vsn: '2.0.0' }));
    client.join('1', topic, { postgres_changes: [binding].flat().map((one) => ({ event: '*', schema: 'public', ...one })), ...config });
    const { status, response } = (await client.reply('1'))[4];
    assert.equal(status, 'ok', JSON.stringify(response));
    await client.next('the live stream', (m) => m[3] === 'system' && m[4].message === 'Subscribed to PostgreSQL');
    const of = (event) => client.received.filter((message) => message[3] === event).map((message) => message[4]);
    return Object.assign(client, { claims, data: () => of('postgres_changes').map(({ data }) => data),
      errors: () => of('system').filter(({ status: s }) => s === 'error').map(({ message }) => message),
      ended: () => client.received.some(({ 3: event }) => event === 'phx_error' || event === 'phx_close') });
  }

  // What a query of one column gives under the claims' role and the claims.
  async asked(claims, query, values) {
    const client = await this.house.postgres.connect();
    try {
      await client.query('BEGIN');
      await client.query("SELECT set_config('request.jwt.claims', $1, true)", [JSON.stringify(claims)]);
      await client.query(`SET LOCAL ROLE ${claims.role}`);
      return (await client.query({ text: query, values, rowMode: 'array' })).rows.map(([value]) => value);
    } finally {
      await client.end();
    }
  }

  // What a SELECT under the role and its claims shows of these rows.
  visible(table, claims, ids) {
    return this.asked(claims, `SELECT id FROM ${table} WHERE id = ANY ($1) ORDER BY id`, [ids]);
  }

  // Replaces the policies of the table. Returns once that counts for all the roles: each shows a row
  // of the canary that only its policy from the same moment lets pass.
  async policies(table, statements) {
    const mark = ++this.#marks;
    await this.sql(`BEGIN; DO $$ DECLARE p record; BEGIN FOR p IN SELECT polname FROM pg_policy WHERE polrelid = '${table}'::regclass LOOP
      EXECUTE format('DROP POLICY %I ON ${table}', p.polname); END LOOP; END $$; ${statements};
      DROP POLICY IF EXISTS mark ON canary; CREATE POLICY mark ON canary USING (n = ${mark}); COMMIT`);
    await waitFor('the policies to count', async () => {
      await this.sql(`INSERT INTO canary (n) VALUES (${mark})`);
      return this.#canaries.every((client) => client.data().some(({ record }) => record.n === mark));
    }, 30_000);
    // Who joins now is not told of the canary: its last row has come.
    const { rows: [{ id }] } = await this.sql(`INSERT INTO canary (n) VALUES (${mark}) RETURNING id`);
    await waitFor('the last of the canary', () => this.#canaries.every((client) => client.data().some(({ record }) => record.id === id)), 30_000);
  }

  // A reader that no policy applies to: once it has a change, every other was asked about it.
  witness(t, table) {
    return this.join(t, { role: 'service_role' }, { table });
  }

  settled(watching, last) {
    return waitFor(`change ${last}`, () => watching.data().some(({ record }) => record?.id === last), 30_000);
  }
}
