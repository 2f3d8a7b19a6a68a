// The search view: words, filter, facets, order and page of one index, asked as they are typed. Of
// answers only that to the last question counts.
import { ask, button, element } from './dom.js';
import { facetList, hitRow, MARK_BEGIN, MARK_END } from './hits.js';
import { Indexes } from './indexes.js';

const TYPING_MS = 150;
const PAGE = 20;
const CROP_WORDS = 30;

// A text of a filter expression.
const quoted = (text) => `"${text.replace(/[\\"]/g, '\\$&')}"`;

export class Search {
  #key;
  #parts;
  #indexes;
  #typing;
  #asking; // an AbortController
  #page = 1;
  #chosen = []; // facets: { attribute, value }
  #withoutFacets = new Set(); // indexes that refuse them

  // parts: elements { view, words, filter, sort, chosen, problem, summary, rows, table, pages, note, facets,
  // facetsBox, controls }, and those of Indexes.
  constructor(parts) {
    this.#parts = parts;
    this.#indexes = new Indexes(parts, { selected: (name) => this.#select(name),
      built: () => this.#built() });
    for (const field of [parts.words, parts.filter]) field.addEventListener('input', () => this.#later());
    parts.sort.addEventListener('change', () => this.#again());
    parts.controls.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#again();
    });
    document.addEventListener('keydown', (event) => this.#pressed(event));
    parts.facetsBox.open = matchMedia('(min-width: 761px)').matches;
  }

  open(key) {
    this.#key = key;
    this.#parts.words.focus();
    return this.#indexes.open(key);
  }

  close() {
    if (this.#key === undefined) return;
    this.#key = undefined;
    this.#stop();
    this.#indexes.close();
    this.#clear();
  }

  #stop() {
    clearTimeout(this.#typing);
    this.#asking?.abort();
    this.#asking = undefined;
  }

  // Nothing is shown of an answer.
  #clear(note = '') {
    const { rows, summary, facets, pages, table } = this.#parts;
    for (const part of [rows, summary, facets, pages]) part.replaceChildren();
    table.hidden = true;
    this.#note(note);
  }

  #note(text, ...more) {
    this.#parts.note.replaceChildren(text, ...more);
    this.#parts.note.hidden = !text;
  }

  #select(name) {
    const { controls, filter } = this.#parts;
    this.#stop();
    this.#chosen = [];
    this.#page = 1;
    filter.value = '';
    controls.hidden = !name && this.#parts.name.parentElement.hidden;
    this.#orders();
    this.#problem('');
    this.#chips();
    if (name) this.#run();
    else this.#clear();
  }

  #built() {
    const { sort } = this.#parts;
    const order = sort.value;
    this.#withoutFacets.delete(this.#indexes.selected);
    this.#orders();
    if ([...sort.options].some((option) => option.value === order)) sort.value = order;
    this.#again(this.#page);
  }

  #orders() {
    const { sort } = this.#parts;
    const options = this.#indexes.about.sortable.flatMap((attribute) => [[`${attribute}:asc`, `${attribute} ↑`],
      [`${attribute}:desc`, `${attribute} ↓`]]);
    sort.replaceChildren(...[['', 'Best match first'], ...options].map(([value, text]) => new Option(text, value)));
    sort.disabled = options.length === 0;
  }

  #later() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#again(), TYPING_MS);
  }

  #again(page = 1) {
    this.#page = page;
    this.#run();
  }

  #question() {
    const { words, filter, sort } = this.#parts;
    const expression = filter.value.trim();
    return { q: words.value, page: this.#page, hitsPerPage: PAGE, showRankingScore: true,
      filter: [...(expression ? [expression] : []),
        ...this.#chosen.map(({ attribute, value }) => `${quoted(attribute)} = ${quoted(value)}`)],
      ...(sort.value && { sort: [sort.value] }),
      ...(!this.#withoutFacets.has(this.#indexes.selected) && { facets: ['*'] }),
      attributesToHighlight: ['*'], attributesToCrop: ['*'], cropLength: CROP_WORDS,
      highlightPreTag: MARK_BEGIN, highlightPostTag: MARK_END };
  }

  async #run() {
    const name = this.#indexes.selected;
    this.#stop();
    if (!name) return;
    const asking = this.#asking = new AbortController();
    this.#parts.view.ariaBusy = 'true';
    try {
      const answer = await ask(this.#key, 'POST', `/indexes/${encodeURIComponent(name)}/search`,
        { body: this.#question(), signal: asking.signal });
      if (asking !== this.#asking) return;
      this.#problem('');
      this.#show(answer);
    } catch (error) {
      if (asking !== this.#asking) return;
      if (error.code === 'invalid_search_facets' && !this.#withoutFacets.has(name)) {
        this.#withoutFacets.add(name);
        return this.#run();
      }
      this.#problem(error.message, error.code);
    }
    this.#parts.view.ariaBusy = 'false';
  }

  // What was found last stays, so that a filter that is half typed does not empty the page.
  #problem(text, code = '') {
    this.#parts.problem.textContent = text;
    this.#parts.problem.hidden = !text;
    this.#parts.filter.ariaInvalid = String(code === 'invalid_search_filter');
    this.#parts.table.classList.toggle('stale', Boolean(text));
  }

  #show(answer) {
    const { rows, table, facets, facetsBox, summary } = this.#parts;
    const { hits, totalHits, processingTimeMs } = answer;
    const about = this.#indexes.about;
    const more = about.totalMax && totalHits >= about.totalMax ? ' or more' : '';
    rows.replaceChildren(...hits.map((hit) => hitRow(hit, about)));
    table.hidden = hits.length === 0;
    summary.replaceChildren(element('b', '', totalHits.toLocaleString() + more),
      ` ${totalHits === 1 && !more ? 'document' : 'documents'} in ${processingTimeMs < 1 ? 'less than 1' : processingTimeMs.toLocaleString()} ms`);
    facets.replaceChildren(...facetList(answer, this.#chosen, { value: (attribute, value) => this.#choose(attribute, value),
      span: (attribute, span) => this.#narrow(attribute, span) }));
    facetsBox.hidden = facets.childElementCount === 0;
    this.#chips();
    this.#pages(answer);
    if (hits.length) this.#note('');
    else this.#nothing();
  }

  #nothing() {
    const isNarrowed = this.#chosen.length > 0 || this.#parts.filter.value.trim() !== '';
    if (isNarrowed) this.#note('Nothing matches with these filters. ', button('Clear them', () => this.#widen()));
    else if (this.#parts.words.value.trim()) this.#note('Nothing matches these words.');
    else this.#note('This index is empty: no row belongs to it yet.');
  }

  #widen() {
    this.#chosen = [];
    this.#parts.filter.value = '';
    this.#parts.words.focus();
    this.#again();
  }

  #choose(attribute, value) {
    const others = this.#chosen.filter((one) => one.attribute !== attribute || one.value !== value);
    if (others.length === this.#chosen.length) others.push({ attribute, value });
    this.#chosen = others;
    this.#again();
  }

  // A span to begin with, for the reader to change.
  #narrow(attribute, { min, max }) {
    const { filter } = this.#parts;
    const name = /^[\w.]+$/.test(attribute) ? attribute : quoted(attribute);
    const span = `${name} >= ${min} AND ${name} <= ${max}`;
    filter.value = filter.value.trim() ? `(${filter.value.trim()}) AND ${span}` : span;
    filter.focus();
    this.#again();
  }

  #chips() {
    this.#parts.chosen.replaceChildren(...this.#chosen.map(({ attribute, value }) => {
      const chip = button(`${attribute}: ${value} ✕`, () => this.#choose(attribute, value));
      chip.ariaLabel = `Without ${attribute}: ${value}`;
      return chip;
    }));
  }

  #pages({ page, totalPages }) {
    const { pages, words } = this.#parts;
    const go = (text, to) => {
      const made = button(text, () => {
        scrollTo({ top: 0 });
        words.focus();
        this.#again(to);
      });
      made.disabled = to < 1 || to > totalPages;
      return made;
    };
    pages.replaceChildren(...(totalPages > 1 ? [go('‹ Previous', page - 1),
      element('span', '', `page ${page.toLocaleString()} of ${totalPages.toLocaleString()}`), go('Next ›', page + 1)] : []));
  }

  // "/" goes to the words, arrows from there through what was found, Escape back.
  #pressed(event) {
    if (this.#key === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const { words, rows } = this.#parts;
    const from = document.activeElement;
    const isTyping = from instanceof HTMLInputElement || from instanceof HTMLSelectElement;
    const openers = [...rows.querySelectorAll('.opener')];
    const at = openers.indexOf(from);
    if (event.key === '/' && !isTyping) words.focus();
    else if (event.key === 'Escape' && at >= 0) words.focus();
    else if (event.key === 'ArrowDown' && (from === words || at >= 0)) openers[at + 1]?.focus();
    else if (event.key === 'ArrowUp' && at >= 0) (openers[at - 1] ?? words).focus();
    else return;
    event.preventDefault();
  }
}
