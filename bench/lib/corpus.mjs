// A corpus of short real documents out of what Debian packages ship: WordNet's synsets
// (wordnet-base), the entries of the GNU Collaborative International Dictionary (dict-gcide), and
// the one-line descriptions of Debian's own packages, which apt has. About 320,000; the same order
// and content wherever the same packages are installed.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const WORDNET = '/usr/share/wordnet';
const GCIDE = '/usr/share/dictd/gcide';
const TEXT_MAX = 400; // characters of a document's text: short ones

const short = (text) => text.replace(/\s+/g, ' ').trim().slice(0, TEXT_MAX);

// wndb(5): offset, file number, kind, how many words in hex, each with a number behind it, pointers,
// and behind '|' the gloss.
function* synsets() {
  for (const kind of ['noun', 'verb', 'adj', 'adv'])
    for (const line of readFileSync(`${WORDNET}/data.${kind}`, 'utf8').split('\n')) {
      if (line === '' || line.startsWith(' ')) continue;
      const [head, gloss] = line.split(' | ');
      const fields = head.split(' ');
      const words = Array.from({ length: parseInt(fields[3], 16) }, (_, i) => fields[4 + 2 * i].replaceAll('_', ' '));
      yield { title: words.join(', '), text: short(gloss), kind, source: 'wordnet' };
    }
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const base64Number = (text) => [...text].reduce((value, digit) => value * 64 + DIGITS.indexOf(digit), 0);

// dictd(8): headword, offset and length of the text. Several headwords may have one text.
function* entries() {
  const texts = gunzipSync(readFileSync(`${GCIDE}.dict.dz`));
  const seen = new Set();
  for (const line of readFileSync(`${GCIDE}.index`, 'utf8').split('\n')) {
    const [title, offset, length] = line.split('\t');
    if (length === undefined || title.startsWith('00database') || seen.has(offset)) continue;
    seen.add(offset);
    const from = base64Number(offset);
    const text = texts.toString('utf8', from, from + base64Number(length));
    yield { title, text: short(text.slice(text.indexOf('\n') + 1).replace(/\[1913 Webster\]/g, '')), kind: 'entry', source: 'gcide' };
  }
}

function* packages() {
  const all = execFileSync('apt-cache', ['dumpavail'], { encoding: 'utf8', maxBuffer: 1 << 30 });
  for (const record of all.split('\n\n')) {
    const field = (name) => record.match(new RegExp(`^${name}: (.*)$`, 'm'))?.[1];
    if (field('Package') && field('Description'))
      yield { title: field('Package'), text: short(field('Description')), kind: field('Section') ?? 'misc', source: 'debian' };
  }
}

// What is missing, or undefined.
export function corpusMissing() {
  if (!existsSync(`${WORDNET}/data.noun`)) return 'wordnet-base';
  return existsSync(`${GCIDE}.dict.dz`) ? undefined : 'dict-gcide';
}

// `{ id, title, text, kind, source, size }`, ids from 1, shuffled by a fixed rule so that any
// beginning of it is like the whole. `kind` has some 70 values, `size` is the text's length.
export function corpus(count) {
  const all = [...synsets(), ...entries(), ...packages()];
  let state = 12345;
  for (let i = all.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const other = (state >>> 8) % (i + 1);
    [all[i], all[other]] = [all[other], all[i]];
  }
  if (all.length < count) throw new Error(`the corpus has ${all.length} documents, ${count} are wanted`);
  return all.slice(0, count).map((document, i) => ({ id: i + 1, ...document, size: document.text.length }));
}

// What a quick run has instead, whose figures mean nothing: no package is needed.
export function madeUp(count) {
  const words = Array.from({ length: 500 }, (_, i) => `word${String.fromCharCode(97 + (i % 26), 97 + ((i * 7) % 26))}${'abcdefgh'[i % 8]}`);
  return Array.from({ length: count }, (_, i) => {
    const text = Array.from({ length: 12 }, (_unused, j) => words[(i * 31 + j * j * 17) % words.length]).join(' ');
    return { id: i + 1, title: words[(i * 13) % words.length], text, kind: ['noun', 'verb'][i % 2], source: 'none', size: text.length };
  });
}
