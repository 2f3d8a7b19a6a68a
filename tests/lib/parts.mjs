// Rows that are split over several messages of the stream, as event.proto has them: just enough of
// the wire form to tell which part a message is.

export function* fieldsOf(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = tag >> 3;
    if ((tag & 7) === 0) yield { number, value: varint() };
    else if ((tag & 7) === 1) at += 8;
    else {
      const length = varint();
      yield { number, value: bytes.subarray(at, at + length) };
      at += length;
    }
  }
}

// { index, count } of a part, or undefined. A JSON message says it in words.
export function partOf(payload) {
  if (payload[0] === '{'.charCodeAt(0)) return JSON.parse(new TextDecoder().decode(payload)).part;
  const part = [...fieldsOf(payload)].find(({ number }) => number === 7);
  if (!part) return undefined;
  const numbers = Object.fromEntries([...fieldsOf(part.value)].map(({ number, value }) => [number, value]));
  return { index: numbers[1] ?? 0, count: numbers[2] };
}

// The part that the stream's message `sequence` (the last one, when not given) is.
export async function partAt(manager, sequence, stream = 'WALCAST') {
  const seq = sequence ?? (await manager.streams.info(stream)).state.last_seq;
  const message = seq > 0 ? await manager.streams.getMessage(stream, { seq }) : undefined;
  return message ? partOf(message.data) : undefined;
}
