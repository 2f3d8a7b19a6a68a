/* See verify_events.h. An UPDATE sets the row of its key; one that changed the key drops the old
 * one before. Without a key it takes one row of the old image and adds one of the new. */
#include "cdc/verify_events.h"

#include <stdlib.h>

enum { ARENA_CHUNK_BYTES = 256 << 10, ARENA_MAX_BYTES = 16 << 20 };

bool cdc_verify_events_init(cdc_verify_events *events, const cdc_verify_events_spec *spec,
                            core_error *error) {
    size_t columns = spec->shape->column_count;
    *events = (cdc_verify_events){
        .spec = *spec,
        .number = 1,
        .first_number = 1,
        .first_sequence = spec->first_sequence,
        .values = calloc(columns > 0 ? columns : 1, sizeof *events->values),
    };
    core_assembly_init(&events->assembly, spec->max_row_bytes);
    core_arena_init(&events->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    cdc_verify_scratch_init(&events->scratch);
    return events->values != NULL ||
           core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a row to compare");
}

void cdc_verify_events_fini(cdc_verify_events *events) {
    core_assembly_fini(&events->assembly);
    core_arena_fini(&events->arena);
    cdc_verify_scratch_fini(&events->scratch);
    free(events->values);
}

void cdc_verify_events_cut(cdc_verify_events *events, uint64_t sequence) {
    events->first_number = events->number;
    events->first_sequence = sequence + 1;
    events->truncated = false;
    events->cuts++;
}

/* ---- Events out ---- */

static bool has_key(const cdc_verify_events *events) {
    return events->spec.shape->key_count > 0;
}

/* Puts one event for a tuple; `*told` is false when its key cannot be read from it. */
static bool tuple_put(cdc_verify_events *events, cdc_verify_op op, const core_tuple *tuple,
                      const core_relation *only_key, bool *told, core_error *error) {
    cdc_verify_key key;
    const cdc_verify_events_spec *spec = &events->spec;
    *told = cdc_verify_key_make(spec->seed, spec->shape, &events->map, only_key, tuple,
                                &events->scratch, &key);
    if (!*told)
        return true;
    cdc_verify_row row = {.op = op, .number = events->number++, .key = key.hash, .text = key.text};
    if (op == CDC_VERIFY_SET) {
        cdc_verify_values_make(spec->seed, spec->shape, &events->map, tuple, events->values);
        row.count = spec->shape->column_count;
        row.values = events->values;
        if (spec->shows_values)
            row.shown = cdc_verify_shown_make(spec->shape, &events->map, tuple, &events->scratch);
    }
    return cdc_verify_spill_add(spec->spill, &row, error);
}

static bool new_row_put(cdc_verify_events *events, const core_change *change, bool *told,
                        core_error *error) {
    return tuple_put(events, has_key(events) ? CDC_VERIFY_SET : CDC_VERIFY_ADD, &change->new_tuple,
                     NULL, told, error);
}

/* The row of the old image is not there any more, or not under this key. */
static bool old_row_put(cdc_verify_events *events, const core_change *change, bool *told,
                        core_error *error) {
    const core_relation *only_key = change->old_kind == CORE_OLD_KEY ? change->relation : NULL;
    cdc_verify_op op = has_key(events) ? CDC_VERIFY_DROP : CDC_VERIFY_TAKE;
    *told = change->old_kind != CORE_OLD_NONE;
    return !*told || tuple_put(events, op, &change->old_tuple, only_key, told, error);
}

/* With a key: whether the old image names another row. */
static bool key_is_changed(cdc_verify_events *events, const core_change *change) {
    const cdc_verify_events_spec *spec = &events->spec;
    const core_relation *only_key = change->old_kind == CORE_OLD_KEY ? change->relation : NULL;
    cdc_verify_key old_key;
    cdc_verify_key new_key;
    return change->old_kind != CORE_OLD_NONE &&
           (!cdc_verify_key_make(spec->seed, spec->shape, &events->map, only_key,
                                 &change->old_tuple, &events->scratch, &old_key) ||
            !cdc_verify_key_make(spec->seed, spec->shape, &events->map, NULL, &change->new_tuple,
                                 &events->scratch, &new_key) ||
            !cdc_verify_hash_equal(old_key.hash, new_key.hash));
}

static bool update_put(cdc_verify_events *events, const core_change *change, bool *told,
                       core_error *error) {
    *told = true;
    if ((!has_key(events) || key_is_changed(events, change)) &&
        !old_row_put(events, change, told, error))
        return false;
    return !*told || new_row_put(events, change, told, error);
}

/* ---- Changes in ---- */

/* Rows alike that another snapshot read, or changes told of before, would be counted twice. */
static bool is_seen(const cdc_verify_events *events, const core_change *change, const core_run *run,
                    uint64_t sequence) {
    const cdc_verify_events_spec *spec = &events->spec;
    if (change->op != CORE_OP_READ)
        return core_visibility_sees(spec->visibility, change->transaction.xid);
    bool counts =
        spec->shape->key_count > 0 ||
        (spec->reads_of.length > 0 && core_slice_equal(run->snapshot_id, spec->reads_of) &&
         run->snapshot_after_sequence == spec->reads_after);
    return counts && sequence <= spec->reads_until;
}

static bool change_put(cdc_verify_events *events, const core_change *change, uint64_t sequence,
                       core_error *error) {
    bool told = true;
    bool ok = true;
    switch (change->op) {
    case CORE_OP_READ:
    case CORE_OP_INSERT:
        ok = new_row_put(events, change, &told, error);
        break;
    case CORE_OP_UPDATE:
        ok = update_put(events, change, &told, error);
        break;
    case CORE_OP_DELETE:
        ok = old_row_put(events, change, &told, error);
        break;
    case CORE_OP_TRUNCATE:
        events->first_number = events->number;
        events->truncated = true;
        break;
    case CORE_OP_NONE:
    case CORE_OP_SCHEMA:
    case CORE_OP_MESSAGE:
    case CORE_OP_GAP:
        break;
    }
    if (ok && !told)
        cdc_verify_events_cut(events, sequence);
    return ok;
}

static bool run_take(cdc_verify_events *events, const core_run *run, uint64_t sequence,
                     core_error *error) {
    core_run_reader reader;
    cdc_verify_map_make(events->spec.shape, &run->relation, &events->map);
    if (!core_run_reader_init(&reader, run, &events->arena, error))
        return false;
    for (const core_change *change = core_run_next(&reader); change != NULL;
         change = core_run_next(&reader)) {
        if (change->op == CORE_OP_SCHEMA)
            continue;
        if (!is_seen(events, change, run, sequence)) {
            events->later++;
            continue;
        }
        events->changes++;
        if (!change_put(events, change, sequence, error))
            return false;
    }
    return true;
}

/* Long names share a subject, and a table that was dropped shares its name with the next. */
static bool is_the_table(const cdc_verify_shape *shape, const core_run *run) {
    return run->has_relation && run->relation.oid == shape->oid &&
           core_slice_equal(run->relation.schema, shape->schema) &&
           core_slice_equal(run->relation.table, shape->table);
}

static void epoch_follow(cdc_verify_events *events, const core_run *run, uint64_t sequence) {
    if (strcmp(events->epoch, run->epoch) == 0)
        return;
    if (events->epoch[0] != '\0')
        cdc_verify_events_cut(events, sequence - 1);
    memcpy(events->epoch, run->epoch, sizeof events->epoch);
}

bool cdc_verify_events_feed(cdc_verify_events *events, core_slice payload, uint64_t sequence,
                            core_error *error) {
    core_slice whole;
    core_run run;
    switch (core_assembly_feed(&events->assembly, payload, sequence, &whole, error)) {
    case CORE_ASSEMBLY_WHOLE:
        break;
    case CORE_ASSEMBLY_MORE:
        return true;
    case CORE_ASSEMBLY_REFUSED:
        return false;
    }
    core_arena_reset(&events->arena);
    if (!core_run_decode(whole, &events->arena, &run, error))
        return core_error_wrap(error, "stream sequence %llu", (unsigned long long)sequence);
    epoch_follow(events, &run, sequence);
    if (is_the_table(events->spec.shape, &run))
        return run_take(events, &run, sequence, error);
    events->strangers += run.rows;
    return true;
}
