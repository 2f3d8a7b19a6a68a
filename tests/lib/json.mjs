// JSON whose numbers keep every digit: each becomes an ExactNumber that holds its text.

export class ExactNumber {
  constructor(text) {
    this.text = text;
  }
}

export function parseExact(text) {
  return JSON.parse(text, (key, value, { source }) =>
    typeof value === 'number' ? new ExactNumber(source) : value);
}
