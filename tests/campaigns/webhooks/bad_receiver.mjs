// A receiver of webhooks that is good most of the time. It keeps what it took: who was answered 200,
// and in which order of each key. How many attempts of a key are under way it does not count: one of
// a sender that was killed or sleeps cannot be told from one of its successor.
import http from 'node:http';

const HANGS_MS = 6000; // longer than the trigger waits
const SLOW_MS = 20; // a byte

function wellDone(response) {
  response.writeHead(200, { 'content-length': 2 });
  response.end('ok');
}

const MANNERS = {
  good: wellDone,
  fails: (response) => response.writeHead(503).end(),
  'asks for time': (response) => response.writeHead(429, { 'retry-after': '1' }).end(),
  hangs: (response) => setTimeout(() => response.destroy(), HANGS_MS).unref(),
  'closes in its answer': (response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('some of it', () => response.destroy());
  },
  'closes in the request': (response) => response.socket.destroy(),
  'answers slowly': async (response) => {
    response.writeHead(200, { 'content-length': 10 });
    for (let i = 0; i < 10; i++) {
      response.write('.');
      await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    }
    response.end();
  },
};
const TAKES = new Set(['good', 'answers slowly']);

export class BadReceiver {
  // manner(): one of MANNERS' names, for each request.
  static async start(manner) {
    const receiver = new BadReceiver();
    receiver.manner = manner;
    receiver.attempts = 0;
    receiver.counts = {};
    receiver.taken = new Map(); // id → how often
    receiver.last = new Map(); // of a key: the last id that was taken for the first time
    receiver.problems = [];
    receiver.server = http.createServer((request, response) => receiver.#read(request, response));
    receiver.server.keepAliveTimeout = 60_000;
    await new Promise((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}`;
    return receiver;
  }

  #read(request, response) {
    const chunks = [];
    request.on('error', () => {}).on('data', (chunk) => chunks.push(chunk));
    response.on('error', () => {});
    request.on('end', () => this.#answer(JSON.parse(Buffer.concat(chunks)).data, response));
  }

  #answer({ id, customer }, response) {
    const manner = this.manner();
    this.attempts++;
    this.counts[manner] = (this.counts[manner] ?? 0) + 1;
    if (TAKES.has(manner)) this.#take(id, customer);
    MANNERS[manner](response);
  }

  #take(id, key) {
    const times = this.taken.get(id) ?? 0;
    this.taken.set(id, times + 1);
    if (times > 0) return;
    if (this.last.get(key) > id) this.problems.push(`row ${id} of key ${key} was taken behind row ${this.last.get(key)}`);
    this.last.set(key, id);
  }

  remove() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }

  kill() {
    return this.remove();
  }
}
