// For files whose tests each have servers of their own and mostly wait: several run at once.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

// const test = together(3): used as node's own, at the top of a file, below what the file awaits:
// an await between it and the tests would leave them out.
export function together(concurrency) {
  const tests = [];
  let isRunning = false;
  queueMicrotask(() => {
    isRunning = true;
    suite('together', { concurrency }, () => { for (const args of tests) test(...args); });
  });
  return (...args) => {
    assert.ok(!isRunning, 'a test that comes after the others were started');
    tests.push(args);
  };
}
