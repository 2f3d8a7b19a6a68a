// Certificates for Walcast's own TLS, an authority that this process trusts, and a way to run any
// test over TLS: WALCAST_TEST_TLS=1 puts a tunnel in front of each Walcast that has no certificate.
import { execFileSync } from 'node:child_process';
import { connect as connectPlain, createServer } from 'node:net';
import { connect, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchDirectory } from './scratch.mjs';

let made;

// The files of make-certificates, in a directory of this process; fetch and ws trust their CA.
export function certificates() {
  if (made) return made;
  const directory = scratchDirectory();
  execFileSync(new URL('make-certificates', import.meta.url).pathname, [directory]);
  made = { directory, path: (name) => join(directory, name), ca: readFileSync(join(directory, 'ca.pem'), 'utf8') };
  setDefaultCACertificates([...getCACertificates('default'), made.ca]);
  return made;
}

// Plain bytes on `port`, TLS to `target`. Ends of either side are passed on, and so is a full peer.
export async function startTunnel(port, target) {
  const { ca } = certificates();
  const server = createServer({ allowHalfOpen: true }, (plain) => {
    const secure = connect({ port: target, host: '127.0.0.1', ca, ALPNProtocols: ['http/1.1'], allowHalfOpen: true });
    plain.pipe(secure).pipe(plain);
    for (const [one, other] of [[plain, secure], [secure, plain]]) {
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  server.listen(port, '127.0.0.1');
  return server;
}

// A TLS connection of one's own: resolves when the handshake is done.
export function dial(t, walcast, options = {}) {
  const { ca } = certificates();
  return new Promise((resolve, reject) => {
    const socket = connect({ port: walcast.port, host: '127.0.0.1', servername: 'localhost', ca, ...options },
      () => resolve(socket));
    t.after(() => socket.destroy());
    socket.once('error', reject);
  });
}

// The same without TLS.
export function dialPlain(t, walcast) {
  return new Promise((resolve, reject) => {
    const socket = connectPlain({ port: walcast.port, host: '127.0.0.1' }, () => resolve(socket));
    t.after(() => socket.destroy());
    socket.once('error', reject);
  });
}
