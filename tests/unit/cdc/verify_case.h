/* One comparison for the tests of `walcast verify`: a table of three columns (id, a, b), rows put
 * in by hand, changes put in as runs of the stream, and what was found as text. */
#ifndef WALCAST_TESTS_UNIT_CDC_VERIFY_CASE_H
#define WALCAST_TESTS_UNIT_CDC_VERIFY_CASE_H

#include "cdc/verify_compare.h"
#include "cdc/verify_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CASE_COLUMNS = 3 };

/* Values of a row: NULL is null, these two are not. */
static const char case_unchanged[] = "(unchanged)";
static const char case_later[] = "later "; /* what begins so was read later */

typedef struct {
    core_config *config;
    cdc_verify_seed seed;
    core_column columns[CASE_COLUMNS];
    core_column stream_columns[CASE_COLUMNS];
    cdc_verify_shape shape;
    core_relation relation;
    core_visibility visibility; /* 100:200:150 */
    cdc_verify_spill *table;
    cdc_verify_spill *stream;
    cdc_verify_events events;
    cdc_verify_coverage coverage;
    size_t fold_bytes;
    bool shows_values;
    bool nothing_left;
    size_t limit;
    uint64_t sequence;
    const char *epoch;
    uint64_t reads_until;
    const char *reads_of;
    const char *read_of; /* which snapshot READ rows belong to */
    core_run_writer writer;
    cdc_verify_scratch scratch;
    cdc_verify_report report;
    core_buffer found;
} verify_case;

static inline void case_events_open(verify_case *it) {
    core_error error = {0};
    const cdc_verify_events_spec spec = {
        .seed = &it->seed,
        .shape = &it->shape,
        .visibility = &it->visibility,
        .reads_until = it->reads_until,
        .reads_of = core_slice_text(it->reads_of),
        .first_sequence = 1,
        .max_row_bytes = 1 << 20,
        .shows_values = it->shows_values,
        .spill = it->stream,
    };
    assert_true(cdc_verify_events_init(&it->events, &spec, &error));
}

static inline int case_open(void **state) {
    static const char *const names[] = {"id", "a", "b"};
    verify_case *it = calloc(1, sizeof *it);
    core_error error = {0};
    char directory[] = "/tmp/walcast-verify-XXXXXX";
    assert_non_null(it);
    assert_non_null(mkdtemp(directory));
    assert_int_equal(setenv("WALCAST_CDC_SPILL_DIR", directory, 1), 0);
    it->config = core_config_load("/dev/null", stderr);
    assert_non_null(it->config);
    assert_int_equal(remove(directory), 0);
    for (size_t i = 0; i < CASE_COLUMNS; i++)
        it->columns[i] = it->stream_columns[i] = (core_column){
            .name = core_slice_text(names[i]), .type_oid = i == 0 ? 20 : 25, .typmod = -1};
    it->columns[0].key = it->stream_columns[0].key = true;
    it->shape = (cdc_verify_shape){.schema = core_slice_text("public"),
                                   .table = core_slice_text("t"),
                                   .oid = 7,
                                   .column_count = CASE_COLUMNS,
                                   .columns = it->columns,
                                   .key_count = 1,
                                   .published.inserts = true,
                                   .published.updates = true,
                                   .published.deletes = true,
                                   .published.truncates = true};
    it->relation = (core_relation){.oid = 7,
                                   .schema = it->shape.schema,
                                   .table = it->shape.table,
                                   .replica_identity = 'd',
                                   .column_count = CASE_COLUMNS,
                                   .columns = it->stream_columns};
    assert_true(cdc_verify_seed_make(&it->seed, &error));
    assert_true(core_visibility_read(core_slice_text("100:200:150"), &it->visibility, &error));
    it->table = cdc_verify_spill_new(it->config, 0, &error);
    it->stream = cdc_verify_spill_new(it->config, 0, &error);
    assert_true(it->table != NULL && it->stream != NULL);
    it->coverage = (cdc_verify_coverage){.whole = true, .xmin_tells = true};
    it->fold_bytes = 1 << 20;
    it->limit = 100;
    it->epoch = "e";
    it->reads_until = UINT64_MAX;
    it->reads_of = it->read_of = "a";
    core_run_writer_init(&it->writer, 1 << 20);
    cdc_verify_scratch_init(&it->scratch);
    core_buffer_init(&it->found, 1 << 20);
    case_events_open(it);
    *state = it;
    return 0;
}

static inline int case_close(void **state) {
    verify_case *it = *state;
    cdc_verify_events_fini(&it->events);
    cdc_verify_spill_free(it->table);
    cdc_verify_spill_free(it->stream);
    core_visibility_fini(&it->visibility);
    cdc_verify_scratch_fini(&it->scratch);
    core_run_writer_fini(&it->writer);
    core_buffer_fini(&it->found);
    core_config_free(it->config);
    free(it);
    return 0;
}

/* Counts rows that are alike instead of telling them apart by id. */
static inline void case_without_key(verify_case *it) {
    it->columns[0].key = false;
    it->shape.key_count = 0;
    it->relation.replica_identity = 'f';
    for (size_t i = 0; i < CASE_COLUMNS; i++)
        it->stream_columns[i].key = true;
}

static inline core_value case_value(const char *text) {
    if (text == NULL)
        return (core_value){.kind = CORE_VALUE_NULL};
    if (text == case_unchanged)
        return (core_value){.kind = CORE_VALUE_UNCHANGED};
    bool later = strncmp(text, case_later, strlen(case_later)) == 0;
    return (core_value){.kind = CORE_VALUE_TEXT,
                        .read_later = later,
                        .bytes = core_slice_text(later ? text + strlen(case_later) : text)};
}

static inline void case_tuple(core_tuple *tuple, core_value *values, const char *const *texts) {
    tuple->count = CASE_COLUMNS;
    tuple->values = values;
    for (size_t i = 0; i < CASE_COLUMNS; i++)
        values[i] = case_value(texts[i]);
}

#define ROW(ID, A, B) ((const char *const[]){ID, A, B})

/* A row of the table. */
static inline void case_row(verify_case *it, uint32_t xmin, const char *const *texts) {
    core_value values[CASE_COLUMNS];
    cdc_verify_value hashes[CASE_COLUMNS];
    core_tuple tuple;
    cdc_verify_key key;
    core_error error = {0};
    case_tuple(&tuple, values, texts);
    assert_true(cdc_verify_key_make(&it->seed, &it->shape, NULL, NULL, &tuple, &it->scratch, &key));
    cdc_verify_values_make(&it->seed, &it->shape, NULL, &tuple, hashes);
    cdc_verify_row row = {.op = CDC_VERIFY_ROW,
                          .number = core_visibility_widen(&it->visibility, xmin),
                          .key = key.hash,
                          .count = it->shape.key_count > 0 ? CASE_COLUMNS : 0,
                          .values = hashes,
                          .text = key.text};
    if (it->shows_values)
        row.shown = cdc_verify_shown_make(&it->shape, NULL, &tuple, &it->scratch);
    assert_true(cdc_verify_spill_add(it->table, &row, &error));
}

/* One change, a message of its own. */
static inline void case_change(verify_case *it, core_op op, uint32_t xid, const char *const *now,
                               core_old_kind old_kind, const char *const *old) {
    core_value new_values[CASE_COLUMNS];
    core_value old_values[CASE_COLUMNS];
    core_error error = {0};
    core_change change = {.op = op,
                          .relation = &it->relation,
                          .transaction = {.xid = xid, .commit_lsn = 100 * (it->sequence + 1)},
                          .old_kind = old_kind};
    if (now != NULL)
        case_tuple(&change.new_tuple, new_values, now);
    if (old != NULL)
        case_tuple(&change.old_tuple, old_values, old);
    core_run_open(&it->writer, it->epoch, op, &it->relation);
    assert_true(core_run_append(&it->writer, &change));
    core_run_transaction_end(&it->writer, true);
    assert_true(op != CORE_OP_READ ||
                core_run_snapshot_put(&it->writer, core_slice_text(it->read_of), 0));
    if (!cdc_verify_events_feed(&it->events, core_run_close(&it->writer), ++it->sequence, &error))
        fail_msg("%s", error.text);
}

static inline void case_insert(verify_case *it, uint32_t xid, const char *const *now) {
    case_change(it, CORE_OP_INSERT, xid, now, CORE_OLD_NONE, NULL);
}
static inline void case_update(verify_case *it, uint32_t xid, const char *const *now) {
    case_change(it, CORE_OP_UPDATE, xid, now, CORE_OLD_NONE, NULL);
}
static inline void case_move(verify_case *it, uint32_t xid, const char *from,
                             const char *const *now) {
    case_change(it, CORE_OP_UPDATE, xid, now, CORE_OLD_KEY, ROW(from, NULL, NULL));
}
static inline void case_delete(verify_case *it, uint32_t xid, const char *id) {
    case_change(it, CORE_OP_DELETE, xid, NULL, CORE_OLD_KEY, ROW(id, NULL, NULL));
}

static inline void case_on_difference(void *context, const cdc_difference *difference) {
    static const char marks[] = {'~', '+', '-'};
    verify_case *it = context;
    core_buffer_format(&it->found, "%c%.*s%.*s", marks[difference->kind],
                       CORE_SLICE_ARGS(difference->key), CORE_SLICE_ARGS(difference->columns));
    if (difference->table_values.length > 0)
        core_buffer_format(&it->found, "%.*s%.*s", CORE_SLICE_ARGS(difference->table_values),
                           CORE_SLICE_ARGS(difference->stream_values));
    if (difference->rows > 1)
        core_buffer_format(&it->found, "x%d", (int)difference->rows);
    core_buffer_text(&it->found, " ");
}

/* Compares; what was found, in no order: ~ differs, + the stream lacks it, - only the stream. */
static inline const char *case_found(verify_case *it) {
    core_error error = {0};
    const cdc_verify_compare compare = {
        .config = it->config,
        .shape = &it->shape,
        .coverage = it->coverage,
        .first_number = it->events.first_number,
        .nothing_left = it->nothing_left,
        .fold_bytes = it->fold_bytes,
        .limit = it->limit,
        .on_difference = case_on_difference,
        .context = it,
        .report = &it->report,
    };
    assert_true(cdc_verify_spill_finish(it->table, &error));
    assert_true(cdc_verify_spill_finish(it->stream, &error));
    if (!cdc_verify_compare_run(&compare, it->table, it->stream, &error))
        fail_msg("%s", error.text);
    core_buffer_u8(&it->found, '\0');
    return (const char *)it->found.data;
}

#endif
