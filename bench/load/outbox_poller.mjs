// What is built by hand where there is no Walcast: a poller of an outbox table.
//
//   outbox_poller.mjs POSTGRES_URL RECEIVER_URL ROWS
//
// It takes a thousand rows at a time in order, sends them over connections that are kept, the rows of
// one key one after another and other keys beside them, signs each by Standard Webhooks, and deletes
// what was delivered. That is all it does: no retries, no lease, no record of what became of a row.
import { createHmac } from 'node:crypto';
import http from 'node:http';
import pg from '../../tests/node_modules/pg/lib/index.js';

const BATCH = 1000;
const SOCKETS = 50; // as many as a trigger has at once
const SECRET = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');

const [url, target, total] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: SOCKETS });
const { hostname, port, pathname } = new URL(target);

function send({ id, customer, note }) {
  const body = JSON.stringify({ type: 'public.orders.insert', timestamp: new Date().toISOString(), data: { id: Number(id), customer, note } });
  const seconds = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', SECRET).update(`msg_${id}.${seconds}.${body}`).digest('base64');
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path: pathname, method: 'POST', agent, headers: {
      'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'webhook-id': `msg_${id}`,
      'webhook-timestamp': seconds, 'webhook-signature': `v1,${signature}` } }, (response) => {
      response.resume().on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`)));
    });
    request.on('error', reject).end(body);
  });
}

async function sendInOrder(rows) {
  for (const row of rows) await send(row);
}

const client = new pg.Client(url);
await client.connect();
for (let left = Number(total); left > 0;) {
  const { rows } = await client.query('SELECT id, customer, note FROM orders ORDER BY id LIMIT $1', [BATCH]);
  await Promise.all([...Map.groupBy(rows, (row) => row.customer).values()].map(sendInOrder));
  await client.query('DELETE FROM orders WHERE id = ANY($1)', [rows.map(({ id }) => id)]);
  left -= rows.length;
}
agent.destroy();
await client.end();
