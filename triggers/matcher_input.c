/* Where the matcher goes on, and its reading of the change stream; see matcher.h.
 *
 * Two places are known: the last task in the stream of tasks, and a record in key-value, for where
 * nothing matched. The later one counts. The record is written under its revision, and once by each
 * new matcher before it does anything: so one that slept cannot move it any more. */
#include "triggers/matcher_private.h"

#include <stdio.h>

static const char position_key[] = "triggers.matcher";

enum { INBOX_TASKS = 1024, INBOX_BYTES = 8 * 1024 * 1024, POSITION_MAX = 4096 };

/* ---- the place ---- */

/* The record is a task without a body: one wire form for positions. */
static void record_write(const triggers_position *position, core_buffer *out) {
    const triggers_task task = {
        .trigger = core_slice_text("position"), .key_hash = 1, .position = *position};
    triggers_task_write(&task, out);
}

static bool record_read(triggers_matcher *matcher, triggers_position *position, core_error *error) {
    triggers_task task;
    core_buffer value;
    core_buffer_init(&value, POSITION_MAX);
    bool ok =
        fanout_bucket_get(matcher->state, position_key, &value, &matcher->position_revision, error);
    *position = (triggers_position){0};
    if (ok && matcher->position_revision != 0 &&
        triggers_task_read(core_buffer_slice(&value), &task, error))
        *position = task.position;
    core_buffer_fini(&value);
    return ok;
}

static bool record_save(triggers_matcher *matcher, core_error *error) {
    char memory[1024];
    core_buffer value = core_buffer_over(memory, sizeof memory);
    record_write(&matcher->position, &value);
    matcher->saved = matcher->position;
    return fanout_bucket_set(matcher->state, position_key, core_buffer_slice(&value),
                             matcher->position_revision, &matcher->position_revision, error);
}

bool triggers_matcher_save(triggers_matcher *matcher, core_error *error) {
    if (!matcher->is_done || matcher->acked < matcher->sent ||
        triggers_position_equal(&matcher->saved, &matcher->position))
        return true;
    return record_save(matcher, error);
}

bool triggers_matcher_place(triggers_matcher *matcher, const fanout_tail *tail, core_error *error) {
    triggers_position record;
    triggers_task task;
    if (!record_read(matcher, &record, error))
        return false;
    matcher->position = record;
    matcher->is_done = true;
    if (tail->has_message) {
        if (!triggers_task_read(core_buffer_slice(&tail->payload), &task, error))
            return false;
        if (task.position.turn > record.turn) {
            matcher->position = task.position;
            matcher->is_done = false;
            (void)!core_slice_to_text(task.project, matcher->last_project,
                                      sizeof matcher->last_project);
            (void)!core_slice_to_text(task.trigger, matcher->last_trigger,
                                      sizeof matcher->last_trigger);
        }
    }
    matcher->acked = matcher->sent = tail->stream.last_sequence;
    /* Of a change that is done partly the record must not say that it is done: the tail says it. */
    triggers_position place = matcher->position;
    if (!matcher->is_done)
        matcher->position = record;
    bool ok = record_save(matcher, error);
    matcher->position = place;
    return ok;
}

/* ---- the change stream ---- */

static void on_lost(void *context, const core_error *reason) {
    triggers_matcher *matcher = context;
    (void)reason;
    atomic_store(&matcher->is_lost, true);
    core_wake_set(matcher->wake_fd);
}

static void on_message(void *context, const fanout_message *message) {
    triggers_matcher *matcher = context;
    if (!triggers_inbox_put(matcher->inbox, message->sequence, message->payload))
        on_lost(matcher, NULL);
}

/* The stream's first message that is to be read. What is missing before it is told. */
static bool input_first(triggers_matcher *matcher, const fanout_stream_info *info, uint64_t *first,
                        core_error *error) {
    const char *stream = core_config_text(matcher->spec.config, "nats.stream");
    const core_offset *place = &matcher->position.places[TRIGGERS_INPUT_CHANGES].at;
    core_run run;
    *first = info->first_sequence > 0 ? info->first_sequence : 1;
    if (place->epoch[0] == '\0')
        return true; /* of a new matcher: definitions say where they begin */
    if (place->sequence < info->first_sequence || place->sequence > info->last_sequence) {
        if (place->sequence + 1 != info->first_sequence && info->messages > 0)
            CORE_LOG(matcher->spec.log, ERROR, "triggers",
                     "changes are missing: the stream does not go on where they were matched last",
                     CORE_LOG_TEXT("stream", stream), CORE_LOG_NUMBER("matched", place->sequence),
                     CORE_LOG_NUMBER("first", info->first_sequence),
                     CORE_LOG_NUMBER("last", info->last_sequence));
        return true;
    }
    core_buffer_reset(&matcher->body);
    if (!fanout_stream_message(matcher->connection, stream, place->sequence, &matcher->body, error))
        return false;
    core_slice message = core_buffer_slice(&matcher->body);
    core_arena_reset(&matcher->arena);
    if (!core_run_decode(message, &matcher->arena, &run, error))
        return false;
    bool ends;
    if (strcmp(run.epoch, place->epoch) == 0)
        *first = core_assembly_first(message, place->sequence, &ends);
    return true; /* of another epoch: from the beginning, by the changes' own places */
}

bool triggers_matcher_input_open(triggers_matcher *matcher, core_error *error) {
    const char *stream = core_config_text(matcher->spec.config, "nats.stream");
    fanout_stream_info info;
    uint64_t first;
    core_assembly_reset(&matcher->assembly);
    if (!fanout_stream_inspect(matcher->connection, stream, &info, error) ||
        !input_first(matcher, &info, &first, error))
        return false;
    matcher->inbox = triggers_inbox_new(INBOX_TASKS, INBOX_BYTES, matcher->wake_fd, error);
    if (matcher->inbox == NULL)
        return false;
    const fanout_ordered_spec spec = {.stream = stream,
                                      .filter = matcher->change_filter,
                                      .from = FANOUT_FROM_SEQUENCE,
                                      .sequence = first,
                                      .on_message = on_message,
                                      .on_lost = on_lost,
                                      .context = matcher};
    atomic_store(&matcher->is_lost, false);
    matcher->consumer = fanout_ordered_new(matcher->connection, &spec, matcher->spec.log, error);
    if (matcher->consumer == NULL) {
        triggers_matcher_input_close(matcher);
        return false;
    }
    CORE_LOG(matcher->spec.log, INFO, "triggers", "changes are matched here",
             CORE_LOG_TEXT("stream", stream), CORE_LOG_NUMBER("from", first));
    return true;
}

void triggers_matcher_input_close(triggers_matcher *matcher) {
    if (matcher->inbox != NULL)
        triggers_inbox_close(matcher->inbox);
    fanout_ordered_free(matcher->consumer);
    triggers_inbox_free(matcher->inbox);
    matcher->consumer = NULL;
    matcher->inbox = NULL;
}
