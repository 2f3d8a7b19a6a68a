#!/usr/bin/env node
// Checks that the sources keep the structure that docs/ARCHITECTURE.md describes.
//
//   node tests/tidy/structure.mjs [ROOT]
//
// Prints one line a violation, `file:line: rule: what is wrong`, and exits 1 if there is any.
// Each rule is a function over one parsed file; structure.test.mjs plants a violation of each.
// Needs universal-ctags (for where functions end).
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;

const MIDDLE = ['fanout', 'auth', 'net', 'pg', 'expr'];
// Which rooms a room may include. cli wires them together; tests and bench may look anywhere.
const MAY_INCLUDE = {
  core: [],
  expr: ['core'],
  pg: ['core'],
  net: ['core'],
  fanout: ['core'],
  auth: ['core', 'pg', 'net', 'fanout', 'expr'],
  cdc: ['core', ...MIDDLE],
  ws: ['core', ...MIDDLE],
  triggers: ['core', ...MIDDLE],
  'search-index': ['core', ...MIDDLE],
  cli: ['core', ...MIDDLE, 'cdc', 'ws', 'triggers', 'search-index'],
};
const ROOMS = Object.keys(MAY_INCLUDE);
const UNBOUND = ['tests', 'bench'];

// Which rooms, or single files, own which third-party header.
const OWNED_HEADERS = [
  [/^jemalloc\//, ['core']],
  [/^protobuf-c\//, ['core']],
  [/^pg_query(\/|\.h$)/, ['expr']], // before its own generated header's pattern
  [/\.pb-c\.h$/, ['core']],
  [/^yaml\.h$/, ['core']],
  [/^pcre2\.h$/, ['expr']],
  [/^(libpq-fe\.h|postgresql\/|libpq\/)/, ['pg', 'cdc']],
  [/^curl\//, ['net']],
  [/^openssl\//, ['auth', 'ws/tls.c', 'ws/tls_context.c']],
  [/^nats(\/|\.h$)/, ['fanout']],
  [/^libwebsockets(\/|\.h$)/, ['ws']],
  [/^ev\.h$/, ['ws']],
  [/^zlib\.h$/, ['ws']],
  [/^sqlite3\.h$/, ['search-index']],
  [/^libstemmer\.h$/, ['search-index']],
];

const SYSTEM_HEADERS = new Set(
  `assert ctype dirent endian errno fcntl fenv float getopt grp iconv ifaddrs inttypes iso646 libgen
   limits locale malloc math netdb poll pthread pwd regex sched semaphore setjmp signal stdalign
   stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings syslog termios
   threads time uchar unistd wchar wctype arpa/inet linux/futex linux/limits linux/tcp linux/sockios
   net/if netinet/in netinet/ip netinet/tcp sys/epoll sys/eventfd sys/file sys/ioctl sys/mman
   sys/param sys/prctl sys/random sys/resource sys/sendfile sys/signalfd sys/socket sys/stat
   sys/statvfs sys/syscall sys/sysinfo sys/time sys/timerfd sys/types sys/uio sys/un sys/utsname
   sys/wait`.split(/\s+/).map((name) => `${name}.h`),
);

const BANNED =
  /\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|alloca)\s*\(/g;

// Comments and literals blanked out, so that only code is matched; line numbers stay.
function codeOnly(text) {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;
  return text.replace(token, (match, at) => {
    const include = /#\s*include\s*$/.test(text.slice(text.lastIndexOf('\n', at) + 1, at));
    return include ? match : match.replace(/[^\n]/g, ' ');
  });
}

function lineOf(text, at) {
  return text.slice(0, at).split('\n').length;
}

function parse(root, path) {
  const text = readFileSync(join(root, path), 'utf8');
  const code = codeOnly(text);
  const includes = [...code.matchAll(/^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)/gm)].map(
    (found) => ({ header: found[1] ?? found[2], quoted: found[1] !== undefined,
                  line: lineOf(code, found.index) }),
  );
  return { path, room: path.split('/')[0], text, code, includes, isC: /\.[ch]$/.test(path) };
}

function publicHeaderOf(room) {
  return `${room}/${room.replaceAll('-', '_')}.h`;
}

// core/core.h is an umbrella: each part that it includes is public too.
function corePublicHeaders(files) {
  const umbrella = files.find((file) => file.path === publicHeaderOf('core'));
  return new Set([publicHeaderOf('core'), ...(umbrella?.includes.map((i) => i.header) ?? [])]);
}

function checkRoomInclude(file, include, publicCore) {
  const target = include.header.split('/')[0];
  if (!include.header.includes('/') || !ROOMS.includes(target))
    return include.quoted
      ? ['include-path', `"${include.header}" is no room's header; write "room/noun.h"`]
      : undefined;
  if (target === file.room) return undefined;
  if (!MAY_INCLUDE[file.room].includes(target))
    return ['room-edge', `${file.room} may not include ${target}`];
  const isPublic =
    target === 'core' ? publicCore.has(include.header) : include.header === publicHeaderOf(target);
  return isPublic ? undefined : ['public-header', `${include.header} is private to ${target}`];
}

function checkForeignInclude(file, include) {
  const owned = OWNED_HEADERS.find(([pattern]) => pattern.test(include.header));
  if (owned === undefined) {
    if (include.quoted || SYSTEM_HEADERS.has(include.header)) return undefined;
    return ['foreign-header', `<${include.header}> belongs to no room; see OWNED_HEADERS`];
  }
  if (!owned[1].includes(file.room) && !owned[1].includes(file.path))
    return ['foreign-header', `${include.header} belongs to ${owned[1].join(' and ')}`];
  if (file.path === publicHeaderOf(file.room))
    return ['foreign-header', `${include.header} may not be in a room's public header`];
  return undefined;
}

function includeViolations(file, context) {
  if (!file.isC || UNBOUND.includes(file.room)) return [];
  return file.includes.flatMap((include) =>
    [checkRoomInclude(file, include, context.publicCore), checkForeignInclude(file, include)]
      .filter((found) => found !== undefined)
      .map(([rule, message]) => ({ path: file.path, line: include.line, rule, message })),
  );
}

function bannedViolations(file) {
  if (!file.isC) return [];
  return [...file.code.matchAll(BANNED)].map((found) => ({
    path: file.path,
    line: lineOf(file.code, found.index),
    rule: 'banned-function',
    message: `${found[1]} is banned`,
  }));
}

function openingViolations(file) {
  if (!file.isC || /^\s*(\/\*|\/\/)/.test(file.text)) return [];
  const message = 'a file opens with a comment: its purpose, happy path and failure modes';
  return [{ path: file.path, line: 1, rule: 'opening-comment', message }];
}

function fileLengthViolations(file) {
  const lines = file.text.split('\n').length - 1;
  if (lines <= LINES_MAX) return [];
  const message = `${lines} lines, more than ${LINES_MAX}`;
  return [{ path: file.path, line: 1, rule: 'file-length', message }];
}

function functionLengthViolations(root, files) {
  const paths = files.filter((file) => file.isC).map((file) => file.path);
  if (paths.length === 0) return [];
  const options = ['--languages=C', '--langmap=C:.c.h', '--kinds-C=f', '--fields=+ne'];
  const output = execFileSync('ctags', [...options, '--output-format=json', '-o', '-', ...paths], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  const tags = output.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  return tags
    .filter((tag) => tag.end - tag.line + 1 > FUNCTION_LINES_MAX)
    .map((tag) => ({
      path: tag.path,
      line: tag.line,
      rule: 'function-length',
      message: `${tag.name} has ${tag.end - tag.line + 1} lines, more than ${FUNCTION_LINES_MAX}`,
    }));
}

function sourcesUnder(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : sourcesUnder(root, path);
    return /\.(c|h|mjs|js|css|html|py|proto)$/.test(entry.name) ? [path] : [];
  });
}

export function check(root) {
  const folders = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && [...ROOMS, ...UNBOUND].includes(entry.name))
    .map((entry) => entry.name);
  const paths = folders.flatMap((folder) => sourcesUnder(root, folder));
  const files = paths.map((path) => parse(root, path));
  const context = { publicCore: corePublicHeaders(files) };
  const rules = [includeViolations, bannedViolations, openingViolations, fileLengthViolations];
  const violations = files.flatMap((file) => rules.flatMap((rule) => rule(file, context)));
  return { files, violations: [...violations, ...functionLengthViolations(root, files)] };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '../..'));
  const { files, violations } = check(root);
  for (const { path, line, rule, message } of violations)
    console.log(`${relative('.', join(root, path))}:${line}: ${rule}: ${message}`);
  console.log(`${files.length} files, ${violations.length} violations`);
  process.exitCode = violations.length === 0 && files.length > 0 ? 0 : 1;
}
