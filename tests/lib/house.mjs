// The three servers together, for one test: started before it, ended and removed after it, whatever
// became of it. When the test fails, the end of each server's log is shown.
import { Nats } from './nats.mjs';
import { Postgres } from './postgres.mjs';
import { Walcast } from './walcast.mjs';

const LOG_TAIL_BYTES = 4000;

function showLogs(t, house) {
  for (const [name, server] of Object.entries(house).filter(([, value]) => value?.process))
    t.diagnostic(`${name} log:\n${server.process.logText().slice(-LOG_TAIL_BYTES)}`);
}

// schema: SQL run before Walcast starts. walcast: false leaves it out. config: Walcast's keys.
// t: the test, or a suite's `{ after, diagnostic }`.
export async function startHouse(t, { schema, config, file, args, settings, major, nats = {}, walcast = true } = {}) {
  const house = {};
  t.after(async () => {
    if (!t.passed) showLogs(t, house);
    for (const name of ['walcast', 'nats', 'postgres']) await house[name]?.remove();
  });
  [house.postgres, house.nats] = await Promise.all([
    Postgres.start({ settings, major }), Nats.start(nats)]);
  if (schema) await house.postgres.query(schema);
  if (walcast) {
    house.walcast = await Walcast.start({ ...house, config, file, args });
    await house.walcast.ready();
  }
  return house;
}
