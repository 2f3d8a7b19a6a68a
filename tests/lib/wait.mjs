// Waiting for conditions instead of for time.

// Resolves with the first truthy value that `condition` gives (it may be async and may throw while
// things are not there yet). Rejects after timeout_ms with what was waited for and the last error.
export async function waitFor(what, condition, timeout_ms = 30_000, interval_ms = 10) {
  const deadline = performance.now() + timeout_ms;
  for (;;) {
    let problem;
    try {
      const value = await condition();
      if (value) return value;
      problem = `last value ${JSON.stringify(value)}`;
    } catch (error) {
      problem = error.message;
    }
    if (performance.now() > deadline)
      throw new Error(`no ${what} within ${timeout_ms} ms (${problem})`);
    await new Promise((resolve) => setTimeout(resolve, interval_ms));
  }
}
