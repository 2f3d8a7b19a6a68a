// Private channels: the policies on realtime.messages decide, as they would for a query, and asking
// them leaves nothing behind.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { AccessProbe } from '../lib/access_probe.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { run } from '../lib/process.mjs';
import { BINARY } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const ADA = '11111111-1111-4111-8111-111111111111';
const EVE = '22222222-2222-4222-8222-222222222222';
const YES = [true, true];
const NO = [false, false];

async function setUp(postgres) {
  const { code, stderr } = await run([BINARY, 'setup', '--apply'], { env: { WALCAST_POSTGRES_URL: postgres.url } });
  assert.equal(code, 0, stderr);
}

// Supabase's documented examples among them.
const POLICIES = `
  CREATE TABLE public.rooms_users (user_id uuid, room_topic text);
  INSERT INTO public.rooms_users VALUES ('${ADA}', 'room:1');
  ALTER TABLE public.rooms_users ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON public.rooms_users FOR SELECT TO authenticated USING (user_id = (SELECT auth.uid()));
  CREATE POLICY "members read" ON realtime.messages FOR SELECT TO authenticated USING (
    EXISTS (SELECT FROM public.rooms_users WHERE user_id = (SELECT auth.uid())
      AND room_topic = (SELECT realtime.topic()) AND realtime.messages.extension IN ('broadcast', 'presence')));
  CREATE POLICY "members write" ON realtime.messages FOR INSERT TO authenticated WITH CHECK (
    EXISTS (SELECT FROM public.rooms_users WHERE user_id = (SELECT auth.uid())
      AND room_topic = (SELECT realtime.topic()) AND realtime.messages.extension = 'broadcast'));
  CREATE POLICY "all listen" ON realtime.messages FOR SELECT TO anon, authenticated USING (
    realtime.topic() = 'lobby' AND extension = 'broadcast');
  CREATE POLICY "by claim" ON realtime.messages FOR SELECT TO authenticated USING (
    realtime.topic() = 'admin' AND (auth.jwt() -> 'app' ->> 'admin')::boolean AND auth.role() = 'authenticated');
  CREATE POLICY "the topic's row" ON realtime.messages FOR ALL TO authenticated USING (
    topic = 'by-row' AND realtime.topic() = topic) WITH CHECK (topic = 'by-row');
  CREATE FUNCTION public.broken(which text) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the % policy is broken', which; END $$;
  CREATE POLICY "broken reads" ON realtime.messages FOR SELECT TO authenticated USING (
    realtime.topic() = 'broken' AND CASE extension WHEN 'presence' THEN public.broken('presence') ELSE true END);
  CREATE POLICY "broken writes" ON realtime.messages FOR INSERT TO authenticated WITH CHECK (
    realtime.topic() = 'broken' AND CASE extension WHEN 'broadcast' THEN public.broken('broadcast') ELSE true END);
  CREATE FUNCTION public.by_path() RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN RETURN EXISTS (SELECT FROM rooms_users); END $$;
  CREATE POLICY "search path" ON realtime.messages FOR SELECT TO authenticated USING (
    realtime.topic() = 'path' AND public.by_path());
  CREATE POLICY "slow" ON realtime.messages FOR SELECT TO authenticated USING (
    realtime.topic() = 'slow' AND pg_sleep(600) IS NOT NULL);`;

for (const major of [13, 15, 18]) {
  suite(`PostgreSQL ${major}`, () => {
    let postgres;
    before(async () => {
      postgres = await Postgres.start({ major });
      await setUp(postgres);
      await postgres.query(POLICIES);
    });
    after(() => postgres?.remove());

    test('policies by topic, role and claims: four rights, each by itself', async (t) => {
      const probe = AccessProbe.start(t, postgres, { 'auth.policy_timeout': '10s' });
      const claims = { sub: ADA, app: { admin: true } };
      const cases = [
        // role, topic, claims, broadcast [read, write], presence [read, write]
        ['authenticated', 'room:1', { sub: ADA }, YES, [true, false]],
        ['authenticated', 'room:2', { sub: ADA }, NO, NO],
        ['authenticated', 'room:1', { sub: EVE }, NO, NO],
        ['authenticated', 'room:1', {}, NO, NO],
        ['anon', 'room:1', { sub: ADA }, NO, NO],
        ['anon', 'lobby', {}, [true, false], NO],
        ['authenticated', 'admin', claims, [true, false], [true, false]],
        ['authenticated', 'admin', { sub: ADA, app: { admin: false } }, NO, NO],
        ['authenticated', 'admin', { sub: ADA }, NO, NO],
        ['authenticated', 'by-row', { sub: EVE }, YES, YES],
        ['authenticated', 'path', { sub: ADA }, [true, false], [true, false]],
        ['service_role', 'anything', {}, YES, YES],
        ['postgres', 'anything', {}, YES, YES],
      ];
      for (const [role, topic, given, broadcast, presence] of cases) {
        const got = await probe.channel(role, topic, { claims: given });
        assert.deepEqual([got.unavailable, got.broadcast, got.presence], [false, broadcast, presence],
          `${role} ${topic} ${JSON.stringify(given)}: ${JSON.stringify(got.reasons)}`);
        got.allowed.forEach((allowed, i) => assert.equal(got.reasons[i] === '', allowed));
        if (!got.allowed[0]) assert.match(got.reasons[0], /no policy on realtime.messages lets role ".*" receive broadcasts here/);
        if (!got.allowed[3]) assert.match(got.reasons[3], /lets role ".*" track presence here/);
      }
    });

    test('a policy that fails denies its own right, with its words', async (t) => {
      const probe = AccessProbe.start(t, postgres, { 'auth.policy_timeout': '10s' });
      const got = await probe.channel('authenticated', 'broken', { claims: { sub: ADA } });
      assert.deepEqual([got.broadcast, got.presence], [[true, false], [false, true]], JSON.stringify(got));
      assert.match(got.reasons[1], /failed: the broadcast policy is broken \(SQLSTATE P0001\)/);
      assert.match(got.reasons[2], /a policy on realtime.messages failed: the presence policy is broken \(SQLSTATE P0001\)/);
      const notUuid = await probe.channel('authenticated', 'room:1', { claims: { sub: 'me' } });
      assert.deepEqual([notUuid.broadcast, notUuid.presence], [NO, NO]);
      assert.match(notUuid.reasons[0], /invalid input syntax for type uuid: "me"/);
    });

    test('strange topics and claims are values, never SQL', async (t) => {
      const probe = AccessProbe.start(t, postgres, { 'auth.policy_timeout': '10s' });
      for (const topic of ["'; DROP TABLE realtime.messages; --", '\\', "E'\\'", '$walcast$', 'ö☃', ' ', '"']) {
        const got = await probe.channel('authenticated', topic, { claims: { sub: ADA, note: `${topic}'\u0000` } });
        assert.deepEqual([got.unavailable, got.broadcast], [false, NO], JSON.stringify(got));
      }
      for (const topic of ['', 'x'.repeat(1025)])
        assert.match((await probe.channel('authenticated', topic)).reasons[0], /1 to 1024 bytes/);
      assert.match((await probe.channel('no such "role', 'room:1')).reasons[0], /CREATE ROLE "no such ""role" NOLOGIN/);
      assert.match((await probe.channel('x'.repeat(64), 'room:1')).reasons[0], /not a PostgreSQL role's name/);
      assert.equal((await postgres.query('SELECT count(*)::int AS n FROM realtime.messages')).rows[0].n, 0);
    });

    test('nothing is left behind and nothing is published', async (t) => {
      await postgres.query('CREATE PUBLICATION everything FOR ALL TABLES');
      await postgres.query("SELECT pg_create_logical_replication_slot('watch', 'test_decoding')");
      t.after(() => postgres.query("SELECT pg_drop_replication_slot('watch'); DROP PUBLICATION everything"));
      const probe = AccessProbe.start(t, postgres, { 'auth.policy_timeout': '10s' });
      for (const topic of ['room:1', 'by-row', 'broken', 'lobby'])
        await probe.channel('authenticated', topic, { claims: { sub: ADA } });
      const { rows: [{ count }] } = await postgres.query('SELECT count(*)::int FROM realtime.messages');
      assert.equal(count, 0);
      await postgres.query('CREATE TABLE seen_last (id int); INSERT INTO seen_last VALUES (1)');
      const { rows } = await postgres.query("SELECT data FROM pg_logical_slot_get_changes('watch', NULL, NULL)");
      assert.deepEqual(rows.map(({ data }) => data).filter((data) => data.startsWith('table')),
        ['table public.seen_last: INSERT: id[integer]:1']);
      const { rows: sessions } = await postgres.query(
        "SELECT state, xact_start FROM pg_stat_activity WHERE application_name = 'walcast pool'");
      assert.ok(sessions.length > 0 && sessions.every(({ state, xact_start: begun }) => state === 'idle' && begun === null), JSON.stringify(sessions));
      // And nothing of one question reaches the next on that connection.
      const { value } = await probe.query("SELECT current_user || coalesce(current_setting('request.jwt.claims', true), '') || current_setting('search_path')");
      assert.equal(value, 'postgres""');
      await postgres.query('DROP TABLE seen_last');
    });

    test('what takes too long is refused in time, and holds up nobody', async (t) => {
      const probe = AccessProbe.start(t, postgres, { 'auth.policy_timeout': '500ms' });
      const slow = probe.channel('authenticated', 'slow', { claims: { sub: ADA } });
      const quick = await probe.channel('anon', 'lobby');
      assert.equal(quick.broadcast[0], true);
      const got = await slow;
      assert.deepEqual([got.unavailable, got.broadcast, got.presence], [false, NO, NO]);
      assert.match(got.reasons[0], /took longer than 500 ms \(auth.policy_timeout\)/);
      assert.equal((await probe.query('SELECT 1')).value, '1');
    });
  });
}

suite('answers that are kept', () => {
  let postgres;
  before(async () => {
    postgres = await Postgres.start();
    await setUp(postgres);
    await postgres.query(`${POLICIES} CREATE SEQUENCE public.asked; GRANT USAGE ON SEQUENCE public.asked TO anon, authenticated;
      CREATE POLICY counted ON realtime.messages FOR SELECT TO anon, authenticated USING (
        realtime.topic() LIKE 'counted%' AND extension = 'broadcast' AND nextval('public.asked') > 0)`);
  });
  after(() => postgres?.remove());
  const asked = async () => Number((await postgres.query('SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM public.asked')).rows[0].n);

  test('equal questions at the same time are one, and later ones none', async (t) => {
    const probe = AccessProbe.start(t, postgres, { 'auth.policy_timeout': '10s', 'auth.policy_cache': '1h' });
    const before = await asked();
    const all = await probe.askAll({ ask: 'channel', role: 'anon', topic: 'counted', claims: '{"role":"anon"}', sub: '', hash: 1, times: 500 });
    assert.ok(all.every(({ allowed }) => allowed[0] && !allowed[1]));
    assert.equal(await asked() - before, 1);
    assert.equal((await probe.channel('anon', 'counted', { hash: 1 })).at_once, true);
    // Another topic, role or claims are another question; so is a token that differs in what the
    // hash leaves out, its jti: a policy may read it.
    assert.equal((await probe.channel('anon', 'counted', { hash: 1, claims: { jti: 'another' } })).at_once, false);
    for (const [role, topic, hash] of [['anon', 'counted2', 1], ['authenticated', 'counted', 1], ['anon', 'counted', 2]])
      assert.equal((await probe.channel(role, topic, { hash })).at_once, false);
    assert.equal(await asked() - before, 5);
  });

  test('they are asked again when they are old, or not kept at all', async (t) => {
    const probe = AccessProbe.start(t, postgres, { 'auth.policy_cache': '300ms' });
    assert.equal((await probe.channel('anon', 'lobby')).broadcast[0], true);
    await postgres.query('DROP POLICY "all listen" ON realtime.messages');
    await waitFor('another answer', async () => !(await probe.channel('anon', 'lobby')).broadcast[0]);
    const never = AccessProbe.start(t, postgres, { 'auth.policy_cache': '0' });
    for (let i = 0; i < 3; i++) assert.equal((await never.channel('anon', 'lobby')).at_once, false);
  });

  test('5,000 topics: the oldest answers go, all are right', async (t) => {
    const probe = AccessProbe.start(t, postgres, { 'auth.policy_cache': '1h', 'postgres.query_timeout': '1m', 'auth.policy_timeout': '30s' });
    const topics = Array.from({ length: 5000 }, (_, i) => (i % 10 === 0 ? `counted-${i}` : `other-${i}`));
    for (let i = 0; i < topics.length; i += 500) {
      const got = await Promise.all(topics.slice(i, i + 500).map((topic) => probe.channel('anon', topic)));
      got.forEach(({ broadcast }, at) => assert.equal(broadcast[0], (i + at) % 10 === 0));
    }
    assert.equal((await probe.channel('anon', topics.at(-1))).at_once, true);
    assert.equal((await probe.channel('anon', topics[0])).at_once, false);
  });

  test('a role known to bypass row-level security is let in without a question', async (t) => {
    const probe = AccessProbe.start(t, postgres);
    await probe.hold('service_role');
    await probe.settled({ ask: 'role', role: 'service_role' });
    const got = await probe.channel('service_role', 'room:1');
    assert.deepEqual([got.at_once, got.broadcast, got.presence], [true, YES, YES]);
  });

  test('the database away: unavailable at once, and well again after it', async (t) => {
    const probe = AccessProbe.start(t, postgres, { 'auth.policy_cache': '0' });
    assert.equal((await probe.channel('anon', 'counted')).broadcast[0], true);
    await postgres.kill();
    const got = await probe.channel('anon', 'counted');
    assert.deepEqual([got.unavailable, got.broadcast], [true, NO]);
    assert.match(got.reasons[0], /cannot be asked .* try again later/);
    await postgres.restart();
    await waitFor('an answer', async () => (await probe.channel('anon', 'counted')).broadcast[0]);
  });

  test('more questions than may wait are told so', async (t) => {
    const probe = AccessProbe.start(t, postgres, { 'postgres.pool_size': '1', 'postgres.pool_queue': '2', 'auth.policy_timeout': '30s' });
    await postgres.query(`CREATE POLICY dozing ON realtime.messages FOR SELECT TO anon USING (
      realtime.topic() LIKE 'dozing%' AND pg_sleep(2) IS NOT NULL)`);
    const first = probe.channel('anon', 'dozing');
    await waitFor('the one that runs', async () => (await postgres.query(
      "SELECT FROM pg_stat_activity WHERE application_name = 'walcast pool' AND wait_event = 'PgSleep'")).rows.length === 1);
    const all = await Promise.all(Array.from({ length: 5 }, (_, i) => probe.channel('anon', `dozing${i}`)));
    assert.equal((await first).unavailable, false);
    const full = all.filter(({ unavailable }) => unavailable);
    assert.equal(full.length, 3);
    assert.ok(full.every(({ at_once: atOnce, reasons }) => atOnce && /2 queries wait for the database already/.test(reasons[0])));
  });
});

test('no setup, no grant, no membership, a standby: refused with what to do', async (t) => {
  const postgres = await Postgres.start();
  t.after(() => postgres.remove());
  const off = { 'auth.policy_cache': '0' };
  const bare = await AccessProbe.start(t, postgres, off).channel('anon', 'lobby');
  assert.match(bare.reasons[0], /realtime.messages .* walcast setup --apply/);
  assert.deepEqual([bare.unavailable, bare.broadcast], [false, NO]);
  await setUp(postgres);
  await postgres.query(`CREATE ROLE gateway LOGIN; GRANT USAGE ON SCHEMA realtime TO gateway;
    CREATE POLICY open ON realtime.messages TO anon USING (true)`);
  const gateway = AccessProbe.start(t, { url: postgres.url.replace('postgres@', 'gateway@') }, off);
  assert.match((await gateway.channel('anon', 'lobby')).reasons[0], /could not write to realtime.messages: permission denied/);
  await postgres.query('GRANT INSERT ON realtime.messages TO gateway; ALTER ROLE gateway BYPASSRLS');
  assert.match((await gateway.channel('anon', 'lobby')).reasons[0], /could not take the role: permission denied to set role "anon" .*GRANT anon TO that user/);
  await postgres.query('GRANT anon TO gateway');
  assert.deepEqual((await gateway.channel('anon', 'lobby')).broadcast, YES);
  // SELECT alone is granted: the right that is missing is named.
  await postgres.query('REVOKE INSERT ON realtime.messages FROM anon');
  const reader = await gateway.channel('anon', 'lobby');
  assert.deepEqual(reader.broadcast, [true, false]);
  assert.match(reader.reasons[1], /permission denied for table messages/);

  await postgres.query("SELECT pg_create_physical_replication_slot('standby')");
  const standby = await Postgres.startStandby(postgres);
  t.after(() => standby.remove());
  const onStandby = await AccessProbe.start(t, standby, off).channel('anon', 'lobby');
  assert.match(onStandby.reasons[0], /read-only standby/);
  assert.deepEqual(onStandby.broadcast, NO);
});
