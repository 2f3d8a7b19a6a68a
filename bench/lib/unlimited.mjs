// Walcast's limits of rates, all off: a load is meant to find the program's own limits. They are
// taken from the list of keys, so that a new one does not quietly become what is measured.
import { readFileSync } from 'node:fs';

const keys = readFileSync(new URL('../../docs/CONFIG.md', import.meta.url), 'utf8')
  .matchAll(/`(ws\.\w+_per_second)`/g);

export const UNLIMITED = Object.fromEntries([...keys].map(([, key]) => [key, '0']));
