// Every operator that triggers' conditions may use, with each type that it takes (docs/CONDITIONS.md):
// how it is written over two operands. Beside them what is refused.
import { literal } from '../filters/samples.mjs';
import { COLUMNS } from './cases.mjs';

const of = (...kinds) => Object.keys(COLUMNS).filter((name) => kinds.includes(COLUMNS[name].kind));
const NUMBERS = ['i2', 'i4', 'i8', 'f4', 'f8', 'n', 'dn'];
const TEXTS = ['t', 'v', 'c', 'nm', 'en', 'cc'];
const TIMES = ['d', 'ts', 'tz', 'tm', 'iv'];
const EQUAL = ['b', ...NUMBERS, ...TEXTS, 'u', ...TIMES, 'm'];
const ORDERED = ['b', ...NUMBERS, 'nm', 'cc', 'u', ...TIMES];
const ALL = Object.keys(COLUMNS);

const typeOf = (name) => (COLUMNS[name].type === 'price' ? 'numeric' : COLUMNS[name].type.replace(/\(.*\)/, '').replace(/^char$/, 'bpchar'));
const infix = (sign) => (x, y) => `${x} ${sign} ${y}`;
const call = (name) => (x, y, column) => `${name}(${x}, ${y}) = ${column}`;
const unary = (make) => Object.assign((x) => make(x), { unary: true });
const PATTERN = (value) => (value === "''" ? "'%'" : value.replace(/.'$/u, "%'"));

const beside = (name, y) => (Object.hasOwn(COLUMNS, name) ? y.replace(/^(new|old)\.\w+$/, `$1.${name}`).replace(/^'.*$/s, `new.${name}`) : name);
const CLOCK = ['microseconds', 'milliseconds', 'second', 'minute', 'hour'];
const DAYS = ['day', 'week', 'month', 'quarter', 'year', 'decade', 'century', 'millennium', 'dow', 'isodow', 'doy', 'isoyear'];
const WHOLE = { year: 2000, isoyear: 2000, century: 20, millennium: 2, decade: 200, week: 9, day: 28, doy: 60, month: 3, quarter: 2, epoch: 86400, microseconds: 5, milliseconds: 6500 };
const PARTS = { second: 59.999999, milliseconds: 59999.999, epoch: 5400 };

// [name, columns, make(left, right, column, value), kind of the right operand where it is not the column's]
export const OPERATORS = [
  ...['=', '<>', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM'].map((sign) => [sign, EQUAL, infix(sign)]),
  ['= of json', ['jb'], infix('=')],
  ...['<', '<=', '>', '>='].map((sign) => [sign, ORDERED, infix(sign)]),
  ['IN', EQUAL, (x, y, column, value) => `${x} IN (${y}, ${value})`],
  ['NOT IN', EQUAL, (x, y, column, value) => `${x} NOT IN (${y}, ${value})`],
  ['BETWEEN', ORDERED, (x, y, column, value) => `${x} BETWEEN ${y} AND ${value}`],
  ['NOT BETWEEN', ORDERED, (x, y, column, value) => `${x} NOT BETWEEN ${value} AND ${y}`],
  ['= ANY', EQUAL, (x, y, column, value) => `${x} = ANY (ARRAY[${y}, ${value}])`],
  ['<> ALL', EQUAL, (x, y, column, value) => `${x} <> ALL (ARRAY[${value}, ${y}])`],
  ['= ANY of an array column', ['t', 'v', 'u', 'i4'], (x, y, column) => `${x} = ANY (${y.replace(/\.\w+$/, `.${{ t: 'ta', v: 'ta', u: 'ua', i4: 'ia' }[column]}`)})`],
  ['IS NULL', ALL, unary((x) => `${x} IS NULL`)],
  ['IS NOT NULL', ALL, unary((x) => `${x} IS NOT NULL`)],
  ...['TRUE', 'FALSE', 'UNKNOWN'].flatMap((word) => ['', 'NOT '].map((not) => [`IS ${not}${word}`, ['b'], unary((x) => `${x} IS ${not}${word}`)])),
  ['AND', ['b'], infix('AND')], ['OR', ['b'], infix('OR')], ['NOT', ['b'], unary((x) => `NOT ${x}`)],
  ['CASE', EQUAL, (x, y, column, value) => `CASE WHEN ${x} = ${value} THEN ${y} ELSE ${x} END = ${y}`],
  ['coalesce', EQUAL, (x, y, column, value) => `coalesce(${x}, ${y}) = ${value}`],
  ['nullif', EQUAL, (x, y, column, value) => `nullif(${x}, ${y}) = ${value}`],
  ['greatest', ORDERED, (x, y, column, value) => `greatest(${x}, ${y}) = ${value}`],
  ['least', ORDERED, (x, y, column, value) => `least(${x}, ${y}) = ${value}`],
  ...['LIKE', 'NOT LIKE'].map((word) => [word, TEXTS, (x, y, column, value) => `${x} ${word} ${PATTERN(value)}`, 'one']),
  ...['ILIKE', 'NOT ILIKE'].map((word) => [word, TEXTS, (x) => `${x} ${word} 'A%'`, 'one']),
  ...['~', '!~', '~*', '!~*'].map((word) => [word, TEXTS, (x) => `${x} ${word} '^[a-z]?b'`, 'one']),
  ['^@', ['t', 'v', 'nm', 'cc'], (x, y) => `${x}::text ^@ ${y}::text`],
  ['starts_with', ['t', 'v', 'cc'], (x, y) => `starts_with(${x}, ${y})`],
  ...['+', '-', '*'].map((sign) => [sign, NUMBERS, (x, y, column) => `(${x} ${sign} ${y}) > ${x}`]),
  ['/', ['i2', 'i4', 'i8', 'f4', 'f8'], (x, y) => `(${x} / ${y}) > ${x}`],
  ['%', ['i2', 'i4', 'i8'], (x, y) => `(${x} % ${y}) >= ${y}`],
  // Dates and times: what is beside a column is of another type; `it` has it of the other image.
  ...['1', "'7'::smallint", 'i4', 'i2'].flatMap((right) => ['+', '-'].map((sign) => [`date ${sign} ${right}`, ['d'], (x, y) => `(${x} ${sign} ${beside(right, y)}) > ${y}`])),
  ['integer + date', ['d'], (x, y) => `(1 + ${x}) = ${y}`], ['date - date', ['d'], (x, y) => `(${x} - ${y}) > 30`],
  ['date + time', ['d'], (x, y) => `(${x} + ${beside('tm', y)}) > ${y}`], ['time + date', ['d'], (x, y) => `(${beside('tm', y)} + ${x}) > ${y}`],
  ...['d', 'ts', 'tm'].flatMap((column) => ['+', '-'].map((sign) => [`${sign} interval`, [column], (x, y) => `(${x} ${sign} ${beside('iv', y)}) > ${y}`])),
  ...['+', '-'].map((sign) => [`${sign} interval of hours`, ['tz'], (x, y) => `(${x} ${sign} ${beside('tm', y)}::interval) >= ${y}`]),
  ...['1 month', '-1 mon', '1 year', '30 days', '-1 day +10:00', '00:00:00.000001', '12 hours ago'].flatMap((text) => ['+', '-'].map((sign) => [`${sign} ${text}`, ['d', 'ts'], (x, y) => `(${x} ${sign} interval '${text}') <= ${y}`])),
  ...['1 hour', '-00:00:00.5'].flatMap((text) => ['+', '-'].map((sign) => [`${sign} ${text}`, ['tz', 'tm'], (x, y) => `(${x} ${sign} interval '${text}') <= ${y}`])),
  ['interval +', ['d', 'ts', 'tm'], (x, y) => `(interval '1 mon 2 days 3 hours' + ${x}) > ${y}`], ['- of times', ['ts', 'tz', 'tm'], (x, y) => `(${x} - ${y}) > interval '1 day'`],
  ['timestamp - date', ['ts'], (x, y) => `(${x} - ${beside('d', y)}) > interval '1 day'`], ['date - timestamp', ['d'], (x, y) => `(${x} - ${beside('ts', y)}) > interval '1 day'`],
  ...['+', '-'].map((sign) => [`interval ${sign} interval`, ['iv'], (x, y) => `(${x} ${sign} ${y}) > interval '1 mon'`]),
  ...['2', '0.5', '1.1', '-3', 'i2', 'f4', 'n'].flatMap((factor) => ['*', '/'].map((sign) => [`interval ${sign} ${factor}`, ['iv'], (x, y) => `(${x} ${sign} ${beside(factor, y)}) > ${y}`])),
  ['number * interval', ['iv'], (x, y) => `(1.5 * ${x}) > ${y}`], ['- (sign) of interval', ['iv'], unary((x) => `(- ${x}) < interval '1 day'`)],
  ['age', ['ts'], (x, y) => `age(${x}, ${y}) > interval '1 mon'`], ["AT TIME ZONE 'UTC'", ['tz', 'ts'], (x, y) => `(${x} AT TIME ZONE 'UTC') > (${y} AT TIME ZONE 'UTC')`],
  ...Object.entries({ d: DAYS, ts: [...CLOCK, ...DAYS], tm: [...CLOCK], iv: [...CLOCK, 'day', 'month', 'year'], tz: ['epoch'] }).flatMap(([column, fields]) => [...new Set([...fields, 'epoch'])].flatMap((field) =>
    [[`extract ${field}`, [column], unary((x) => `extract(${field} FROM ${x}) >= ${WHOLE[field] ?? 7}`)], [`date_part ${field}`, [column], unary((x) => `date_part('${field}', ${x}) = ${PARTS[field] ?? WHOLE[field] ?? 4}`)]])),
  ...['microseconds', 'milliseconds', 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year', 'decade', 'century', 'millennium'].flatMap((field) =>
    [['ts', (x) => x], ['tz', (x) => `${x}, 'UTC'`], ['iv', (x) => x]].filter(([column]) => column !== 'iv' || field !== 'week').map(([column, make]) => [`date_trunc ${field}`, [column], (x, y) => `date_trunc('${field}', ${make(x)}) <> ${y}`])),
  ['timestamp::time', ['ts'], unary((x) => `${x}::time > '12:00'`)], ['time::interval', ['tm'], unary((x) => `${x}::interval > '12 hours'`)], ['interval::time', ['iv'], unary((x) => `${x}::time > '04:00'`)],
  ['text::interval', ['t', 'v'], unary((x) => `('' || length(${x}) || ' days 01:00')::interval > '2 days'`)], ['text::time', ['t', 'v'], unary((x) => `('0' || left(length(${x})::text, 1) || ':30')::time > '02:00'`)],
  ['- (sign)', NUMBERS, unary((x) => `(- ${x}) < 1`)], ['abs', NUMBERS, unary((x) => `abs(${x}) > 1`)],
  ['||', TEXTS, (x, y, column, value) => `(${x}::text || ${y}::text) = ${value}::text`],
  ...['lower', 'upper', 'btrim', 'ltrim', 'rtrim'].map((name) => [name, ['t', 'v', 'cc'], unary((x) => `${name}(${x}) = 'a'`)]),
  ...['length', 'char_length'].map((name) => [name, ['t', 'v', 'c', 'cc'], unary((x) => `${name}(${x}) = 2`)]),
  ...['left', 'right'].map((name) => [name, ['t', 'v', 'cc'], unary((x) => `"${name}"(${x}, 1) = 'a'`)]),
  ['substr', ['t', 'v', 'cc'], unary((x) => `substr(${x}, 2, 1) = 'b'`)],
  ['replace', ['t', 'v', 'cc'], unary((x) => `replace(${x}, 'b', 'a') = 'aa'`)],
  ['strpos', ['t', 'v', 'cc'], (x, y) => `strpos(${x}, ${y}) = 1`],
  ['position', ['t', 'v', 'cc'], (x, y) => `position(${y} in ${x}) = 1`],
  ['split_part', ['t', 'v', 'cc'], unary((x) => `split_part(${x}, 'b', 1) = 'a'`)],
  ['string_to_array', ['t', 'v', 'cc'], (x, y) => `${x} = ANY (string_to_array(${y}, ','))`],
  ['->', ['js', 'jb'], unary((x) => `(${x} -> 'a') IS NOT NULL`)],
  ['->>', ['js', 'jb'], unary((x) => `(${x} ->> 'a') = 'x'`)],
  ['-> by index', ['js', 'jb'], unary((x) => `(${x} ->> 0) = 'a'`)],
  ['#>', ['js', 'jb'], unary((x) => `(${x} #> '{b,c}') IS NOT NULL`)],
  ['#>>', ['js', 'jb'], unary((x) => `(${x} #>> '{b,c,1}') = 'two'`)],
  ['?', ['jb'], unary((x) => `${x} ? 'a'`)],
  ['?|', ['jb'], unary((x) => `${x} ?| ARRAY['a','admin']`)],
  ['?&', ['jb'], unary((x) => `${x} ?& ARRAY['a','b']`)],
  ['@>', ['jb'], unary((x) => `${x} @> '{"a": 1}'`)], ['<@', ['jb'], unary((x) => `${x} <@ '{"a": 1, "c": 2}'`)],
  ['@> of arrays', ['ta'], unary((x) => `${x} @> ARRAY['a']`)], ['&& of arrays', ['ta'], unary((x) => `${x} && ARRAY['a','admin']`)],
  ...NUMBERS.filter((to) => to !== 'dn').map((to) => [`::${typeOf(to)}`, NUMBERS, unary((x) => `${x}::${typeOf(to)} > 1`)]),
  ['::text of integers, uuid and such', ['b', 'i2', 'i4', 'i8', 'n', 'u', 'm', 'c', 'nm'], unary((x) => `${x}::text = '1'`)],
  ...['integer', 'bigint', 'numeric', 'float8', 'boolean', 'uuid'].map((type) => [`text::${type}`, ['t', 'v'], unary((x) => `${x}::${type} IS NOT NULL`)]),
  ...['date', 'timestamp'].map((type) => [`text::${type}`, ['t', 'v'], unary((x) => `(CASE WHEN length(${x}) BETWEEN 1 AND 9 THEN '2024-01-0' || length(${x}) ELSE '2000-01-31' END)::${type} > '2024-01-02'`)]),
  ['date and timestamp', ['d'], unary((x) => `${x}::timestamp > '2000-01-01'`)], ['timestamp and date', ['ts'], unary((x) => `${x}::date > '2000-01-01'`)],
];

// What docs/CONDITIONS.md leaves to SQL: a trigger that asks for it is refused.
export const REFUSED_OPERATORS = [
  ...['t', 'v', 'en'].map((name) => [`new.${name} < old.${name}`, /order of texts/]),
  ['new.ci = old.ci', /not deterministic/], ['new.en || new.cc = \'a\' COLLATE "C" AND new.en = new.cc || old.en', /which collation|not taken|collation/],
  ['new.m < old.m', /order/], ['new.jb < old.jb', /order|no comparison/], ['new.n / 3 > 1', /not computed/], ['new.n % 2 = 1', /not computed|not known/], ['new.f8 % 2 = 1', /./],
  ["new.t SIMILAR TO 'a'", /SIMILAR/], ['new.i4 BETWEEN SYMMETRIC 1 AND 2', /SYMMETRIC/], ["new.t LIKE 'a' ESCAPE '!'", /./],
  ["new.tz > now()", /hangs on the time/], ["new.d < current_date", /./], ["age(new.ts) > '1 day'", /hangs on/], ["age(new.tz, old.tz) > '1 day'", /TimeZone/], ['random() < 0.5', /./], ['gen_random_uuid() = new.u', /./],
  ["new.ts::text = 'x'", /./], ["new.f8::text = '1'", /./], ["new.t::varchar(3) = 'a'", /./], ['new.n::numeric(10,2) = 1', /./], ["new.t::json IS NOT NULL", /./], ["new.t::mood = 'ok'", /./],
  ['new.tz > new.ts', /./], ["new.ta[1] = 'a'", /./], ['ROW(new.i4, 1) = ROW(1, 1)', /./], ["new.tz + interval '1 day' > old.tz", /TimeZone/], ["new.tz - 2 * interval '1 mon' > old.tz", /TimeZone/], ["date_trunc('day', new.tz) = old.tz", /TimeZone/], ["date_trunc('month', new.d) = old.d", /TimeZone/],
  ['extract(hour FROM new.tz) = 7', /TimeZone/], ['extract(hour FROM new.d) = 7', /that field/], ['extract(week FROM new.iv) = 7', /that field/], ["new.tz AT TIME ZONE 'Europe/Berlin' > old.ts", /only time zone/],
  ['extract(epoch FROM new.ts) > 1.5', /version/], ['extract(second FROM new.ts) + 0.1 > 1', /version/], ['extract(second FROM new.ts)::integer = 1', /version/], ['extract(year FROM new.ts) = new.n', /version/], ['abs(extract(epoch FROM new.iv)) > 1', /version/],
  ['new.iv = new.tm', /no comparison/], ['new.iv * new.iv > new.iv', /not computed/], ["new.d + '1' > old.d", /not computed/], ['new.d + new.i8 > old.d', /not computed/], ['new.ts + 1 > old.ts', /not computed/], ["new.iv::text = 'x'", /./], ["new.iv > interval '-1 day 2 hours'", /is written/],
  ["new.iv > interval '1.1234567 s'", /is written/], ["new.iv > interval(2) '1.5 s'", /./], ["new.iv > 'infinity'::interval", /is written/], ["new.tm > '10:00 PM'", /is written/], ['new.iv::interval(1) = old.iv', /./], ["new.tm::timetz = '10:00'", /./],
  ['EXISTS (SELECT 1 FROM samples)', /sub-query/], ['new.i4 IN (SELECT id FROM samples)', /sub-query/], ["md5(new.t) = 'a'", /./], ["current_setting('app.tenant', true) = new.t", /./],
];

// Cases of one operator and column: both images, a value, a null on either side.
export function casesOf([name, , make, right], column) {
  // A time without its zone is not taken.
  const values = COLUMNS[column].values.filter((value) => column !== 'tz' || /infinity|\+\d\d$/.test(value));
  const type = typeOf(column);
  const refs = [`new.${column}`, `old.${column}`];
  const at = (i) => `${literal(values[i % values.length])}::${type}`;
  if (make.unary) return refs.map((x) => ({ name, column, operands: [x], condition: make(x) }));
  const text = (i) => (right === 'one' ? literal(values[i % values.length]) : at(i));
  const pair = (x, y, i) => ({ name, column, operands: right === 'one' ? [x] : [x, y], condition: make(x, y, column, text(i)) });
  const takesArray = name.startsWith('= ANY of');
  return [pair(refs[0], refs[1], 0), pair(refs[1], refs[0], 1), pair(refs[0], right === 'one' || takesArray ? refs[1] : at(2), 3),
    pair(refs[1], right === 'one' || takesArray ? refs[0] : at(4), 5)];
}
