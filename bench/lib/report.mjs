// Text for people: the table of rows, the machine's line, and the list of suites.

// Three significant digits, whole numbers with their thousands set apart.
export function formatNumber(value) {
  if (value === null || value === undefined) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value === 0 ? '0' : value.toFixed(Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3);
}

function formatRange(range) {
  return range ? `${formatNumber(range[0])}–${formatNumber(range[1])}` : '–';
}

function formatGoal({ goal, goal_on, goal_bound }) {
  if (goal === null) return '–';
  return `${goal_bound === 'min' ? '≥' : '≤'} ${goal}${goal_on === 'ratio' ? ' ×' : ''}`;
}

const COLUMNS = [
  ['suite', (row) => row.suite],
  ['case', (row) => row.case],
  ['ours', (row) => formatNumber(row.ours), 'right'],
  ['peer', (row) => formatNumber(row.peer), 'right'],
  ['ratio', (row) => formatNumber(row.ratio), 'right'],
  ['unit', (row) => row.unit],
  ['goal', formatGoal],
  ['met', (row) => ({ true: 'yes', false: 'NO', null: '–' })[row.met]],
  ['n', (row) => `${row.n}`, 'right'],
  ['spread', (row) => formatRange(row.spread.ours)],
  ['peer spread', (row) => formatRange(row.spread.peer)],
];

function align(cells, widths) {
  const padded = cells.map((cell, at) =>
    COLUMNS[at][2] === 'right' ? cell.padStart(widths[at]) : cell.padEnd(widths[at]));
  return padded.join('  ').trimEnd();
}

function formatDetail(row) {
  const parts = Object.entries(row.detail).map(([name, value]) =>
    `${name} ${typeof value === 'number' ? formatNumber(value) : value}`);
  return `${row.suite}/${row.case}: ${parts.join(', ')}`;
}

export function formatTable(rows) {
  const table = [COLUMNS.map(([title]) => title),
    ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row)))];
  const widths = COLUMNS.map((_, at) => Math.max(...table.map((cells) => cells[at].length)));
  const lines = table.map((cells) => align(cells, widths));
  const details = rows.filter((row) => row.detail).map(formatDetail);
  return `${[...lines, ...(details.length ? ['', ...details] : [])].join('\n')}\n`;
}

export function formatEnvironment(environment) {
  const { walcast, commit, postgres, nats_server, kernel, processor, cores } = environment;
  return `${walcast} (${commit ?? 'no commit'}) · ${postgres} · ${nats_server}
${cores} × ${processor}, Linux ${kernel}, load average at the start ${
    environment.load_average.toFixed(2)}${environment.quick ? ' · QUICK: figures mean nothing' : ''}
`;
}

export function describeSuites(selection) {
  return selection.map(({ suite, cases }) => {
    const lines = cases.map((one) => `  ${`${suite.name}/${one.name}`.padEnd(32)}${one.doc}`);
    return `${suite.name}: ${suite.doc}\n${lines.join('\n')}\n`;
  }).join('\n');
}
