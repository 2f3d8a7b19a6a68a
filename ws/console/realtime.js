// The realtime protocol, as little of it as this page needs: serializer 2.0.0 over a WebSocket, one
// channel with every change, heartbeats, and coming back after a break.

const HEARTBEAT_MS = 25_000;
const ANSWER_MS = 10_000;
const RETRY_MS = [500, 1000, 2000, 5000, 10_000];
const TOPIC = 'realtime:console';

// on: { state(name, detail), change(data, receivedAt) }. States: connecting, joining, live, waiting,
// refused (the key is not accepted) and barred (it is, but not to watch): nothing more is tried; closed.
export class Realtime {
  #key;
  #on;
  #socket;
  #ref = 0;
  #joinRef;
  #beat;
  #answer;
  #retry;
  #failures = 0;
  #wasOpen = false;

  constructor(key, on) {
    this.#key = key;
    this.#on = on;
    this.#open();
  }

  close() {
    clearTimeout(this.#retry);
    this.#stop();
    this.#on.state('closed');
  }

  #open() {
    const url = new URL('/realtime/v1/websocket', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    url.search = new URLSearchParams({ apikey: this.#key, vsn: '2.0.0' });
    this.#wasOpen = false;
    this.#on.state('connecting');
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#message(JSON.parse(event.data));
    socket.onclose = (event) => this.#socket === socket && this.#closed(event);
  }

  #stop() {
    clearInterval(this.#beat);
    clearTimeout(this.#answer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #send(joinRef, topic, event, payload) {
    const ref = String(++this.#ref);
    this.#socket.send(JSON.stringify([joinRef ?? ref, ref, topic, event, payload]));
    clearTimeout(this.#answer);
    this.#answer = setTimeout(() => this.#again('no answer'), ANSWER_MS);
    return ref;
  }

  #opened() {
    this.#wasOpen = true;
    this.#beat = setInterval(() => this.#send(null, 'phoenix', 'heartbeat', {}), HEARTBEAT_MS);
    this.#join();
  }

  #join() {
    this.#on.state('joining');
    const postgres_changes = [{ event: '*', schema: '*', table: '*' }];
    const config = { broadcast: { self: false }, presence: { enabled: false }, postgres_changes };
    this.#joinRef = this.#send(null, TOPIC, 'phx_join', { config });
  }

  #message([, ref, topic, event, payload]) {
    clearTimeout(this.#answer);
    if (event === 'postgres_changes') this.#on.change(payload.data, Date.now());
    else if (event === 'phx_reply' && ref === this.#joinRef) this.#joined(payload);
    else if (topic !== TOPIC) return;
    else if (event === 'phx_error') this.#join();
    else if (event === 'phx_close') this.#refused('the server closed the channel: has the key expired?');
    else if (event === 'system' && payload.status === 'error') this.#on.state('joining', payload.message);
  }

  #joined({ status, response }) {
    if (status === 'ok') {
      this.#failures = 0;
      this.#on.state('live');
    } else if (/^Unauthorized: .*\bscope\b/.test(response.reason)) {
      this.#stop(); // the key may be good for another view
      this.#on.state('barred', response.reason);
    } else if (/JWT|Unauthorized/.test(response.reason)) {
      this.#refused(response.reason);
    } else {
      this.#again(response.reason);
    }
  }

  #refused(detail) {
    this.#stop();
    this.#on.state('refused', detail);
  }

  #again(detail) {
    this.#stop();
    this.#retryLater(detail);
  }

  // A browser does not tell why a handshake was refused, so plain HTTP is asked.
  async #closed(event) {
    clearInterval(this.#beat);
    clearTimeout(this.#answer);
    const detail = event.reason || 'the connection broke';
    if (this.#wasOpen) return this.#retryLater(detail);
    const alive = await fetch('/health/live').then((answer) => answer.ok, () => false);
    if (alive && this.#failures >= 2) this.#refused('the server does not accept this key');
    else this.#retryLater(alive ? 'the server refused the connection' : 'the server does not answer');
  }

  #retryLater(detail) {
    const wait_ms = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)] * (0.75 + Math.random() / 2);
    this.#on.state('waiting', detail);
    this.#retry = setTimeout(() => this.#open(), wait_ms);
  }
}
