/* See history.h. All partitions' logs are read as one, in the stream's order: so outcomes come by
 * the time they were recorded, and those of one key in their order. */
#include "triggers/history.h"

#include "triggers/members.h"
#include "triggers/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_FORMAT "%-24s %-9s %6s %7s %3" PRIu32 "  %-28.*s %.*s"

enum {
    JSON_MAX_BYTES = 16 << 10,
    LINE_MAX_BYTES = 4 << 10,
    /* Records of the log that one page may read, and in which steps. */
    RECORDS_MAX = 64 << 10,
    WINDOW_FIRST = 512,
    WINDOW_GROWTH = 4,
};

typedef struct history history;
struct history {
    const triggers_history_filter *filter;
    bool (*give)(history *it, const triggers_entry *entry, const triggers_history_place *at,
                 core_error *error);
    triggers_history_take take;
    void *context;
    core_buffer json, line; /* of one that is given */
    uint64_t last;          /* of the records that are read */
    bool over;              /* whoever takes them has had enough */
};

static bool history_wants(const history *it, const triggers_entry *entry) {
    const triggers_history_filter *filter = it->filter;
    return entry->kind != TRIGGERS_ENTRY_PASSED &&
           core_slice_equal(entry->project, filter->project) &&
           core_slice_equal(entry->trigger, filter->trigger) &&
           (filter->event_id.length == 0 || core_slice_equal(entry->event_id, filter->event_id));
}

static void entry_json(const triggers_entry *entry, core_buffer *out) {
    const triggers_task task = {.project = entry->project,
                                .trigger = entry->trigger,
                                .event_id =
                                    entry->batch.length > 0 ? entry->batch : entry->event_id};
    char id[TRIGGERS_WEBHOOK_ID_MAX];
    core_json_writer json = core_json_writer_make(out);
    triggers_webhook_id(&task, id);
    core_json_object_open(&json);
    triggers_member_time(&json, "time", triggers_us_of_ms(entry->time_ms));
    triggers_member_text(&json, "outcome", core_slice_text(triggers_entry_name(entry->kind)));
    triggers_member_text(&json, "project", entry->project);
    triggers_member_text(&json, "trigger", entry->trigger);
    triggers_member_text(&json, "event_id", entry->event_id);
    triggers_member_text(&json, "webhook_id", core_slice_text(id));
    if (entry->batch.length > 0)
        triggers_member_text(&json, "batch", entry->batch);
    if (entry->kind != TRIGGERS_ENTRY_UNDECIDED) {
        triggers_member_text(&json, "key", entry->key);
        triggers_member_number(&json, "attempts", entry->attempts);
    }
    if (entry->status != 0)
        triggers_member_number(&json, "status", entry->status);
    if (entry->kind == TRIGGERS_ENTRY_DELIVERED || entry->kind == TRIGGERS_ENTRY_FAILED)
        triggers_member_number(&json, "took_ms", entry->took_ms);
    if (entry->next_ms != 0)
        triggers_member_time(&json, "next_attempt", triggers_us_of_ms(entry->next_ms));
    if (entry->reason.length > 0)
        triggers_member_text(&json, "reason", entry->reason);
    core_json_object_close(&json);
}

static void entry_line(const triggers_entry *entry, core_buffer *out) {
    char time[CORE_CLOCK_TEXT_SIZE], status[8] = "-", took[16] = "-";
    core_clock_format(triggers_us_of_ms(entry->time_ms), time);
    if (entry->status != 0)
        (void)snprintf(status, sizeof status, "%u", (unsigned)entry->status);
    if (entry->took_ms != 0 && entry->kind != TRIGGERS_ENTRY_HELD)
        (void)snprintf(took, sizeof took, "%" PRIu32, entry->took_ms);
    core_buffer_format(out, LINE_FORMAT, time, triggers_entry_name(entry->kind), status, took,
                       entry->attempts, CORE_SLICE_ARGS(entry->event_id),
                       CORE_SLICE_ARGS(entry->reason));
}

const char *triggers_history_heading(void) {
    return "TIME                     OUTCOME   STATUS      MS TRY  EVENT                        "
           "REASON";
}

/* ---- Walking the log ---- */

typedef struct {
    fanout_stream_info info;
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    fanout_log_range range; /* all of it; `last` 0: there is nothing */
} history_log;

static bool log_open(fanout_connection *connection, const core_config *config, history_log *log,
                     core_error *error) {
    bool exists = false;
    const fanout_stream_spec spec =
        fanout_stream_work_spec(config, FANOUT_WORK_DELIVERIES, log->name, log->subjects);
    if (!fanout_stream_check(connection, &spec, &exists, &log->info, error))
        return false;
    bool any = exists && log->info.messages > 0;
    log->range = (fanout_log_range){.stream = log->name,
                                    .subject = log->subjects,
                                    .first = any ? log->info.first_sequence : 0,
                                    .last = any ? log->info.last_sequence : 0};
    return true;
}

static bool record_take(void *context, const fanout_message *message, core_error *error) {
    history *it = context;
    triggers_record record;
    triggers_entry entry;
    triggers_history_place at = {.sequence = message->sequence};
    if (message->sequence > it->last) {
        it->over = true; /* that one was removed */
        return false;
    }
    if (!triggers_record_read(message->payload, &record, error))
        return core_error_wrap(error, "sequence %" PRIu64, message->sequence);
    core_cursor cursor = core_cursor_make(record.outcomes);
    for (; triggers_entry_read(&cursor, &entry); at.index++)
        if (history_wants(it, &entry) && !it->give(it, &entry, &at, error))
            return false;
    return core_cursor_done(&cursor) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "sequence %" PRIu64 ": an outcome that cannot be read",
                          message->sequence);
}

static bool log_read(fanout_connection *connection, const fanout_log_range *range, history *it,
                     core_error *error) {
    it->last = range->last;
    it->over = false;
    return fanout_log_read(connection, range, record_take, it, error) || it->over;
}

static bool too_long(core_error *error) {
    return core_error_set(error, CORE_ERROR_LIMIT, "an outcome is longer than it may be");
}

/* ---- All, the oldest first ---- */

static bool entry_give(history *it, const triggers_entry *entry, const triggers_history_place *at,
                       core_error *error) {
    (void)at;
    core_buffer_reset(&it->json);
    core_buffer_reset(&it->line);
    entry_json(entry, &it->json);
    entry_line(entry, &it->line);
    if (!core_buffer_ok(&it->json) || !core_buffer_ok(&it->line))
        return too_long(error);
    const triggers_history_entry given = {.json = core_buffer_slice(&it->json),
                                          .line = core_buffer_slice(&it->line)};
    it->over = !it->take(it->context, &given);
    return !it->over;
}

bool triggers_history_read(fanout_connection *connection, const core_config *config,
                           const triggers_history_filter *filter, triggers_history_take take,
                           void *context, core_error *error) {
    history it = {.filter = filter, .give = entry_give, .take = take, .context = context};
    history_log log;
    core_buffer_init(&it.json, JSON_MAX_BYTES);
    core_buffer_init(&it.line, LINE_MAX_BYTES);
    bool ok = log_open(connection, config, &log, error) &&
              (log.range.last == 0 || log_read(connection, &log.range, &it, error));
    core_buffer_fini(&it.line);
    core_buffer_fini(&it.json);
    return ok;
}

/* ---- The newest first ---- */

/* The log is read forwards only: so windows of it, from its end on backwards, each longer than the
 * one before; of a window the last outcomes are kept, as many as are still wanted. */
typedef struct {
    core_buffer json;
    triggers_history_place place;
} kept;

typedef struct {
    history base; /* first */
    triggers_history_place before;
    kept *ring; /* of `seen` those that came last */
    size_t room, seen;
} newest;

static bool place_is_before(const triggers_history_place *a, const triggers_history_place *b) {
    return a->sequence != b->sequence ? a->sequence < b->sequence : a->index < b->index;
}

static bool entry_keep(history *base, const triggers_entry *entry, const triggers_history_place *at,
                       core_error *error) {
    newest *it = (newest *)base;
    if (!place_is_before(at, &it->before))
        return true;
    kept *slot = &it->ring[it->seen++ % it->room];
    slot->place = *at;
    core_buffer_reset(&slot->json);
    entry_json(entry, &slot->json);
    return core_buffer_ok(&slot->json) || too_long(error);
}

/* The window's, the last one first. */
static void window_write(newest *it, core_json_writer *json, triggers_history_place *next,
                         size_t *left) {
    size_t count = it->seen < it->room ? it->seen : it->room;
    for (size_t i = 1; i <= count; i++) {
        const kept *slot = &it->ring[(it->seen - i) % it->room];
        core_json_raw(json, core_buffer_slice(&slot->json));
        *next = slot->place;
    }
    *left -= count;
}

static bool newest_walk(fanout_connection *connection, const history_log *log, newest *it,
                        core_json_writer *json, triggers_history_place *next, bool *more,
                        core_error *error) {
    size_t left = it->room, step = WINDOW_FIRST;
    fanout_log_range window = log->range;
    uint64_t high = it->before.sequence < log->range.last ? it->before.sequence : log->range.last;
    *next = it->before;
    for (size_t read = 0; left > 0 && high >= log->range.first && read < RECORDS_MAX;
         read += step) {
        window.last = high;
        window.first = high - log->range.first >= step ? high - step + 1 : log->range.first;
        it->seen = 0;
        it->room = left;
        if (!log_read(connection, &window, &it->base, error))
            return false;
        window_write(it, json, next, &left);
        if (left > 0)
            *next = (triggers_history_place){.sequence = window.first};
        high = window.first - 1;
        step *= WINDOW_GROWTH;
    }
    *more = left == 0 || high >= log->range.first;
    return true;
}

bool triggers_history_newest(fanout_connection *connection, const core_config *config,
                             const triggers_history_filter *filter,
                             const triggers_history_page *page, core_json_writer *json,
                             triggers_history_place *next, bool *more, core_error *error) {
    history_log log;
    newest it = {.base = {.filter = filter, .give = entry_keep},
                 .before = page->before,
                 .ring = calloc(page->limit, sizeof *it.ring),
                 .room = page->limit};
    if (it.before.sequence == 0)
        it.before.sequence = UINT64_MAX;
    *more = false;
    if (it.ring == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for outcomes");
    for (size_t i = 0; i < page->limit; i++)
        core_buffer_init(&it.ring[i].json, JSON_MAX_BYTES);
    bool ok = log_open(connection, config, &log, error) &&
              (log.range.last == 0 || newest_walk(connection, &log, &it, json, next, more, error));
    for (size_t i = 0; i < page->limit; i++)
        core_buffer_fini(&it.ring[i].json);
    free(it.ring);
    return ok;
}
