/* See past.h. One pull over the table's own subjects gives the messages; rows that came in parts
 * are put together, and what lies before or behind the places is passed over. */
#include "triggers/past_private.h"

#include <stdio.h>

/* What is committed is stored behind it; so far the clocks of both servers may differ. */
static const int64_t time_margin_us = INT64_C(60) * 1000 * 1000;

/* ---- Places ---- */

bool triggers_past_place_read(const char *text, triggers_past_place *place, core_error *error) {
    char whole[CORE_OFFSET_TEXT_SIZE];
    *place = (triggers_past_place){.kind = TRIGGERS_PAST_FIRST};
    if (strcmp(text, "first") == 0)
        return true;
    place->kind = TRIGGERS_PAST_NOW;
    if (strcmp(text, "now") == 0)
        return true;
    place->kind = TRIGGERS_PAST_TIME;
    if (core_clock_parse(text, &place->time_us))
        return true;
    place->kind = TRIGGERS_PAST_OFFSET;
    (void)snprintf(whole, sizeof whole, "%s%s", text, strchr(text, '.') != NULL ? "" : ".0");
    return core_offset_parse(core_slice_text(whole), &place->offset) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "%s: expected first, now, an offset as walcast tail prints it, an "
                          "event's id, or a time such as 2025-11-19T00:22:40Z",
                          text);
}

static bool is_before(const core_offset *at, const core_offset *other) {
    return at->sequence != other->sequence ? at->sequence < other->sequence
                                           : at->index < other->index;
}

/* Times are printed by the millisecond: the one that was read off a change takes it in. */
static int64_t time_end_us(const triggers_past_place *until) {
    return until->time_us + CORE_US_PER_MS - 1;
}

/* Whether a change at this place, of this time, lies between both ends. */
static bool is_between(const triggers_past *it, const core_offset *at, int64_t time_us) {
    const triggers_past_place *from = &it->spec->from, *until = &it->spec->until;
    if (from->kind == TRIGGERS_PAST_OFFSET && is_before(at, &from->offset))
        return false;
    if (until->kind == TRIGGERS_PAST_OFFSET && is_before(&until->offset, at))
        return false;
    return !(from->kind == TRIGGERS_PAST_TIME && time_us < from->time_us) &&
           !(until->kind == TRIGGERS_PAST_TIME && time_us > time_end_us(until));
}

/* Nothing behind this message can lie before the end. */
static bool is_behind(const triggers_past *it, const fanout_message *message) {
    const triggers_past_place *until = &it->spec->until;
    return (until->kind == TRIGGERS_PAST_OFFSET && message->sequence >= until->offset.sequence) ||
           (until->kind == TRIGGERS_PAST_TIME &&
            message->stored_us > until->time_us + time_margin_us);
}

/* ---- Messages ---- */

void triggers_past_give(triggers_past *it, const core_offset *at,
                        const triggers_past_event *event) {
    if (is_between(it, at, event->facts.time_us))
        it->over = !it->take(it->context, event, &it->error);
}

static bool change_give(triggers_past *it, const core_change *change, const core_offset *at,
                        uint64_t behind) {
    char id[CORE_OFFSET_TEXT_SIZE];
    core_offset_format(at, id);
    const triggers_past_event event = {
        .change = change,
        .facts = {.time_us = change->transaction.commit_time_us, .offset = core_slice_text(id)},
        .id = id,
        .behind = behind};
    triggers_past_give(it, at, &event);
    return !it->over;
}

static bool run_give(triggers_past *it, const fanout_message *message, core_slice whole,
                     core_error *error) {
    core_run run;
    core_run_reader rows;
    const core_change *change;
    core_offset at = {.sequence = message->sequence};
    core_arena_reset(&it->arena);
    if (!core_run_decode(whole, &it->arena, &run, error))
        return core_error_wrap(error, "stream sequence %llu",
                               (unsigned long long)message->sequence);
    if (run.rows == 0 || triggers_op_of(run.op) == 0 || !run.has_relation ||
        !core_slice_is(run.relation.schema, it->schema) ||
        !core_slice_equal(run.relation.table, it->spec->definition->table))
        return true;
    memcpy(at.epoch, run.epoch, sizeof at.epoch);
    if (!core_run_reader_init(&rows, &run, &it->arena, error))
        return false;
    while ((change = core_run_next(&rows)) != NULL) {
        at.index = core_run_row(&rows);
        if (!change_give(it, change, &at, message->pending))
            return false;
    }
    return true;
}

static bool changes_take(triggers_past *it, const fanout_message *message, core_error *error) {
    core_slice whole;
    switch (core_assembly_feed(&it->assembly, message->payload, message->sequence, &whole, error)) {
    case CORE_ASSEMBLY_WHOLE:
        return run_give(it, message, whole, error);
    case CORE_ASSEMBLY_MORE:
        return true;
    case CORE_ASSEMBLY_REFUSED:
        break;
    }
    return false;
}

static bool message_take(void *context, const fanout_message *message, core_error *error) {
    triggers_past *it = context;
    bool is_event = it->spec->definition->on != TRIGGERS_ON_TABLE;
    if (!(is_event ? triggers_past_event_take(it, message, error)
                   : changes_take(it, message, error)))
        return false;
    it->over |= is_behind(it, message);
    return !it->over;
}

/* ---- Where to begin ---- */

static bool gap(const triggers_past *it, const char *why, core_error *error) {
    char text[CORE_OFFSET_TEXT_SIZE];
    core_offset_format(&it->spec->from.offset, text);
    return core_error_set(error, CORE_ERROR_GAP, "%s: %s", text, why);
}

/* With the row that the offset's message belongs to, of which it may be the last part. */
static bool offset_begin(triggers_past *it, core_error *error) {
    const core_offset *offset = &it->spec->from.offset;
    core_buffer payload;
    core_run run;
    bool ends, ok;
    core_buffer_init(&payload, TRIGGERS_PAST_PAYLOAD_BYTES);
    ok = fanout_stream_message(it->spec->connection, it->stream, offset->sequence, &payload, error);
    core_slice message = core_buffer_slice(&payload);
    if (!ok && error->code == CORE_ERROR_INPUT)
        ok = gap(it, "the stream does not hold it any more", error);
    else if (ok && (ok = core_run_decode(message, &it->arena, &run, error)) &&
             strcmp(run.epoch, offset->epoch) != 0)
        ok = gap(it, "the stream was made anew since; it does not hold it any more", error);
    if (ok)
        it->range.first = core_assembly_first(message, offset->sequence, &ends);
    core_buffer_fini(&payload);
    return ok;
}

/* Of the stream of events the epoch is when it was made. */
static bool place_begin(triggers_past *it, const fanout_stream_info *info, core_error *error) {
    const core_offset *offset = &it->spec->from.offset;
    if (offset->sequence > info->last_sequence)
        return gap(it, "the stream has not come so far", error);
    if (it->spec->definition->on == TRIGGERS_ON_TABLE)
        return offset_begin(it, error);
    if (strcmp(offset->epoch, it->epoch) != 0)
        return gap(it, "the stream was made anew since; it does not hold it any more", error);
    if (offset->sequence < info->first_sequence)
        return gap(it, "the stream does not hold it any more", error);
    it->range.first = offset->sequence;
    return true;
}

static bool past_begin(triggers_past *it, const fanout_stream_info *info, core_error *error) {
    const triggers_past_place *from = &it->spec->from;
    it->range.first = info->first_sequence > 0 ? info->first_sequence : 1;
    (void)snprintf(it->epoch, sizeof it->epoch, "%llx", (unsigned long long)info->created_us);
    if (from->kind == TRIGGERS_PAST_NOW)
        it->range.first = info->last_sequence + 1;
    if (from->kind == TRIGGERS_PAST_TIME)
        it->range.from_us = from->time_us - time_margin_us;
    return from->kind != TRIGGERS_PAST_OFFSET || place_begin(it, info, error);
}

/* The table's schema as PostgreSQL calls it: `public` of a tenant is its home. */
static bool schema_find(triggers_past *it) {
    const triggers_definition *definition = it->spec->definition;
    const core_tenants tenants = core_tenants_of(it->spec->config);
    return (core_slice_is(definition->schema, CORE_TENANT_HOME) &&
            core_tenants_home(&tenants, definition->project, it->schema)) ||
           core_slice_to_text(definition->schema, it->schema, sizeof it->schema);
}

static bool filter_make(triggers_past *it, char filter[CORE_SUBJECT_MAX]) {
    const triggers_definition *definition = it->spec->definition;
    const core_subject_scope scope = core_subject_scope_of(it->spec->config);
    if (definition->on != TRIGGERS_ON_TABLE)
        return triggers_past_event_filter(it, filter);
    return schema_find(it) && core_subject_filter_table(&scope, core_slice_text(it->schema),
                                                        definition->table, filter);
}

static bool past_read(triggers_past *it, core_error *error) {
    char filter[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    it->range.subject = filter;
    if (!filter_make(it, filter))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the table's or the type's name is too long");
    return fanout_stream_inspect(it->spec->connection, it->stream, &info, error) &&
           past_begin(it, &info, error) &&
           fanout_stream_subject_end(it->spec->connection, it->stream, filter, &it->range.last,
                                     error) &&
           (it->range.first > it->range.last ||
            fanout_log_read(it->spec->connection, &it->range, message_take, it, error) || it->over);
}

bool triggers_past_read(const triggers_past_spec *spec, triggers_past_take take, void *context,
                        core_error *error) {
    char subjects[CORE_SUBJECT_MAX];
    triggers_past it = {.spec = spec, .take = take, .context = context};
    const fanout_stream_spec stream =
        spec->definition->on == TRIGGERS_ON_TABLE
            ? fanout_stream_change_spec(spec->config, subjects, sizeof subjects)
            : fanout_stream_event_spec(spec->config, it.events, subjects, sizeof subjects);
    it.range.stream = it.stream = stream.name;
    core_arena_init(&it.arena, TRIGGERS_PAST_CHUNK_BYTES, TRIGGERS_PAST_ARENA_BYTES);
    core_assembly_init(&it.assembly,
                       (size_t)core_config_integer(spec->config, "cdc.max_row_bytes"));
    bool ok = past_read(&it, error);
    if (ok && it.error.code != CORE_ERROR_NONE) {
        *error = it.error;
        ok = false;
    }
    core_assembly_fini(&it.assembly);
    core_arena_fini(&it.arena);
    return ok;
}
