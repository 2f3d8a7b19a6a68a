/* See dead_letters.h. */
#include "triggers/dead_letters.h"
#include "triggers/members.h"
#include "triggers/task_view.h"

#include <inttypes.h>
#include <stdio.h>

#define LINE_FORMAT "%-8" PRIu64 " %-24s %-24.*s %6s %3" PRIu32 "  %-24.*s %.*s"

#define LETTER_BYTES_MAX ((size_t)64 << 20) /* nats-server's own limit on a message */

typedef struct {
    const triggers_dead_scope *scope;
    core_slice trigger;
    triggers_dead_take take;
    void *context;
    bool over; /* no more are wanted, or there */
} walk;

/* A letter that cannot be read is one all the same: it must be seen, and can be thrown away. */
static void letter_make(uint64_t id, core_slice payload, triggers_dead_letter *letter) {
    core_error ignored;
    *letter = (triggers_dead_letter){.id = id};
    letter->is_whole = triggers_letter_read(payload, &letter->letter, &ignored) &&
                       triggers_task_read(letter->letter.task, &letter->task, &ignored);
}

static bool letter_is_ours(const triggers_dead_scope *scope, const triggers_dead_letter *letter) {
    return letter->is_whole
               ? core_slice_equal(letter->task.project, scope->project)
               : core_slice_is(scope->project, core_config_text(scope->config, "project"));
}

static bool walk_take(void *context, const fanout_message *message, core_error *error) {
    walk *it = context;
    triggers_dead_letter letter;
    (void)error;
    letter_make(message->sequence, message->payload, &letter);
    letter.behind = message->pending;
    bool wanted = letter_is_ours(it->scope, &letter) &&
                  (it->trigger.length == 0 || core_slice_equal(letter.task.trigger, it->trigger));
    /* The last one that was to come may have been removed meanwhile. */
    it->over = (wanted && !it->take(it->context, &letter)) || message->pending == 0;
    return !it->over;
}

/* What stands there is all of a project's, where there are several, or a trigger's; of each name
 * otherwise. No trigger's name has a colon. */
static bool subject_make(const core_config *config, core_slice project, core_slice trigger,
                         char subject[CORE_SUBJECT_MAX]) {
    char last[CORE_SUBJECT_MAX];
    int length = project.length > 0 ? snprintf(last, sizeof last, ":%.*s", CORE_SLICE_ARGS(project))
                                    : snprintf(last, sizeof last, "%.*s", CORE_SLICE_ARGS(trigger));
    return length >= 0 && (size_t)length < sizeof last &&
           core_subject_work(config, fanout_work_word(FANOUT_WORK_DEAD), length > 0 ? last : NULL,
                             subject);
}

static bool has_tenants(const core_config *config) {
    return core_tenants_of(config).count > 0;
}

bool triggers_dead_subject(const core_config *config, core_slice project, core_slice trigger,
                           char subject[CORE_SUBJECT_MAX], core_error *error) {
    return subject_make(config, has_tenants(config) ? project : (core_slice){0}, trigger,
                        subject) ||
           core_error_set(error, CORE_ERROR_LIMIT, "the subject of a dead letter is too long");
}

bool triggers_dead_subject_of(const core_config *config, core_slice letter,
                              char subject[CORE_SUBJECT_MAX], core_error *error) {
    triggers_dead_letter it;
    letter_make(0, letter, &it);
    if (it.is_whole)
        return triggers_dead_subject(config, it.task.project, it.task.trigger, subject, error);
    return triggers_dead_subject(config, core_slice_text(core_config_text(config, "project")),
                                 core_slice_text("?"), subject, error);
}

static bool stream_exists(const triggers_dead_scope *scope, char name[FANOUT_NAME_MAX],
                          bool *exists, core_error *error) {
    char subjects[CORE_SUBJECT_MAX];
    const fanout_stream_spec spec =
        fanout_stream_work_spec(scope->config, FANOUT_WORK_DEAD, name, subjects);
    fanout_stream_info info;
    return fanout_stream_check(scope->connection, &spec, exists, &info, error);
}

/* What to read. Letters that were written while schemas were tenants stand on their project's
 * subject: as long as there are any, one trigger's are found among all. */
static bool filter_make(const triggers_dead_scope *scope, const char *stream, core_slice trigger,
                        uint64_t after, char filter[CORE_SUBJECT_MAX], core_error *error) {
    const core_slice none = {0};
    uint64_t end = 0;
    if (!subject_make(scope->config, scope->project, none, filter) ||
        (trigger.length > 0 && !triggers_name_ok(trigger)))
        return core_error_set(error, CORE_ERROR_INPUT, "%.*s: expected a trigger's name",
                              CORE_SLICE_ARGS(trigger));
    if (has_tenants(scope->config))
        return true;
    if (trigger.length > 0 &&
        !fanout_stream_subject_end(scope->connection, stream, filter, &end, error))
        return false;
    return subject_make(scope->config, none, end > after ? none : trigger, filter) ||
           core_error_set(error, CORE_ERROR_INPUT, "%.*s: expected a trigger's name",
                          CORE_SLICE_ARGS(trigger));
}

bool triggers_dead_each(const triggers_dead_scope *scope, core_slice trigger, uint64_t after,
                        triggers_dead_take take, void *context, core_error *error) {
    walk it = {.scope = scope, .trigger = trigger, .take = take, .context = context};
    char stream[FANOUT_NAME_MAX], filter[CORE_SUBJECT_MAX];
    fanout_log_range range = {.stream = stream, .subject = filter, .first = after + 1};
    bool exists = false;
    if (!stream_exists(scope, stream, &exists, error))
        return false;
    if (!exists || after == UINT64_MAX)
        return true;
    if (!filter_make(scope, stream, trigger, after, filter, error) ||
        !fanout_stream_subject_end(scope->connection, stream, filter, &range.last, error))
        return false;
    return range.last <= after ||
           fanout_log_read(scope->connection, &range, walk_take, &it, error) || it.over;
}

bool triggers_dead_get(const triggers_dead_scope *scope, uint64_t id, core_buffer *payload,
                       triggers_dead_letter *letter, bool *found, core_error *error) {
    char stream[FANOUT_NAME_MAX];
    bool exists = false;
    *found = false;
    if (!stream_exists(scope, stream, &exists, error))
        return false;
    if (!exists)
        return true;
    if (!fanout_stream_message(scope->connection, stream, id, payload, error))
        return error->code == CORE_ERROR_INPUT; /* there is none */
    letter_make(id, core_buffer_slice(payload), letter);
    *found = letter_is_ours(scope, letter);
    return true;
}

bool triggers_dead_remove(const triggers_dead_scope *scope, uint64_t id, bool *found,
                          core_error *error) {
    char stream[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    triggers_dead_letter letter;
    core_buffer payload;
    core_buffer_init(&payload, LETTER_BYTES_MAX);
    bool ok = triggers_dead_get(scope, id, &payload, &letter, found, error);
    core_buffer_fini(&payload);
    if (!ok || !*found)
        return ok;
    (void)fanout_stream_work_spec(scope->config, FANOUT_WORK_DEAD, stream, subjects);
    return fanout_stream_remove(scope->connection, stream, id, error);
}

bool triggers_dead_id_read(core_slice text, uint64_t *id) {
    return core_slice_to_u64(text, id) && *id > 0 && *id < UINT64_MAX;
}

/* ---- Shown ---- */

static void id_write(core_json_writer *json, uint64_t id) {
    char text[TRIGGERS_DEAD_ID_MAX];
    (void)snprintf(text, sizeof text, "%" PRIu64, id);
    triggers_member_text(json, "id", core_slice_text(text));
}

static const char unreadable[] = "it cannot be read: was it written by a newer version of walcast?";

void triggers_dead_json(const triggers_dead_letter *letter, bool is_full, core_json_writer *json) {
    core_json_object_open(json);
    id_write(json, letter->id);
    if (letter->is_whole) {
        triggers_task_members(&letter->task, json);
        triggers_member_time(json, "dead_at", triggers_us_of_ms(letter->letter.dead_ms));
        triggers_member_number(json, "attempts", letter->letter.attempts);
        if (letter->letter.status != 0)
            triggers_member_number(json, "status", letter->letter.status);
    }
    triggers_member_text(json, "reason",
                         letter->is_whole ? letter->letter.reason : core_slice_text(unreadable));
    if (letter->is_whole && is_full)
        triggers_task_content(&letter->task, json);
    core_json_object_close(json);
}

void triggers_dead_line(const triggers_dead_letter *letter, core_buffer *out) {
    char time[CORE_CLOCK_TEXT_SIZE] = "-", status[8] = "-";
    if (letter->is_whole)
        core_clock_format(triggers_us_of_ms(letter->letter.dead_ms), time);
    if (letter->letter.status != 0)
        (void)snprintf(status, sizeof status, "%u", (unsigned)letter->letter.status);
    core_buffer_format(
        out, LINE_FORMAT, letter->id, time, CORE_SLICE_ARGS(letter->task.trigger), status,
        letter->letter.attempts, CORE_SLICE_ARGS(letter->task.event_id),
        CORE_SLICE_ARGS(letter->is_whole ? letter->letter.reason : core_slice_text(unreadable)));
}

const char *triggers_dead_heading(void) {
    return "ID       DEAD SINCE               TRIGGER                  STATUS TRY  EVENT           "
           "         REASON";
}
