// SQL conditions from a seed, typed as they grow: over columns of every kind, NULLs, claims and
// functions in SQL, with values that are hard on each operator. Some come out wrong or beyond what
// the engine takes; most do not.
import { literal } from '../filters/samples.mjs';

const WORDS = ['', ' ', 'a', 'A', 'ab', 'Ab', 'abc', 'a b', 'a,b', '{a}', 'a"b', "it's", 'a\\b', 'a%c', 'a_c', '%', '10', '9', '-1', '2147483648', 't',
  'null', 'é', 'É', 'Zoë', 'z ', ' z', 'a:b:c', 'admin', 'org1', '7fffffff-ffff-ffff-ffff-ffffffffffff', '2024-02-29', '1.5', 'NaN'];
const UUIDS = ['00000000-0000-0000-0000-000000000000', '7fffffff-ffff-ffff-ffff-ffffffffffff', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];
const DOCUMENTS = ['{"a": 1}', '{"a": "x", "b": {"c": [1, "two", null]}}', 'null', '[]', '["a", "b", "admin"]', '"a"', '1.50', '{"a": null, "long": true}', '[{"a": 1}, 2]', '{"é\\n": "\\"q\\""}'];
const range = (min, max) => [min, '-1', '0', '1', '7', '10', max];

// name → type and values as text; `kind` is what the generator takes it for.
export const COLUMNS = {
  b: { type: 'boolean', kind: 'bool', values: ['t', 'f'] },
  i2: { type: 'smallint', kind: 'int', values: range('-32768', '32767') },
  i4: { type: 'integer', kind: 'int', values: range('-2147483648', '2147483647') },
  i8: { type: 'bigint', kind: 'int', values: [...range('-9223372036854775808', '9223372036854775807'), '9007199254740993'] },
  f4: { type: 'real', kind: 'float', values: ['NaN', 'Infinity', '-0', '0', '0.1', '1', '-1.5', '1e10', '3.4028235e38', '1e-45', '2.5'] },
  f8: { type: 'double precision', kind: 'float', values: ['NaN', '-Infinity', '0', '0.1', '1', '-1.5', '1e300', '1e-300', '0.30000000000000004', '3.5'] },
  n: { type: 'numeric', kind: 'numeric', values: ['NaN', '0.00', '1', '1.0', '1.50', '-1.5', '0.5', '10', '9.99', '1e-20', '12345678901234567890.123456789', '0.1', '-2147483648.5', '32767.5'] },
  dn: { type: 'price', kind: 'numeric', values: ['0', '1', '1.50', '9.99'] },
  t: { type: 'text', kind: 'text', values: WORDS },
  v: { type: 'varchar(40)', kind: 'text', values: WORDS },
  c: { type: 'char(6)', kind: 'text', values: WORDS.filter((word) => [...word].length <= 6) },
  nm: { type: 'name', kind: 'text', values: WORDS },
  en: { type: 'text', kind: 'text', values: WORDS, collation: 'english' },
  ci: { type: 'text', kind: 'text', values: WORDS, collation: 'careless' },
  cc: { type: 'text', kind: 'text', values: WORDS, collation: '"C"' },
  u: { type: 'uuid', kind: 'uuid', values: UUIDS },
  d: { type: 'date', kind: 'time', values: ['infinity', '-infinity', '2024-02-29', '1999-12-31', '2000-01-01', '0044-03-15 BC', '5874897-12-31', '2023-01-31', '1900-02-28', '4714-11-24 BC', '294276-12-31'] },
  ts: { type: 'timestamp', kind: 'time', values: ['infinity', '2024-02-29 12:30:00', '2024-02-29 00:00:00', '1999-12-31 23:59:59.999999', '2000-01-01', '0044-03-15 12:00:00 BC', '2023-08-31 18:00:00', '2025-01-01 00:00:00.000001',
    '4714-11-24 00:00:00 BC', '294276-12-31 23:59:59.999999'] },
  tz: { type: 'timestamptz', kind: 'zoned', values: ['-infinity', '2024-02-29 12:30:00+00', '2024-02-29 14:30:00+02', '2000-01-01', '2024-03-31 01:30:00+00', '1883-11-18 12:03:57.5+00', '294276-12-31 23:59:59.999999+00'] },
  tm: { type: 'time', kind: 'clock', values: ['00:00:00', '24:00:00', '12:30:00', '23:59:59.999999', '04:05:06.5'] },
  iv: { type: 'interval', kind: 'interval', values: ['0', '1 day', '24:00:00', '-1 day', '1 mon', '30 days', '1 year 2 mons 3 days 04:05:06.789', '-1 years -2 mons +3 days -04:05:06.000001', '00:00:00.000001',
    '-1 mons +40 days -10:00:00', '100000 years', '-2147483647 days', '1.5 hours', '2147483647 mons'] },
  m: { type: 'mood', kind: 'mood', values: ['sad', 'ok', 'happy'] },
  js: { type: 'json', kind: 'json', values: DOCUMENTS },
  jb: { type: 'jsonb', kind: 'json', values: DOCUMENTS },
  ta: { type: 'text[]', kind: 'texts', values: ['{}', '{a}', '{a,NULL}', '{"a b","a\\"b","NULL",""}', '{admin,org1,é}'] },
  ua: { type: 'uuid[]', kind: 'uuids', values: ['{}', `{${UUIDS[0]},${UUIDS[1]}}`] },
  ia: { type: 'integer[]', kind: 'ints', values: ['{}', '{1,7,NULL}', '{10}'] },
  by: { type: 'bytea', kind: 'opaque', values: ['\\x00ff'] },
};
const named = (...kinds) => Object.keys(COLUMNS).filter((name) => kinds.includes(COLUMNS[name].kind));

export const FUNCTIONS = `
  CREATE SCHEMA auth;
  CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid $$;
  CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT coalesce(nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), ''))::jsonb; $$;
  CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS 'select nullif(current_setting(''request.jwt.claims'', true), '''')::jsonb ->> ''role''';
  CREATE FUNCTION public.owns(whose uuid) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT whose = auth.uid()';
  CREATE FUNCTION public.has_claim(claim text, expected text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT (auth.jwt() ->> claim) = $2';
  CREATE FUNCTION public.twice(x integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS 'SELECT x + x';
  CREATE FUNCTION public.nobody() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM pg_class WHERE false)';
  GRANT USAGE ON SCHEMA auth TO PUBLIC;`;

const CLAIMS = ['', '{}', 'not json', '{"sub":"7fffffff-ffff-ffff-ffff-ffffffffffff","role":"authenticated"}',
  '{"sub":"me","role":"anon"}', '{"sub":"00000000-0000-0000-0000-000000000000","role":"authenticated","a":"a","n":1.50,"level":7,"b":true,"nothing":null}',
  '{"zz":1,"b":{"roles":["admin","org1"],"deep":{"x":"é\\u00e9"}},"a":[1,"a",null],"sub":"ffffffff-ffff-ffff-ffff-ffffffffffff", "a":["last"]}'];
export const randomClaims = (random) => random.pick(CLAIMS);

const typed = (text, type) => `${literal(text)}::${type}`;
const maybe = (random, text, type) => (random.chance(2) ? literal(text) : typed(text, type));

const INTS = ['0', '1', '-1', '7', '10', '32767', '2147483647', '2147483648', '-2147483648', '9223372036854775807', '2', '100000'];
const int = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0 || random.chance(3)) return random.pick([() => random.pick(named('int')), () => random.pick(INTS), () => maybe(random, random.pick(INTS), 'integer'),
    () => `${random.pick(INTS)}::bigint`, () => 'NULL::integer', () => typed(random.pick(INTS), 'smallint')])();
  return random.pick([
    () => `(${int(random, less)} ${random.pick(['+', '-', '*', '/', '%'])} ${int(random, less)})`, () => `(- ${int(random, less)})`,
    () => `abs(${int(random, less)})`, () => `length(${text(random, less)})`, () => `(${numeric(random, less)})::${random.pick(['smallint', 'integer', 'bigint'])}`,
    () => `(${text(random, less)})::${random.pick(['integer', 'bigint'])}`, () => `(${float(random, less)})::${random.pick(['integer', 'bigint', 'smallint'])}`,
    () => `coalesce(${int(random, less)}, ${int(random, less)})`, () => `nullif(${int(random, less)}, ${int(random, less)})`, () => `twice(${int(random, less)})`,
    () => `CASE WHEN ${bool(random, less)} THEN ${int(random, less)} ELSE ${int(random, less)} END`, () => `(${json(random, less)} ->> ${random.pick(["'a'", '0', "'level'"])})::integer`,
    () => `${random.pick(['greatest', 'least'])}(${int(random, less)}, ${int(random, less)})`, () => `strpos(${text(random, less)}, ${text(random, less)})`,
    () => `(${bool(random, less)})::integer`, () => `(${date(random, less)} - ${date(random, less)})`])();
};
const NUMERICS = ['0', '1.5', '-1.50', '0.1', '10', '12345678901234567890.123456789', '99999999999999999999', '2.5', '1e-5', '-0.5'];
const numeric = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0 || random.chance(3)) return random.pick([() => random.pick(named('numeric')), () => random.pick(NUMERICS), () => typed(random.pick(NUMERICS), 'numeric')])();
  return random.pick([() => `(${numeric(random, less)} ${random.pick(['+', '-', '*', '/'])} ${numeric(random, less)})`, () => `(${int(random, less)})::numeric`,
    () => `(${float(random, less)})::numeric`, () => `(- ${numeric(random, less)})`, () => `abs(${numeric(random, less)})`, () => `(${numeric(random, less)} + ${int(random, less)})`,
    () => `coalesce(${numeric(random, less)}, ${int(random, less)})`, () => `greatest(${numeric(random, less)}, ${int(random, less)})`, () => `(${text(random, less)})::numeric`])();
};
const FLOATS = ['0', '0.1', '1.5', '1e10', '1e300', 'NaN', 'Infinity'];
const float = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0 || random.chance(2)) return random.pick([() => random.pick(named('float')), () => random.pick(named('float')), () => typed(random.pick(FLOATS), 'float8'), () => typed('0.1', 'real')])();
  return random.pick([() => `(${float(random, less)} ${random.pick(['+', '-', '*', '/'])} ${random.pick([float, int, numeric])(random, less)})`, () => `(${random.pick([int, numeric, float])(random, less)})::${random.pick(['real', 'float8'])}`,
    () => `(- ${float(random, less)})`, () => `coalesce(${float(random, less)}, ${numeric(random, less)})`, () => `least(${float(random, less)}, ${int(random, less)})`])();
};
const text = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0 || random.chance(3)) return random.pick([() => random.pick(named('text')), () => random.pick(['t', 'v', 'cc', 'c']), () => random.pick(['t', 'nm']), () => literal(random.pick(WORDS)), () => maybe(random, random.pick(WORDS), random.pick(['text', 'varchar', 'bpchar'])),
    () => 'NULL::text', () => random.pick(['auth.role()', '( SELECT auth.role() AS role)']), () => 'current_user', () => "current_setting('request.jwt.claims', true)", () => "current_setting('request.headers', true)"])();
  return random.pick([() => `(${text(random, less)} || ${random.pick([text, text, text, int, bool])(random, less)})`, () => `${random.pick(['lower', 'upper', 'btrim', 'ltrim', 'rtrim'])}(${text(random, less)})`,
    () => `(${json(random, less)} ->> ${random.pick(["'a'", "'sub'", "'role'", '0', '-1', "'b'", "'n'"])})`, () => `(${json(random, less)} #>> ${random.pick(["'{b,roles,0}'", "'{a}'", "'{}'", "ARRAY['b','c','1']", "'{a,0}'::text[]"])})`,
    () => `coalesce(${text(random, less)}, ${text(random, less)})`, () => `nullif(${text(random, less)}, ${text(random, less)})`, () => `(${random.pick([int, bool, uuid])(random, less)})::text`, () => `(${random.pick(['n', 'i4', 'm', 'c', 'nm', 'jb', 'js', 'u'])})::${random.pick(['text', 'varchar'])}`,
    () => `split_part(${text(random, less)}, ${literal(random.pick([':', ',', 'b', '']))}, ${random.pick(['1', '2', '3', '0'])})`, () => `"left"(${text(random, less)}, ${random.pick(['1', '2', '-1', '0'])})`, () => `"right"(${text(random, less)}, ${random.pick(['1', '2', '-1', '0'])})`,
    () => `${random.pick(['substr', '"substring"'])}(${text(random, less)}, ${random.pick(['1', '2', '-1', '0'])}${random.pick(['', ', 2', ', 0', ', 5'])})`, () => `replace(${text(random, less)}, ${literal(random.pick(['a', 'b', '', ':']))}, ${text(random, 0)})`,
    () => `CASE ${text(random, less)} WHEN ${text(random, less)} THEN ${text(random, less)} ELSE ${text(random, less)} END`, () => `(${text(random, less)} COLLATE "C")`])();
};
const uuid = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0 || random.chance(2)) return random.pick([() => 'u', () => 'u', () => 'auth.uid()', () => '( SELECT auth.uid() AS uid)', () => maybe(random, random.pick(UUIDS), 'uuid'), () => typed(random.pick(UUIDS), 'uuid')])();
  return random.pick([() => `(${text(random, less)})::uuid`, () => `coalesce(${uuid(random, less)}, ${uuid(random, less)})`, () => `(auth.jwt() ->> 'sub')::uuid`, () => `CASE WHEN ${bool(random, less)} THEN ${uuid(random, less)} END`])();
};
const json = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0 || random.chance(2)) return random.pick([() => random.pick(named('json')), () => 'auth.jwt()', () => '( SELECT auth.jwt() AS jwt)', () => typed(random.pick(DOCUMENTS), random.pick(['json', 'jsonb']))])();
  return random.pick([() => `(${json(random, less)} -> ${random.pick(["'a'", "'b'", '0', '1', '-1', "'deep'"])})`, () => `(${json(random, less)} #> ${random.pick(["'{b,deep}'", "'{b,c}'", "'{0}'"])})`,
    () => "current_setting('request.jwt.claims', true)::json"])();
};
const NUMBERS_NEAR = ['0', '1', '-1', '2', '7', '-30', '365', '100000000', '0.5', '1.5', '-0.1', '3', '0.333333', '1e-3', '12345.678'];
const near = (random) => random.pick([() => random.pick(NUMBERS_NEAR), () => random.pick(NUMBERS_NEAR), () => random.pick(['i2', 'i4', 'f8', 'n'])])();
export const INTERVALS = ['1 day', '-1 day', '1 day 2 hours', '1 mon', '1 month -1 day', '3 mons 12:00:00', '1.5 days', '0.25 weeks', '1.5 months', '0.5 years', '2 weeks 3 days', '@ 1 hour 30 mins', '@ 2 days ago', '90 minutes', '1.123456 seconds', '500 ms', '7 us',
  '1-2', '-1-2', '3 04:05:06', '04:05', '-04:05:06.7', 'P1Y2M3DT4H5M6S', 'P1W', 'PT36H', 'PT0.5S', 'P-1DT-2H', '5', '-7', '0', '1 year', '12 months', '1 decade', '1 century -3 hrs', '2h 3m', '+2 days +3 hours', '1000000 hours', '100 years 5 sec'];
const FIELDS = ['year', 'month', 'day', 'hour', 'minute', 'second', 'epoch', 'dow', 'isodow', 'doy', 'week', 'isoyear', 'quarter', 'decade', 'century', 'millennium', 'milliseconds', 'microseconds'];
const TRUNCS = ['microseconds', 'milliseconds', 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year', 'decade', 'century', 'millennium'];
const COMMON = ['year', 'month', 'day', 'hour', 'minute', 'second'];
const field = (random, of) => literal(random.pick(random.chance(4) ? of : COMMON));
const sum = (random) => random.pick(['+', '+', '-']);
const interval = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0 || random.chance(3)) return random.pick([() => 'iv', () => typed(random.pick(INTERVALS), 'interval'), () => `interval ${literal(random.pick(INTERVALS))}`,
    () => `interval '${random.pick(['3', '-2', '1 day 10:20:30', '1 year 2 mons 3 days 04:05:06'])}' ${random.pick(['year', 'month', 'day', 'hour', 'minute', 'second', 'day to hour', 'year to month', 'hour to minute'])}`, () => 'NULL::interval'])();
  return random.pick([() => `(${interval(random, less)} ${sum(random)} ${interval(random, less)})`, () => `(${interval(random, less)} * ${near(random)})`, () => `(${near(random)} * ${interval(random, less)})`, () => `(${interval(random, less)} / ${near(random)})`,
    () => `(- ${interval(random, less)})`, () => `(${stamp(random, less)} - ${random.pick([stamp, date])(random, less)})`, () => `(${zoned(random, less)} - ${zoned(random, less)})`, () => `(${clock(random, less)} - ${clock(random, less)})`,
    () => `age(${stamp(random, less)}, ${stamp(random, less)})`, () => `date_trunc(${field(random, TRUNCS)}, ${interval(random, less)})`, () => `coalesce(${interval(random, less)}, ${interval(random, 0)})`, () => `${random.pick(['greatest', 'least'])}(${interval(random, less)}, ${interval(random, 0)})`,
    () => `CASE WHEN ${bool(random, 0)} THEN ${interval(random, less)} END`, () => `(${clock(random, less)})::interval`, () => `(${interval(random, less)} ${sum(random)} ${literal(random.pick(INTERVALS))})`])();
};
const date = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0 || random.chance(2)) return random.pick([() => 'd', () => 'd', () => typed(random.pick(COLUMNS.d.values), 'date')])();
  return random.pick([() => `(${date(random, less)} ${sum(random)} ${random.pick(['1', '-1', '30', 'i2', 'i4', '7::smallint', '2147483647'])})`, () => `(${random.pick(['1', 'i2', '31'])} + ${date(random, less)})`, () => `(${stamp(random, less)})::date`])();
};
const stamp = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0 || random.chance(3)) return random.pick([() => 'ts', () => 'ts', () => typed(random.pick(COLUMNS.ts.values), 'timestamp'), () => `(${date(random, 0)})::timestamp`])();
  return random.pick([() => `(${stamp(random, less)} ${sum(random)} ${interval(random, less)})`, () => `(${stamp(random, less)} ${sum(random)} ${interval(random, less)})`, () => `(${interval(random, less)} + ${stamp(random, less)})`, () => `(${stamp(random, less)} + ${literal(random.pick(INTERVALS))})`,
    () => `(${date(random, less)} ${sum(random)} ${interval(random, less)})`, () => `(${date(random, less)} + ${clock(random, less)})`, () => `(${clock(random, less)} + ${date(random, less)})`, () => `date_trunc(${field(random, TRUNCS)}, ${stamp(random, less)})`,
    () => `(${zoned(random, less)} AT TIME ZONE 'UTC')`, () => `coalesce(${stamp(random, less)}, ${date(random, less)})`])();
};
const clock = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0 || random.chance(2)) return random.pick([() => 'tm', () => 'tm', () => typed(random.pick(COLUMNS.tm.values), 'time')])();
  return random.pick([() => `(${clock(random, less)} ${sum(random)} ${interval(random, less)})`, () => `(${interval(random, less)} + ${clock(random, less)})`, () => `(${stamp(random, less)})::time`, () => `(${interval(random, less)})::time`])();
};
const zoned = (random, depth = 0) => {
  const less = depth - 1;
  const at = COLUMNS.tz.values.filter((value) => /infinity|\+\d\d$/.test(value));
  if (depth <= 0 || random.chance(3)) return random.pick(['tz', 'tz', typed(random.pick(at), 'timestamptz')]);
  return random.pick([() => `(${zoned(random, less)} ${sum(random)} interval ${literal(random.pick(['1 hour', '-90 minutes', '36:00', 'PT0.5S', '1 day']))})`, () => `(interval '2h 3m' + ${zoned(random, less)})`, () => `(${zoned(random, less)} ${sum(random)} ('1 hour'::interval * ${near(random)}))`,
    () => `(${zoned(random, less)} + (${clock(random, less)})::interval)`, () => `(${stamp(random, less)} AT TIME ZONE 'UTC')`, () => `date_trunc(${field(random, TRUNCS)}, ${zoned(random, less)}, 'UTC')`])();
};
const time = (random, depth) => random.pick([date, stamp, stamp])(random, depth);
const part = (random, depth) => {
  const source = random.pick([stamp, stamp, date, clock, interval, () => 'tz'])(random, depth);
  return random.chance(2) ? `date_part(${field(random, FIELDS)}, ${source}) ${random.pick(SIGNS)} ${random.pick([int, float, numeric])(random, 0)}`
    : `extract(${random.pick(random.chance(4) ? FIELDS : COMMON)} FROM ${source})${random.pick(['', '', '::integer', '::float8'])} ${random.pick(SIGNS)} ${random.pick([() => int(random, 0), () => random.pick(['2024', '6', '3.5', '0', '86400', '12'])])()}`;
};
// Of times alone.
export const timed = (random, depth) => {
  const less = depth - 1;
  const make = random.pick([date, stamp, stamp, interval, interval, clock, zoned]);
  const [a, b] = [make(random, less), make(random, random.chance(2) ? 0 : less)];
  return random.pick([() => part(random, less), () => `${a} ${random.pick(SIGNS)} ${b}`, () => `${a} ${random.pick(SIGNS)} ${b}`, () => `(${date(random, less)} - ${date(random, less)}) ${random.pick(SIGNS)} ${random.pick(['1', '30', 'i4', '365'])}`,
    () => `${a} ${random.pick(['', 'NOT '])}BETWEEN ${make(random, 0)} AND ${b}`, () => `${a} IN (${b}, ${make(random, 0)})`, () => `${a} IS DISTINCT FROM ${b}`, () => `${random.pick(['greatest', 'least'])}(${a}, ${b}) = ${b}`,
    () => `${a} = ANY (ARRAY[${b}, ${make(random, 0)}])`, () => `nullif(${a}, ${b}) IS NULL`, ...(depth > 2 ? [() => `(${timed(random, less)}) ${random.pick(['AND', 'OR'])} (${timed(random, less)})`] : [])])();
};
// Texts of intervals, as people, programs and PostgreSQL write them; some are none.
const UNITS = ['us', 'microseconds', 'ms', 'millisecond', 's', 'sec', 'secs', 'second', 'seconds', 'm', 'min', 'mins', 'minutes', 'h', 'hr', 'hours', 'hour', 'd', 'day', 'days', 'DAY', 'w', 'week', 'weeks', 'mon', 'mons', 'month', 'Months', 'y', 'yr', 'year', 'years', 'decade', 'decades', 'century', 'centuries', 'fortnight'];
const AMOUNTS = ['0', '1', '2', '3', '10', '59', '60', '100', '365', '100000', '2147483647', '2147483648', '1.5', '0.5', '0.25', '0.75', '1.1', '0.000001', '12.345678', '0.1', '2.333333', '0.1234567', '999.999999', '1.'];
const amount = (random) => `${random.pick(['', '', '', '-', '+'])}${random.pick(AMOUNTS)}`;
const clockText = (random) => `${random.pick(['', '', '-', '+'])}${random.pick(['00', '1', '04', '23', '24', '100', '2147483647', '2147483648'])}:${random.pick(['00', '05', '59', '60', '7'])}${random.pick(['', ':00', ':06', ':59', ':06.7', ':59.999999', ':00.000001', ':60', ':01.1234567'])}`;
const iso = (random) => {
  const some = (letters) => [...letters].filter(() => random.chance(2)).map((letter) => `${random.pick(['', '', '-'])}${random.pick(AMOUNTS)}${letter}`).join('');
  const [days, hours] = [some('YMWD'), some('HMS')];
  return `P${days}${hours && `T${hours}`}`;
};
export const intervalText = (random) => random.pick([() => clockText(random), () => iso(random), () => `${amount(random)}-${random.pick(['0', '2', '11', '12'])}${random.pick(['', ` ${amount(random)} ${clockText(random)}`])}`, () => `${amount(random)} ${clockText(random)}`, () => amount(random),
  () => `${random.pick(['', '', '@ '])}${Array.from({ length: 1 + random.below(4) }, () => `${amount(random)}${random.pick([' ', ' ', '', '  '])}${random.pick(UNITS)}`).join(' ')}${random.pick(['', '', ` ${clockText(random)}`])}${random.pick(['', '', ' ago'])}`])();
const mood = (random) => random.pick(['m', 'm', "'ok'::mood", "'sad'::public.mood", "'happy'", 'NULL::mood']);

const SIGNS = ['=', '<>', '<', '<=', '>', '>='];
const PATTERNS = ['a%', '%b', 'a_c', '%', '', 'A%', '%\\%%', 'é%', '_', '%it%'];
const REGEXES = ['^a', 'b$', 'a.b', '[a-z]+', '\\w', '^\\d+$', '(a|b)', '[[:alpha:]]', 'É', '^$', 'A'];
const pair = (random, depth, make) => [make(random, depth), make(random, depth)];
const list = (random, depth, make) => Array.from({ length: 1 + random.below(4) }, () => make(random, depth > 1 && random.chance(3) ? 1 : 0)).join(', ');
const KINDS = [int, int, numeric, float, text, text, text, uuid, uuid, time, time, zoned, interval, clock, mood];

function comparison(random, depth) {
  const make = random.pick(KINDS);
  const other = random.chance(6) ? random.pick([int, numeric, float]) : make;
  const first = [int, numeric, float].includes(make) ? make : random.pick([make]);
  const second = [int, numeric, float].includes(make) ? other : make;
  const sign = make === text || make === mood ? random.pick(['=', '=', '=', '<>', '<>', ...(random.chance(4) ? ['<', '>='] : [])]) : random.pick(SIGNS);
  return `${first(random, depth)} ${sign} ${second(random, depth)}`;
}

export const bool = (random, depth) => {
  const less = depth - 1;
  if (depth <= 0) return random.pick([() => 'b', () => 'true', () => "'f'::boolean", () => 'NULL::boolean', () => `(${comparison(random, 0)})`, () => `(${comparison(random, 0)})`, () => `(u = auth.uid())`])();
  return `(${random.pick([
    () => comparison(random, less), () => comparison(random, less), () => comparison(random, less),
    () => `${bool(random, less)} AND ${bool(random, less)}`, () => `${bool(random, less)} OR ${bool(random, less)}`, () => `NOT ${bool(random, less)}`,
    () => `${random.pick(KINDS)(random, less)} IS ${random.pick(['', 'NOT '])}NULL`, () => `${random.pick(['by', 'ta', 'js', 'm'])} IS NULL`,
    () => `${bool(random, less)} IS ${random.pick(['', 'NOT '])}${random.pick(['TRUE', 'FALSE', 'UNKNOWN'])}`,
    () => { const [a, b] = pair(random, less, random.pick(KINDS)); return `${a} IS ${random.pick(['', 'NOT '])}DISTINCT FROM ${random.chance(5) ? 'NULL' : b}`; },
    () => { const make = random.pick(KINDS); return `${make(random, less)} ${random.pick(['', 'NOT '])}IN (${list(random, less, make)})`; },
    () => { const make = random.pick([int, text, uuid, numeric, mood]); return `${make(random, less)} ${random.pick(['= ANY', '= ANY', '<> ALL', '<> ANY'])} (ARRAY[${list(random, less, make)}])`; },
    () => `${text(random, less)} = ANY (${random.pick(['ta', "'{a,b,admin}'::text[]", "'{a,NULL,\"a b\"}'", 'ta'])})`, () => `${uuid(random, less)} = ANY (${random.pick(['ua', `'{${UUIDS[1]}}'`])})`, () => `${int(random, less)} ${random.pick(['= ANY', '<> ALL', '< ANY'])} (ia)`,
    () => { const make = random.pick([int, numeric, time, zoned, interval]); return `${make(random, less)} ${random.pick(['', 'NOT '])}BETWEEN ${make(random, 0)} AND ${make(random, 0)}`; },
    () => `${text(random, less)} ${random.pick(['LIKE', 'NOT LIKE', '~~', 'ILIKE'])} ${random.chance(6) ? text(random, 0) : maybe(random, random.pick(PATTERNS), 'text')}`,
    () => `${text(random, less)} ${random.pick(['~', '!~', '~*'])} ${literal(random.pick(REGEXES))}`,
    () => `${random.pick(['jb', 'auth.jwt()', "(auth.jwt() -> 'a')", "(auth.jwt() #> '{b,roles}')", json(random, less)])} ${random.pick(['?', '?', '?|', '?&']).replace(/^\?([|&])$/, '?$1')} `.replace(/(\? )$/, `? ${literal(random.pick(['a', 'admin', 'sub', 'long']))}`).replace(/(\?[|&] )$/, "$1ARRAY['a','admin']"),
    () => `${json(random, less)} = ${random.pick(["'1.5'::jsonb", "'true'", "'[\"last\"]'::jsonb", json(random, less)])}`,
    () => { const [a, b] = [random.pick(['jb', 'auth.jwt()', json(random, less)]), random.pick(["'{\"a\": 1}'", "'[1]'::jsonb", '\'"a"\'', "'{\"b\": {\"c\": [null]}}'", "'[]'", "'[{\"a\": 1.0}]'", "'1.5'", json(random, less)])]; return random.chance(3) ? `${b} <@ ${a}` : `${a} @> ${b}`; },
    () => { const rows = random.pick(["jsonb_array_elements_text(auth.jwt() -> 'a')", "jsonb_array_elements_text(auth.jwt() #> '{b,roles}')", 'jsonb_array_elements_text(jb)', 'json_array_elements_text(js)']);
      return random.pick([`t IN (SELECT ${rows})`, `v NOT IN (SELECT ${rows})`, `${text(random, 0)} = ANY (ARRAY(SELECT ${rows}))`, `u IN (SELECT (${rows})::uuid)`, `i4 <> ALL (SELECT (${rows})::integer)`, `u = ANY (ARRAY(SELECT (${rows})::uuid))`]); },
    () => `${text(random, less)} = ANY (string_to_array(${text(random, less)}, ${literal(random.pick([',', ':', 'b', '', 'a']))}))`,
    () => `ta ${random.pick(['@>', '&&'])} ${random.pick(["'{a}'", "'{}'", "ARRAY['a', t]", "ARRAY['a b', NULL]", 'ARRAY[current_user::text]', "ARRAY['admin', 'org1']"])}`, () => `${random.pick(["'{1,7}'", 'ARRAY[i4, 1]', "'{}'::integer[]"])} ${random.pick(['<@', '&&'])} ia`,
    () => `starts_with(${text(random, less)}, ${text(random, 0)})`, () => `(${text(random, less)})::boolean`, () => `owns(${uuid(random, less)})`, () => `public.has_claim(${literal(random.pick(['role', 'sub', 'a']))}, ${text(random, 0)})`,
    () => `CASE WHEN ${bool(random, less)} THEN ${bool(random, less)} ELSE ${bool(random, less)} END`, () => `coalesce(${bool(random, less)}, ${bool(random, less)})`, () => `( SELECT ${bool(random, less)} AS it)`, () => { const make = random.pick([int, text, uuid]); return `${make(random, less)} ${random.pick(['IN', 'NOT IN', '= ANY', '<> ALL'])} (SELECT ${make(random, less)})`; }, () => `(${int(random, less)})::boolean`,
    () => part(random, less), () => part(random, less), () => `${time(random, less)} ${random.pick(SIGNS)} ${time(random, less)}`, () => `${interval(random, less)} ${random.pick(SIGNS)} ${interval(random, less)}`,
    () => random.pick(['nobody()', "now() > '2024-01-01'", 'EXISTS (SELECT 1)', "d < current_date", "current_setting('search_path') = ''", "age(ts) > '1 day'", "t SIMILAR TO 'a'", "(n / 3) > 1"]),
  ])()})`;
};
