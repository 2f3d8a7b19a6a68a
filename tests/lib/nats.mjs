// A private nats-server with JetStream in a store directory of its own.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { ServerProcess } from './process.mjs';
import { freePort, removeScratch, scratchDirectory } from './scratch.mjs';
import { waitFor } from './wait.mjs';

// For requests of a test's own: on a busy machine its process may get no time for seconds.
export const PATIENT = { timeout: 30_000 };

export class Nats {
  // extra: further lines of the server's configuration file.
  // maxFileStore: what JetStream may promise of the disk: streams reserve their maximum.
  static async start({ extra = '', jetstream = true, maxFileStore = '32GB' } = {}) {
    const server = new Nats();
    server.directory = scratchDirectory();
    server.port = await freePort();
    server.monitorPort = await freePort();
    server.config = join(server.directory, 'nats.conf');
    const store = `jetstream { store_dir: "${join(server.directory, 'store')}"
  max_memory_store: 256MB, max_file_store: ${maxFileStore} }`;
    writeFileSync(server.config, `listen: "127.0.0.1:${server.port}"
http: "127.0.0.1:${server.monitorPort}"
server_name: "test-${server.port}"
${jetstream ? store : ''}
${extra}
`);
    await server.restart();
    return server;
  }

  get url() {
    return `nats://127.0.0.1:${this.port}`;
  }

  // Starts a stopped or killed server again, on the same port and store.
  async restart() {
    if (this.isRemoved) throw new Error('this nats-server was removed');
    await this.stop();
    const log = join(this.directory, 'nats.log');
    this.process = new ServerProcess(['nats-server', '-c', this.config], { log });
    await waitFor('healthy nats-server', async () => {
      this.process.assertAlive();
      return (await fetch(`http://127.0.0.1:${this.monitorPort}/healthz`)).ok;
    }, 20_000, 20);
  }

  // The caller closes the connection.
  connect(options = {}) {
    return connect({ servers: this.url, ...options });
  }

  // Calls `use` with a stream manager on a connection of its own.
  async manage(use) {
    const connection = await this.connect();
    try {
      return await use(await jetstreamManager(connection, PATIENT), connection);
    } finally {
      await connection.close();
    }
  }

  streamInfo(name = 'WALCAST') {
    return this.manage((manager) => manager.streams.info(name));
  }

  // SIGINT ends it at once; SIGTERM would too. JetStream syncs what it holds.
  async stop() {
    await this.process?.stop('SIGINT');
  }

  // Another limit, for which the server is started anew.
  async setMaxFileStore(size) {
    const text = readFileSync(this.config, 'utf8');
    writeFileSync(this.config, text.replace(/max_file_store: \w+/, `max_file_store: ${size}`));
    await this.restart();
  }

  async kill() {
    await this.process.kill();
  }

  async remove() {
    this.isRemoved = true;
    await this.process?.kill();
    removeScratch(this.directory);
  }
}
