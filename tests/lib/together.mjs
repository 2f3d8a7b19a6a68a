// For files whose tests each have servers of their own and mostly wait: several run at once.
import { suite, test } from 'node:test';

// const test = together(3): used as node's own, at the top of a file.
export function together(concurrency) {
  const tests = [];
  queueMicrotask(() => suite('together', { concurrency }, () => { for (const args of tests) test(...args); }));
  return (...args) => { tests.push(args); };
}
