// The real binary: `walcast run` as a server, and its commands.
import { writeFileSync } from 'node:fs';
import { resolve, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, runOk, ServerProcess } from './process.mjs';
import { freePort, removeScratch, scratchDirectory } from './scratch.mjs';
import { certificates, startTunnel } from './tls.mjs';
import { waitFor } from './wait.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const BINARY = process.env.WALCAST_BINARY ?? join(ROOT, 'build/release/walcast');
export const JWT_SECRET = 'a-secret-for-tests-only-of-more-than-32-bytes';

export const DEFAULT = null; // as the value of a key that this file would set

// { 'postgres.url': x } → { WALCAST_POSTGRES_URL: x }
function environmentOf(config) {
  const name = (key) => `WALCAST_${key.toUpperCase().replaceAll('.', '_')}`;
  return Object.fromEntries(Object.entries(config)
    .filter(([, value]) => value !== DEFAULT).map(([key, value]) => [name(key), `${value}`]));
}

export class Walcast {
  static roles = 'cdc,ws';

  // config: keys as in walcast.yaml. Not ready yet: see ready().
  // wrap: a command that runs it, as ['nice', '-n', '5'].
  // file: what its walcast.yaml holds besides.
  static async start({ postgres, nats, config = {}, args = [], wrap = [], file }) {
    const server = new Walcast();
    server.directory = scratchDirectory();
    if (file) writeFileSync(join(server.directory, 'walcast.yaml'), file);
    server.port = await freePort();
    server.args = args;
    server.wrap = wrap;
    server.config = {
      'http.listen': `127.0.0.1:${server.port}`,
      'auth.jwt_secret': JWT_SECRET,
      // The role triggers has tests of its own, which import triggers_role.mjs.
      ...(Walcast.roles && { roles: Walcast.roles }),
      ...(postgres && { 'postgres.url': postgres.url }),
      ...(nats && { 'nats.url': nats.url }),
      // Snapshots beside changes go as fast as they can; how they give way has tests of its own.
      'snapshot.live_share': '100',
      // Tests try many bad credentials from one address; how it is then refused has tests of its own.
      'limits.auth_failures_per_minute': '0',
      ...config,
    };
    server.secure = server.config['http.tls_cert'] !== undefined;
    if (process.env.WALCAST_TEST_TLS && !server.secure) await server.#behindTunnel();
    server.start();
    return server;
  }

  async #behindTunnel() {
    const port = await freePort();
    this.tunnel = await startTunnel(this.port, port);
    Object.assign(this.config, { 'http.listen': `127.0.0.1:${port}`, 'http.tls_warn': '0s',
      'http.tls_cert': certificates().path('server.pem'), 'http.tls_key': certificates().path('server-key.pem') });
  }

  get url() {
    return `http${this.secure ? 's' : ''}://127.0.0.1:${this.port}`;
  }

  get env() {
    return environmentOf(this.config);
  }

  // Starts it again after a stop or kill. The working directory has no walcast.yaml but `file`.
  // Not what was removed: of a test that failed, the rest goes on, and its servers would keep node up.
  start() {
    if (this.isRemoved) throw new Error('this walcast was removed');
    if (this.process?.alive) throw new Error('walcast is already running');
    this.process = new ServerProcess([...this.wrap, BINARY, 'run', ...this.args],
      { env: this.env, cwd: this.directory, log: join(this.directory, 'walcast.log') });
  }

  async ready(timeout_ms = 20_000) {
    await waitFor('walcast that is ready', async () => {
      this.process.assertAlive();
      return (await fetch(`${this.url}/health/ready`)).ok;
    }, timeout_ms).catch((error) => {
      throw new Error(`${error.message}\n${this.logText()}`);
    });
    return this;
  }

  async restart() {
    await this.stop();
    this.start();
    await this.ready();
  }

  logText() {
    return this.process.logText();
  }

  // A finished command of the same configuration: { code, stdout, stderr }.
  command(args, options = {}) {
    return run([BINARY, ...args], { env: this.env, cwd: this.directory, ...options });
  }

  commandOk(args, options = {}) {
    return runOk([BINARY, ...args], { env: this.env, cwd: this.directory, ...options });
  }

  async token({ role = 'anon', sub, claims = {}, ttl = '1h' } = {}) {
    const claimArgs = Object.entries(claims).flatMap(([name, value]) => ['--claim', `${name}=${value}`]);
    const subject = sub ? ['--sub', sub] : [];
    const args = ['token', '--role', role, '--ttl', ttl, ...subject, ...claimArgs];
    return (await this.commandOk(args)).trim();
  }

  // Every change that the stream holds (of one table, when named), in stream order: also SCHEMAs
  // that change a shape, and with shapes: true each table's first one.
  async changes({ table, from = 'first', shapes = false, parse = JSON.parse, timeout_ms = 120_000 } = {}) {
    const args = ['tail', '--json', '--from', from, '--until', 'now', ...(shapes ? ['--shapes'] : [])];
    const output = await this.commandOk(table ? [...args, '--table', table] : args, { timeout_ms });
    return output.split('\n').filter(Boolean).map((line) => parse(line));
  }

  // /health/ready: { code, status, reason }, whatever it says.
  async health() {
    const response = await fetch(`${this.url}/health/ready`);
    const { status, reason, detail } = await response.json();
    return response.ok ? { code: response.status, status, reason }
      : { code: response.status, status: 'not ready', reason: detail };
  }

  // The value of one metric (summed over its labels), or undefined when there is none.
  async metric(name) {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.split(/[{ ]/, 1)[0] === name);
    if (lines.length === 0) return undefined;
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  stop(signal = 'SIGTERM') {
    return this.process.stop(signal);
  }

  kill() {
    return this.process.kill();
  }

  async remove() {
    this.isRemoved = true;
    await this.process.kill();
    this.tunnel?.close();
    removeScratch(this.directory);
  }
}
