// Temporary directories and free ports. A directory's name carries its owner's pid, so that what a
// killed test left behind is swept away by the next one.
import { existsSync, mkdirSync, mkdtempSync, chmodSync, readdirSync, readFileSync, renameSync,
  rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'walcast-test-';
const directories = new Set();
const PORTS = join(tmpdir(), 'walcast-test-ports');
const claims = new Set();

// A server of a killed test may be on its way to its end, and write while its directory goes: then
// the rest is for the next sweep.
function sweep() {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) && name.slice(PREFIX.length).split('-')[0];
    if (!pid || existsSync(`/proc/${pid}`)) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch ({ code }) {
      if (code !== 'ENOTEMPTY' && code !== 'ENOENT') throw new Error(`${name} cannot be removed: ${code}`);
    }
  }
}

function ownerOf(claim) {
  try {
    return readFileSync(claim, 'utf8');
  } catch {
    return ''; // it has just been given back
  }
}

process.on('exit', () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  for (const claim of claims) rmSync(claim, { force: true });
});

// Open to other users to pass through: PostgreSQL runs as another one when we are root.
export function scratchDirectory() {
  if (directories.size === 0) sweep();
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  chmodSync(directory, 0o755);
  directories.add(directory);
  return directory;
}

export function removeScratch(directory) {
  rmSync(directory, { recursive: true, force: true });
  directories.delete(directory);
}

// Puts what a failed campaign leaves out of every sweep's reach. Returns where it is now.
export function keepScratch() {
  const kept = [...directories].map((directory) => {
    const place = directory.replace(PREFIX, 'walcast-kept-');
    renameSync(directory, place);
    return place;
  });
  directories.clear();
  return kept;
}

function canListen(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)));
  });
}

// Tests that run at the same time must not choose the same port before either listens: a file with
// the owner's pid holds it until its process ends.
function claimPort(port) {
  const claim = join(PORTS, `${port}`);
  try {
    mkdirSync(PORTS, { recursive: true });
    writeFileSync(claim, `${process.pid}`, { flag: 'wx' });
  } catch ({ code }) {
    if (code !== 'EEXIST') return true; // another user's directory: no claims, and no harm mostly
    const owner = ownerOf(claim);
    if (owner && !existsSync(`/proc/${owner}`)) rmSync(claim, { force: true }); // free the next time
    return false;
  }
  claims.add(claim);
  return true;
}

// Below the ephemeral range: otherwise some outgoing connection may sit on the port while the
// server that it belongs to is being restarted.
export async function freePort() {
  const path = '/proc/sys/net/ipv4/ip_local_port_range';
  const top = Math.min(Number(readFileSync(path, 'utf8').split(/\s+/)[0]), 32768);
  for (let tries = 0; tries < 200; tries++) {
    const port = 15_000 + Math.floor(Math.random() * (top - 15_000));
    if (claimPort(port) && await canListen(port)) return port;
  }
  throw new Error('no free port on 127.0.0.1');
}
