// Receivers of requests as good, slow, broken and hostile ones are: over HTTP, over HTTPS with
// HTTP/2, and as bare bytes. Each listens on 127.0.0.1 and counts what it got.
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { readFileSync } from 'node:fs';
import { createServer as createBare } from 'node:net';
import { certificates } from './tls.mjs';

async function listening(server, t) {
  const sockets = new Set();
  for (const event of ['connection', 'secureConnection'])
    server.on(event, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
  server.on('tlsClientError', () => {});
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: server.address().port, sockets };
}

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

// `answer(request, response, body)`. The receiver has `url`, `requests` ({method, path, headers,
// body, port, version}) and `connections`.
async function receiver(t, make, scheme, answer, options) {
  const got = { requests: [], connections: 0 };
  const server = make(options, async (request, response) => {
    try {
      const body = await bodyOf(request);
      got.requests.push({ method: request.method, path: request.url, headers: request.headers, body,
        port: request.socket?.remotePort, version: request.httpVersion });
      await answer(request, response, body);
    } catch {
      response.destroy?.(); // it went away while it was being answered
    }
  });
  server.on(scheme === 'https' ? 'secureConnection' : 'connection', () => got.connections++);
  const { port } = await listening(server, t);
  return Object.assign(got, { url: `${scheme}://127.0.0.1:${port}`, port, server });
}

export function startReceiver(t, answer, options = {}) {
  return receiver(t, createServer, 'http', answer, { keepAliveTimeout: 60_000, ...options });
}

function pair(name) {
  const { path } = certificates();
  return { cert: readFileSync(path(`${name}.pem`)), key: readFileSync(path(`${name}-key.pem`)) };
}

// `name`: of make-certificates' pairs. With HTTP/2 beside HTTP/1.1, or without.
export function startTlsReceiver(t, answer, name = 'server', { http2 = true, ...options } = {}) {
  return http2 ? receiver(t, createSecureServer, 'https', answer, { allowHTTP1: true, ...pair(name), ...options })
    : receiver(t, createHttps, 'https', answer, { ...pair(name), ...options });
}

// `talk(socket)` once the request's head has come.
export async function startBareReceiver(t, talk) {
  const got = { connections: 0, bytesSent: () => [...sockets].reduce((sum, one) => sum + one.bytesWritten, 0) };
  const server = createBare((socket) => {
    got.connections++;
    socket.once('data', () => talk(socket));
  });
  const { port, sockets } = await listening(server, t);
  return Object.assign(got, { url: `http://127.0.0.1:${port}`, port });
// A receiver of webhooks: notes every request, answers as it is told.
import http from 'node:http';
import { waitFor } from './wait.mjs';
export class Receiver {
  // answer(event) → a status, { status, headers }, or 'hang'; event: { path, id, headers, body, at }.
  static async start(t, answer = () => 200) {
    const receiver = new Receiver();
    receiver.answer = answer;
    receiver.events = [];
    receiver.server = http.createServer((request, response) => receiver.#take(request, response));
    receiver.server.keepAliveTimeout = 60_000;
    await new Promise((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}`;
    t.after(() => receiver.stop());
    return receiver;
  }
  #take(request, response) {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const text = Buffer.concat(chunks).toString();
      const event = { path: request.url, headers: request.headers, id: request.headers['webhook-id'],
        text, body: JSON.parse(text), at: Date.now() };
      this.events.push(event);
      const answer = await this.answer(event);
      event.answer = answer;
      if (answer === 'hang') return;
      const { status = answer, headers = {} } = typeof answer === 'object' ? answer : {};
      response.writeHead(status, headers);
      response.end();
  }
  // Events that were answered well, each id once, in the order they came first.
  get delivered() {
    const seen = new Set();
    return this.events.filter((event) => event.answer === 200 && !seen.has(event.id) && seen.add(event.id));
  }
  async waitFor(count, timeout_ms = 60_000) {
    await waitFor(`${count} deliveries`, () => this.delivered.length >= count, timeout_ms)
      .catch((error) => { throw new Error(`${error.message}: ${this.delivered.length} came`); });
    return this.delivered;
  }
  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
