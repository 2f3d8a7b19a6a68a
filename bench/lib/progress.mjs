// One line on stderr that says what is being measured, when a person is there to read it.
const ERASE_LINE = '\r\u001b[K';

export class Progress {
  #isShown = process.stderr.isTTY === true;
  #start_ms = performance.now();

  show(text) {
    if (!this.#isShown) return;
    const elapsed_s = Math.round((performance.now() - this.#start_ms) / 1000);
    const width = (process.stderr.columns ?? 80) - 1;
    process.stderr.write(`${ERASE_LINE}${`${elapsed_s} s  ${text}`.slice(0, width)}`);
  }

  done() {
    if (this.#isShown) process.stderr.write(ERASE_LINE);
  }
}
