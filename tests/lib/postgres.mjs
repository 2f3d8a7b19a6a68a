// A private PostgreSQL: own data directory, own port on 127.0.0.1, superuser postgres, trust.
// initdb runs once a version; each server starts from a copy of what it made. When we are root the
// server runs as user postgres, since it refuses root. Debian's packages give one major version, the
// others come from npm (tests/package.json: postgresql-N).
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync,
  appendFileSync, chownSync, writeFileSync } from 'node:fs';
import { execFileSync, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { ServerProcess } from './process.mjs';
import { freePort, removeScratch, scratchDirectory } from './scratch.mjs';
import { waitFor } from './wait.mjs';

const USER = 'postgres';
const HERE = dirname(fileURLToPath(import.meta.url));
const CACHE = join(HERE, '../../build/tests');
const MODULES = join(HERE, '../node_modules');
const isRoot = process.getuid() === 0;
// The roles that tokens name, as `walcast setup` makes them, and what an application gives them by
// default: tables and schemas that a test makes as postgres may be read by all three.
export const CLIENT_ROLES = `
  CREATE ROLE anon NOLOGIN;
  CREATE ROLE authenticated NOLOGIN;
  CREATE ROLE service_role NOLOGIN BYPASSRLS;`;
export const CLIENT_GRANTS = `
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO anon, authenticated, service_role;
  ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO anon, authenticated, service_role;`;

// The newest server that Debian's packages left here.
export function findBin() {
  const base = '/usr/lib/postgresql';
  const versions = readdirSync(base)
    .filter((name) => existsSync(`${base}/${name}/bin/postgres`))
    .sort((left, right) => right - left);
  if (versions.length === 0) throw new Error(`no PostgreSQL server under ${base}`);
  return `${base}/${versions[0]}/bin`;
}

// The major versions that can be started here, oldest first.
export function majors() {
  const packaged = readdirSync(MODULES).filter((name) => /^postgresql-\d+$/.test(name))
    .map((name) => Number(name.split('-')[1]));
  return [...new Set([Number(findBin().split('/').at(-2)), ...packaged])].sort((a, b) => a - b);
}

// Whether install-pgvector has put it beside npm's server of that version.
export function hasPgvector(major) {
  return existsSync(join(MODULES, `postgresql-${major}/native/share/postgresql/extension/vector.control`));
}

function asServerUser(command) {
  const prefix = isRoot ? ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--init-groups'] : [];
  const [program, ...rest] = [...prefix, ...command];
  execFileSync(program, rest, { stdio: ['ignore', 'ignore', 'inherit'], cwd: '/' });
}

function ownerId(kind) {
  return Number(execFileSync('id', [kind, USER], { encoding: 'utf8' }));
}

function giveToServerUser(directory) {
  if (isRoot) chownSync(directory, ownerId('-u'), ownerId('-g'));
}

// cp keeps owners, modes and holes, which fs.cp does not.
function copyTree(from, to) {
  execFileSync('cp', ['-a', '--reflink=auto', from, to]);
}

function serverUserCanRun(program) {
  try {
    asServerUser(['test', '-x', program]);
    return true;
  } catch {
    return false;
  }
}

// Where the programs of a major version are. Those under node_modules are copied out of a checkout
// that user postgres cannot reach (one under /root).
const copied = new Map();
function binOf(major) {
  const debian = `/usr/lib/postgresql/${major}/bin`;
  if (existsSync(`${debian}/postgres`)) return debian;
  const native = join(MODULES, `postgresql-${major}/native`);
  if (serverUserCanRun(`${native}/bin/postgres`)) return `${native}/bin`;
  if (!existsSync(`${native}/bin/postgres`))
    throw new Error(`no PostgreSQL ${major}: run tests/lib/install-clients`);
  if (!copied.has(major)) {
    copied.set(major, join(scratchDirectory(), 'native'));
    copyTree(native, copied.get(major));
  }
  return join(copied.get(major), 'bin');
}

function templateFor(bin, major) {
  const template = join(CACHE, `postgres-${major}-${isRoot ? 'root' : 'user'}`);
  if (existsSync(template)) return template;
  mkdirSync(CACHE, { recursive: true });
  const scratch = scratchDirectory();
  giveToServerUser(scratch);
  const made = join(scratch, 'data');
  const options = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
  asServerUser([`${bin}/initdb`, '-D', made, ...options]);
  const own = mkdtempSync(join(CACHE, 'making-'));
  copyTree(made, join(own, 'data'));
  try {
    renameSync(join(own, 'data'), template); // whoever makes it at the same time: one wins
  } catch (error) {
    if (!existsSync(template)) throw error;
  }
  rmSync(own, { recursive: true, force: true });
  removeScratch(scratch);
  return template;
}

// The seventh line of postmaster.pid, which only a server that did not stop leaves: key and id.
function removeSegment(data) {
  const file = join(data, 'postmaster.pid');
  const id = existsSync(file) ? readFileSync(file, 'utf8').split('\n')[6]?.trim().split(/\s+/)[1] : undefined;
  if (id) spawnSync('ipcrm', ['-m', id]);
}

export class Postgres {
  // settings: lines of postgresql.conf by name; they come after, and win over, the defaults here.
  // major: 13 to 18; without it the newest of Debian's packages. clients: false leaves out the roles
  // and grants of clients.
  static async start({ settings = {}, major, clients = true } = {}) {
    const server = new Postgres();
    server.bin = major ? binOf(major) : findBin();
    server.major = major ?? Number(server.bin.split('/').at(-2));
    server.directory = scratchDirectory();
    giveToServerUser(server.directory);
    server.data = join(server.directory, 'data');
    server.port = await freePort();
    copyTree(templateFor(server.bin, server.major), server.data);
    server.#configure(settings);
    await server.restart();
    if (clients) await server.query(CLIENT_ROLES + CLIENT_GRANTS);
    return server;
  }

  // A hot standby of a running server (15 or newer), made of a base backup; it streams from slot
  // `standby` there, which must exist.
  static async startStandby(primary, { settings = {} } = {}) {
    const server = new Postgres();
    Object.assign(server, { bin: primary.bin, major: primary.major });
    server.directory = scratchDirectory();
    giveToServerUser(server.directory);
    server.data = join(server.directory, 'data');
    server.port = await freePort();
    const client = await primary.connect();
    await client.query("SELECT pg_backup_start('standby', true)");
    copyTree(primary.data, server.data);
    const { rows: [{ label }] } = await client.query('SELECT labelfile AS label FROM pg_backup_stop(false)');
    await client.end();
    rmSync(join(server.data, 'postmaster.pid'));
    for (const [name, text] of [['backup_label', label], ['standby.signal', '']]) {
      writeFileSync(join(server.data, name), text);
      giveToServerUser(join(server.data, name));
    }
    server.#configure({ primary_slot_name: 'standby',
      primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres dbname=postgres`,
      ...settings });
    await server.restart();
    return server;
  }

  #configure(settings) {
    const all = {
      listen_addresses: '127.0.0.1', port: this.port, unix_socket_directories: this.directory,
      wal_level: 'logical', max_wal_senders: 20, max_replication_slots: 20, max_connections: 100,
      shared_buffers: '64MB', fsync: 'off', ...settings,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'\n`);
    appendFileSync(join(this.data, 'postgresql.conf'), lines.join(''));
  }

  get url() {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  // Starts a stopped or killed server again, on the same port and data. After a kill its last
  // children may still hold the data directory: it is tried until they are gone.
  async restart() {
    if (this.isRemoved) throw new Error('this PostgreSQL was removed');
    await this.stop();
    const log = join(this.directory, 'postgres.log');
    await waitFor('PostgreSQL that accepts queries', async () => {
      if (!this.process?.alive)
        this.process = new ServerProcess([`${this.bin}/postgres`, '-D', this.data],
          { user: USER, log, cwd: '/' });
      await this.query('SELECT 1');
      return true;
    }, 30_000, 20).catch((error) => {
      throw new Error(`${error.message}\n${this.process.logText()}`);
    });
  }

  // One statement (or, without parameters, several) on a connection of its own.
  async query(text, parameters) {
    const client = await this.connect();
    try {
      return await client.query(text, parameters);
    } finally {
      await client.end();
    }
  }

  // The caller ends the client. A server that dies breaks it: that is for the caller to see in its
  // next query, not an uncaught event.
  async connect(options = {}) {
    const client = new pg.Client({ connectionString: this.url, ...options });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  // 'fast' (SIGINT) as pg_ctl does; a walsender keeps it up until its client has all WAL or is gone.
  async stop() {
    await this.process?.stop('SIGINT', 30_000);
  }

  async kill() {
    await this.process.kill();
  }

  // 'immediate', not a kill: a killed server leaves its segment of shared memory to the machine, which
  // has room for 4,096. One that a test killed left it already.
  async remove() {
    this.isRemoved = true;
    await this.process?.stop('SIGQUIT', 10_000).catch(() => {}); // then it is killed
    removeSegment(this.data);
    removeScratch(this.directory);
  }
}
