// What a schedule is, said a second time and another way: every minute of a window, one after the
// other, its local time asked of the tz database in Node (ICU's, through Intl), its fields looked
// up in sets that were made beside the expression's text. Slow, and nothing of it is in triggers/.

export function generator(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const upTo = (max) => Math.floor(next() * (max + 1));
  return { upTo, pick: (list) => list[upTo(list.length - 1)] };
}

// ---- Zones ----

const formats = new Map();

function format(zone) {
  if (!formats.has(zone))
    formats.set(zone, new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric',
      month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' }));
  return formats.get(zone);
}

// Minutes east of UTC at a minute since 1970.
export function offsetAt(zone, minute) {
  const part = Object.fromEntries(format(zone).formatToParts(minute * 60000).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute) / 60000 - minute;
}

// The minutes at which a zone's clocks were moved within (from, until].
export function moves(zone, from, until) {
  const found = [];
  const bisect = (low, high) => {
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offsetAt(zone, middle) === offsetAt(zone, low)) low = middle;
      else high = middle;
    }
    return high;
  };
  for (let low = from, step = 1440 * 6; low < until; low += step)
    if (offsetAt(zone, low) !== offsetAt(zone, low + step)) found.push(bisect(low, low + step));
  return found;
}

// ---- Expressions, each with what its text means ----

const range = (from, to, step = 1) => {
  const values = [];
  for (let value = from; value <= to; value += step) values.push(value);
  return values;
};

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

// One item of a field: its text, the values, whether it begins with a star.
function item(random, min, max, name) {
  const first = min + random.upTo(max - min);
  const last = first + random.upTo(max - first);
  const step = 1 + random.upTo(Math.min(max - min, 12));
  return random.pick([
    () => ({ text: '*', values: range(min, max), star: true }),
    () => ({ text: `*/${step}`, values: range(min, max, step), star: true }),
    () => ({ text: name(first), values: [first] }),
    () => ({ text: name(first), values: [first] }),
    () => ({ text: `${name(first)}-${name(last)}`, values: range(first, last) }),
    () => ({ text: `${first}-${last}/${step}`, values: range(first, last, step) }),
    () => ({ text: `${first}/${step}`, values: range(first, max, step) }),
  ])();
}

function field(random, min, max, name = String) {
  const items = range(0, random.pick([0, 0, 0, 1, 2])).map(() => item(random, min, max, name));
  return { text: items.map(({ text }) => text).join(','), star: items[0].star === true,
    has: new Set(items.flatMap(({ values }) => values)) };
}

const lastOf = (year, month) => new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
const weekdayOf = (year, month, day) => new Date(Date.UTC(year, month, day)).getUTCDay();
// The weekdays of the month around a day, the nearest first; the side before it wins.
function nearestWeekday(year, month, day) {
  const days = range(1, lastOf(year, month)).filter((d) => ![0, 6].includes(weekdayOf(year, month, d)));
  return days.sort((a, b) => Math.abs(a - day) - Math.abs(b - day) || a - b)[0];
}

function dayField(random) {
  const day = 1 + random.upTo(30);
  return random.pick([
    () => field(random, 1, 31),
    () => ({ text: '*', star: true, fits: () => true }),
    () => ({ text: '?', star: true, fits: () => true }),
    () => ({ text: 'L', fits: (y, m, d) => d === lastOf(y, m) }),
    () => ({ text: `L-${Math.min(day, 30)}`, fits: (y, m, d) => d === lastOf(y, m) - Math.min(day, 30) }),
    () => ({ text: `${day}W`, fits: (y, m, d) => day <= lastOf(y, m) && d === nearestWeekday(y, m, day) }),
    () => ({ text: 'LW', fits: (y, m, d) => d === nearestWeekday(y, m, lastOf(y, m)) }),
  ])();
}

function weekdayField(random) {
  const weekday = random.upTo(6);
  const nth = 1 + random.upTo(4);
  return random.pick([
    () => field(random, 0, 6, (value) => random.pick([String(value), DAYS[value]])),
    () => ({ text: '*', star: true, fits: () => true }),
    () => ({ text: '*', star: true, fits: () => true }),
    () => ({ text: '7', fits: (y, m, d) => weekdayOf(y, m, d) === 0 }),
    () => ({ text: `${weekday}L`, fits: (y, m, d) => weekdayOf(y, m, d) === weekday && d + 7 > lastOf(y, m) }),
    () => ({ text: `${DAYS[weekday]}#${nth}`, fits: (y, m, d) => weekdayOf(y, m, d) === weekday && Math.ceil(d / 7) === nth }),
  ])();
}

export function randomExpression(random) {
  const minute = field(random, 0, 59);
  const hour = field(random, 0, 23);
  const month = random.pick([{ text: '*', has: new Set(range(1, 12)) }, field(random, 1, 12, (value) => random.pick([String(value), MONTHS[value - 1]]))]);
  const day = dayField(random);
  const weekday = weekdayField(random);
  const dayFits = day.fits ?? ((y, m, d) => day.has.has(d));
  const weekdayFits = weekday.fits ?? ((y, m, d) => weekday.has.has(weekdayOf(y, m, d)));
  const either = !day.star && !weekday.star;
  const dates = new Map(); // by day since 1970
  const dateFits = (days) => {
    if (!dates.has(days)) {
      const date = new Date(days * 86400000);
      const parts = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
      const both = [dayFits(...parts), weekdayFits(...parts)];
      dates.set(days, month.has.has(parts[1] + 1) && (either ? both.some(Boolean) : both.every(Boolean)));
    }
    return dates.get(days);
  };
  return {
    text: [minute.text, hour.text, day.text, month.text, weekday.text].join(' '),
    everyHour: hour.star === true,
    // Of a local minute since 1970.
    fits: (local) => {
      const days = Math.floor(local / 1440);
      const rest = local - days * 1440;
      return minute.has.has(rest % 60) && hour.has.has(Math.floor(rest / 60)) && dateFits(days);
    },
  };
}

// ---- The moments of a window ----

// The local minute of each minute of (from, until].
export function localMinutes(zone, from, until) {
  const locals = [];
  for (let first = from + 1; first <= until; first += 15) {
    const offsets = [offsetAt(zone, first), offsetAt(zone, first + 15)];
    for (let minute = first; minute < first + 15 && minute <= until; minute++)
      locals.push(minute + (offsets[0] === offsets[1] ? offsets[0] : offsetAt(zone, minute)));
  }
  return locals;
}

// `locals` of the window, and what stood before it, so that a second pass is known.
export function momentsOf(expression, locals, from, before) {
  const moments = new Set();
  if (expression.everyHour) {
    locals.forEach((local, i) => expression.fits(local) && moments.add(from + 1 + i));
    return [...moments];
  }
  const seen = new Set(before);
  let reached = before.length > 0 ? Math.max(...before) : locals[0] - 1;
  locals.forEach((local, i) => {
    // Left out by a jump: at its moment.
    for (let missing = reached + 1; missing < local; missing++)
      if (expression.fits(missing)) moments.add(from + 1 + i);
    if (!seen.has(local) && local > reached && expression.fits(local)) moments.add(from + 1 + i);
    seen.add(local);
    reached = Math.max(reached, local);
  });
  return [...moments];
}
