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
}
