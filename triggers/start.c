/* See start.h. */
#include "triggers/start.h"

#include <inttypes.h>
#include <stdio.h>

#define CHUNK_BYTES   ((size_t)65536)
#define PAYLOAD_BYTES ((size_t)64 << 20) /* nats-server's own limit on a message */

/* Behind the last row of the stream's last message. */
static bool end_decode(core_slice payload, uint64_t sequence, core_offset *offset,
                       core_error *error) {
    core_arena arena;
    core_run run = {.epoch = ""};
    core_arena_init(&arena, CHUNK_BYTES, PAYLOAD_BYTES * 4);
    bool ok = core_run_decode(payload, &arena, &run, error);
    if (ok) {
        memcpy(offset->epoch, run.epoch, sizeof offset->epoch);
        offset->sequence = sequence;
        offset->index = run.rows > 0 ? run.rows - 1 : 0;
    }
    core_arena_fini(&arena);
    return ok;
}

/* What holds nothing is begun with whatever comes. */
static bool change_end(fanout_connection *connection, const core_config *config,
                       core_offset *offset, core_error *error) {
    char subjects[CORE_SUBJECT_MAX];
    fanout_stream_spec spec = fanout_stream_change_spec(config, subjects, sizeof subjects);
    fanout_stream_info info;
    bool exists;
    if (!fanout_stream_check(connection, &spec, &exists, &info, error))
        return false;
    if (!exists || info.messages == 0)
        return true;
    core_buffer payload;
    core_buffer_init(&payload, PAYLOAD_BYTES);
    bool found = fanout_stream_message(connection, spec.name, info.last_sequence, &payload, error);
    bool gone = !found && error->code == CORE_ERROR_INPUT; /* aged away meanwhile */
    bool ok = gone ||
              (found && end_decode(core_buffer_slice(&payload), info.last_sequence, offset, error));
    core_buffer_fini(&payload);
    return ok;
}

static bool event_end(fanout_connection *connection, const core_config *config, core_offset *offset,
                      core_error *error) {
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    fanout_stream_spec spec = fanout_stream_event_spec(config, name, subjects, sizeof subjects);
    fanout_stream_info info;
    bool exists;
    if (!fanout_stream_check(connection, &spec, &exists, &info, error))
        return false;
    if (!exists)
        return true;
    (void)snprintf(offset->epoch, sizeof offset->epoch, "%" PRIx64, (uint64_t)info.created_us);
    offset->sequence = info.last_sequence;
    return true;
}

bool triggers_start_find(fanout_connection *connection, const core_config *config,
                         const triggers_definition *definition, char since[CORE_OFFSET_TEXT_SIZE],
                         core_error *error) {
    core_offset offset = {.epoch = CORE_OFFSET_BEGINNING_EPOCH};
    if (definition->start == TRIGGERS_START_OFFSET)
        offset = definition->start_offset;
    else if (definition->start == TRIGGERS_START_NOW && definition->on == TRIGGERS_ON_TABLE) {
        if (!change_end(connection, config, &offset, error))
            return false;
    } else if (definition->start == TRIGGERS_START_NOW) {
        if (!event_end(connection, config, &offset, error))
            return false;
    }
    core_offset_format(&offset, since);
    return true;
}
