// The table of changes: newest on top, bounded, drawn once a frame however many come.
import { element } from './dom.js';

const ROWS_MAX = 300;
const HELD_MAX = 5000; // while paused
const VALUE_MAX = 120; // characters shown of one value

function valueText(value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}…` : text;
}

function valueElement(name, value) {
  return value === null ? element(name, 'null', 'null') : element(name, '', valueText(value));
}

// One column: its value, or what it was and what it became.
function field(column, after, before) {
  const made = element('span', 'field', element('b', '', `${column} `));
  const differs = before !== undefined && JSON.stringify(before) !== JSON.stringify(after);
  if (differs) made.append(valueElement('del', before), ' → ', valueElement('ins', after));
  else made.append(valueElement('span', after));
  return made;
}

// What changed first, when the old row is known; the columns that stayed are left out then.
function rowFields({ type, columns, record, old_record, unchanged = [] }) {
  if (type === 'TRUNCATE') return [element('span', 'null', 'all rows')];
  const names = columns.map((column) => column.name);
  if (type === 'DELETE') return names.filter((n) => n in old_record).map((n) => field(n, old_record[n]));
  const whole = type === 'UPDATE' && Object.keys(old_record ?? {}).length > 1;
  const shown = names.filter((n) => n in record && (!whole || n === names[0] ||
    JSON.stringify(record[n]) !== JSON.stringify(old_record[n])));
  const fields = shown.map((n) => field(n, record[n], type === 'UPDATE' ? old_record?.[n] : undefined));
  if (unchanged.length) fields.push(element('span', 'null', `unchanged: ${unchanged.join(', ')}`));
  return fields;
}

function changeRow(change) {
  const time = element('td', 'time', new Date(change.commit_timestamp).toLocaleTimeString([], {
    hourCycle: 'h23', hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 }));
  time.title = `${change.commit_timestamp}\noffset ${change.offset}`;
  const op = element('span', 'op', change.type);
  op.dataset.op = change.type;
  const table = element('td', 'table', element('span', '', `${change.schema}.`), change.table);
  const row = element('tr', 'fresh', time, element('td', '', op), table,
    element('td', 'row', ...rowFields(change)));
  row.dataset.op = change.type;
  row.dataset.text = `${change.schema}.${change.table} ${row.lastChild.textContent}`.toLowerCase();
  return row;
}

export class Feed {
  #body;
  #waiting = [];
  #frame;
  #paused = false;
  #text = '';
  #hiddenOps = new Set();
  onShown = () => {};

  constructor(body) {
    this.#body = body;
  }

  get held() {
    return this.#waiting.length;
  }

  add(change) {
    this.#waiting.push(change);
    const most = this.#paused ? HELD_MAX : ROWS_MAX;
    if (this.#waiting.length > most) this.#waiting.splice(0, this.#waiting.length - most);
    this.#draw();
  }

  pause(paused) {
    this.#paused = paused;
    this.#draw();
  }

  clear() {
    this.#waiting = [];
    this.#body.replaceChildren();
    this.onShown(0);
  }

  filterText(text) {
    this.#text = text.trim().toLowerCase();
    this.#filterAll();
  }

  filterOp(op, shown) {
    if (shown) this.#hiddenOps.delete(op);
    else this.#hiddenOps.add(op);
    this.#filterAll();
  }

  #draw() {
    if (this.#paused) return;
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      const rows = this.#waiting.slice(-ROWS_MAX).reverse().map(changeRow);
      this.#waiting = [];
      for (const row of rows) this.#filterRow(row);
      this.#body.prepend(...rows);
      while (this.#body.childElementCount > ROWS_MAX) this.#body.lastChild.remove();
      this.onShown(this.#body.childElementCount);
    });
  }

  #filterRow(row) {
    row.hidden = this.#hiddenOps.has(row.dataset.op) || !row.dataset.text.includes(this.#text);
  }

  #filterAll() {
    for (const row of this.#body.children) this.#filterRow(row);
  }
}
