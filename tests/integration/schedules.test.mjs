// Schedules mean what a slow reading of crontab(5), Quartz' signs and the tz database means: random
// expressions in many zones, mostly where clocks are moved, each minute of some days decided twice
// (by triggers/, through schedules/schedule_driver.c, and by schedules/reference.mjs).
// WALCAST_SEED repeats a run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generator, localMinutes, momentsOf, moves, randomExpression } from './schedules/reference.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const DRIVER = process.env.WALCAST_SCHEDULE_DRIVER ?? join(HERE, '../../build/release/tests/integration/schedule_driver');
const SEED = Number(process.env.WALCAST_SEED ?? 20261128);
const EXPRESSIONS = 4000;

const minuteOf = (text) => Date.parse(`${text}Z`) / 60000;
const iso = (minute) => new Date(minute * 60000).toISOString();

// Zones and the years in which their moves are looked for. What Node's database and the system's
// may say differently of (the years after both were made) is looked at where rules have not changed
// for long.
const ZONES = [
  ['Europe/Berlin', 1947, 1949], ['Europe/Berlin', 1981, 2024], ['Europe/Berlin', 2040, 2110],
  ['Europe/London', 1968, 1974], ['Europe/Dublin', 1990, 2024], ['America/New_York', 1946, 2100],
  ['Australia/Lord_Howe', 1986, 2090], ['Africa/Casablanca', 2008, 2024], ['Africa/Cairo', 1975, 2024],
  ['Asia/Beirut', 1975, 2024], ['Asia/Gaza', 1996, 2021], ['Asia/Tehran', 1978, 2022],
  ['America/Sao_Paulo', 1986, 2019], ['America/Havana', 1975, 2024], ['America/Santiago', 1975, 2024],
  ['America/St_Johns', 1988, 2011], ['Antarctica/Troll', 2006, 2024], ['Pacific/Apia', 2009, 2021],
  ['Pacific/Kwajalein', 1993, 1994], ['Asia/Kathmandu', 1985, 1987], ['Pacific/Chatham', 1975, 2090],
  ['Asia/Pyongyang', 2014, 2019], ['America/Caracas', 2007, 2017], ['Atlantic/Azores', 1975, 2024],
];

function windowsOf(random) {
  return ZONES.flatMap(([zone, first, last]) => {
    const found = moves(zone, minuteOf(`${first}-01-01T00:00`), minuteOf(`${last}-12-31T00:00`));
    assert.ok(found.length > 0, `${zone} moves its clocks in ${first} to ${last}`);
    return Array.from({ length: 6 }, () => ({ zone, moved: random.pick(found) }));
  });
}

function ask(questions) {
  const input = questions.map(({ expression, zone, from, count }) => `${expression.text}|${zone}|${from * 60}|${count}\n`).join('');
  return execFileSync(DRIVER, { input, maxBuffer: 1 << 30 }).toString().split('\n').slice(0, questions.length);
}

test(`${EXPRESSIONS} expressions, minute by minute where clocks are moved`, (t) => {
  const random = generator(SEED);
  const windows = windowsOf(random).map((window) => {
    const from = window.moved - 1440 - random.upTo(1440);
    const until = window.moved + 1440 + random.upTo(1440);
    return { ...window, from, until, before: localMinutes(window.zone, from - 1500, from), locals: localMinutes(window.zone, from, until) };
  });
  const questions = [];
  for (let i = 0; i < EXPRESSIONS; i++) {
    const window = windows[i % windows.length];
    const expression = randomExpression(random);
    const expected = momentsOf(expression, window.locals, window.from, window.before);
    questions.push({ ...window, expression, expected, count: expected.length + 1 });
  }
  let compared = 0, refused = 0, withMoments = 0;
  ask(questions).forEach((line, i) => {
    const { expression, zone, from, until, moved, expected } = questions[i];
    const told = `${expression.text} in ${zone} from ${iso(from)}, clocks moved at ${iso(moved)}, seed ${SEED}`;
    if (line.startsWith('!')) {
      assert.match(line, /names no day that ever comes/, told);
      assert.deepEqual(expected, [], told);
      refused++;
      return;
    }
    const moments = line.trim().split(' ').map((second) => Number(second) / 60);
    const behind = moments.pop();
    assert.deepEqual(moments.map(iso), expected.map(iso), told);
    assert.ok(behind > until, `${told}: ${behind} is within the window`);
    compared += expected.length;
    withMoments += expected.length > 0;
  });
  t.diagnostic(`${compared} moments of ${withMoments} expressions, ${refused} refused, ${windows.length} moves of clocks`);
  assert.ok(withMoments > EXPRESSIONS / 8 && compared > EXPRESSIONS * 10, 'there was enough to compare');
});

test('every zone of the database, its last fifty years', (t) => {
  const random = generator(SEED + 1);
  const expression = { text: '30 0,1,2,3 * * *', everyHour: false,
    fits: (local) => ((local % 1440) + 1440) % 1440 < 240 && ((local % 60) + 60) % 60 === 30 };
  // Some names are other zones to this database, or had odd seconds then.
  const questions = Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'Africa/Monrovia').map((zone) => {
    const from = minuteOf(`${1975 + random.upTo(48)}-01-01T00:00`) + random.upTo(365 * 1440);
    const found = moves(zone, from, from + 366 * 1440);
    const at = found.length > 0 ? found[0] - 1440 : from;
    const locals = localMinutes(zone, at, at + 2880);
    return { zone, from: at, expression, expected: momentsOf(expression, locals, at, localMinutes(zone, at - 1500, at)) };
  });
  const answers = ask(questions.map((question) => ({ ...question, count: question.expected.length })));
  const unknown = [];
  answers.forEach((line, i) => {
    const { zone, from, expected } = questions[i];
    if (line.startsWith('!')) unknown.push(zone);
    else assert.deepEqual(line.trim().split(' ').map((second) => iso(Number(second) / 60)), expected.map(iso), `${zone} from ${iso(from)}`);
  });
  t.diagnostic(`${questions.length - unknown.length} zones`);
  assert.ok(unknown.length <= 3, `not in the system's database: ${unknown.join(', ')}`);
});
