// A receiver of webhooks: notes every request, answers as it is told.
import http from 'node:http';
import { waitFor } from './wait.mjs';

export class Receiver {
  // answer(event) → a status, { status, headers, body }, or 'hang'; event: { path, id, headers, body, at }.
  static async start(t, answer = () => 200) {
    const receiver = new Receiver();
    receiver.answer = answer;
    receiver.events = [];
    receiver.server = http.createServer((request, response) => receiver.#take(request, response));
    receiver.server.keepAliveTimeout = 60_000;
    await new Promise((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}`;
    t.after(() => receiver.stop());
    return receiver;
  }

  #take(request, response) {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const text = Buffer.concat(chunks).toString();
      const event = { path: request.url, headers: request.headers, id: request.headers['webhook-id'],
        text, body: JSON.parse(text), at: Date.now() };
      this.events.push(event);
      const answer = await this.answer(event);
      event.answer = answer;
      if (answer === 'hang') return;
      const { status = answer, headers = {}, body } = typeof answer === 'object' ? answer : {};
      response.writeHead(status, headers);
      response.end(body);
    });
  }

  // Events that were answered well, each id once, in the order they came first.
  get delivered() {
    const seen = new Set();
    return this.events.filter((event) => event.answer === 200 && !seen.has(event.id) && seen.add(event.id));
  }

  async waitFor(count, timeout_ms = 60_000) {
    await waitFor(`${count} deliveries`, () => this.delivered.length >= count, timeout_ms)
      .catch((error) => { throw new Error(`${error.message}: ${this.delivered.length} came`); });
    return this.delivered;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
