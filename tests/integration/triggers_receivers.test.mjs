// Receivers that behave badly, seen from a trigger: what counts as an answer, what is tried again, and
// that nobody else waits for them.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { insertOrders, outcomes, startTriggers, trigger } from '../lib/triggers.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Receiver } from '../lib/webhooks.mjs';

// A receiver of bytes: `answer(socket, number)` once a request's body is in.
async function rawReceiver(t, answer) {
  const sockets = new Set();
  const got = [];
  const server = net.createServer((socket) => {
    let text = '';
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      const length = head < 0 ? NaN : Number(/content-length: (\d+)/i.exec(text)[1]);
      if (head < 0 || text.length < head + 4 + length) return;
      got.push({ id: /webhook-id: (\S+)/i.exec(text)[1], at: Date.now() });
      text = '';
      answer(socket, got.length);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => { sockets.forEach((socket) => socket.destroy()); server.close(); });
  return { url: `http://127.0.0.1:${server.address().port}`, got };
}

const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const failedOf = async (house) => (await outcomes(house, 'orders')).filter((it) => it.outcome === 'failed');
const delivered = (house) => waitFor('the delivery', async () =>
  (await outcomes(house, 'orders')).find((it) => it.outcome === 'delivered'), 30_000);

for (const [what, bytes, reason] of [
  ['within the body', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbut a few', /broken/],
  ['within a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nbut a few', /broken/],
  ['within the head', 'HTTP/1.1 200 OK\r\nContent-Le', /broken/],
  ['before it says anything', '', /broken/],
]) {
  test(`one that closes ${what} has not taken it: it comes again, under the same id`, async (t) => {
    const receiver = await rawReceiver(t, (socket, number) => socket.end(number === 1 ? bytes : GOOD));
    const house = await startTriggers(t, [trigger(receiver.url)]);
    await insertOrders(house, 1, 1, 1);
    const end = await delivered(house);
    assert.equal(end.attempts, 2);
    assert.equal(receiver.got.length, 2);
    assert.equal(receiver.got[0].id, receiver.got[1].id);
    const [failed] = await failedOf(house);
    assert.match(failed.reason, reason);
  });
}

test('one that answers byte by byte is ended by the time limit of the whole', async (t) => {
  const receiver = await rawReceiver(t, (socket, number) => {
    if (number > 1) return socket.end(GOOD);
    let at = 0;
    const drip = setInterval(() => (socket.destroyed || at === GOOD.length ? clearInterval(drip) : socket.write(GOOD[at++])), 200);
  });
  const house = await startTriggers(t, [trigger(receiver.url, { more: ', timeout: 1s' })]);
  await insertOrders(house, 1, 1, 1);
  await delivered(house);
  const [failed] = await failedOf(house);
  assert.match(failed.reason, /timed_out/);
  assert.ok(receiver.got[1].at - receiver.got[0].at >= 1000);
});

test('one that answers byte by byte within the time has taken it', async (t) => {
  const receiver = await rawReceiver(t, (socket) => {
    let at = 0;
    const drip = setInterval(() => (socket.destroyed || at === GOOD.length ? clearInterval(drip) : socket.write(GOOD[at++])), 10);
  });
  const house = await startTriggers(t, [trigger(receiver.url, { more: ', timeout: 10s' })]);
  await insertOrders(house, 1, 1, 1);
  assert.equal((await delivered(house)).attempts, 1);
  assert.equal(receiver.got.length, 1);
});

test('one that hangs fails by its time, and its other keys and other triggers go on', async (t) => {
  const receiver = await Receiver.start(t, ({ path, body: { data } }) => path === '/hangs' && data.customer === 1 ? 'hang' : 200);
  const house = await startTriggers(t, [
    trigger(`${receiver.url}/hangs`, { more: ', timeout: 1500ms', retry: '[]' }), trigger(`${receiver.url}/good`, { name: 'good' })]);
  await insertOrders(house, 1, 100, 20);
  await receiver.waitFor(195); // 5 of 200 hang
  const ended = await waitFor('the end of those that hang', async () => {
    const found = (await outcomes(house, 'orders')).filter((it) => it.outcome === 'dead' && it.key === '1');
    return found.length === 5 && found;
  }, 60_000);
  assert.ok(ended.every((it) => /timed_out/.test(it.reason)));
});

test('a body without an end is an answer all the same, and is not read on', async (t) => {
  const receiver = await rawReceiver(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    const flood = setInterval(() => (socket.destroyed ? clearInterval(flood) : socket.write(`8000\r\n${'x'.repeat(32768)}\r\n`)), 1);
  });
  const house = await startTriggers(t, [trigger(receiver.url, { more: ', timeout: 10s' })]);
  await insertOrders(house, 1, 1, 1);
  assert.equal((await delivered(house)).attempts, 1);
});
