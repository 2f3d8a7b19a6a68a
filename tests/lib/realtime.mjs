// Clients of the realtime endpoint: the real realtime-js, and a raw one that says what it is told to.
import { RealtimeClient } from '@supabase/realtime-js';
import WebSocket from 'ws';
import { waitFor } from './wait.mjs';

export const VERSIONS = ['1.0.0', '2.0.0'];

export function websocketUrl(walcast, parameters = {}) {
  const query = new URLSearchParams(parameters);
  return `${walcast.url.replace('http', 'ws')}/realtime/v1/websocket?${query}`;
}

// Away for good. While the end of a lost connection is under way disconnect() does nothing, and the
// client would come back for ever, which keeps the process.
export async function leave(client) {
  await waitFor('an end of closing', () => !client.isDisconnecting());
  const real = globalThis.setTimeout;
  globalThis.setTimeout = (call, ms) => (ms < 10_000 ? real(call, ms) : real(call, ms).unref());
  const left = client.disconnect(); // never clears its time-out of 10 s, which would keep the process too
  globalThis.setTimeout = real;
  await left;
}

// An unmodified realtime-js client; disconnected after the test.
export function realtimeClient(t, walcast, apikey, options = {}) {
  const client = new RealtimeClient(`${walcast.url.replace('http', 'ws')}/realtime/v1`,
    { params: { apikey }, transport: WebSocket, ...options });
  t.after(() => leave(client));
  return client;
}

// Subscribes; resolves when SUBSCRIBED, rejects with what else it became.
export function subscribed(channel) {
  return new Promise((resolve, reject) => {
    channel.subscribe((status, error) => {
      if (status === 'SUBSCRIBED') resolve(channel);
      else if (status !== 'CLOSED') reject(error ?? new Error(status));
    });
  });
}

// A raw client that speaks 2.0.0 arrays unless told otherwise. received: every message, parsed.
export class RawClient {
  static async connect(t, url, options = {}) {
    const client = new RawClient();
    client.received = [];
    client.socket = new WebSocket(url, options);
    t.after(() => client.socket.terminate());
    client.socket.on('message', (data, binary) =>
      client.received.push(binary ? data : JSON.parse(data.toString())));
    client.closed = new Promise((resolve) => {
      client.socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    client.socket.on('error', () => {});
    await new Promise((resolve, reject) => {
      client.socket.once('open', resolve);
      client.socket.once('unexpected-response', (request, response) => reject(response));
      client.socket.once('error', reject);
    });
    return client;
  }

  send(message) {
    this.socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  join(ref, topic, config = {}, more = {}) {
    this.send([ref, ref, topic, 'phx_join', { config, ...more }]);
  }

  // The first message, not seen before by `next`, that the test says yes to.
  next(what, accepts, timeout_ms = 30_000) {
    return waitFor(what, () => {
      const at = this.received.findIndex(accepts);
      return at >= 0 && this.received.splice(at, 1)[0];
    }, timeout_ms);
  }

  reply(ref) {
    return this.next(`reply to ${ref}`, (message) => message[3] === 'phx_reply' && message[1] === ref);
  }
}

// What the server says to a handshake that it refuses: { status, body }.
export async function refusedHandshake(t, url, options) {
  try {
    await RawClient.connect(t, url, options);
  } catch (response) {
    if (response instanceof Error) throw response;
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode, body: JSON.parse(text) };
  }
  throw new Error('the handshake was accepted');
}
