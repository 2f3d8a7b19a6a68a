// A client of server-sent events that does what the standard says (HTML 9.2.6), over fetch, and
// keeps all it got.
import { waitFor } from './wait.mjs';

export function sseUrl(walcast, parameters) {
  return `${walcast.url}/realtime/v1/sse?${new URLSearchParams(parameters)}`;
}

export class EventStream {
  // Resolves once the response's head has come. events: { type, id, data }, data parsed.
  static async open(t, url, { headers } = {}) {
    const stream = new EventStream();
    const controller = new AbortController();
    stream.events = [];
    stream.comments = 0;
    stream.close = () => controller.abort();
    t.after(stream.close);
    stream.response = await fetch(url, { headers, signal: controller.signal });
    stream.ended = stream.#read().catch(() => {});
    return stream;
  }

  async #read() {
    let text = '';
    let event = {};
    for await (const chunk of this.response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop();
      for (const line of lines) event = this.#line(line, event);
    }
  }

  #line(line, event) {
    if (line === '') {
      if (event.data !== undefined)
        this.events.push({ type: event.event ?? 'message', id: this.lastEventId, data: JSON.parse(event.data) });
      return {};
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === '') this.comments++;
    else if (field === 'id') this.lastEventId = value;
    else if (field === 'retry') this.retry = Number(value);
    else if (field === 'data') event.data = event.data === undefined ? value : `${event.data}\n${value}`;
    else event[field] = value;
    return event;
  }

  get changes() {
    return this.events.filter(({ type }) => type === 'message');
  }

  // The first event of that type.
  event(type, timeout_ms = 20_000) {
    return waitFor(`event ${type}`, () => this.events.find((event) => event.type === type), timeout_ms);
  }

  async ready() {
    await this.event('ready');
    return this;
  }

  // The data of the first n changes.
  async count(n, timeout_ms = 20_000) {
    await waitFor(`${n} changes`, () => this.changes.length >= n, timeout_ms);
    return this.changes.map(({ data }) => data);
  }
}
