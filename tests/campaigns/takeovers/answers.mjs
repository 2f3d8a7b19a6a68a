// What nats-server answers to a Walcast's publishes, read off its link: the proof that messages of a
// writer that was overtaken really came, and that the fence refused them.

const REFUSED = /"err_code":(1007[01]),"description":"[^"]*"\},"stream":"WALCAST"/g;
const DUPLICATE = /"duplicate": ?true/g;
const BY_ID = '10070';
const CARRY = 300; // an answer may be cut in two

export class Answers {
  constructor() {
    this.refused = 0; // by the sequence or by the id
    this.byId = 0; // the sequence happened to fit: only the id before it did not
    this.duplicates = 0;
    this.carried = new WeakMap();
  }

  // A Proxy's `rewrite`: passes everything as it is.
  look(chunk, connection) {
    const text = (this.carried.get(connection) ?? '') + chunk.toString('latin1');
    let end = 0;
    for (const match of text.matchAll(REFUSED)) {
      this.refused++;
      if (match[1] === BY_ID) this.byId++;
      end = match.index + match[0].length;
    }
    for (const match of text.matchAll(DUPLICATE)) {
      this.duplicates++;
      end = Math.max(end, match.index + match[0].length);
    }
    this.carried.set(connection, text.slice(Math.max(end, text.length - CARRY)));
  }
}
