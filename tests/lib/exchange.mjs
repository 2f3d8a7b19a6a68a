// HTTP as bytes: parts are sent one after the other, and all that comes back is kept.
import { connect } from 'node:net';

export const head = (...lines) => `${lines.join('\r\n')}\r\n\r\n`;
export const statuses = (text) => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((found) => Number(found[1]));

const FIRST_MS = 10_000;

// Resolves with { text, closed } when the server closed, or when quiet_ms passed without a byte; the
// first may take longer.
export function exchange(port, parts, { quiet_ms = 400, pause_ms = 5 } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    let timer;
    const done = (closed) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, closed });
    };
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => done(false), text ? quiet_ms : Math.max(quiet_ms, FIRST_MS));
    };
    socket.setEncoding('latin1');
    socket.once('error', (error) => (text ? done(true) : reject(error)));
    socket.on('data', (chunk) => { text += chunk; wait(); });
    socket.once('end', () => done(true));
    socket.once('connect', async () => {
      wait();
      for (const part of [parts].flat()) {
        if (socket.destroyed) return;
        socket.write(part, 'latin1');
        if (pause_ms < quiet_ms) wait();
        await new Promise((next) => setTimeout(next, pause_ms));
      }
    });
  });
}
