// Clients that come in with tokens of an identity provider, each with one of its own: joins a second
// where every signature is new, and where it was seen before, against the same with HS256.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHouse } from '../../tests/lib/house.mjs';
import { Issuer, makeKey, signWith } from '../../tests/lib/issuer.mjs';
import { removeScratch, scratchDirectory } from '../../tests/lib/scratch.mjs';
import { JWT_SECRET, Walcast } from '../../tests/lib/walcast.mjs';
import { waitFor } from '../../tests/lib/wait.mjs';
import { realtimeClients, startReader } from '../lib/commits.mjs';
import { inTurns, makeRow } from '../lib/measure.mjs';
import { Scope } from '../lib/scope.mjs';
import { UNLIMITED } from '../lib/unlimited.mjs';

const CONNECTIONS = 4_000;
const QUICK_CONNECTIONS = 100;
const UNIT = 'joins/s';
const GOAL = { value: 2000, on: 'ours', bound: 'min' };

const CASES = [
  { name: 'rs256-new', doc: 'RS256 tokens that come for the first time', goal: GOAL },
  { name: 'rs256-known', doc: 'the same tokens again', goal: GOAL },
];

// A file of tokens by that key, no two alike.
function writeTokens(directory, key, count) {
  const file = join(directory, key.alg);
  const tokens = Array.from({ length: count }, (_, at) =>
    signWith(key, { role: 'authenticated', sub: `user-${at}`, jti: `${at}` }));
  writeFileSync(file, `${tokens.join('\n')}\n`);
  return file;
}

async function joinsPerSecond(gateway, tokens, connections) {
  return Scope.run(async (scope) => {
    const reader = startReader(await realtimeClients(gateway,
      { table: '-', connections, bindings: 0, rows: 0, tokens }), scope);
    return connections / await reader.ready;
  });
}

function measure(connections, alg) {
  return Scope.run(async (scope) => {
    const directory = scratchDirectory();
    scope.after(() => removeScratch(directory));
    const key = alg === 'RS256' ? makeKey('RS256', 'bench') : { alg, secret: JWT_SECRET };
    const issuer = await Issuer.start(scope, { keys: alg === 'RS256' ? [key] : [] });
    const house = await startHouse(scope, { args: ['--roles', 'cdc'] });
    const gateway = await Walcast.start({ ...house, args: ['--roles', 'ws'],
      config: { ...UNLIMITED, 'auth.jwks_url': issuer.url, 'auth.audience': 'walcast' } });
    scope.after(() => gateway.remove());
    await gateway.ready();
    await waitFor('the keys', async () => await gateway.metric('walcast_auth_jwks_fetches_total') > 0
      && await gateway.metric('walcast_auth_jwks_keys') === issuer.keys.length);
    const tokens = writeTokens(directory, key, connections);
    return { 'rs256-new': await joinsPerSecond(gateway, tokens, connections),
      'rs256-known': await joinsPerSecond(gateway, tokens, connections) };
  });
}

export default {
  name: 'tokens',
  doc: 'joins a second with tokens that an identity provider signs',
  cases: CASES.map((one) => ({ ...one, unit: UNIT })),
  async *run({ cases, progress, repeat, quick }) {
    const connections = quick ? QUICK_CONNECTIONS : CONNECTIONS;
    const runs = await inTurns(repeat, {
      ours: () => measure(connections, 'RS256'), peer: () => measure(connections, 'HS256') },
    (text) => progress.show(`tokens: ${text}`));
    for (const { name, goal } of cases)
      yield makeRow({ suite: 'tokens', name, unit: UNIT, goal,
        runs: runs.map(({ ours, peer }) => ({ ours: ours[name], peer: peer[name] })), detail: { connections } });
  },
};
