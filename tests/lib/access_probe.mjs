// The auth room's access in a process of its own (tests/integration/access/probe.c): asks what a
// role may see, whether a private channel is open, or runs a query on the pool.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from './wait.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const PROBE = process.env.WALCAST_ACCESS_PROBE
  ?? join(ROOT, 'build/release/tests/integration/access/access_probe');

export class AccessProbe {
  // config: keys as in walcast.yaml. Ended after the test; it must end well, in the order of auth.h.
  static start(t, postgres, config = {}) {
    const probe = new AccessProbe();
    const name = (key) => `WALCAST_${key.toUpperCase().replaceAll('.', '_')}`;
    const keys = { 'postgres.url': postgres.url, 'auth.grants_interval': '200ms', ...config };
    probe.child = spawn('setpriv', ['--pdeathsig=KILL', '--', PROBE], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...Object.fromEntries(Object.entries(keys).map(([key, value]) => [name(key), value])) },
    });
    probe.log = '';
    probe.child.stderr.on('data', (data) => { probe.log += data; });
    probe.answers = new Map();
    probe.changes = [];
    probe.asked = 0;
    createInterface({ input: probe.child.stdout }).on('line', (line) => probe.#take(JSON.parse(line)));
    probe.child.once('close', () => { probe.closed = true; });
    probe.ended = new Promise((end) => probe.child.once('exit', (code, signal) => end({ code, signal })));
    t.after(async () => {
      const { code, signal } = await probe.stop();
      if (code !== 0) throw new Error(`the probe ended with ${code ?? signal}:\n${probe.log}`);
    });
    return probe;
  }

  #take(answer) {
    if (answer.changed !== undefined) this.changes.push(answer);
    else this.answers.get(answer.id).push(answer);
  }

  // Several answers come when it is asked `times` over.
  async askAll(request) {
    const id = `${++this.asked}`;
    const got = [];
    this.answers.set(id, got);
    this.child.stdin.write(`${JSON.stringify({ ...request, id })}\n`);
    await waitFor(`an answer to ${JSON.stringify(request)}`, () => {
      if (got.length >= (request.times ?? 1)) return true;
      if (this.closed) throw new Error(`the probe is gone:\n${this.log}`);
    }, 60_000, 5);
    return got;
  }

  async ask(request) {
    return (await this.askAll(request))[0];
  }

  hold(role) {
    return this.ask({ ask: 'hold', role });
  }

  // The decision, as soon as it is not pending any more.
  async settled(request) {
    return waitFor(`a decision on ${JSON.stringify(request)}`, async () => {
      const answer = await this.ask(request);
      return answer.verdict !== 'pending' && answer;
    }, 30_000, 10);
  }

  table(role, table, { schema = 'public', oid = 0, columns = [] } = {}) {
    return this.settled({ ask: 'table', role, schema, table, oid, columns });
  }

  // { broadcast: [read, write], presence: [read, write], reasons, unavailable, at_once }
  async channel(role, topic, { claims = {}, sub = claims.sub ?? '', hash } = {}) {
    const json = JSON.stringify({ role, ...claims });
    const sum = [...json].reduce((all, letter) => (all * 31 + letter.codePointAt(0)) % 2 ** 31, 7);
    const answer = await this.ask({ ask: 'channel', role, topic, sub, claims: json, hash: hash ?? sum });
    const [broadcastRead, broadcastWrite, presenceRead, presenceWrite] = answer.allowed;
    return { ...answer, broadcast: [broadcastRead, broadcastWrite], presence: [presenceRead, presenceWrite] };
  }

  query(sql) {
    return this.ask({ ask: 'query', sql });
  }

  async stop() {
    this.child.stdin.end();
    return this.ended;
  }
}
