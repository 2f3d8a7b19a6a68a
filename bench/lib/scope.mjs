// A stretch of work at whose end what it started is removed: to tests/lib's helpers it looks like a
// node:test context.
export class Scope {
  #endings = [];
  passed = false;

  after(ending) {
    this.#endings.push(ending);
  }

  diagnostic(text) {
    process.stderr.write(`${text}\n`);
  }

  // What was registered, latest first.
  async end() {
    for (const ending of this.#endings.splice(0).reverse()) await ending();
  }

  // Resolves with what `work` does, after the endings that it registered.
  static async run(work) {
    const scope = new Scope();
    try {
      const result = await work(scope);
      scope.passed = true;
      return result;
    } finally {
      await scope.end();
    }
  }
}
