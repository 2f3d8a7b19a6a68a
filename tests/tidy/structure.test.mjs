// Proves that each rule of structure.mjs fires on a planted violation, and only there.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { check } from './structure.mjs';

// A small house that breaks no rule; each case below adds or replaces files of it.
const sound = {
  'core/core.h': '/* The umbrella. */\n#include "core/slice.h"\n',
  'core/slice.h': '/* A slice. */\n#include <stddef.h>\n',
  'core/secret.h': '/* Private to core. */\n',
  'fanout/fanout.h': '/* Public. */\n#include "core/core.h"\n',
  'fanout/stream.h': '/* Private. */\n#include <nats/nats.h>\n',
  'cdc/cdc.h': '/* Public. */\n#include "core/slice.h"\n',
  'cdc/reader.c':
    '/* Says strcpy(a, b) in a comment only. */\n#include "cdc/cdc.h"\n' +
    '#include "fanout/fanout.h"\n#include <libpq-fe.h>\n' +
    'static const char *text = "atoi(1)";\nint reader_tokens(void) { return strtok_r(text); }\n',
  'ws/tls.c': '/* The one file of its room that may. */\n#include <openssl/ssl.h>\n',
  'tests/unit/cdc/test_reader.c': '// A test.\n#include "cdc/reader.h"\n#include <cmocka.h>\n',
};

function violationsOf(changes) {
  const root = mkdtempSync(join(tmpdir(), 'walcast-tidy-'));
  try {
    for (const [path, text] of Object.entries({ ...sound, ...changes })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return check(root).violations.map(({ path, line, rule }) => `${path}:${line}: ${rule}`);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const body = (lines) => `/* Long. */\nvoid f(void) {\n${'    g();\n'.repeat(lines - 2)}}\n`;
const cases = [
  ['an upper room includes another', { 'ws/a.c': '/* A. */\n#include "cdc/cdc.h"\n' },
    'ws/a.c:2: room-edge'],
  ['a lower room includes an upper one', { 'core/a.c': '/* A. */\n\n#include "fanout/fanout.h"\n' },
    'core/a.c:3: room-edge'],
  ['a middle room includes its neighbour', { 'pg/a.c': '/* A. */\n#include "fanout/fanout.h"\n' },
    'pg/a.c:2: room-edge'],
  ['a private header from outside', { 'cdc/a.c': '/* A. */\n#include "fanout/stream.h"\n' },
    'cdc/a.c:2: public-header'],
  ['a part of core that the umbrella lacks', { 'cdc/a.c': '/* A. */\n#include "core/secret.h"\n' },
    'cdc/a.c:2: public-header'],
  ['an include without its room', { 'cdc/a.c': '/* A. */\n#include "reader.h"\n' },
    'cdc/a.c:2: include-path'],
  ["another room's library", { 'ws/a.c': '/* A. */\n#include <nats/nats.h>\n' },
    'ws/a.c:2: foreign-header'],
  ['a library that only one file of the room may use', { 'ws/a.c': '/* A. */\n#include <openssl/ssl.h>\n' },
    'ws/a.c:2: foreign-header'],
  ['the generated codec outside core', { 'ws/a.c': '/* A. */\n#include <core/event.pb-c.h>\n' },
    ['ws/a.c:2: public-header', 'ws/a.c:2: foreign-header']],
  ['a library that nobody owns', { 'ws/a.c': '/* A. */\n#include <glib.h>\n' },
    'ws/a.c:2: foreign-header'],
  ['a library in a public header', { 'fanout/fanout.h': '/* P. */\n#include <nats/nats.h>\n' },
    'fanout/fanout.h:2: foreign-header'],
  ['a banned call', { 'cdc/a.c': '/* A. */\nint a(char *b) {\n    return atoi (b);\n}\n' },
    'cdc/a.c:3: banned-function'],
  ['a banned call in a test', { 'tests/a.c': '/* A. */\nvoid a(void) { strcpy(b, c); }\n' },
    'tests/a.c:2: banned-function'],
  ['no opening comment', { 'cdc/a.h': '#pragma once\n/* Late. */\n' },
    'cdc/a.h:1: opening-comment'],
  ['a function of 71 lines', { 'cdc/a.c': body(71) }, 'cdc/a.c:2: function-length'],
  ['a function of 71 lines in a header', { 'cdc/a.h': body(71) }, 'cdc/a.h:2: function-length'],
  ['a file of 601 lines', { 'cdc/a.c': `/* A. */\n${'\n'.repeat(600)}` },
    'cdc/a.c:1: file-length'],
  ['a script of 601 lines', { 'tests/a.mjs': '\n'.repeat(601) }, 'tests/a.mjs:1: file-length'],
];

test('a sound house has no violation', () => assert.deepEqual(violationsOf({}), []));
test('70 lines of function and 600 of file are allowed', () => {
  const longest = { 'cdc/a.c': body(70), 'cdc/b.c': `/* B. */\n${'\n'.repeat(599)}` };
  assert.deepEqual(violationsOf(longest), []);
});
for (const [name, changes, expected] of cases)
  test(name, () => assert.deepEqual(violationsOf(changes), [expected].flat()));
