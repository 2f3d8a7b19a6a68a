/* Tasks into their stream, what was not decided into the log of deliveries, and the purge of what
 * is done; see matcher.h. */
#include "triggers/matcher_private.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    FULL_WAIT_MS = 200,
    TOLD_MAX = 100, /* of one record */
    TOLD_MAX_BYTES = 32 * 1024,
    TOLD_SHARE = 8, /* of the stream they take at most one in so many, and half of it again */
    LOG_RECORD_MAX = 64 * 1024 * 1024,
};

/* ---- tasks ---- */

bool triggers_matcher_poll(triggers_matcher *matcher, core_error *error) {
    return fanout_publisher_poll(matcher->publisher, &matcher->acked, error);
}

bool triggers_matcher_send(triggers_matcher *matcher, uint64_t key_hash, core_slice task,
                           core_error *error) {
    char last[8], subject[CORE_SUBJECT_MAX];
    (void)snprintf(last, sizeof last, "%02u", triggers_key_partition(key_hash));
    if (!core_subject_work(matcher->spec.config, fanout_work_word(FANOUT_WORK_TASKS), last,
                           subject))
        return core_error_set(error, CORE_ERROR_CONFIG, "nats.prefix or project is too long");
    for (;;) {
        uint64_t sequence = 0;
        fanout_send_result result =
            fanout_publisher_send(matcher->publisher, subject, task, &sequence, error);
        if (result == FANOUT_BROKEN)
            return false;
        if (result == FANOUT_SENT)
            matcher->sent = sequence;
        if (!triggers_matcher_poll(matcher, error))
            return false;
        if (result == FANOUT_SENT)
            return true;
        if (fanout_publisher_sleep(matcher->publisher))
            triggers_matcher_wait(matcher, fanout_publisher_wake_fd(matcher->publisher),
                                  FULL_WAIT_MS);
        fanout_publisher_wake_clear(matcher->publisher);
        if (!triggers_matcher_goes_on(matcher))
            return core_error_set(error, CORE_ERROR_CONFLICT, "another process matches changes");
    }
}

bool triggers_matcher_flush(triggers_matcher *matcher, core_error *error) {
    while (matcher->acked < matcher->sent) {
        if (!triggers_matcher_poll(matcher, error))
            return false;
        if (matcher->acked < matcher->sent && fanout_publisher_sleep(matcher->publisher))
            triggers_matcher_wait(matcher, fanout_publisher_wake_fd(matcher->publisher),
                                  FULL_WAIT_MS);
        fanout_publisher_wake_clear(matcher->publisher);
        if (!triggers_matcher_goes_on(matcher))
            return core_error_set(error, CORE_ERROR_CONFLICT, "another process matches changes");
    }
    return true;
}

/* ---- what was not decided ---- */

/* False: the record is full. */
static bool told_add(triggers_matcher *matcher, triggers_entry *entry) {
    if (matcher->told_count >= TOLD_MAX || matcher->told.length >= TOLD_MAX_BYTES)
        return false;
    entry->time_ms = core_clock_wall_us(matcher->spec.clock) / CORE_US_PER_MS;
    triggers_entry_write(entry, &matcher->told);
    matcher->told_count++;
    return true;
}

/* Nobody else removes them, and a stream that is full takes no partition's records either. */
static bool told_trim(triggers_matcher *matcher, const char *subject, core_error *error) {
    enum { RECORD_BYTES = 2 * TOLD_MAX_BYTES };
    int64_t bytes = core_config_integer(matcher->spec.config, "triggers.history_bytes");
    uint64_t kept = (uint64_t)bytes / TOLD_SHARE / RECORD_BYTES;
    if (matcher->has_told && matcher->told_records < kept / 2)
        return true;
    matcher->has_told = true;
    matcher->told_records = 0;
    return fanout_stream_keep(matcher->connection, matcher->deliveries_stream, subject, kept,
                              error);
}

bool triggers_matcher_tell_all(triggers_matcher *matcher, core_error *error) {
    char subject[CORE_SUBJECT_MAX], id[96];
    bool duplicate;
    if (matcher->told_count == 0)
        return true;
    const triggers_record record = {.outcomes = core_buffer_slice(&matcher->told)};
    core_buffer_reset(&matcher->task);
    triggers_record_write(&record, &matcher->task);
    triggers_input input = matcher->position.input; /* a history and a live one have one place */
    const core_offset *at = &matcher->position.places[input].at;
    (void)snprintf(id, sizeof id, "m%u-%s-%" PRIu64 "-%" PRIu32 "-%zu", (unsigned)input, at->epoch,
                   at->sequence, at->index, matcher->told_number++);
    const fanout_event event = {
        .subject = subject, .id = id, .payload = core_buffer_slice(&matcher->task)};
    bool ok = core_subject_work(matcher->spec.config, fanout_work_word(FANOUT_WORK_DELIVERIES),
                                "match", subject) &&
              fanout_event_publish(matcher->connection, &event, &duplicate, error) &&
              told_trim(matcher, subject, error);
    core_buffer_reset(&matcher->told);
    matcher->told_count = 0;
    matcher->told_records++;
    return ok;
}

bool triggers_matcher_tell(triggers_matcher *matcher, triggers_entry *entry, core_error *error) {
    if (told_add(matcher, entry))
        return true;
    if (!triggers_matcher_tell_all(matcher, error))
        return false;
    bool has_room = told_add(matcher, entry);
    assert(has_room);
    return has_room;
}

/* ---- the purge ---- */

/* What the partition's owner said last; false: nobody has owned it. */
static bool partition_watermark(triggers_matcher *matcher, const char *last, uint64_t *watermark) {
    char subject[CORE_SUBJECT_MAX];
    triggers_record record;
    uint64_t sequence = 0;
    core_error ignored;
    core_buffer payload;
    core_buffer_init(&payload, LOG_RECORD_MAX);
    bool ok = core_subject_work(matcher->spec.config, fanout_work_word(FANOUT_WORK_DELIVERIES),
                                last, subject) &&
              fanout_log_end(matcher->connection, matcher->deliveries_stream, subject, &payload,
                             &sequence, &ignored) &&
              sequence != 0 && triggers_record_read(core_buffer_slice(&payload), &record, &ignored);
    if (ok)
        *watermark = record.watermark;
    core_buffer_fini(&payload);
    return ok;
}

/* Lowers `*up_to` to what the partition is done with. The watermark is asked for first: all tasks
 * up to the end that is then seen are done if it has reached that. */
static bool partition_allows(triggers_matcher *matcher, unsigned number, uint64_t *up_to) {
    char last[8], subject[CORE_SUBJECT_MAX];
    uint64_t watermark = 0, end = 0;
    core_error ignored;
    (void)snprintf(last, sizeof last, "%02u", number);
    bool is_owned = partition_watermark(matcher, last, &watermark);
    if (!core_subject_work(matcher->spec.config, fanout_work_word(FANOUT_WORK_TASKS), last,
                           subject) ||
        !fanout_stream_subject_end(matcher->connection, matcher->tasks_stream, subject, &end,
                                   &ignored))
        return false;
    if (end == 0 || (is_owned && watermark >= end))
        return true;
    if (!is_owned)
        return false;
    if (watermark < *up_to)
        *up_to = watermark;
    return true;
}

/* The last message stays: it says where to go on. */
void triggers_matcher_purge(triggers_matcher *matcher) {
    fanout_stream_info info;
    core_error error = {0};
    if (!fanout_stream_inspect(matcher->connection, matcher->tasks_stream, &info, &error))
        return;
    if (info.messages < 2) {
        matcher->done_up_to = info.last_sequence; /* but one, perhaps */
        return;
    }
    uint64_t up_to = info.last_sequence - 1;
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        if (!partition_allows(matcher, i, &up_to))
            return;
    matcher->done_up_to = up_to;
    if (up_to >= info.first_sequence &&
        !fanout_stream_purge(matcher->connection, matcher->tasks_stream, matcher->tasks_subjects,
                             up_to + 1, &error))
        CORE_LOG(matcher->spec.log, WARN, "triggers", "tasks that are done cannot be removed yet",
                 CORE_LOG_TEXT("reason", error.text));
}
