// What was measured on what: the binary, which must be a release build, and the machine.
import { existsSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBin } from '../../tests/lib/postgres.mjs';
import { run } from '../../tests/lib/process.mjs';
import { BINARY } from '../../tests/lib/walcast.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const RELEASE_TYPES = ['RelWithDebInfo', 'Release'];
const SANITIZER_MARKS = ['__asan_init', '__tsan_init', '__ubsan_handle', '__msan_init'];

export class ReleaseError extends Error {}

// The build directory stands around the binary: its cache says how it was built.
function cacheOf(binary) {
  const path = join(dirname(binary), 'CMakeCache.txt');
  if (!existsSync(path))
    throw new ReleaseError(`${binary} stands in no build directory: cannot tell how it was built`);
  const entries = readFileSync(path, 'utf8').matchAll(/^(\w+):\w+=(.*)$/gm);
  return Object.fromEntries([...entries].map(([, key, value]) => [key, value]));
}

// Throws unless the binary is there, optimized and without a sanitizer.
export function requireRelease(binary = BINARY) {
  const mend = 'cmake --preset release && cmake --build --preset release';
  if (!existsSync(binary)) throw new ReleaseError(`there is no ${binary}: ${mend}`);
  const cache = cacheOf(binary);
  const type = cache.CMAKE_BUILD_TYPE;
  if (!RELEASE_TYPES.includes(type))
    throw new ReleaseError(`${binary} is a "${type}" build, only a release is measured: ${mend}`);
  const code = readFileSync(binary);
  const mark = SANITIZER_MARKS.find((text) => code.includes(text));
  if (cache.WALCAST_SANITIZE || mark)
    throw new ReleaseError(`${binary} has a sanitizer in it, only a release is measured: ${mend}`);
}

// A program of bench/, from the same build as the binary.
function built(name) {
  const path = join(dirname(BINARY), 'bench', name);
  if (existsSync(path)) return path;
  throw new ReleaseError(`there is no ${path}: cmake --build --preset release`);
}

// A load program of bench/load.
export const program = (name) => built(`bench_${name}`);

// The bare publisher (bench/micro/publish.c).
export const publishProgram = () => built('micro/micro_publish');
// The HTTP client beside a bare loop of sockets (bench/micro/http.c).
export const httpProgram = () => built('micro/micro_http');
// Rules against changes (bench/micro/rules.c).
export const rulesProgram = () => built('micro/micro_rules');

async function firstLine(command) {
  const { stdout } = await run(command, { cwd: ROOT });
  return stdout.split('\n')[0].trim();
}

export async function describeEnvironment({ repeat, quick = false }) {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    commit: await firstLine(['git', 'describe', '--always', '--dirty', '--abbrev=12']) || null,
    walcast: await firstLine([BINARY, 'version']),
    build: cacheOf(BINARY).CMAKE_BUILD_TYPE,
    postgres: await firstLine([`${findBin()}/postgres`, '--version']),
    nats_server: await firstLine(['nats-server', '--version']),
    node: process.version,
    kernel: release(),
    processor: processors[0].model.trim(),
    cores: processors.length,
    memory_mb: Math.round(totalmem() / 2 ** 20),
    load_average: loadavg()[0],
    repeat,
    quick,
  };
}
