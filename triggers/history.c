/* See history.h. All partitions' logs are read as one, in the stream's order: so outcomes come by
 * the time they were recorded, and those of one key in their order. */
#include "triggers/history.h"

#include "fanout/fanout.h"
#include "triggers/members.h"
#include "triggers/record.h"

#include <inttypes.h>
#include <stdio.h>

#define LINE_FORMAT "%-24s %-9s %6s %7s %3" PRIu32 "  %-28.*s %.*s"

enum { JSON_MAX_BYTES = 16 << 10, LINE_MAX_BYTES = 4 << 10 };

typedef struct {
    const triggers_history_filter *filter;
    triggers_history_take take;
    void *context;
    core_buffer json, line;
    bool over; /* whoever takes them has had enough */
} history;

static bool history_wants(const history *it, const triggers_entry *entry) {
    const triggers_history_filter *filter = it->filter;
    return core_slice_equal(entry->project, filter->project) &&
           core_slice_equal(entry->trigger, filter->trigger) &&
           (filter->event_id.length == 0 || core_slice_equal(entry->event_id, filter->event_id));
}

static void entry_json(const triggers_entry *entry, core_buffer *out) {
    const triggers_task task = {
        .project = entry->project, .trigger = entry->trigger, .event_id = entry->event_id};
    char id[TRIGGERS_WEBHOOK_ID_MAX];
    core_json_writer json = core_json_writer_make(out);
    triggers_webhook_id(&task, id);
    core_json_object_open(&json);
    triggers_member_time(&json, "time", entry->time_ms * CORE_US_PER_MS);
    triggers_member_text(&json, "outcome", core_slice_text(triggers_entry_name(entry->kind)));
    triggers_member_text(&json, "project", entry->project);
    triggers_member_text(&json, "trigger", entry->trigger);
    triggers_member_text(&json, "event_id", entry->event_id);
    triggers_member_text(&json, "webhook_id", core_slice_text(id));
    if (entry->kind != TRIGGERS_ENTRY_UNDECIDED) {
        triggers_member_text(&json, "key", entry->key);
        triggers_member_number(&json, "attempts", entry->attempts);
    }
    if (entry->status != 0)
        triggers_member_number(&json, "status", entry->status);
    if (entry->kind == TRIGGERS_ENTRY_DELIVERED || entry->kind == TRIGGERS_ENTRY_FAILED)
        triggers_member_number(&json, "took_ms", entry->took_ms);
    if (entry->next_ms != 0)
        triggers_member_time(&json, "next_attempt", entry->next_ms * CORE_US_PER_MS);
    if (entry->reason.length > 0)
        triggers_member_text(&json, "reason", entry->reason);
    core_json_object_close(&json);
}

static void entry_line(const triggers_entry *entry, core_buffer *out) {
    char time[CORE_CLOCK_TEXT_SIZE], status[8] = "-", took[16] = "-";
    core_clock_format(entry->time_ms * CORE_US_PER_MS, time);
    if (entry->status != 0)
        (void)snprintf(status, sizeof status, "%u", (unsigned)entry->status);
    if (entry->took_ms != 0)
        (void)snprintf(took, sizeof took, "%" PRIu32, entry->took_ms);
    core_buffer_format(out, LINE_FORMAT, time, triggers_entry_name(entry->kind), status, took,
                       entry->attempts, CORE_SLICE_ARGS(entry->event_id),
                       CORE_SLICE_ARGS(entry->reason));
}

const char *triggers_history_heading(void) {
    return "TIME                     OUTCOME   STATUS      MS TRY  EVENT                        "
           "REASON";
}

static bool entry_give(history *it, const triggers_entry *entry, core_error *error) {
    core_buffer_reset(&it->json);
    core_buffer_reset(&it->line);
    entry_json(entry, &it->json);
    entry_line(entry, &it->line);
    if (!core_buffer_ok(&it->json) || !core_buffer_ok(&it->line))
        return core_error_set(error, CORE_ERROR_LIMIT, "an outcome is longer than it may be");
    const triggers_history_entry given = {.json = core_buffer_slice(&it->json),
                                          .line = core_buffer_slice(&it->line)};
    it->over = !it->take(it->context, &given);
    return !it->over;
}

static bool record_take(void *context, const fanout_message *message, core_error *error) {
    history *it = context;
    triggers_record record;
    triggers_entry entry;
    if (!triggers_record_read(message->payload, &record, error))
        return core_error_wrap(error, "sequence %" PRIu64, message->sequence);
    core_cursor cursor = core_cursor_make(record.outcomes);
    while (triggers_entry_read(&cursor, &entry))
        if (history_wants(it, &entry) && !entry_give(it, &entry, error))
            return false;
    return core_cursor_done(&cursor) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "sequence %" PRIu64 ": an outcome that cannot be read",
                          message->sequence);
}

static bool history_walk(fanout_connection *connection, const core_config *config, history *it,
                         core_error *error) {
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    const fanout_stream_spec spec =
        fanout_stream_work_spec(config, FANOUT_WORK_DELIVERIES, name, subjects);
    fanout_stream_info info;
    bool exists = false;
    if (!fanout_stream_check(connection, &spec, &exists, &info, error))
        return false;
    if (!exists || info.messages == 0)
        return true;
    const fanout_log_range range = {.stream = spec.name,
                                    .subject = spec.subjects,
                                    .first = info.first_sequence,
                                    .last = info.last_sequence};
    return fanout_log_read(connection, &range, record_take, it, error) || it->over;
}

bool triggers_history_read(const core_config *config, core_log *log,
                           const triggers_history_filter *filter, triggers_history_take take,
                           void *context, core_error *error) {
    history it = {.filter = filter, .take = take, .context = context};
    core_metrics *metrics = core_metrics_new();
    if (metrics == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a connection");
    fanout_connection *connection =
        fanout_connection_new(config, "walcast trigger", log, metrics, error);
    core_buffer_init(&it.json, JSON_MAX_BYTES);
    core_buffer_init(&it.line, LINE_MAX_BYTES);
    bool ok = connection != NULL && history_walk(connection, config, &it, error);
    core_buffer_fini(&it.line);
    core_buffer_fini(&it.json);
    fanout_connection_free(connection);
    core_metrics_free(metrics);
    return ok;
}
