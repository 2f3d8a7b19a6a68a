/* See tick.h. */
#include "triggers/tick.h"

#include "triggers/own_event.h"
#include "triggers/ticker.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    RECORD_MAX = 1024,
    BODY_MAX = 1024,
    KEY_MAX = 512,
    ID_MAX = 512,
    NUMBER_MAX = 24,
};

/* ---- Records ---- */

void triggers_tick_record_write(const triggers_tick_record *record, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "last");
    core_json_signed(&json, record->last_us);
    core_json_key_text(&json, "since");
    core_json_string(&json, record->since);
    core_json_key_text(&json, "off");
    core_json_bool(&json, record->off);
    core_json_object_close(&json);
}

bool triggers_tick_record_read(core_slice text, triggers_tick_record *record) {
    core_json_token member;
    core_slice whole;
    bool has = false;
    core_json_reader reader = core_json_reader_make(text);
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    *record = (triggers_tick_record){.last_us = 0};
    while (ok && core_json_member_next(&reader, &member)) {
        if (core_json_raw_is(member.key, "last") && member.kind == CORE_JSON_NUMBER)
            ok = has = core_slice_to_i64(member.raw, &record->last_us);
        else if (core_json_raw_is(member.key, "since") && member.kind == CORE_JSON_STRING)
            record->since = member.raw; /* offsets need no escapes */
        else if (core_json_raw_is(member.key, "off"))
            record->off = member.kind == CORE_JSON_TRUE;
        else
            ok = core_json_skip(&reader, member, &whole);
    }
    return ok && has && core_json_next(&reader).kind == CORE_JSON_END;
}

static bool record_key(const triggers_tick *tick, char key[KEY_MAX], core_error *error) {
    const triggers_definition *definition = tick->definition;
    int length = snprintf(key, KEY_MAX, "cron.%.*s.%.*s", CORE_SLICE_ARGS(definition->project),
                          CORE_SLICE_ARGS(definition->name));
    return (length > 0 && length < KEY_MAX) ||
           core_error_set(error, CORE_ERROR_LIMIT, "the key of a schedule's record is too long");
}

static bool record_keep(const triggers_tick_place *place, triggers_tick *tick, core_error *error) {
    char key[KEY_MAX], memory[RECORD_MAX];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    const triggers_tick_record record = {.last_us = tick->last_us,
                                         .since = tick->definition->since,
                                         .off = tick->definition->disabled};
    triggers_tick_record_write(&record, &text);
    return record_key(tick, key, error) &&
           fanout_bucket_set(place->state, key, core_buffer_slice(&text), tick->revision,
                             &tick->revision, error);
}

/* ---- Events ---- */

static bool event_make(const core_config *config, const triggers_definition *definition,
                       const char *kind, triggers_own_event *event, core_error *error) {
    const core_subject_scope scope = core_subject_scope_of(config);
    return triggers_own_event_make(&scope, definition->project, kind, definition->name, event) ||
           core_error_set(error, CORE_ERROR_LIMIT, "a schedule's subject is too long");
}

void triggers_tick_body(const triggers_definition *definition, int64_t moment_us,
                        core_buffer *body) {
    char time[CORE_CLOCK_TEXT_SIZE];
    core_json_writer json = core_json_writer_make(body);
    core_clock_format(moment_us, time);
    core_json_object_open(&json);
    core_json_key_text(&json, "schedule");
    core_json_string(&json, definition->name);
    core_json_key_text(&json, "time");
    core_json_text(&json, time);
    core_json_object_close(&json);
}

/* The last event's sequence, and the moment that it is for; INT64_MIN: there is none. */
static bool last_event(const triggers_tick_place *place, triggers_tick *tick, int64_t *moment_us,
                       core_error *error) {
    char time[CORE_CLOCK_TEXT_SIZE];
    triggers_own_event event;
    *moment_us = INT64_MIN;
    if (!event_make(place->config, tick->definition, TRIGGERS_TICK_TYPE, &event, error) ||
        !fanout_stream_subject_end(place->connection, place->stream, event.subject, &tick->sequence,
                                   error) ||
        !fanout_event_last(place->connection, place->stream, event.subject, "Walcast-Time", time,
                           sizeof time, error))
        return false;
    if (time[0] != '\0' && !core_clock_parse(time, moment_us))
        *moment_us = INT64_MIN;
    return true;
}

static bool record_load(const triggers_tick_place *place, triggers_tick *tick,
                        triggers_tick_record *record, bool *has, core_buffer *text,
                        core_error *error) {
    char key[KEY_MAX];
    if (!record_key(tick, key, error) ||
        !fanout_bucket_get(place->state, key, text, &tick->revision, error))
        return false;
    *has = tick->revision != 0 && triggers_tick_record_read(core_buffer_slice(text), record);
    return true;
}

bool triggers_tick_load(const triggers_tick_place *place, triggers_tick *tick, core_error *error) {
    char memory[RECORD_MAX];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    triggers_tick_record record = {.last_us = 0};
    int64_t moment_us, now_us = core_clock_wall_us(place->clock);
    bool has = false;
    if (!last_event(place, tick, &moment_us, error) ||
        !record_load(place, tick, &record, &has, &text, error))
        return false;
    bool same = has && core_slice_equal(record.since, tick->definition->since) && !record.off &&
                !tick->definition->disabled;
    tick->last_us = same ? record.last_us : now_us;
    if (moment_us > tick->last_us)
        tick->last_us = moment_us;
    if (!same && !record_keep(place, tick, error))
        return false;
    tick->next_us = tick->definition->disabled
                        ? TRIGGERS_TIMETABLE_NEVER
                        : triggers_timetable_next(tick->timetable, tick->last_us);
    tick->loaded = true;
    return true;
}

/* A duplicate is what somebody wrote whom we did not see: like one that does not fit. */
static bool event_write(const triggers_tick_place *place, triggers_tick *tick, int64_t moment_us,
                        core_error *error) {
    char id[ID_MAX], time[CORE_CLOCK_TEXT_SIZE], expected[NUMBER_MAX], memory[BODY_MAX];
    core_buffer body = core_buffer_over(memory, sizeof memory);
    const triggers_definition *definition = tick->definition;
    triggers_own_event event;
    fanout_header headers[TRIGGERS_OWN_EVENT_HEADERS + 1];
    bool duplicate = false;
    if (!event_make(place->config, definition, TRIGGERS_TICK_TYPE, &event, error))
        return false;
    triggers_tick_body(definition, moment_us, &body);
    core_clock_format(moment_us, time);
    (void)snprintf(expected, sizeof expected, "%" PRIu64, tick->sequence);
    (void)snprintf(id, sizeof id, "cron.%.*s.%.*s.%" PRId64, CORE_SLICE_ARGS(definition->project),
                   CORE_SLICE_ARGS(definition->name), moment_us / CORE_US_PER_S);
    size_t count = triggers_own_event_headers(&event, "cron", time, "0", headers);
    headers[count++] = (fanout_header){"Nats-Expected-Last-Subject-Sequence", expected};
    const fanout_event stored = {.subject = event.subject,
                                 .headers = headers,
                                 .header_count = count,
                                 .id = id,
                                 .payload = core_buffer_slice(&body)};
    if (!fanout_event_publish(place->connection, &stored, &duplicate, error))
        return false;
    if (duplicate)
        return core_error_set(error, CORE_ERROR_CONFLICT, "somebody else wrote the event %s", id);
    return fanout_stream_subject_end(place->connection, place->stream, event.subject,
                                     &tick->sequence, error);
}

bool triggers_tick_run(fanout_connection *connection, const core_config *config,
                       const triggers_definition *definition, int64_t moment_us, core_slice key,
                       core_error *error) {
    char id[ID_MAX], memory[BODY_MAX];
    core_buffer body = core_buffer_over(memory, sizeof memory);
    triggers_own_event event;
    triggers_tick_body(definition, moment_us, &body);
    (void)snprintf(id, sizeof id, "run.%.*s.%.*s.%016" PRIx64 "%s",
                   CORE_SLICE_ARGS(definition->project), CORE_SLICE_ARGS(definition->name),
                   key.length > 0 ? core_slice_hash(key) : (uint64_t)moment_us,
                   key.length > 0 ? "k" : "");
    return event_make(config, definition, TRIGGERS_RUN_TYPE, &event, error) &&
           triggers_own_event_publish(connection, &event, "run", moment_us, id,
                                      core_buffer_slice(&body), error);
}

static triggers_timetable_policy policy_of(const triggers_definition *definition) {
    return (triggers_timetable_policy){.catch_up = definition->schedule.catch_up,
                                       .tolerance_us =
                                           definition->schedule.tolerance_ms * CORE_US_PER_MS,
                                       .max_runs = TRIGGERS_TIMETABLE_RUNS_MAX};
}

static void left_out_tell(const triggers_tick_place *place, const triggers_tick *tick,
                          const triggers_timetable_due *due) {
    char name[TRIGGERS_NAME_MAX + 1], project[256];
    if (due->left_out == 0 || !core_slice_to_text(tick->definition->name, name, sizeof name) ||
        !core_slice_to_text(tick->definition->project, project, sizeof project))
        return;
    CORE_LOG(place->log, WARN, "triggers", "moments of a schedule were missed, and are left out",
             CORE_LOG_TEXT("project", project), CORE_LOG_TEXT("schedule", name),
             CORE_LOG_NUMBER("moments", due->left_out),
             CORE_LOG_TEXT("counted", due->left_out_more ? "so far" : "all"));
}

bool triggers_tick_fire(const triggers_tick_place *place, triggers_tick *tick, int64_t now_us,
                        triggers_timetable_due *due, core_error *error) {
    const triggers_timetable_policy policy = policy_of(tick->definition);
    triggers_timetable_due_at(tick->timetable, &policy, tick->last_us, now_us, due);
    for (size_t i = 0; i < due->count; i++) {
        if (!event_write(place, tick, due->moments[i], error))
            return false;
        tick->last_us = due->moments[i];
    }
    tick->last_us = due->covered_us;
    tick->next_us = triggers_timetable_next(tick->timetable, tick->last_us);
    left_out_tell(place, tick, due);
    return (due->count == 0 && due->left_out == 0) || record_keep(place, tick, error);
}
