// The command line of bench/run: which suites run, in which order, and what becomes of their rows.
// Exit code 0: measured, whatever the figures (--strict: 1 when a goal is missed); 1: something
// could not be measured; 2: usage, or a binary that is not a release build.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ReleaseError, describeEnvironment, requireRelease } from './environment.mjs';
import { Progress } from './progress.mjs';
import { describeSuites, formatEnvironment, formatTable } from './report.mjs';
import broadcast from '../suites/broadcast.mjs';
import drain from '../suites/drain.mjs';
import idle from '../suites/idle.mjs';
import latency from '../suites/latency.mjs';
import memory from '../suites/memory.mjs';
import paced from '../suites/paced.mjs';
import rls from '../suites/rls.mjs';
import rules from '../suites/rules.mjs';
import search from '../suites/search.mjs';
import snapshot from '../suites/snapshot.mjs';
import start from '../suites/start.mjs';
import subscriptions from '../suites/subscriptions.mjs';
import tokens from '../suites/tokens.mjs';
import webhooks from '../suites/webhooks.mjs';

const SUITES = [drain, latency, memory, start, snapshot, broadcast, paced, subscriptions, rls, idle, tokens, rules, webhooks, search];
const REPEAT = 3;
const REPEAT_MAX = 100;

class UsageError extends Error {}

function usageOf(argv) {
  try {
    return parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        json: { type: 'string' }, quick: { type: 'boolean' }, list: { type: 'boolean' },
        repeat: { type: 'string' }, strict: { type: 'boolean' }, perf: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function repeatOf({ repeat, quick }) {
  if (repeat === undefined) return quick ? 1 : REPEAT;
  if (!/^\d+$/.test(repeat) || Number(repeat) < 1 || Number(repeat) > REPEAT_MAX)
    throw new UsageError(`--repeat is "${repeat}", expected a number from 1 to ${REPEAT_MAX}`);
  return Number(repeat);
}

// ['drain', 'latency/x'] → [{ suite, cases }], in the order of SUITES, all when none is named.
function selectionOf(names) {
  for (const name of names) {
    const [suiteName, caseName] = name.split('/');
    const suite = SUITES.find((known) => known.name === suiteName);
    if (!suite || (caseName !== undefined && !suite.cases.some((known) => known.name === caseName)))
      throw new UsageError(`there is no suite or case "${name}"; see bench/run --list`);
  }
  const wants = (suite, known) => names.length === 0 || names.includes(suite.name) ||
    names.includes(`${suite.name}/${known.name}`);
  return SUITES
    .map((suite) => ({ suite, cases: suite.cases.filter((known) => wants(suite, known)) }))
    .filter(({ cases }) => cases.length > 0);
}

// What one suite could not measure costs only the rest of that suite.
async function measure(selection, options) {
  const progress = new Progress();
  const rows = [];
  const errors = [];
  for (const { suite, cases } of selection) {
    const context = {
      cases, progress, repeat: options.repeat, quick: options.quick ?? false, perf: options.perf,
    };
    try {
      for await (const row of suite.run(context)) rows.push(row);
    } catch (error) {
      progress.done();
      errors.push(`${suite.name}: ${error.message}`);
      process.stderr.write(`bench/run: ${suite.name}: ${error.stack}\n`);
    }
  }
  progress.done();
  return { rows, errors };
}

async function main(argv) {
  const { values, positionals } = usageOf(argv);
  const selection = selectionOf(positionals);
  if (values.list) {
    process.stdout.write(describeSuites(selection));
    return 0;
  }
  const options = { ...values, repeat: repeatOf(values) };
  requireRelease();
  const environment = await describeEnvironment(options);
  const { rows, errors } = await measure(selection, options);
  if (values.json)
    writeFileSync(values.json, `${JSON.stringify({ environment, rows, errors }, null, 2)}\n`);
  process.stdout.write(`${formatEnvironment(environment)}\n${formatTable(rows)}`);
  const isMissed = values.strict && rows.some((row) => row.met === false);
  return errors.length > 0 || isMissed ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isOurs = error instanceof UsageError || error instanceof ReleaseError;
  process.stderr.write(`bench/run: ${isOurs ? error.message : error.stack}\n`);
  process.exitCode = isOurs ? 2 : 1;
}
