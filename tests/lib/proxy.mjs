// A TCP proxy between two of our processes that a test can make faulty: hold bytes back, cut, or
// rewrite what passes.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const HELD_MAX_BYTES = 16 << 20; // then the senders have to wait

export class Proxy {
  // rewrite(chunk, connection) → the bytes to pass on instead, for what the server sends; undefined
  // passes them. rewriteClient(chunk): the same for what clients send.
  // bytesPerSecond: what each direction of each connection lets through; undefined: all.
  // linger_ms: so much later the server hears that a client has gone, as of a machine that died.
  static async start(t, port, { rewrite, rewriteClient, bytesPerSecond, linger_ms = 0 } = {}) {
    const proxy = new Proxy();
    proxy.rewrite = rewrite;
    proxy.rewriteClient = rewriteClient;
    proxy.bytesPerSecond = bytesPerSecond;
    proxy.linger_ms = linger_ms;
    proxy.sockets = new Set();
    proxy.waiting = []; // what is to happen on release, in order
    proxy.waitingBytes = proxy.heldFromClients = 0;
    proxy.server = createServer((client) => proxy.#join(client, port));
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    proxy.port = proxy.server.address().port;
    t.after(() => proxy.close());
    return proxy;
  }

  #join(client, port) {
    if (this.refuses) {
      client.destroy();
      return;
    }
    const server = connect(port, '127.0.0.1');
    for (const socket of [client, server]) {
      this.sockets.add(socket);
      socket.on('error', () => {}); // the close that follows says it
      socket.on('close', () => this.sockets.delete(socket));
    }
    client.on('data', (chunk) => {
      if (this.held) this.heldFromClients += chunk.length;
      this.#act(client, chunk.length, () => server.write(this.rewriteClient?.(chunk) ?? chunk));
      this.#slow(client, chunk.length);
    });
    server.on('data', (chunk) => {
      this.#act(server, chunk.length, () => {
        const bytes = this.rewrite?.(chunk, client) ?? chunk;
        if (client.writable) client.write(bytes);
      });
      this.#slow(server, chunk.length);
    });
    // What either had sent still arrives, as on a real link.
    client.on('close', () =>
      this.#act(client, 0, () => setTimeout(() => server.end(), this.linger_ms).unref()));
    server.on('close', () => this.#act(server, 0, () => client.end()));
  }

  #slow(from, bytes) {
    if (!this.bytesPerSecond || this.held) return;
    from.pause();
    setTimeout(() => this.held || from.resume(), (bytes * 1000) / this.bytesPerSecond);
  }

  // Now, or on release. A paused socket would forget what it holds when its peer is killed.
  #act(from, bytes, action) {
    if (!this.held) {
      action();
      return;
    }
    this.waiting.push(action);
    this.waitingBytes += bytes;
    if (this.waitingBytes > HELD_MAX_BYTES) from.pause();
  }

  // Both directions stand still and nobody is told, as when a cable is pulled.
  hold() {
    this.held = true;
  }

  release() {
    this.held = false;
    this.#forget().forEach((action) => action());
    for (const socket of this.sockets) socket.resume();
  }

  // Every connection ends, and none is made until up().
  down() {
    this.refuses = true;
    this.cut();
  }

  up() {
    this.refuses = false;
  }

  // What is held is lost.
  cut() {
    this.#forget();
    for (const socket of this.sockets) socket.destroy();
  }

  #forget() {
    this.waitingBytes = this.heldFromClients = 0;
    return this.waiting.splice(0);
  }

  close() {
    this.cut();
    this.server.close();
  }
}
