// Triggers' conditions mean what PostgreSQL means, over a row's new and old image: SELECT … FROM the
// new rows LEFT JOIN the old ones says what each is. Each operator that is supported is held against
// the server with each type that it takes, at least a hundred times with a null among its operands
// and a hundred times without; what is refused is what docs/CONDITIONS.md lists. WALCAST_SEED
// repeats a run; WALCAST_CONDITIONS multiplies the random ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generator } from './filters/samples.mjs';
import { COLUMNS, bool, randomClaims } from './conditions/cases.mjs';
import { SEED, ask, compare, startSamples } from './conditions/held.mjs';
import { OPERATORS, REFUSED_OPERATORS, casesOf } from './conditions/operators.mjs';

const TIMES = Number(process.env.WALCAST_CONDITIONS ?? 1);
const ENOUGH = 100;
const nobody = { claims: '{}', role: 'anon' };

// `t = 'x'` as `new.t = 'x'` or `old.t = 'x'`: names outside of quotes that are no calls and no types.
const WORD = /'(?:[^']|'')*'|"[^"]*"|::\s*[\w.]+|[A-Za-z_][\w.]*(?=\s*\()|[A-Za-z_]\w*/g;
const imaged = (condition, random) =>
  condition.replace(WORD, (word) => (Object.hasOwn(COLUMNS, word) ? `${random.pick(['new', 'new', 'old'])}.${word}` : word));

for (const [major, count] of [[undefined, 2500 * TIMES], [18, 400 * TIMES]])
  test(`${count} random conditions over two images, PostgreSQL ${major ?? 'from Debian'}, seed ${SEED}`, async (t) => {
    const samples = await startSamples(t, major, { images: true, count: 48 });
    const random = generator(SEED + 7);
    const cases = Array.from({ length: count }, () => ({ condition: imaged(bool(random, 1 + random.below(4)), random), claims: randomClaims(random), role: 'anon' }));
    const counts = await compare(t, samples, cases);
    assert.ok(counts.evaluated > count * 0.6, `only ${counts.evaluated} evaluated`);
    assert.ok(counts.undecided < counts.rows * 0.05, `${counts.undecided} rows of ${counts.rows} undecided`);
  });

function valueOf({ rows, before }, row, operand) {
  const [image, column] = operand.split('.');
  if (image !== 'new' && image !== 'old') return operand;
  return image === 'new' ? rows[row][column] : before.get(rows[row].id)?.[column] ?? null;
}

test('each operator with each type, with and without a null, a hundred times', async (t) => {
  const samples = await startSamples(t, undefined, { images: true, count: 300 });
  const tally = new Map();
  const cases = OPERATORS.flatMap((operator) => operator[1].flatMap((column) => casesOf(operator, column))).map((one) => ({ ...one, ...nobody }));
  await compare(t, samples, cases, ({ name, column, operands, condition }, { refused, error, verdicts }) => {
    assert.equal(refused, undefined, `${condition} is refused: ${error}`);
    const key = `${name} × ${column}`;
    const one = tally.get(key) ?? tally.set(key, { null: 0, value: 0 }).get(key);
    for (const [row, verdict] of [...verdicts].entries())
      if (verdict !== '?') one[operands.some((operand) => valueOf(samples, row, operand) === null) ? 'null' : 'value']++;
  });
  const least = (of) => Math.min(...[...tally.values()].map((one) => one[of]));
  t.diagnostic(`${tally.size} pairs of operator and type; the least: ${least('null')} with a null, ${least('value')} without`);
  const few = [...tally].filter(([, one]) => one.null < ENOUGH || one.value < ENOUGH);
  assert.equal(few.map(([key, one]) => `${key}: ${one.null} with a null, ${one.value} without`).join("\n"), "");
});

test('what is not supported is refused at definition, with its reason', async (t) => {
  const samples = await startSamples(t, undefined, { images: true });
  const answers = ask(samples, REFUSED_OPERATORS.map(([condition]) => ({ condition, ...nobody })));
  for (const [i, [condition, reason]] of REFUSED_OPERATORS.entries()) {
    assert.equal(answers[i].refused, 'unsupported', `${condition}: ${JSON.stringify(answers[i])}`);
    assert.match(answers[i].error, reason, condition);
  }
});
