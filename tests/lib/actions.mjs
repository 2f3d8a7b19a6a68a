// Triggers on public.orders whose actions are not webhooks, and a client of NATS beside them.
import { jetstreamManager } from '@nats-io/jetstream';
import { PATIENT } from './nats.mjs';
import { startTriggers } from './triggers.mjs';

// `action` as in `do: { … }`.
export const acting = (action, { name = 'orders', when = "new.status = 'paid'", ops = 'insert', retry = '[200ms, 500ms, 1s]', more = '' } = {}) => `name: ${name}
on: { table: orders, ops: [${ops}] }
when: ${JSON.stringify(when)}
select: [new.id, new.customer]
key: new.customer
do:
  ${action}
retry: { delays: ${retry}, jitter: 0 }
${more}`;

export async function startActions(t, definitions, config, schema) {
  const house = await startTriggers(t, definitions, config, schema);
  house.client = await house.nats.connect();
  house.manager = await jetstreamManager(house.client, PATIENT);
  t.after(() => house.client.close());
  return house;
}

// What a subject is told, as it comes.
export function listen(client, subject, answer) {
  const heard = [];
  client.subscribe(subject, {
    callback: (error, message) => {
      if (error) return;
      heard.push({ subject: message.subject, text: message.string(), data: message.string() && JSON.parse(message.string()).data,
        depth: message.headers?.get('Walcast-Depth'), id: message.headers?.get('Nats-Msg-Id'), reply: message.reply });
      answer?.(message, heard.length);
    } });
  return heard;
}
