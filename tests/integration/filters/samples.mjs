// Rows and filters from a seed: each kind of column with values that are hard on it, filters with
// the SQL that PostgreSQL's own operators make of them.

// xorshift32: the same everywhere.
export function generator(seed) {
  let state = seed >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  const below = (count) => next() % count;
  return { below, chance: (of) => below(of) === 0, pick: (list) => list[below(list.length)] };
}

const WORDS = ['', ' ', 'a', 'A', 'ab', 'Ab', 'AB', 'abc', 'a b', 'a,b', '(a)', '(a,b)', 'a"b', '"', 'it\'s', 'a\\b', '\\',
  'a%c', 'a_c', '%', '_', '10', '9', 'NULL', 'null', 'é', 'É', 'Zoë', 'ß', '😀', 'a\nb', 'ab\n', 'a\tb', 'z ', ' z', 'ſ', 'K', 'a.b=c', 'not.eq.1'];

const INTEGERS = (min, max) => [min, `${BigInt(min) + 1n}`, '-1', '0', '1', '7', '10', '42', `${BigInt(max) - 1n}`, max].map(String);
const FLOATS = ['NaN', 'Infinity', '-Infinity', '-0', '0', '0.1', '1', '-1.5', '1e10', '1e-10', '16777217', '0.30000000000000004'];

// name → { type, values: as a program might write them, kind, spell: other spellings of a value }.
export const COLUMNS = {
  b: { type: 'boolean', values: ['t', 'f'], spellings: ['true', 'FALSE', 'on', 'off', 'yes', '1', '0', ' f '] },
  i2: { type: 'smallint', values: INTEGERS('-32768', '32767'), spellings: ['007', '+7', ' 7 ', '-0'] },
  i4: { type: 'integer', values: INTEGERS('-2147483648', '2147483647'), spellings: ['007', '+42'] },
  i8: { type: 'bigint', values: [...INTEGERS('-9223372036854775808', '9223372036854775807'), '9007199254740993', '9007199254740992'], spellings: ['+10'] },
  o: { type: 'oid', values: ['0', '7', '2147483648', '4294967295'], spellings: ['07'] },
  f4: { type: 'real', values: [...FLOATS, '3.4028235e38', '1e-45', '0.3'], spellings: ['+1', '1.0', 'inf', '.1', '1E10'] },
  f8: { type: 'double precision', values: [...FLOATS, '1.7976931348623157e308', '5e-324', '9007199254740993'], spellings: ['+1', '1.0', '-inf', '100e-3'] },
  n: { type: 'numeric', values: ['NaN', 'Infinity', '-Infinity', '0', '0.00', '1', '1.0', '1.50', '-1.5', '10', '9.99', '100', '1e-20', '-100',
    '12345678901234567890.123456789', '12345678901234567890.1234567891', '0.1', '0.10', '99999999999999999999'],
    spellings: ['1e0', '+1.5', '0150e-2', '.1', '1e2', '-0'] },
  dn: { type: 'price', values: ['0', '1', '1.50', '9.99', '10'], spellings: ['1.5', '1e1'] },
  t: { type: 'text', values: WORDS, text: true },
  v: { type: 'varchar(20)', values: WORDS, text: true },
  c: { type: 'char(6)', values: WORDS.filter((word) => [...word].length <= 6), text: true, spellings: ['a  ', 'ab      '] },
  nm: { type: 'name', values: WORDS, text: true },
  'odd "col" = x': { type: 'text', values: WORDS, text: true },
  // Whose own collations order and compare otherwise; where the server has them.
  en: { type: 'text', values: WORDS, text: true, collation: 'english' },
  ci: { type: 'text', values: WORDS, text: true, collation: 'careless' },
  u: { type: 'uuid', values: ['00000000-0000-0000-0000-000000000000', '7fffffff-ffff-ffff-ffff-ffffffffffff',
    '80000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'], spellings: ['7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'] },
  d: { type: 'date', values: ['infinity', '-infinity', '2024-02-29', '1999-12-31', '2000-01-01', '0044-03-15 BC', '5874897-12-31'], spellings: ['2024-02-29'] },
  ts: { type: 'timestamp', values: ['infinity', '-infinity', '2024-02-29 12:30:00', '2024-02-29 12:30:00.000001', '1999-12-31 23:59:59.999999',
    '2000-01-01', '0044-03-15 12:00:00 BC'], spellings: ['2024-02-29T12:30', '2024-02-29T12:30:00Z', '2000-01-01 00:00:00+05'] },
  tz: { type: 'timestamptz', values: ['infinity', '-infinity', '2024-02-29 12:30:00+00', '2024-02-29 14:30:00+02', '2000-01-01', '1999-12-31 23:00:00-01'],
    spellings: ['2024-02-29T12:30:00Z', '2024-02-29T12:30', '2000-01-01 05:00:00+0500'] },
  m: { type: 'mood', values: ['sad', 'ok', 'happy'], label: true },
  j: { type: 'jsonb', values: ['{"a": 1}', 'null', '[]'], opaque: true },
  a: { type: 'integer[]', values: ['{}', '{1,NULL}'], opaque: true },
  r: { type: 'pair', values: ['(,)', '(1,x)'], opaque: true },
};

export const COLLATIONS = `
  CREATE COLLATION english (provider = icu, locale = 'en');
  CREATE COLLATION careless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);`;

export const schema = (collations) => `
  ${collations ? COLLATIONS : ''}
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
  CREATE TYPE pair AS (x int, y text);
  CREATE DOMAIN price AS numeric CHECK (VALUE >= 0);
  CREATE TABLE samples (id int PRIMARY KEY, ${Object.entries(COLUMNS)
    .map(([name, { type, collation }]) => `${identifier(name)} ${type} ${collations && collation ? `COLLATE ${collation}` : ''}`).join(', ')});`;

export function identifier(name) {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text) {
  return text.includes('\\') ? `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`;
}

// Values by column, null now and then.
export function randomRow(random) {
  return Object.values(COLUMNS).map(({ values }) => (random.chance(6) ? null : random.pick(values)));
}

// ---- Filters ----

const SIGNS = { eq: '=', neq: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=', isdistinct: 'IS DISTINCT FROM',
  like: 'LIKE', ilike: 'ILIKE', match: '~', imatch: '~*' };

// In double quotes where it must be, and sometimes where it need not. `in.()` is no list of one.
export function quoted(random, text, { member = false } = {}) {
  const plain = member ? text !== '' && text === text.trim() && !/[,()]/.test(text) && !/^"/.test(text) : !/[,()"]/.test(text);
  return plain && !random.chance(4) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function columnText(random, name) {
  return /[",=]/.test(name) || random.chance(8) ? `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"` : name;
}

const pieces = (random, alphabet, count) => Array.from({ length: random.below(count) }, () => random.pick(alphabet)).join('');
const likePattern = (random) => pieces(random, ['%', '%', '_', 'a', 'A', 'b', 'é', '\\%', '\\_', '\\\\', '\\a', ' ', '"', ',', '😀'], 6);
const PIECES = ['a', 'b', 'A', 'B', 'é', 'É', '.', '^', '$', '*', '+', '?', '{1}', '{0,2}', '{2,}', '{,1}', '(', ')', '(?:', '(?=', '(?!', '|',
  '[ab]', '[^a]', '[a-z]', '[]a]', '[A-Fx]', '[[:alpha:]]', '[[:upper:]é]', '[^[:space:]]', '\\d', '\\w', '\\s', '\\W', '\\S', '\\.', '\\\\',
  '\\n', '[\\w-]', '[à-ÿ]', '{', '}', ']', ' ', ',', '"', '_', '%', '😀', '-', '*?', '+?', '/'];
const CHARACTERS = [...'ab[[]]^-\\\\:=!<>&~#{}1,0dwsDnbyAZx?*+().|$ é"\'%/_'];
// Of what is meant to be understood, and of anything.
export const regexPattern = (random) => (random.chance(3) ? pieces(random, CHARACTERS, 9) : pieces(random, PIECES, 7));

function operand(random, column, operator) {
  if (operator === 'like' || operator === 'ilike') return likePattern(random);
  if (operator === 'match' || operator === 'imatch') return regexPattern(random);
  return random.pick(random.chance(3) && column.spellings ? column.spellings : column.values);
}

function operatorsOf({ text, label, opaque, type }) {
  if (opaque) return ['is'];
  const equality = ['eq', 'eq', 'neq', 'in', 'isdistinct', 'is'];
  if (label) return equality;
  const ordered = [...equality, 'lt', 'lte', 'gt', 'gte'];
  if (type === 'boolean') return [...ordered, 'is', 'is', 'is'];
  return text ? [...ordered, 'like', 'like', 'ilike', 'match', 'match', 'imatch'] : ordered;
}

// What the operators compare with: the column's type, but for patterns.
function typed(column, operator, text) {
  if (['like', 'ilike', 'match', 'imatch'].includes(operator)) return `${literal(text)}::text`;
  return `${literal(text)}::${{ 'varchar(20)': 'text', 'char(6)': 'bpchar', price: 'numeric', name: 'text' }[column.type] ?? column.type}`;
}

function randomTerm(random) {
  const name = random.pick(Object.keys(COLUMNS));
  const column = COLUMNS[name];
  const operator = random.pick(operatorsOf(column));
  const negated = random.chance(4);
  const place = `${identifier(name)}${column.text ? ' COLLATE "C"' : ''}`;
  let written;
  let sql;
  if (operator === 'is') {
    const word = column.type === 'boolean' ? random.pick(['null', 'true', 'false', 'unknown', 'TRUE', 'Null']) : 'null';
    written = word;
    sql = column.type === 'pair' ? `${identifier(name)}::text IS NULL` : `${identifier(name)} IS ${word}`;
  } else if (operator === 'in') {
    const list = Array.from({ length: 1 + random.below(4) }, () => operand(random, column, operator));
    written = `(${list.map((text) => quoted(random, text, { member: true })).join(random.pick([',', ', ', ' , ']))})`;
    sql = `${place} IN (${list.map((text) => typed(column, operator, text)).join(', ')})`;
  } else {
    const text = operand(random, column, operator);
    written = quoted(random, text);
    sql = `${place} ${SIGNS[operator]} ${typed(column, operator, text)}`;
  }
  return {
    text: `${columnText(random, name)}=${negated ? 'not.' : ''}${operator}.${written}`,
    sql: negated ? `NOT (${sql})` : `(${sql})`,
  };
}

// { text, sql }: one term mostly, up to three.
export function randomFilter(random) {
  const terms = Array.from({ length: random.chance(3) ? 1 + random.below(3) : 1 }, () => randomTerm(random));
  return { text: terms.map(({ text }) => text).join(random.chance(5) ? ', ' : ','), sql: terms.map(({ sql }) => sql).join(' AND ') };
}
