// Child processes that cannot outlive the test: each is told by the kernel to die with us, and each
// is ended by its own pid.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';

// Debian keeps nats-server where a plain user's PATH does not look.
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

export class ServerProcess {
  // command: [program, ...arguments]; user: run as that user when we are root; log: a file that
  // takes both outputs, appended to.
  constructor(command, { user, env, cwd, log } = {}) {
    const asUser = user && process.getuid() === 0
      ? [`--reuid=${user}`, `--regid=${user}`, '--init-groups'] : [];
    const output = openSync(log, 'a');
    this.log = log;
    this.name = command[0];
    this.child = spawn('setpriv', [...asUser, '--pdeathsig=KILL', '--', ...command], {
      env: { ...process.env, ...env }, cwd, stdio: ['ignore', output, output],
    });
    closeSync(output);
    running.add(this.child);
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => this.#ended({ error }, resolve));
      this.child.once('exit', (code, signal) => this.#ended({ code, signal }, resolve));
    });
  }

  #ended(how, resolve) {
    running.delete(this.child);
    this.how = how;
    resolve(how);
  }

  get pid() {
    return this.child.pid;
  }

  get alive() {
    return this.how === undefined;
  }

  logText() {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8') : '';
  }

  // For use in waitFor: a server that has ended will not become ready any more.
  assertAlive() {
    if (!this.alive)
      throw new Error(`${this.name} ended (${JSON.stringify(this.how)}):\n${this.logText()}`);
  }

  // Sends the signal, resolves with how the process ended; kills it when it takes too long.
  async stop(signal = 'SIGTERM', timeout_ms = 15_000) {
    if (!this.alive) return this.how;
    this.child.kill(signal);
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(() => resolve('late'), timeout_ms);
    });
    const how = await Promise.race([this.exited, late]);
    clearTimeout(timer);
    if (how !== 'late') return how;
    this.child.kill('SIGKILL');
    await this.exited;
    throw new Error(`${this.name} did not end within ${timeout_ms} ms of ${signal}`);
  }

  kill() {
    return this.stop('SIGKILL');
  }
}

// Runs a program to its end; resolves with { code, stdout, stderr }, whatever the code.
export function run(command, { env, cwd, input, timeout_ms = 60_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn('setpriv', ['--pdeathsig=KILL', '--', ...command], {
      env: { ...process.env, ...env }, cwd, stdio: ['pipe', 'pipe', 'pipe'],
    });
    running.add(child);
    const chunks = { stdout: [], stderr: [] };
    child.stdout.on('data', (chunk) => chunks.stdout.push(chunk));
    child.stderr.on('data', (chunk) => chunks.stderr.push(chunk));
    child.stdin.on('error', () => {}); // a program may end without reading what it was given
    child.stdin.end(input);
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout_ms);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      const text = (name) => Buffer.concat(chunks[name]).toString('utf8');
      resolve({ code, signal, stdout: text('stdout'), stderr: text('stderr') });
    });
  });
}

// The same, for what must succeed: resolves with stdout.
export async function runOk(command, options) {
  const { code, signal, stdout, stderr } = await run(command, options);
  if (code === 0) return stdout;
  throw new Error(`${command.join(' ')}: ${signal ?? `exit ${code}`}\n${stderr}${stdout}`);
}
