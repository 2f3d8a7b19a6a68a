/* See outbox_relay.h. */
#include "cdc/outbox_relay.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    ARENA_CHUNK_BYTES = 16 << 10,
    ARENA_SPARE_BYTES = 4 << 20,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    PART_WAIT_MS = 200,
    NUMBER_MAX = 24,
    ENVELOPE_EXTRA = 2048, /* of a broadcast, without its payload */
    LSN_TEXT_MAX = 32,
    PART_BYTES_MAX = 64 << 20, /* the largest max_payload nats-server allows */
};

void cdc_outbox_relay_init(cdc_outbox_relay *relay, const core_config *config,
                           core_metrics *metrics, const core_clock *clock, cdc_outbox_wait wait,
                           void *context) {
    size_t row_max = (size_t)core_config_integer(config, "cdc.max_row_bytes");
    *relay = (cdc_outbox_relay){
        .config = config,
        .metrics = metrics,
        .clock = clock,
        .scope = core_subject_scope_of(config),
        .wait = wait,
        .context = context,
    };
    char subjects[CORE_SUBJECT_MAX];
    (void)fanout_stream_event_spec(config, relay->events, subjects, sizeof subjects);
    core_arena_init(&relay->arena, ARENA_CHUNK_BYTES,
                    ARENA_SPARE_BYTES + CORE_EVENT_JSON_ARENA_FACTOR * row_max);
    core_assembly_init(&relay->assembly, row_max);
    core_buffer_init(&relay->part, PART_BYTES_MAX);
    core_buffer_init(&relay->texts, row_max + 1);
    core_buffer_init(&relay->envelope, row_max + ENVELOPE_EXTRA);
    core_backoff_init(&relay->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                      (uint64_t)core_clock_wall_us(clock));
}

void cdc_outbox_relay_fini(cdc_outbox_relay *relay) {
    core_buffer_fini(&relay->part);
    core_buffer_fini(&relay->texts);
    core_buffer_fini(&relay->envelope);
    core_assembly_fini(&relay->assembly);
    core_arena_fini(&relay->arena);
}

void cdc_outbox_relay_begin(cdc_outbox_relay *relay, fanout_connection *connection) {
    relay->connection = connection;
    relay->doubt = true;
    relay->done_sequence = 0;
}

/* ---- One event ---- */

/* The last event on its subject stands at `offset` or behind it. */
static bool is_stored(cdc_outbox_relay *relay, const char *subject, const core_offset *offset,
                      bool *stored, core_error *error) {
    char text[CORE_OFFSET_TEXT_SIZE];
    core_offset last;
    *stored = false;
    if (!fanout_event_last(relay->connection, relay->events, subject, "Walcast-Offset", text,
                           sizeof text, error))
        return false;
    *stored = core_offset_parse(core_slice_text(text), &last) &&
              strcmp(last.epoch, offset->epoch) == 0 &&
              (last.sequence > offset->sequence ||
               (last.sequence == offset->sequence && last.index >= offset->index));
    return true;
}

/* One attempt; after a false it is not known whether it is stored. */
static bool event_try(cdc_outbox_relay *relay, const fanout_event *event, const core_offset *offset,
                      core_error *error) {
    bool stored = false;
    if (core_clock_ms(relay->clock) > relay->fresh_until_ms)
        relay->doubt = true;
    if (relay->doubt && !is_stored(relay, event->subject, offset, &stored, error))
        return false;
    if (!stored) {
        if (!fanout_event_publish(relay->connection, event, &stored, error))
            return false;
        relay->doubt = relay->doubt && stored; /* behind one that is new nothing can be stored */
    }
    core_metrics_add(relay->metrics,
                     stored ? CORE_METRIC_CDC_OUTBOX_REPEATED : CORE_METRIC_CDC_OUTBOX_EVENTS, 1);
    return true;
}

/* Without its content, which the change stream has at the offset. */
static fanout_event event_too_large(cdc_outbox_relay *relay, const fanout_event *event) {
    fanout_event small = *event;
    small.payload = (core_slice){0};
    small.header_count++; /* the last one says it */
    core_metrics_add(relay->metrics, CORE_METRIC_CDC_OUTBOX_TOO_LARGE, 1);
    return small;
}

/* Until it is stored; false: stopped. The header behind the last is for one that is too large. */
static bool event_send(cdc_outbox_relay *relay, const fanout_event *whole,
                       const core_offset *offset) {
    fanout_event event = *whole;
    core_error error = {0};
    bool failed = false;
    while (!event_try(relay, &event, offset, &error)) {
        if (error.code == CORE_ERROR_LIMIT && event.header_count == whole->header_count) {
            event = event_too_large(relay, whole);
            continue;
        }
        failed = relay->doubt = true;
        if (!relay->wait(relay->context, core_backoff_next_ms(&relay->backoff), &error))
            return false;
    }
    core_backoff_reset(&relay->backoff);
    return !failed || relay->wait(relay->context, 0, NULL);
}

/* Until it is stored; false: stopped. Its id tells a second attempt from another message. */
static bool broadcast_store(cdc_outbox_relay *relay, const fanout_event *event) {
    core_error error = {0};
    bool failed = false, again;
    while (!fanout_event_publish(relay->connection, event, &again, &error)) {
        if (error.code == CORE_ERROR_LIMIT) {
            core_metrics_add(relay->metrics, CORE_METRIC_CDC_OUTBOX_TOO_LARGE, 1);
            return true;
        }
        failed = true;
        if (!relay->wait(relay->context, core_backoff_next_ms(&relay->backoff), &error))
            return false;
    }
    core_backoff_reset(&relay->backoff);
    return !failed || relay->wait(relay->context, 0, NULL);
}

static bool broadcast_subject(const cdc_outbox_relay *relay, const core_realtime_message *broadcast,
                              char subject[CORE_SUBJECT_MAX]) {
    char tenant[CORE_TENANT_SCHEMA_SIZE];
    core_subject_scope scope = relay->scope;
    core_slice project = core_realtime_message_tenant(broadcast, &scope.tenants);
    if (project.length > 0 && core_slice_to_text(project, tenant, sizeof tenant))
        scope.project = tenant;
    return core_subject_realtime_stored(&scope, broadcast->channel, subject);
}

/* A broadcast from SQL: gateways spread it from the change stream; a private one is kept for replay
 * too. One that cannot be read was told of by the gateways. */
static bool broadcast_relay(cdc_outbox_relay *relay, const core_change *change,
                            const core_offset *offset) {
    char subject[CORE_SUBJECT_MAX], id[CORE_OFFSET_TEXT_SIZE];
    core_realtime_message broadcast;
    core_error ignored;
    if (!core_realtime_message_from_sql(change->message.content, &relay->texts, &broadcast,
                                        &ignored) ||
        !broadcast.is_private || !broadcast_subject(relay, &broadcast, subject))
        return true;
    broadcast.environment = core_slice_text(core_config_text(relay->config, "environment"));
    broadcast.time_us = change->transaction.commit_time_us;
    core_buffer_reset(&relay->envelope);
    if (!core_realtime_message_write(&broadcast, &relay->envelope))
        return true;
    core_offset_format(offset, id);
    const fanout_event event = {
        .subject = subject, .id = id, .payload = core_buffer_slice(&relay->envelope)};
    return broadcast_store(relay, &event);
}

/* How deep in a chain of triggers the message stands. A relay that was started in the middle of a
 * transaction does not know: then its chain begins anew. */
static unsigned depth_of(cdc_outbox_relay *relay, const core_change *change) {
    uint32_t xid = change->transaction.xid;
    if (core_message_tells_chain(&change->message)) {
        relay->chain_xid = xid;
        relay->chain_depth = core_message_chain_depth(&change->message);
    }
    return xid != 0 && relay->chain_xid == xid ? relay->chain_depth : 0;
}

static bool change_relay(cdc_outbox_relay *relay, const core_change *change,
                         const core_offset *offset, core_error *error) {
    char subject[CORE_SUBJECT_MAX], id[CORE_OFFSET_TEXT_SIZE], lsn[LSN_TEXT_MAX], xid[NUMBER_MAX],
        time[CORE_CLOCK_TEXT_SIZE], bytes[NUMBER_MAX], depth[NUMBER_MAX],
        type[CORE_SUBJECT_TYPE_SIZE];
    const core_message *message = &change->message;
    (void)snprintf(depth, sizeof depth, "%u", depth_of(relay, change));
    if (change->op != CORE_OP_MESSAGE || core_message_is_own(message))
        return true;
    if (core_slice_is(message->prefix, CORE_REALTIME_PREFIX))
        return broadcast_relay(relay, change, offset);
    if (!core_subject_event(&relay->scope, message->prefix, subject))
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "the event's subject is longer than %d bytes", CORE_SUBJECT_MAX);
    core_offset_format(offset, id);
    (void)snprintf(lsn, sizeof lsn, CORE_LSN_FORMAT, CORE_LSN_ARGS(change->transaction.commit_lsn));
    (void)snprintf(xid, sizeof xid, "%" PRIu32, change->transaction.xid);
    core_clock_format(change->transaction.commit_time_us, time);
    (void)snprintf(bytes, sizeof bytes, "%zu", message->content.length);
    const size_t from = core_subject_type_long(message->prefix, type) ? 0 : 1;
    const fanout_header headers[] = {
        {"Walcast-Type", type},   {"Walcast-Offset", id},       {"Walcast-Lsn", lsn},
        {"Walcast-Xid", xid},     {"Walcast-Time", time},       {"Walcast-Source", "message"},
        {"Walcast-Depth", depth}, {"Walcast-Too-Large", bytes},
    };
    const fanout_event event = {
        .subject = subject,
        .headers = headers + from,
        .header_count = CORE_COUNT_OF(headers) - 1 - from,
        .id = id,
        .payload = message->content,
    };
    return event_send(relay, &event, offset);
}

/* ---- One message ---- */

static bool run_relay(cdc_outbox_relay *relay, core_slice payload, uint64_t sequence,
                      core_error *error) {
    core_run run;
    core_run_reader reader;
    core_arena_reset(&relay->arena);
    if (!core_run_decode(payload, &relay->arena, &run, error) ||
        !core_run_reader_init(&reader, &run, &relay->arena, error))
        return core_error_wrap(error, "message %" PRIu64 " of the change stream", sequence);
    core_offset offset = {.sequence = sequence};
    memcpy(offset.epoch, run.epoch, sizeof offset.epoch);
    for (const core_change *change; (change = core_run_next(&reader)) != NULL;) {
        offset.index = core_run_row(&reader);
        if (!change_relay(relay, change, &offset, error))
            return false;
    }
    return true;
}

/* The message at `sequence`, waited for: its writer is still at it, or begins anew. */
static bool part_fetch(cdc_outbox_relay *relay, uint64_t sequence) {
    core_error error = {0};
    while (!fanout_stream_message(relay->connection, core_config_text(relay->config, "nats.stream"),
                                  sequence, &relay->part, &error)) {
        bool is_not_there = error.code == CORE_ERROR_INPUT;
        if (!relay->wait(relay->context, PART_WAIT_MS, is_not_there ? NULL : &error))
            return false;
    }
    return true;
}

/* Part `index` of the row that is being put together, as opposed to anything else. */
static bool part_follows(core_slice payload, uint32_t index) {
    core_run run;
    core_error ignored;
    return core_run_part_peek(payload) && core_run_decode(payload, NULL, &run, &ignored) &&
           run.part.index == index;
}

/* From its first part on the row is put together here and relayed; its other parts are then
 * nothing. A row that its writer began anew is relayed from there. */
static bool parts_relay(cdc_outbox_relay *relay, const fanout_message *message, core_error *error) {
    core_slice whole;
    uint64_t sequence = message->sequence;
    core_slice payload = message->payload;
    for (uint32_t index = 0;; index++) {
        if (!part_follows(payload, index))
            return true;
        switch (core_assembly_feed(&relay->assembly, payload, sequence, &whole, error)) {
        case CORE_ASSEMBLY_REFUSED:
            return false;
        case CORE_ASSEMBLY_WHOLE:
            return run_relay(relay, whole, sequence, error);
        case CORE_ASSEMBLY_MORE:
            break;
        }
        if (!part_fetch(relay, ++sequence))
            return false;
        payload = core_buffer_slice(&relay->part);
    }
}

bool cdc_outbox_relay_message(cdc_outbox_relay *relay, const fanout_message *message,
                              int64_t held_ms, core_error *error) {
    relay->fresh_until_ms = core_clock_ms(relay->clock) + held_ms;
    if (message->sequence <= relay->done_sequence)
        return true; /* the broker forgot an ack */
    bool is_part = core_run_part_peek(message->payload);
    bool ok = is_part ? parts_relay(relay, message, error)
                      : run_relay(relay, message->payload, message->sequence, error);
    if (is_part)
        core_assembly_reset(&relay->assembly); /* rare and large: not kept */
    if (ok)
        relay->done_sequence = message->sequence;
    return ok;
}
