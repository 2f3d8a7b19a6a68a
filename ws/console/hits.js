// How answers of a search look: its documents as rows, its facets as buttons.
import { button, element } from './dom.js';

// Around what matched. No characters of any text: Unicode keeps them for uses like this one.
export const MARK_BEGIN = '\uFDD0';
export const MARK_END = '\uFDD1';
const MARKS = /\uFDD0([^\uFDD1]*)\uFDD1?/;
const VALUE_MAX = 400; // characters shown of one value
const FIELDS_MAX = 14; // of one document; opened it has all
const FACET_VALUES_SHOWN = 8;

// The text with what matched in <mark>.
function marked(text) {
  const pieces = text.slice(0, VALUE_MAX).split(MARKS); // every second one is a match
  const nodes = pieces.map((piece, i) => (i % 2 ? element('mark', '', piece) : piece));
  if (text.length > VALUE_MAX) nodes.push('…');
  return nodes;
}

const textOf = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

// Members of objects by their paths, as filters name them.
function leaves(value, path = '') {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([name, member]) => leaves(member, path ? `${path}.${name}` : name));
}

function field([path, value]) {
  const shown = value === null ? element('span', 'null', 'null') : element('span', '', ...marked(textOf(value)));
  return element('span', 'field', element('b', '', `${path} `), shown);
}

const isMatch = ([, value]) => value !== null && textOf(value).includes(MARK_BEGIN);
const idOf = (hit, key) => (key && key in hit ? key : '_id' in hit ? '_id' : 'id' in hit ? 'id' : undefined);

// The attribute that stands as its title: the first that is searched; where that is not known one of a
// usual name, else the first text.
function titleOf(fields, searched) {
  const has = (name) => fields.find(([path, value]) => path === name && value !== null);
  return [...searched, 'title', 'name', 'subject'].map(has).find(Boolean) ??
    fields.find(([path, value]) => typeof value === 'string' && !path.includes('.'));
}

// about: { primaryKey, searched: [attribute] }
export function hitRow({ _formatted, _rankingScore, ...document }, about) {
  const key = idOf(document, about.primaryKey);
  const fields = leaves(_formatted ?? document).filter(([path]) => path !== key);
  const title = titleOf(fields, about.searched);
  const others = fields.filter((one) => one !== title);
  const shown = [...others.filter(isMatch), ...others.filter((one) => !isMatch(one))];
  const opener = button('', () => toggle(row, document));
  opener.className = 'opener';
  opener.ariaExpanded = 'false';
  opener.append(...(title ? marked(textOf(title[1])) : [`${document[key] ?? 'document'}`]));
  const cell = element('td', 'hit-text', opener, element('div', 'hit-fields', ...shown.slice(0, FIELDS_MAX).map(field)));
  if (shown.length > FIELDS_MAX) cell.lastChild.append(element('span', 'null', `${shown.length - FIELDS_MAX} more`));
  const id = element('td', 'time', `${document[key] ?? '–'}`);
  id.title = id.textContent;
  const row = element('tr', 'hit', id, cell, element('td', 'number', _rankingScore?.toFixed(3) ?? ''));
  return row;
}

function toggle(row, document) {
  const opener = row.querySelector('.opener');
  const isOpen = opener.ariaExpanded === 'true';
  opener.ariaExpanded = String(!isOpen);
  if (isOpen) {
    row.querySelector('pre').remove();
    return;
  }
  row.querySelector('.hit-text').append(element('pre', '', JSON.stringify(document, null, 2)));
}

function facetValue(attribute, value, count, chosen, on) {
  const made = button('', () => on.value(attribute, value));
  made.ariaPressed = String(chosen.some((one) => one.attribute === attribute && one.value === value));
  made.append(element('span', '', value || '(empty)'), element('b', '', count.toLocaleString()));
  return made;
}

// One attribute's: its commonest values, and on demand all that the server told. Numbers of many values
// are a span, which a click puts into the filter.
function facet(attribute, values, span, chosen, on) {
  const made = element('section', 'facet', element('h3', '', attribute));
  const rows = Object.entries(values).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0], undefined, { numeric: true }));
  if (span && rows.length > FACET_VALUES_SHOWN) {
    made.append(button(`${span.min.toLocaleString()} to ${span.max.toLocaleString()}`, () => on.span(attribute, span)));
    return made;
  }
  const add = (some) => made.append(...some.map(([value, count]) => facetValue(attribute, value, count, chosen, on)));
  add(rows.slice(0, FACET_VALUES_SHOWN));
  if (rows.length > FACET_VALUES_SHOWN) {
    const more = button(`${rows.length - FACET_VALUES_SHOWN} more`, () => {
      more.remove();
      add(rows.slice(FACET_VALUES_SHOWN));
    });
    more.classList.add('more');
    made.append(more);
  }
  return made;
}

// on: { value(attribute, value), span(attribute, { min, max }) }
export function facetList({ facetDistribution = {}, facetStats = {} }, chosen, on) {
  return Object.keys(facetDistribution).sort()
    .filter((attribute) => Object.keys(facetDistribution[attribute]).length > 0)
    .map((attribute) => facet(attribute, facetDistribution[attribute], facetStats[attribute], chosen, on));
}
