// WebSocket frames by hand over TCP: what no client library would send, and every byte that comes
// back. Nothing here knows the realtime protocol.
import { connect } from 'node:net';
import { waitFor } from './wait.mjs';

export const CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;

// A client's frame. first: its first byte, instead of opcode, final and rsv (7 is all three bits).
export function frame(opcode, payload = '', { final = true, rsv = 0, masked = true, first } = {}) {
  const bytes = Buffer.from(payload);
  const size = bytes.length < 126 ? 0 : bytes.length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + size);
  head[0] = first ?? ((final ? 0x80 : 0) | (rsv << 4) | opcode);
  head[1] = (masked ? 0x80 : 0) | (size === 0 ? bytes.length : size === 2 ? 126 : 127);
  if (size === 2) head.writeUInt16BE(bytes.length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(bytes.length), 2);
  if (!masked) return Buffer.concat([head, bytes]);
  const mask = Buffer.from([0x11, 0xA2, 0x33, 0xC4]);
  return Buffer.concat([head, mask, bytes.map((byte, i) => byte ^ mask[i & 3])]);
}

// A message in fragments: opcode on the first, FIN on the last. between: frames after each but the last.
export function fragments(opcode, parts, { between = [], rsv = 0 } = {}) {
  return parts.flatMap((part, i) => [
    frame(i === 0 ? opcode : CONTINUATION, part, { final: i === parts.length - 1, rsv: i === 0 ? rsv : 0 }),
    ...(i < parts.length - 1 ? between : []),
  ]);
}

export const closeFrame = (code, reason = '') =>
  frame(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));

// The frames in what a server sent, and the bytes of the one that is not whole yet.
export function parseFrames(bytes) {
  const frames = [];
  for (;;) {
    if (bytes.length < 2) break;
    const short = bytes[1] & 0x7F;
    const size = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (bytes.length < 2 + size) break;
    const length = size === 2 ? bytes.readUInt16BE(2) : size === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
    const end = 2 + size + length;
    if (bytes.length < end) break;
    frames.push({ final: bytes[0] >= 0x80, rsv: (bytes[0] >> 4) & 7, opcode: bytes[0] & 15,
      masked: (bytes[1] & 0x80) !== 0, payload: bytes.subarray(2 + size, end) });
    bytes = bytes.subarray(end);
  }
  return { frames, rest: bytes };
}

const upgrade = (path, headers) => [`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket',
  'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...headers].join('\r\n') + '\r\n\r\n';

export class RawSocket {
  #chunks = [];

  // with: bytes sent together with the request.
  static async open(t, port, path, { headers = [], with: more = Buffer.alloc(0) } = {}) {
    const raw = new RawSocket();
    raw.bytes = Buffer.alloc(0);
    raw.ended = raw.closed = false;
    raw.taken = 0;
    raw.tcp = connect(port, '127.0.0.1');
    raw.tcp.setNoDelay(true);
    t.after(() => raw.tcp.destroy());
    raw.tcp.on('error', () => {});
    raw.tcp.on('data', (chunk) => { raw.#chunks.push(chunk); });
    raw.tcp.on('end', () => { raw.ended = true; });
    raw.tcp.on('close', () => { raw.closed = true; });
    raw.tcp.write(Buffer.concat([Buffer.from(upgrade(path, headers)), more]));
    await waitFor('the upgrade', () => raw.bytes.includes('\r\n\r\n') || raw.closed);
    const end = raw.bytes.indexOf('\r\n\r\n') + 4;
    raw.head = raw.bytes.subarray(0, end).toString('latin1');
    raw.bytes = raw.bytes.subarray(end);
    if (!raw.head.startsWith('HTTP/1.1 101 ')) throw new Error(raw.head + raw.bytes);
    return raw;
  }

  // All that came, put together when it is looked at.
  get bytes() {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  set bytes(bytes) {
    this.#chunks = [bytes];
  }

  // One write, or with `chop` one for every so many bytes.
  async send(frames, chop) {
    const bytes = Buffer.concat([frames].flat(Infinity));
    if (!chop) return void this.tcp.write(bytes);
    for (let at = 0; at < bytes.length; at += chop) {
      this.tcp.write(bytes.subarray(at, at + chop));
      await new Promise((next) => setImmediate(next));
    }
  }

  get frames() {
    return parseFrames(this.bytes).frames;
  }

  // The next frame that was not taken yet.
  async next() {
    const taken = await waitFor(`frame ${this.taken}`, () => this.frames[this.taken], 20_000);
    this.taken++;
    return taken;
  }

  // The close frame: { code, reason, before }, `before` being the frames that came before it. code
  // is undefined when it is empty.
  async close() {
    const at = await waitFor('the close frame', () => {
      const found = this.frames.findIndex(({ opcode }) => opcode === CLOSE);
      return found >= 0 && found + 1;
    }, 20_000);
    const { payload } = this.frames[at - 1];
    return { code: payload.length ? payload.readUInt16BE(0) : undefined, reason: payload.subarray(2).toString(),
      before: this.frames.slice(0, at - 1), behind: this.frames.slice(at) };
  }

  async end() {
    await waitFor('the end', () => this.ended || this.closed, 20_000);
  }
}
