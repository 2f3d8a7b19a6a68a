// Dead letters: listed in pages, the oldest first, looked at, put back and thrown away.
import { ask, button, element, fact } from './dom.js';

const PAGE = 50;
const GONE_AFTER_MS = 1500; // a letter that was put back leaves once its task is stored

// What cannot be undone, or costs much, is asked for twice.
function sureButton(text, act) {
  const made = button(text, async () => {
    if (made.dataset.sure) {
      delete made.dataset.sure;
      made.textContent = text;
      await act();
      return;
    }
    made.dataset.sure = 'yes';
    made.textContent = `${text}: sure?`;
    setTimeout(() => {
      delete made.dataset.sure;
      made.textContent = text;
    }, 4000);
  });
  return made;
}

export class Letters {
  #key;
  #parts;
  #remove;
  #next = null;
  #round = 0; // of answers only those of the last reload count

  // parts: { rows, note, more, trigger, reload, selected, every, actions } elements.
  constructor(parts) {
    this.#parts = parts;
    parts.reload.addEventListener('click', () => this.reload());
    parts.trigger.addEventListener('change', () => this.reload());
    parts.more.addEventListener('click', () => this.#load());
    parts.every.addEventListener('change', () => {
      for (const box of this.#boxes()) box.checked = parts.every.checked;
      this.#count();
    });
    parts.rows.addEventListener('change', () => this.#count());
    parts.selected.addEventListener('click', () => this.#each('POST', '/replay'));
    this.#remove = sureButton('Remove selected', () => this.#each('DELETE', ''));
    parts.actions.append(this.#remove, sureButton('Replay all', () => this.#replayAll()));
    this.#count();
  }

  open(key) {
    this.#key = key;
    return this.reload();
  }

  close() {
    this.#key = undefined;
    this.#round++;
    this.#parts.rows.replaceChildren();
  }

  async reload() {
    this.#round++;
    this.#next = null;
    this.#parts.every.checked = false;
    this.#parts.rows.replaceChildren();
    await this.#load();
  }

  #ask(method, path = '') {
    return ask(this.#key, method, `/v1/projects/-/dead-letters${path}`);
  }

  #note(text, isProblem = false) {
    this.#parts.note.textContent = text;
    this.#parts.note.hidden = !text;
    this.#parts.note.classList.toggle('problem', isProblem);
  }

  #query(more) {
    const query = new URLSearchParams(more);
    const trigger = this.#parts.trigger.value.trim();
    if (trigger) query.set('trigger', trigger);
    return `?${query}`;
  }

  async #load() {
    const round = this.#round;
    this.#parts.more.hidden = true; // a page is asked for once
    try {
      const page = await this.#ask('GET', this.#query({ limit: PAGE, ...(this.#next && { after: this.#next }) }));
      if (round !== this.#round) return;
      this.#parts.rows.append(...page.dead_letters.map((letter) => this.#row(letter)));
      this.#next = page.next;
      this.#note(this.#parts.rows.childElementCount ? '' : 'No dead letters. Deliveries that are given up show here.');
    } catch (error) {
      if (round === this.#round) this.#note(error.message, true);
    }
    if (round === this.#round) this.#parts.more.hidden = this.#next === null;
    this.#count();
  }

  #boxes() {
    return this.#parts.rows.querySelectorAll('input[type=checkbox]');
  }

  #chosen() {
    return [...this.#boxes()].filter((box) => box.checked && !box.disabled);
  }

  #count() {
    const count = this.#chosen().length;
    this.#parts.selected.textContent = count ? `Replay ${count} selected` : 'Replay selected';
    this.#parts.selected.disabled = this.#remove.disabled = count === 0;
  }

  #row(letter) {
    const box = element('input');
    box.type = 'checkbox';
    box.value = letter.id;
    box.ariaLabel = `Letter ${letter.id}`;
    const time = letter.dead_at ? new Date(letter.dead_at).toLocaleString([], { hourCycle: 'h23' }) : '–';
    const opener = button(letter.trigger ?? 'unreadable', () => this.#toggle(row, letter));
    opener.className = 'opener';
    opener.ariaExpanded = 'false';
    const tries = letter.attempts ?? '–';
    const row = element('tr', 'letter', element('td', '', box), element('td', 'time', time),
      element('td', '', opener), element('td', 'time', letter.event_id ?? '–'),
      element('td', 'number', letter.status ? `${tries} · ${letter.status}` : `${tries}`),
      element('td', 'row', letter.reason));
    row.dataset.id = letter.id;
    return row;
  }

  async #toggle(row, letter) {
    const opener = row.querySelector('.opener');
    if (row.nextElementSibling?.classList.contains('letter-whole')) {
      row.nextElementSibling.remove();
      opener.ariaExpanded = 'false';
      return;
    }
    try {
      const whole = await this.#ask('GET', `/${letter.id}`);
      const cell = element('td', '', this.#facts(whole), element('pre', '', JSON.stringify(whole.body, null, 2) ?? ''),
        button('Replay', () => this.#act(row, 'POST', '/replay')),
        sureButton('Remove', () => this.#act(row, 'DELETE', '')));
      cell.colSpan = 6;
      row.after(element('tr', 'letter-whole', cell));
      opener.ariaExpanded = 'true';
    } catch (error) {
      this.#note(error.message, true);
    }
  }

  #facts(whole) {
    const facts = element('dl', 'facts');
    for (const name of ['id', 'event_id', 'event_time', 'webhook_id', 'key', 'revision', 'depth'])
      if (whole[name] !== undefined) facts.append(fact(name.replace('_', ' '), String(whole[name])));
    return facts;
  }

  // Says it of the row; a letter that is gone already is what was wanted.
  async #act(row, method, path) {
    try {
      await this.#ask(method, `/${row.dataset.id}${path}`);
      row.classList.add('done');
      row.querySelector('input').disabled = true;
      if (row.nextElementSibling?.classList.contains('letter-whole')) row.nextElementSibling.remove();
      row.lastElementChild.textContent = method === 'DELETE' ? 'removed' : 'put back';
      if (method === 'DELETE') row.remove();
      else setTimeout(() => row.remove(), GONE_AFTER_MS);
    } catch (error) {
      this.#note(`Letter ${row.dataset.id}: ${error.message}`, true);
    }
    this.#count();
  }

  async #each(method, path) {
    for (const box of this.#chosen()) await this.#act(box.closest('tr'), method, path);
  }

  async #replayAll() {
    let replayed = 0;
    try {
      for (let after = null; ;) {
        const answer = await this.#ask('POST', `/replay${this.#query(after && { after })}`);
        replayed += answer.replayed;
        after = answer.next;
        if (after === null) break;
        this.#note(`${replayed} put back…`);
      }
      await new Promise((resolve) => { setTimeout(resolve, GONE_AFTER_MS); });
      await this.reload();
      this.#note(`${replayed} put back.`);
    } catch (error) {
      this.#note(error.message, true);
    }
  }
}
