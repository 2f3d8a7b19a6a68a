// The servers that the broadcast load can drive, each started alone on a free port: Walcast, a bare
// epoll loop (load/epoll_server.c), nginx with nchan, and nats-server's WebSocket listener.
import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startHouse } from '../../tests/lib/house.mjs';
import { Nats } from '../../tests/lib/nats.mjs';
import { ServerProcess, runOk } from '../../tests/lib/process.mjs';
import { freePort, removeScratch, scratchDirectory } from '../../tests/lib/scratch.mjs';
import { waitFor } from '../../tests/lib/wait.mjs';
import { program } from './environment.mjs';
import { cpuSeconds } from './proc.mjs';
import { Scope } from './scope.mjs';
import { UNLIMITED } from './unlimited.mjs';

const NGINX = '/usr/sbin/nginx';
const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so'; // lib/install-peers
const NO_TOKEN = '-';

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => resolve(true));
    socket.once('error', () => resolve(false)).once('close', () => resolve(false));
    socket.unref();
    socket.once('connect', () => socket.destroy());
  });
}

// A server of ours that needs no more than to be started.
async function startServer(scope, command, port, directory) {
  const server = new ServerProcess(command, { cwd: directory, log: join(directory, 'log') });
  scope.after(async () => {
    await server.kill();
    removeScratch(directory);
  });
  await waitFor(`${server.name} that listens`, () => {
    server.assertAlive();
    return listens(port);
  });
  return { port, pid: server.pid, token: NO_TOKEN };
}

async function startWalcast(scope) {
  const { walcast } = await startHouse(scope, { config: UNLIMITED });
  const token = await walcast.token({ role: 'service_role' });
  return { port: walcast.port, pid: walcast.process.pid, token };
}

async function startEpoll(scope, { frames }) {
  const port = await freePort();
  return startServer(scope, [program('epoll_server'), `${port}`, `${frames}`], port, scratchDirectory());
}

// One worker: with two cores, the load has the other. Its channel keeps more than the load's window.
async function startNchan(scope) {
  const port = await freePort();
  const directory = scratchDirectory();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(directory, name)};`).join(' ');
  writeFileSync(join(directory, 'nginx.conf'), `load_module ${NCHAN};
daemon off;
worker_processes 1;
pid ${join(directory, 'pid')};
error_log ${join(directory, 'error.log')};
events { worker_connections 8192; }
http {
  access_log off;
  ${temporary}
  nchan_shared_memory_size 256m;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location /sub { nchan_subscriber websocket; nchan_channel_id bench; }
    location /pub {
      nchan_publisher websocket; nchan_channel_id bench;
      nchan_message_buffer_length 5000; nchan_message_timeout 60s;
    }
  }
}
`);
  const command = [NGINX, '-e', join(directory, 'error.log'), '-c', join(directory, 'nginx.conf')];
  return startServer(scope, command, port, directory);
}

async function startNats(scope) {
  const port = await freePort();
  const extra = `websocket { listen: "127.0.0.1:${port}", no_tls: true }`;
  const nats = await Nats.start({ jetstream: false, extra });
  scope.after(() => nats.remove());
  return { port, pid: nats.process.pid, token: NO_TOKEN };
}

const SERVERS = { walcast: startWalcast, epoll: startEpoll, nchan: startNchan, nats: startNats };

// Why a server cannot be measured here, or undefined.
export function missing(name) {
  return name === 'nchan' && !(existsSync(NGINX) && existsSync(NCHAN)) ? 'nginx with nchan is not installed' : undefined;
}

// One measurement: the server is started, the load (load/fan.c) runs, the server is removed.
// frames: how many the epoll loop puts in one send.
export function fan(name, { subscribers, publishers, rate, seconds, frames }) {
  return Scope.run(async (scope) => {
    const { port, pid, token } = await SERVERS[name](scope, { frames });
    const before_s = cpuSeconds(pid);
    const output = await runOk([program('fan'), name, `${port}`, token, `${subscribers}`,
      `${publishers}`, `${rate}`, `${seconds}`], { timeout_ms: (seconds + 120) * 1000 });
    const result = JSON.parse(output);
    return { ...result, server_us: (cpuSeconds(pid) - before_s) * 1e6 / result.deliveries };
  });
}
