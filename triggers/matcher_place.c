/* Where the matcher goes on; see matcher.h.
 *
 * Two places are known: the last task in the stream of tasks, and a record in key-value, for where
 * nothing matched. The later one counts. The record is written under its revision, and once by each
 * new matcher before it does anything: so one that slept cannot move it any more. */
#include "triggers/matcher_private.h"

static const char position_key[] = "triggers.matcher";

enum { RECORD_MAX = 2 * TRIGGERS_POSITION_MAX };

/* The record is a task without a body: one wire form for positions. */
static void record_write(const triggers_position *position, core_buffer *out) {
    const triggers_task task = {
        .trigger = core_slice_text("position"), .key_hash = 1, .position = *position};
    triggers_task_write(&task, out);
}

static bool record_read(fanout_bucket *state, triggers_position *position, uint64_t *revision,
                        core_error *error) {
    triggers_task task;
    core_buffer value;
    core_buffer_init(&value, RECORD_MAX);
    bool ok = fanout_bucket_get(state, position_key, &value, revision, error);
    *position = (triggers_position){.turn = 0};
    if (ok && *revision != 0 && triggers_task_read(core_buffer_slice(&value), &task, error))
        *position = task.position;
    core_buffer_fini(&value);
    return ok;
}

/* The tail's, if it is the later one. */
static bool tail_read(fanout_connection *connection, const core_config *config,
                      triggers_position *position, core_error *error) {
    char stream[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    uint64_t sequence = 0;
    triggers_task task;
    core_buffer payload;
    core_buffer_init(&payload, 2 * TRIGGERS_BODY_MAX);
    (void)fanout_stream_work_spec(config, FANOUT_WORK_TASKS, stream, subjects);
    bool ok = fanout_log_end(connection, stream, subjects, &payload, &sequence, error) &&
              (sequence == 0 || triggers_task_read(core_buffer_slice(&payload), &task, error));
    if (ok && sequence != 0 && task.position.turn > position->turn)
        *position = task.position;
    core_buffer_fini(&payload);
    return ok;
}

bool triggers_position_stored(fanout_connection *connection, const core_config *config,
                              triggers_position *position, core_error *error) {
    uint64_t revision;
    fanout_bucket *state = fanout_bucket_new(connection, config, "state", error);
    bool ok = state != NULL && record_read(state, position, &revision, error) &&
              tail_read(connection, config, position, error);
    fanout_bucket_free(state);
    return ok;
}

static bool record_save(triggers_matcher *matcher, const triggers_position *position,
                        core_error *error) {
    char memory[RECORD_MAX];
    core_buffer value = core_buffer_over(memory, sizeof memory);
    record_write(position, &value);
    matcher->saved = *position;
    return fanout_bucket_set(matcher->state, position_key, core_buffer_slice(&value),
                             matcher->position_revision, &matcher->position_revision, error);
}

bool triggers_matcher_save(triggers_matcher *matcher, core_error *error) {
    if (!matcher->is_done || matcher->acked < matcher->sent ||
        triggers_position_equal(&matcher->saved, &matcher->position))
        return true;
    return record_save(matcher, &matcher->position, error);
}

bool triggers_matcher_place(triggers_matcher *matcher, const fanout_tail *tail, core_error *error) {
    triggers_task task;
    if (!record_read(matcher->state, &matcher->saved, &matcher->position_revision, error))
        return false;
    matcher->position = matcher->saved;
    matcher->is_done = true;
    if (tail->has_message) {
        if (!triggers_task_read(core_buffer_slice(&tail->payload), &task, error))
            return false;
        if (task.position.turn > matcher->saved.turn) {
            matcher->position = task.position;
            matcher->is_done = false;
            (void)!core_slice_to_text(task.project, matcher->last_project,
                                      sizeof matcher->last_project);
            (void)!core_slice_to_text(task.trigger, matcher->last_trigger,
                                      sizeof matcher->last_trigger);
        }
    }
    matcher->acked = matcher->sent = tail->stream.last_sequence;
    return true;
}

/* Of a change that is done partly the record must not say that it is done: the tail says it. */
bool triggers_matcher_claim(triggers_matcher *matcher, core_error *error) {
    const triggers_position place = matcher->is_done ? matcher->position : matcher->saved;
    return record_save(matcher, &place, error);
}

/* ---- compared ---- */

static int number_order(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

/* Whether the change or event stands behind the place (1), at it (0) or before it. */
static int place_order(const triggers_place *place, triggers_stream_kind kind,
                       const core_offset *at, const core_change *change) {
    if (strcmp(place->at.epoch, at->epoch) == 0)
        return at->sequence != place->at.sequence ? number_order(at->sequence, place->at.sequence)
                                                  : number_order(at->index, place->at.index);
    if (kind == TRIGGERS_STREAM_EVENTS)
        return 1; /* another stream, other events */
    /* The stream was made anew: the same changes may be in it, at other places. */
    return change->transaction.commit_lsn != place->lsn
               ? number_order(change->transaction.commit_lsn, place->lsn)
               : number_order(change->index, place->index);
}

bool triggers_matcher_is_done(const triggers_matcher *matcher, triggers_input input,
                              const core_offset *at, const core_change *change, bool *is_partly) {
    const triggers_place *place = &matcher->position.places[input];
    *is_partly = false;
    if (place->at.epoch[0] == '\0')
        return false;
    int order = place_order(place, triggers_input_kind(input), at, change);
    *is_partly = order == 0 && !matcher->is_done;
    return order < 0 || (order == 0 && !*is_partly);
}
