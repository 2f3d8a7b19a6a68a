/* See account.h. */
#include "triggers/account.h"
#include "triggers/matcher.h"
#include "triggers/members.h"
#include "triggers/rehearsal.h"
#include "triggers/spread.h"

#include <stdio.h>

enum { TASKS_LOOKED_AT = 100000 }; /* of those that wait in the key's partition */

#define TEXT_BYTES_MAX ((size_t)1 << 20)

typedef struct {
    const triggers_account_spec *spec;
    triggers_account *account;
    core_offset at; /* the event's */
    bool found;
    int64_t time_us;   /* when it happened */
    uint64_t key_hash; /* of one that matched */
    size_t looked_at;
    bool waits;
} inquiry;

void triggers_account_init(triggers_account *account) {
    account->outcome = "";
    core_buffer_init(&account->reason, TEXT_BYTES_MAX);
    core_buffer_init(&account->clauses, TEXT_BYTES_MAX);
}

void triggers_account_fini(triggers_account *account) {
    core_buffer_fini(&account->clauses);
    core_buffer_fini(&account->reason);
}

static bool tell(inquiry *it, const char *outcome, core_slice reason) {
    it->account->outcome = outcome;
    core_buffer_reset(&it->account->reason);
    core_buffer_slice_append(&it->account->reason, reason);
    return true;
}

/* ---- Held against the definition ---- */

static bool event_take(void *context, const triggers_past_event *event,
                       const triggers_explanation *explanation, core_error *error) {
    inquiry *it = context;
    const triggers_definition *definition = it->spec->definition;
    core_json_writer json = core_json_writer_make(&it->account->clauses);
    it->found = true;
    it->time_us = event->facts.time_us;
    /* An explanation's outcomes are static texts. */
    (void)tell(it, (const char *)explanation->outcome.data, explanation->reason);
    it->key_hash = triggers_spread_key(definition, explanation->key);
    triggers_explanation_clauses(explanation, &json);
    return it->key_hash != 0 || core_error_set(error, CORE_ERROR_INTERNAL, "no hash for a key");
}

/* ---- Where it would wait ---- */

static bool task_take(void *context, const fanout_message *message, core_error *error) {
    inquiry *it = context;
    const triggers_definition *definition = it->spec->definition;
    triggers_task task;
    if (!triggers_task_read(message->payload, &task, error))
        return false;
    it->waits = core_slice_equal(task.event_id, it->spec->event_id) &&
                core_slice_equal(task.trigger, definition->name) &&
                core_slice_equal(task.project, definition->project);
    return !it->waits && ++it->looked_at < TASKS_LOOKED_AT && message->pending > 0;
}

static bool task_find(inquiry *it, core_error *error) {
    char stream[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX], subject[CORE_SUBJECT_MAX], number[8];
    fanout_stream_info info;
    bool exists = false;
    const fanout_stream_spec spec =
        fanout_stream_work_spec(it->spec->config, FANOUT_WORK_TASKS, stream, subjects);
    (void)snprintf(number, sizeof number, "%02u", triggers_key_partition(it->key_hash));
    if (!fanout_stream_check(it->spec->connection, &spec, &exists, &info, error) ||
        !core_subject_work(it->spec->config, fanout_work_word(FANOUT_WORK_TASKS), number, subject))
        return false;
    fanout_log_range range = {.stream = stream, .subject = subject, .first = info.first_sequence};
    if (!exists)
        return true;
    if (!fanout_stream_subject_end(it->spec->connection, stream, subject, &range.last, error))
        return false;
    core_error ended = {.code = CORE_ERROR_NONE};
    if (fanout_log_read(it->spec->connection, &range, task_take, it, &ended) ||
        ended.code == CORE_ERROR_NONE)
        return true;
    *error = ended;
    return false;
}

/* Whether the matcher is beyond it, as far as that is recorded. */
static bool matcher_passed(inquiry *it, bool *passed, core_error *error) {
    triggers_position position;
    triggers_input input = it->spec->definition->on == TRIGGERS_ON_TABLE ? TRIGGERS_INPUT_CHANGES
                                                                         : TRIGGERS_INPUT_EVENTS;
    if (!triggers_position_stored(it->spec->connection, it->spec->config, &position, error))
        return false;
    const core_offset *place = &position.places[input].at;
    *passed = strcmp(place->epoch, it->at.epoch) == 0 &&
              (place->sequence != it->at.sequence ? place->sequence > it->at.sequence
                                                  : place->index >= it->at.index);
    return true;
}

static bool matched_tell(inquiry *it, core_error *error) {
    static const char before[] = "it matches; tasks before it, of its key or to its endpoint, are "
                                 "under way";
    static const char paused[] = "it matches; the trigger is paused";
    static const char coming[] = "it matches; the matcher has not come to it yet";
    static const char lost[] = "it matches the definition as it is now; what became of it is not "
                               "kept any more, or the definition was another one then";
    bool passed = false;
    if (!task_find(it, error))
        return false;
    if (it->waits)
        return tell(it, "waiting", core_slice_text(it->spec->definition->paused ? paused : before));
    if (!matcher_passed(it, &passed, error))
        return false;
    return passed ? tell(it, "matched", core_slice_text(lost))
                  : tell(it, "not looked at", core_slice_text(coming));
}

/* ---- What counts before the condition ---- */

/* It stands at or before the place from which on the definition counts. */
static bool is_before_start(const inquiry *it) {
    const triggers_definition *definition = it->spec->definition;
    const core_offset *at = &it->at;
    core_offset since;
    if (definition->start == TRIGGERS_START_TIME && it->time_us < definition->start_us)
        return true;
    if (definition->since.length == 0 || !core_offset_parse(definition->since, &since))
        return false;
    /* Of events it is 0-SEQ.0. */
    bool is_of_events = definition->on != TRIGGERS_ON_TABLE &&
                        strcmp(since.epoch, CORE_OFFSET_BEGINNING_EPOCH) == 0;
    if (!is_of_events && strcmp(since.epoch, at->epoch) != 0)
        return false;
    return at->sequence != since.sequence ? at->sequence < since.sequence
                                          : at->index <= since.index;
}

static bool absent_tell(inquiry *it) {
    const triggers_definition *definition = it->spec->definition;
    char text[256];
    if (definition->on == TRIGGERS_ON_TABLE)
        (void)snprintf(text, sizeof text, "it is no change of %.*s.%.*s",
                       CORE_SLICE_ARGS(definition->schema), CORE_SLICE_ARGS(definition->table));
    else
        (void)snprintf(text, sizeof text, "it is no event that the trigger is on");
    return tell(it, "not matched", core_slice_text(text));
}

static bool found_tell(inquiry *it, core_error *error) {
    static const char disabled[] = "the trigger is disabled";
    char start[CORE_OFFSET_TEXT_SIZE + 64];
    if (!it->found)
        return absent_tell(it);
    if (strcmp(it->account->outcome, "matched") != 0)
        return true;
    if (is_before_start(it)) {
        (void)snprintf(start, sizeof start, "it came before the trigger's beginning, %.*s",
                       CORE_SLICE_ARGS(it->spec->definition->since));
        return tell(it, "not matched", core_slice_text(start));
    }
    return it->spec->definition->disabled ? tell(it, "not matched", core_slice_text(disabled))
                                          : matched_tell(it, error);
}

bool triggers_account_find(const triggers_account_spec *spec, triggers_account *account,
                           core_error *error) {
    char id[CORE_OFFSET_TEXT_SIZE];
    inquiry it = {.spec = spec, .account = account};
    triggers_past_spec past = {
        .connection = spec->connection, .config = spec->config, .definition = spec->definition};
    if (!core_slice_to_text(spec->event_id, id, sizeof id) ||
        !triggers_past_place_read(id, &past.from, error) || past.from.kind != TRIGGERS_PAST_OFFSET)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "%.*s: expected an event's id: a change's offset, or the id of an "
                              "event",
                              CORE_SLICE_ARGS(spec->event_id));
    past.until = past.from;
    it.at = past.from.offset;
    if (triggers_rehearse(&past, event_take, &it, error))
        return found_tell(&it, error);
    return error->code == CORE_ERROR_GAP && tell(&it, "not held", core_slice_text(error->text));
}

/* ---- Shown ---- */

void triggers_account_json(const triggers_account_spec *spec, const triggers_account *account,
                           core_json_writer *json) {
    const triggers_task task = {.project = spec->definition->project,
                                .trigger = spec->definition->name,
                                .event_id = spec->event_id};
    char id[TRIGGERS_WEBHOOK_ID_MAX];
    triggers_webhook_id(&task, id);
    core_json_object_open(json);
    triggers_member_text(json, "outcome", core_slice_text(account->outcome));
    triggers_member_text(json, "project", task.project);
    triggers_member_text(json, "trigger", task.trigger);
    triggers_member_text(json, "event_id", task.event_id);
    triggers_member_text(json, "webhook_id", core_slice_text(id));
    triggers_member_text(json, "reason", core_buffer_slice(&account->reason));
    if (account->clauses.length > 0) {
        core_json_key_text(json, "clauses");
        core_json_raw(json, core_buffer_slice(&account->clauses));
    }
    core_json_object_close(json);
}

void triggers_account_line(const triggers_account_spec *spec, const triggers_account *account,
                           core_buffer *out) {
    core_buffer_format(out, "%-24s %-27s  %-28.*s %.*s", "-", account->outcome,
                       CORE_SLICE_ARGS(spec->event_id),
                       CORE_SLICE_ARGS(core_buffer_slice(&account->reason)));
}
