// Kills at moments that repeat: counted by what nats-server has answered, not by the clock.
import { Proxy } from './proxy.mjs';
import { waitFor } from './wait.mjs';
import { Walcast } from './walcast.mjs';

const ANSWERS_MAX = 1000;

// A Walcast that was killed when it would publish on the subject, which nats-server does not see.
export async function killedBeforePublish(t, { postgres, nats, config }, subject) {
  const proxy = await Proxy.start(t, nats.port, { rewriteClient(chunk) {
    if (!chunk.includes(`PUB ${subject} `)) return chunk;
    proxy.hold();
    return Buffer.alloc(0);
  } });
  const walcast = await Walcast.start({ postgres,
    config: { ...config, 'nats.url': `nats://127.0.0.1:${proxy.port}` } });
  await waitFor(`a message on ${subject}`, () => proxy.held, 30_000, 2).finally(() => walcast.kill());
  proxy.close();
  walcast.config['nats.url'] = nats.url;
  return walcast;
}

// What Walcast does at its start is done by requests to nats-server. Starts it again and again; it
// is killed when its `every`th answer, the next `every`th, ... comes, which it does not see. Ends with
// the first start that is ready before its kill, after `kills` of them. The proxy is gone then.
export async function killAtAnswers(t, { nats, walcast }, every = 1) {
  const direct = walcast.config['nats.url'];
  let answers = 0;
  let until = 0;
  const proxy = await Proxy.start(t, nats.port, { rewrite(chunk) {
    if (++answers < until) return chunk;
    proxy.hold();
    return Buffer.alloc(0);
  } });
  walcast.config['nats.url'] = `nats://127.0.0.1:${proxy.port}`;
  let kills = 0;
  for (until = every; until < ANSWERS_MAX; until += every, kills++) {
    answers = 0;
    walcast.start();
    const isReady = await waitFor(`answer ${until} of nats-server, or ready`, async () => proxy.held
      ? 'held' : (await walcast.health().catch(() => ({ code: 0 }))).code === 200 && 'ready', 30_000, 2) === 'ready';
    await walcast.kill();
    proxy.cut();
    proxy.release();
    if (isReady) break;
  }
  walcast.config['nats.url'] = direct;
  return kills;
}
