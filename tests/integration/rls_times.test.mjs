// Policies over dates, times and intervals: each is decided where `walcast check --policies` says,
// in the process unless it hangs on the time or its zone, and shows what a SELECT shows.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { claimsOf, PolicyHouse } from '../lib/policies.mjs';
import { waitFor } from '../lib/wait.mjs';

const USERS = [randomUUID(), randomUUID()];
const SCHEMA = `CREATE TABLE stays (id int PRIMARY KEY, owner uuid, day date, begins timestamp, ends timestamp, booked timestamptz, opens time, lasts interval);
  ALTER TABLE stays ENABLE ROW LEVEL SECURITY;
  CREATE FUNCTION public.is_long(timestamp, timestamp) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $2 - $1 > interval '36 hours' $$;
  -- What fails for some row fails a SELECT of all: each by itself.
  CREATE FUNCTION public.shown(ids int[]) RETURNS SETOF int LANGUAGE plpgsql AS $$
  DECLARE one int;
  BEGIN
    FOREACH one IN ARRAY ids LOOP
      BEGIN
        RETURN QUERY SELECT id FROM public.stays WHERE id = one;
      EXCEPTION WHEN data_exception THEN
      END;
    END LOOP;
  END $$;`;

const DAYS = ["'2024-01-31'", "'2024-02-29'", "'2023-12-31'", 'NULL', "'infinity'", "'0044-03-15 BC'", "'2024-03-01'"];
const STAMPS = ["'2024-01-31 10:00:00'", "'2024-02-29 23:59:59.999999'", "'2024-03-01 00:00:00'", "'-infinity'", 'NULL'];
const LASTS = ["'1 day'", "'36:00:00'", "'1 mon -1 day'", 'NULL', "'-02:30:00'", "'00:00:00.000001'", "'1 year 2 mons 3 days 04:05:06'"];
const OPENS = ["'08:30'", "'24:00'", "'23:59:59.999999'", 'NULL'];

// [policy, where it is decided]
const HERE = 'in the engine';
const POLICIES = [
  ["day + 30 > '2024-03-01'", HERE],
  ["day - date '2024-01-01' BETWEEN 0 AND 59", HERE],
  ["begins + interval '1 month' < ends", HERE],
  ['ends - begins > lasts', HERE],
  ["ends - interval '2 days' >= day + time '09:00'", HERE],
  ["begins + lasts * 2 > '2024-02-29' OR owner = auth.uid()", HERE],
  ['is_long(begins, ends)', HERE],
  ["booked + interval '90 minutes' > '2024-02-29 22:00:00+00'", HERE],
  ["(booked AT TIME ZONE 'UTC') + interval '1 mon' > ends", HERE],
  ["lasts >= interval '1' day AND opens + lasts > '10:00'", HERE],
  ['extract(year FROM begins) = 2024 AND extract(dow FROM day) IN (3, 4)', HERE],
  ["date_trunc('month', begins) = date_trunc('month', ends)", HERE],
  ["age(ends, begins) > interval '28 days' AND owner = auth.uid()", HERE],
  ["begins > ((auth.jwt() ->> 'since')::timestamp - ((auth.jwt() ->> 'grace')::interval))", HERE],
  ["day > ((auth.jwt() ->> 'since')::date + ((auth.jwt() ->> 'days')::int))", HERE],
  ["booked + lasts > '2024-02-29 22:00:00+00'", HERE], // rows whose interval has days are asked about
  ["booked + interval '1 day' > '2024-02-29 22:00:00+00'", /in SQL, .*TimeZone/],
  ["begins > now() - interval '100 years'", /in SQL, .*hangs on the time/],
  ["date_trunc('day', booked) >= '2024-02-29'::timestamp AT TIME ZONE 'UTC'", /in SQL, .*TimeZone/],
];

suite('policies over times', () => {
  let it;
  let id = 0;
  before(async () => { it = await PolicyHouse.start({ schema: SCHEMA, tables: ['stays'] }); });
  after(() => it?.stop());

  const reported = async () => {
    const text = await it.walcast.commandOk(['check', '--policies']);
    return /public\.stays as authenticated: (.*)\n/.exec(text)[1];
  };
  const quoted = (list, i) => list[i % list.length];
  const stamps = (i) => (quoted(STAMPS, i) === 'NULL' ? 'NULL' : `${quoted(STAMPS, i)}::timestamp`);
  const rowOf = (n, i) => `(${n}, ${i % 3 === 2 ? 'NULL' : `'${USERS[i % 3]}'`}, ${quoted(DAYS, i)}, ${stamps(i)}, ${stamps(Math.floor(i / 2))},
    ${stamps(Math.floor(i / 3))} AT TIME ZONE 'UTC', ${quoted(OPENS, i)}, ${quoted(LASTS, i)}::interval)`;

  for (const [policy, where] of POLICIES)
    test(policy, async (t) => {
      await it.policies('stays', `CREATE POLICY a ON stays USING (${policy})`);
      assert.match(await reported(), where === HERE ? /^in the engine$/ : where);
      const people = [claimsOf(USERS[0], { since: '2024-02-28', grace: '1 mon', days: 1 }), claimsOf(USERS[1], { since: '2024-01-31 10:00', grace: '-12:00', days: -40 })];
      const clients = await Promise.all(people.map((claims) => it.join(t, claims, { table: 'stays' })));
      const watching = await it.witness(t, 'stays');
      const ids = Array.from({ length: 40 }, () => ++id);
      await it.sql(`INSERT INTO stays VALUES ${ids.map((n, i) => rowOf(n, i)).join()}`);
      await it.settled(watching, id);
      for (const client of clients) {
        const expected = await it.asked(client.claims, 'SELECT * FROM shown($1)', [ids]);
        await waitFor('its rows', () => client.data().length >= expected.length);
        assert.deepEqual(client.data().map(({ record }) => record.id), expected, JSON.stringify(client.claims));
      }
    });
});
