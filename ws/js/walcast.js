// Walcast's own additions for clients that do not know them: a plain ES module, for browsers and
// Node 22, without dependencies. Walcast serves it at /walcast.js; docs/SSE.md has examples.
//
//   import { createClient } from '@supabase/supabase-js'
//   import { withResume } from 'https://walcast.example/walcast.js'
//   const supabase = withResume(createClient(url, key), { onHistoryLost: () => loadRows() })
//
// From then on each channel with postgres_changes remembers the offset of the change it had last,
// asks for what is behind it whenever it joins again, and passes over what comes twice.

const HISTORY_LOST = 'HistoryNotHeld';
const OFFSET = /^([0-9a-z]+)-(\d+)\.(\d+)$/;
// Members of a channel's config that are Walcast's: the client's own code would drop them.
const CONFIG = ['since', 'snapshot', 'slow'];

const states = new WeakMap(); // channel → its State

// < 0: a is before b; 0: the same; > 0: behind it, or of another epoch, which cannot be compared.
function compareOffsets(a, b) {
  const [, epochA, sequenceA, indexA] = OFFSET.exec(a) ?? [];
  const [, epochB, sequenceB, indexB] = OFFSET.exec(b) ?? [];
  if (epochA === undefined || epochA !== epochB) return 1;
  const difference = BigInt(sequenceA) - BigInt(sequenceB) || BigInt(indexA) - BigInt(indexB);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

// What one channel has had.
class State {
  constructor(channel, options) {
    this.channel = channel;
    this.options = options;
    this.begin(channel.params?.config?.since);
    this.snapshot = channel.params?.config?.snapshot;
    this.slow = channel.params?.config?.slow;
  }

  // Nothing but what is up to `since`; undefined: from when it joins.
  begin(since) {
    this.since = since;
    this.last = undefined; // the offset of the change that came last
    this.seen = new Set(); // the bindings that it was for
    this.previous = undefined; // the offset before it
  }

  // A change for bindings with different columns comes in several messages of one offset. Only the
  // next offset tells that they have all come.
  get comesInParts() {
    const selects = (this.channel.bindings?.postgres_changes ?? []).map(({ filter }) => `${filter?.select ?? ''}`);
    return new Set(selects).size > 1;
  }

  // Up to where all has come.
  get offset() {
    return (this.comesInParts ? this.previous : this.last) ?? this.since ?? this.last;
  }

  // What a join asks for.
  get config() {
    const { offset, snapshot, slow } = this;
    const from = offset !== undefined ? { since: offset } : snapshot !== undefined ? { snapshot } : {};
    return slow === undefined ? from : { ...from, slow };
  }

  // False: this message has come before.
  take({ ids = [], data }) {
    const { offset } = data;
    if (typeof offset !== 'string') return true;
    const order = this.last === undefined ? this.#orderToSince(offset) : compareOffsets(offset, this.last);
    if (order < 0 || (order === 0 && ids.every((id) => this.seen.has(id)))) return false;
    if (order > 0) {
      this.previous = this.last;
      this.last = offset;
      this.seen.clear();
    }
    for (const id of ids) this.seen.add(id);
    return true;
  }

  #orderToSince(offset) {
    return this.since !== undefined && compareOffsets(offset, this.since) <= 0 ? -1 : 1;
  }

  // Changes flow, and all up to an offset has come.
  live({ extension, status, offset }) {
    if (extension === 'postgres_changes' && status === 'ok' && typeof offset === 'string') this.begin(offset);
  }

  // The answer to a join, before the client's own code sees it.
  answered({ status, response }) {
    if (status === 'ok') return;
    const reason = `${response?.reason ?? ''}`;
    if (!reason.startsWith(HISTORY_LOST) || !this.options.onHistoryLost) return;
    this.lost ??= { channel: this.channel, since: this.offset, reason };
    this.begin(undefined);
  }

  // After it. The rows are to be loaded only once changes flow again, so that none falls between.
  handled({ status }) {
    const { lost } = this;
    if (!lost) return;
    if (status !== 'ok') {
      rejoin(this.channel);
      return;
    }
    this.lost = undefined;
    this.options.onHistoryLost(lost);
  }
}

// ---- The client's inside: realtime-js from 2.0 (its own channel) to today's (Phoenix's) ----

function innerOf(channel) {
  return channel.channelAdapter?.getChannel?.() ?? channel;
}

// The oldest clients do not join again after a refusal; today's would after a second.
function rejoin(channel) {
  const inner = innerOf(channel);
  channel.state = 'errored';
  setTimeout(() => {
    if (channel.state !== 'errored') return;
    channel.rejoinTimer?.reset?.();
    if (typeof inner.rejoin === 'function') inner.rejoin();
    else inner._rejoin?.();
  });
}

// The payload of each join gets what State says at that moment. It is a function in today's clients.
function hookJoin(state, push) {
  const complete = (payload) => {
    if (!payload?.config) return payload;
    const config = Object.fromEntries(Object.entries(payload.config).filter(([name]) => !CONFIG.includes(name)));
    return { ...payload, config: { ...config, ...state.config } };
  };
  let { payload } = push;
  Object.defineProperty(push, 'payload', {
    configurable: true,
    get: () => (typeof payload === 'function' ? () => complete(payload()) : complete(payload)),
    set: (value) => { payload = value; },
  });
}

function hookMessages(state, inner, push) {
  const name = typeof inner.trigger === 'function' ? 'trigger' : '_trigger';
  const trigger = inner[name];
  inner[name] = function (event, payload, ref, ...rest) {
    const changes = event === 'postgres_changes' && payload?.data;
    const answer = event === 'phx_reply' && ref === push.ref;
    if (changes && !state.take(payload)) return undefined;
    if (answer) state.answered(payload);
    if (event === 'system' && payload) state.live(payload);
    state.current = changes ? payload.data : undefined;
    // The client knows no READ, and would leave the row out: to it, it is an INSERT (see hookCallbacks).
    const known = changes?.type === 'READ' ? { ...payload, data: { ...changes, type: 'INSERT' } } : payload;
    try {
      return trigger.call(this, event, known, ref, ...rest);
    } finally {
      state.current = undefined;
      if (answer) state.handled(payload);
    }
  };
}

// The client builds the payload that callbacks get, without the offset: put it back. A row of a
// snapshot has none, and is a READ.
function hookCallbacks(state, channel) {
  const { on } = channel;
  channel.on = function (type, filter, callback) {
    if (type !== 'postgres_changes') return on.call(this, type, filter, callback);
    return on.call(this, type, filter, (change, ...rest) => {
      if (state.current?.offset !== undefined) change.offset = state.current.offset;
      if (state.current?.type === 'READ') change.eventType = 'READ';
      return callback(change, ...rest);
    });
  };
}

function attach(channel, options) {
  if (states.has(channel)) return channel;
  const state = new State(channel, options);
  states.set(channel, state);
  hookJoin(state, channel.joinPush);
  hookMessages(state, innerOf(channel), channel.joinPush);
  hookCallbacks(state, channel);
  return channel;
}

// ---- For users ----

// Adds resume to a supabase-js client, or to a RealtimeClient: to channels made from here on. Returns
// the client.
//
// onHistoryLost({ channel, since, reason }): the server no longer holds what came behind `since`. The
// channel is joined again, live, when this is called: load the rows anew. Without it such a channel
// stays in error (CHANNEL_ERROR with the reason), rather than go on with a hole.
//
// A channel's config may say `since: offset`, to go on where another page left off (see offsetOf), and
// `snapshot: true`: then the present rows come first, to callbacks of event '*' and INSERT, with
// eventType 'READ' and the row in `new`. Callbacks of postgres_changes find the change's offset in
// `payload.offset`. Or `slow: 'conflate'`: what a client that reads slowly gets is the last state of rows.
export function withResume(client, options = {}) {
  const realtime = client.realtime ?? client;
  const { channel } = realtime;
  realtime.channel = function (...args) {
    return attach(channel.apply(this, args), options);
  };
  return client;
}

// Up to where a channel has everything: to be kept and given as `since` later. undefined: not known.
export function offsetOf(channel) {
  return states.get(channel)?.offset;
}

// A name as the SSE endpoint reads it in a list.
function quoted(name) {
  return /^[^".,*]+$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

// The address of a stream of server-sent events, for EventSource or fetch. `base` is Walcast's:
// https://walcast.example. table: 'schema.table' as the endpoint reads it; or schema and table apart,
// each as it is. select: column names; events: of INSERT, UPDATE, DELETE, TRUNCATE.
export function sseUrl(base, { table, schema, filter, select, events, leave, snapshot, since, slow, apikey } = {}) {
  const url = new URL(`${base}`.replace(/\/+$/, '') + '/realtime/v1/sse');
  const parameters = { schema, table, filter, select: select && [select].flat().map(quoted).join(),
    events: events && [events].flat().join(), leave, snapshot, since, slow, apikey };
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== '') url.searchParams.set(name, value);
  return url.href;
}

// Opens an EventSource and calls with what comes, parsed; returns it, to be closed.
//
// onChange(change, offset); onReady(): changes flow; onGap(problem): the history behind the last
// offset is no longer held, and the source is closed: load the rows, then listen anew without since;
// onProblem(problem): what the server says as it ends the stream; EventSource connects again by itself.
export function listen(url, { onChange, onReady, onGap, onProblem } = {}, Source = globalThis.EventSource) {
  const source = new Source(url);
  const parsed = (call) => (event) => call?.(JSON.parse(event.data), event.lastEventId);
  source.onmessage = parsed(onChange);
  source.addEventListener('ready', parsed(onReady));
  source.addEventListener('problem', parsed(onProblem));
  source.addEventListener('gap', (event) => {
    source.close();
    parsed(onGap)(event);
  });
  return source;
}
