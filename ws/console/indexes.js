// The indexes that there are, with how far each is: asked again while they are looked at.
import { ask, button, element, fact } from './dom.js';

const LOOK_MS = 2000;
const INDEXES_MAX = 1000;
const TASKS_MAX = 1000;

function sizeText(bytes) {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  for (; bytes >= 1000 && unit < units.length - 1; unit++) bytes /= 1000;
  return `${bytes.toLocaleString([], { maximumFractionDigits: unit && bytes < 10 ? 1 : 0 })} ${units[unit]}`;
}

function lagText({ of_tables, answers, lag_messages = 0, lag_seconds = 0 }) {
  if (!of_tables) return 'written over HTTP';
  if (!answers) return 'does not answer yet';
  if (!lag_messages) return 'up to date';
  return `${lag_messages.toLocaleString()} messages, ${lag_seconds.toLocaleString()} s`;
}

// What is said of one that is being built: by its task, or by its status.
function buildingText(rows, expected) {
  const of = expected && expected >= rows ? ` of about ${expected.toLocaleString()}` : '';
  return `being built: ${rows.toLocaleString()} rows${of}`;
}

export class Indexes {
  #key;
  #parts;
  #on;
  #rows = new Map(); // name → its button
  #about = new Map(); // name → what is known of it
  #timer;
  #round = 0;
  #selected;
  #mayList = true;

  // parts: { list, name, facts, empty, trouble } elements. on: { selected(name), built() }: another is chosen,
  // or none; the chosen one answers by another definition from now on.
  constructor(parts, on) {
    this.#parts = parts;
    this.#on = on;
    parts.name.addEventListener('change', () => this.select(parts.name.value.trim()));
  }

  get selected() {
    return this.#selected;
  }

  // What is known of the one that is chosen: { primaryKey, searched, sortable, totalMax }.
  get about() {
    return this.#about.get(this.#selected) ?? { searched: [], sortable: [] };
  }

  async open(key) {
    this.#key = key;
    this.#mayList = true;
    this.#round++;
    await this.#look(this.#round);
  }

  close() {
    this.#round++;
    clearTimeout(this.#timer);
    this.#key = this.#selected = undefined;
    this.#rows.clear();
    this.#about.clear();
    this.#parts.list.replaceChildren();
    this.#parts.facts.replaceChildren();
  }

  async select(name) {
    if (!name || name === this.#selected) return;
    this.#selected = name;
    for (const [other, row] of this.#rows) row.ariaPressed = String(other === name);
    this.#parts.facts.replaceChildren();
    const round = this.#round;
    await Promise.all([this.#settings(name), this.#status(name, round)]);
    if (round === this.#round && name === this.#selected) this.#on.selected(name);
  }

  #ask(path) {
    return ask(this.#key, 'GET', path);
  }

  async #look(round) {
    clearTimeout(this.#timer);
    try {
      if (!document.hidden && this.#mayList) await this.#list(round);
    } catch (error) {
      if (round === this.#round) this.#refused(error);
    }
    if (round !== this.#round) return;
    if (this.#selected) await this.#status(this.#selected, round);
    if (round === this.#round) this.#timer = setTimeout(() => this.#look(round), LOOK_MS);
  }

  async #list(round) {
    const indexes = await this.#ask(`/indexes?limit=${INDEXES_MAX}`);
    const [stats, tasks] = await Promise.all([this.#ask('/stats'),
      this.#ask(`/tasks?statuses=enqueued,processing&limit=${TASKS_MAX}`)]);
    if (round !== this.#round) return;
    this.#tell('');
    this.#parts.name.parentElement.hidden = true;
    this.#parts.empty.hidden = indexes.results.length > 0;
    this.#parts.list.hidden = indexes.results.length === 0;
    const names = new Set(indexes.results.map(({ uid }) => uid));
    for (const [name, row] of this.#rows) if (!names.has(name)) row.remove(), this.#rows.delete(name);
    for (const { uid, primaryKey } of indexes.results) {
      this.#about.set(uid, { searched: [], sortable: [], ...this.#about.get(uid), primaryKey });
      this.#row(uid, stats.indexes[uid], tasks.results.find((task) => task.indexUid === uid));
    }
    if (this.#selected && !names.has(this.#selected)) this.#selected = undefined;
    if (!this.#selected && indexes.results.length) await this.select(indexes.results[0].uid);
    if (indexes.results.length === 0) this.#on.selected(undefined);
  }

  #row(name, stats, task) {
    let row = this.#rows.get(name);
    if (!row) {
      row = button('', () => this.select(name));
      row.append(element('span', 'name', name), element('b'), element('small'), element('progress'));
      row.ariaPressed = String(name === this.#selected);
      this.#rows.set(name, row);
      this.#parts.list.append(row);
    }
    const [, count, state, bar] = row.children;
    const { receivedDocuments = 0, expectedDocuments } = task?.details ?? {};
    const answers = stats?.isIndexing === false;
    const isBuilding = task?.type === 'definition';
    count.textContent = (stats?.numberOfDocuments ?? 0).toLocaleString();
    state.textContent = isBuilding ? buildingText(receivedDocuments, expectedDocuments)
      : task ? `tasks wait: ${task.type}` : answers ? '' : 'does not answer yet';
    bar.hidden = !isBuilding;
    bar.max = Math.max(1, expectedDocuments ?? 0, receivedDocuments);
    bar.value = receivedDocuments;
    const wasBuilt = row.dataset.built;
    row.dataset.built = String(answers && !isBuilding);
    if (wasBuilt === 'false' && row.dataset.built === 'true') this.#built(name, this.#round);
  }

  async #built(name, round) {
    await this.#settings(name);
    if (round === this.#round && name === this.#selected) this.#on.built();
  }

  // A key may search and yet not list: then the name is typed.
  #refused(error) {
    const mayName = error.status === 403;
    this.#mayList = !mayName;
    this.#parts.list.hidden = mayName;
    this.#parts.empty.hidden = true;
    this.#parts.name.parentElement.hidden = !mayName;
    this.#tell(mayName ? '' : error.status === 404 ? 'No process here hosts search: add it to `roles`.' : error.message);
    if (mayName && !this.#selected) this.#on.selected(undefined);
  }

  #tell(problem) {
    this.#parts.trouble.textContent = problem;
    this.#parts.trouble.hidden = !problem;
  }

  async #settings(name) {
    if (!this.#mayList) return;
    const settings = await this.#ask(`/indexes/${encodeURIComponent(name)}/settings`).catch(() => undefined);
    if (!settings) return;
    const { searchableAttributes, sortableAttributes, pagination } = settings;
    this.#about.set(name, { ...this.#about.get(name), searched: searchableAttributes.filter((one) => one !== '*'),
      sortable: sortableAttributes, totalMax: pagination.maxTotalHits });
  }

  async #status(name, round) {
    const status = await this.#ask(`/search/v1/-/${encodeURIComponent(name)}/status`).catch(() => undefined);
    if (round !== this.#round || name !== this.#selected) return;
    if (!status) {
      this.#parts.facts.replaceChildren();
      return;
    }
    const facts = [fact('documents', status.documents.toLocaleString()), fact('words', status.terms.toLocaleString()),
      fact('on disk', sizeText(status.file_bytes)), fact('in memory', sizeText(status.memory_bytes)),
      fact('lag', lagText(status))];
    if (status.building) facts.push(fact('definition', buildingText(status.building.rows, status.building.expected_rows)));
    if (status.offset) facts.push(fact('offset', status.offset));
    this.#parts.facts.replaceChildren(...facts);
  }
}
