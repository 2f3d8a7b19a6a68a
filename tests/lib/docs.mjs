// What the pages of docs/ claim to run, run as it stands there: only the ports are others.
import { spawn } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { removeScratch, scratchDirectory } from './scratch.mjs';
import { waitFor } from './wait.mjs';
import { BINARY } from './walcast.mjs';

const ROOT = resolve(import.meta.dirname, '../..');

// The blocks of the page in that language: 'sh' and 'js' are run, others are only shown. ports:
// { 4000: the one to be used for it }.
export function pageBlocks(page, language, ports = {}) {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, found]) => found === language)
    .map(([, , block]) => Object.entries(ports).reduce(
      (made, [from, to]) => made.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`), block));
}

// Where a reader would run them: a directory with the packages of npm, `walcast` in the PATH.
export class Reader {
  constructor(environment) {
    this.directory = scratchDirectory();
    symlinkSync(join(ROOT, 'tests/node_modules'), join(this.directory, 'node_modules'));
    writeFileSync(join(this.directory, '.curlrc'), 'no-progress-meter\n'); // it would stand within what curl says
    const path = [dirname(BINARY), dirname(process.execPath), process.env.PATH].join(':');
    this.environment = { ...process.env, PATH: path, CURL_HOME: this.directory, ...environment };
  }

  // Starts it, until the test ends: { text: () => what it has said, says: waits for that, ended }.
  run(t, command, args, more = {}) {
    const started = spawn(command, args, { cwd: this.directory, env: { ...this.environment, ...more }, detached: true });
    let said = '';
    for (const stream of [started.stdout, started.stderr]) stream.setEncoding('utf8').on('data', (chunk) => { said += chunk; });
    const ended = new Promise((done) => started.once('close', done));
    t.after(() => {
      try {
        process.kill(-started.pid, 'SIGKILL');
      } catch {} // it has ended
      return ended;
    });
    const says = (what) => waitFor(`${what}`, () => what.exec(said), 60_000).catch((error) => {
      throw new Error(`${error.message}: ${said}`);
    });
    return { text: () => said, says, ended };
  }

  shell(t, block, more) {
    return this.run(t, 'bash', ['-euc', block], more);
  }

  remove() {
    removeScratch(this.directory);
  }
}
