// A TCP proxy between two of our processes that a test can make faulty: hold bytes back, cut, or
// rewrite what passes.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Proxy {
  // rewrite(chunk) → the bytes to pass on instead, for what the server sends; undefined passes them.
  // bytesPerSecond: what each direction of each connection lets through; undefined: all.
  static async start(t, port, { rewrite, bytesPerSecond } = {}) {
    const proxy = new Proxy();
    proxy.rewrite = rewrite;
    proxy.bytesPerSecond = bytesPerSecond;
    proxy.sockets = new Set();
    proxy.server = createServer((client) => proxy.#join(client, port));
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    proxy.port = proxy.server.address().port;
    t.after(() => proxy.close());
    return proxy;
  }

  #join(client, port) {
    const server = connect(port, '127.0.0.1');
    for (const [from, to] of [[client, server], [server, client]]) {
      this.sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => { this.sockets.delete(from); to.destroy(); });
    }
    client.on('data', (chunk) => this.#pass(client, server, chunk));
    server.on('data', (chunk) => this.#pass(server, client, this.rewrite?.(chunk) ?? chunk));
    this.#hold(client);
    this.#hold(server);
  }

  #pass(from, to, chunk) {
    to.write(chunk);
    if (!this.bytesPerSecond) return;
    from.pause();
    const pause_ms = chunk.length * 1000 / this.bytesPerSecond;
    setTimeout(() => this.held || from.resume(), pause_ms);
  }

  #hold(socket) {
    if (this.held) socket.pause();
  }

  // Both directions stand still and nobody is told, as when a cable is pulled.
  hold() {
    this.held = true;
    for (const socket of this.sockets) socket.pause();
  }

  release() {
    this.held = false;
    for (const socket of this.sockets) socket.resume();
  }

  cut() {
    for (const socket of this.sockets) socket.destroy();
  }

  close() {
    this.cut();
    this.server.close();
  }
}
