// A corpus of short real texts out of what apt has fetched: packages' descriptions, a document for
// each sentence and one for the package itself, with the package's section, size and priority for filters, facets and sorts.
//
//   search_corpus.mjs PACKAGES TRANSLATION COUNT > corpus.jsonl
//
// Both files as `/usr/lib/apt/apt-helper cat-file` gives them out of /var/lib/apt/lists (with
// Acquire::Languages=en). The order is shuffled by a fixed seed, so that neighbours are strangers.
import { readFileSync, writeSync } from 'node:fs';

const [packagesPath, translationPath, count] = process.argv.slice(2);

function* stanzas(path) {
  for (const text of readFileSync(path, 'utf8').split('\n\n')) {
    const fields = {};
    let name;
    for (const line of text.split('\n')) {
      if (line.startsWith(' ')) {
        if (name) fields[name] += `\n${line.slice(1)}`;
        continue;
      }
      const colon = line.indexOf(':');
      if (colon < 1) continue;
      name = line.slice(0, colon);
      fields[name] = line.slice(colon + 1).trim();
    }
    if (fields.Package) yield fields;
  }
}

function sentences(description) {
  return description
    .split(/\n *\. *\n|\n(?= *[-*•] )/)
    .flatMap((part) => part.replace(/\s+/g, ' ').split(/(?<=[a-z)][.!?]) (?=[A-Z])/))
    .map((text) => text.trim())
    .filter((text) => text.length >= 10);
}

function shuffled(list) {
  let state = 1;
  for (let i = list.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = state % (i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

const facts = new Map();
for (const fields of stanzas(packagesPath)) facts.set(fields.Package, fields);
const documents = [];
for (const fields of stanzas(translationPath)) {
  const fact = facts.get(fields.Package) ?? {};
  const lines = (fields['Description-en'] ?? '').split('\n');
  for (const text of [`Package ${fields.Package}`, ...sentences(lines.slice(1).join('\n'))])
    documents.push({
      package: fields.Package,
      title: lines[0],
      text,
      section: fact.Section ?? 'none',
      priority: fact.Priority ?? 'none',
      size: Number(fact['Installed-Size'] ?? 0),
    });
}
let out = '';
shuffled(documents)
  .slice(0, Number(count))
  .forEach((document, i) => {
    out += `${JSON.stringify({ id: i + 1, ...document })}\n`;
    if (out.length > 1 << 20) {
      writeSync(1, out);
      out = '';
    }
  });
writeSync(1, out);
process.stderr.write(`${documents.length} sentences\n`);
