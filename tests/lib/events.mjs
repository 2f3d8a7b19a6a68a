// The stream of events as any consumer sees it.
import { AckPolicy, jetstream } from '@nats-io/jetstream';
import { PATIENT } from './nats.mjs';

const HEADERS = ['Walcast-Offset', 'Walcast-Lsn', 'Walcast-Xid', 'Walcast-Time', 'Walcast-Source',
  'Walcast-Too-Large', 'Walcast-Depth', 'Nats-Msg-Id'];

function eventOf(message) {
  const headers = HEADERS.filter((name) => message.headers?.has(name))
    .map((name) => [name, message.headers.get(name)]);
  return { subject: message.subject, type: message.subject.split('.').at(-1), data: message.data,
    text: new TextDecoder().decode(message.data), headers: Object.fromEntries(headers) };
}

// All events that the stream holds, in stream order.
export function readEvents(nats, stream = 'WALCAST_EVENTS') {
  return nats.manage(async (manager, connection) => {
    const { state } = await manager.streams.info(stream);
    const { name } = await manager.consumers.add(stream, { ack_policy: AckPolicy.None });
    const consumer = await jetstream(connection, PATIENT).consumers.get(stream, name);
    const events = [];
    while (events.length < state.messages) {
      const batch = await consumer.fetch({ max_messages: state.messages - events.length,
        expires: 5000 });
      for await (const message of batch) events.push(eventOf(message));
    }
    await manager.consumers.delete(stream, name);
    return events;
  });
}

// How many it holds now; 0 when there is no such stream yet.
export async function eventCount(nats, stream = 'WALCAST_EVENTS') {
  try {
    return (await nats.streamInfo(stream)).state.messages;
  } catch {
    return 0;
  }
}
