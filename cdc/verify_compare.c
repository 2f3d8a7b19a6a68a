/* See verify_compare.h. Happy path: a part of the stream is folded into memory, then the table's
 * part goes past it row by row, and what no row asked for is only in the stream. */
#include "cdc/verify_compare.h"

#include "cdc/verify_tell.h"

#include <stdlib.h>

/* ---- One row ---- */

bool cdc_verify_value_differs(const cdc_verify_value *table, const cdc_verify_value *stream) {
    bool known = stream->kind == CDC_VERIFY_VALUE || stream->kind == CDC_VERIFY_NULL;
    return known && (stream->kind != table->kind || stream->hash != table->hash);
}

/* What is perhaps newer, or written when the column had another type, counts only when equal. */
static bool value_is_told(const cdc_verify_value *table, const cdc_verify_value *stream) {
    if (stream->kind == CDC_VERIFY_LATER || stream->kind == CDC_VERIFY_OTHER)
        return stream->hash == table->hash;
    return stream->kind == CDC_VERIFY_VALUE || stream->kind == CDC_VERIFY_NULL;
}

static cdc_verify_verdict values_judge(const cdc_verify_shape *shape, const cdc_verify_row *row,
                                       const cdc_verify_entry *entry) {
    cdc_verify_verdict verdict = CDC_VERIFY_EQUAL;
    for (size_t i = 0; i < shape->column_count; i++) {
        if (cdc_verify_value_differs(&row->values[i], &entry->values[i]))
            return shape->published.updates ? CDC_VERIFY_DIFFERS : CDC_VERIFY_NOT_PUBLISHED;
        if (!value_is_told(&row->values[i], &entry->values[i]))
            verdict = CDC_VERIFY_NOT_TOLD;
    }
    return verdict;
}

static bool is_covered(const cdc_verify_coverage *coverage, uint64_t xmin) {
    return coverage->whole ||
           (coverage->has_mark && coverage->xmin_tells && xmin >= coverage->mark);
}

cdc_verify_verdict cdc_verify_judge(const cdc_verify_shape *shape,
                                    const cdc_verify_coverage *coverage, const cdc_verify_row *row,
                                    const cdc_verify_entry *entry) {
    if (entry != NULL && entry->present)
        return values_judge(shape, row, entry);
    if (entry == NULL && !is_covered(coverage, row->number))
        return CDC_VERIFY_BEFORE_HISTORY;
    bool published = shape->published.inserts && shape->published.updates;
    return published ? CDC_VERIFY_MISSES : CDC_VERIFY_NOT_PUBLISHED;
}

static void row_count(const cdc_verify_compare *compare, const cdc_verify_row *row,
                      const cdc_verify_entry *entry) {
    cdc_verify_report *report = compare->report;
    switch (cdc_verify_judge(compare->shape, &compare->coverage, row, entry)) {
    case CDC_VERIFY_EQUAL:
        report->equal++;
        return;
    case CDC_VERIFY_DIFFERS:
        report->different++;
        cdc_verify_tell(compare, CDC_DIFFERENT, row->text, 1, row, entry);
        return;
    case CDC_VERIFY_MISSES:
        report->missing++;
        cdc_verify_tell(compare, CDC_MISSING_IN_STREAM, row->text, 1, NULL, NULL);
        return;
    case CDC_VERIFY_BEFORE_HISTORY:
        report->before_history++;
        return;
    case CDC_VERIFY_NOT_TOLD:
        report->not_told++;
        return;
    case CDC_VERIFY_NOT_PUBLISHED:
        report->not_published++;
        return;
    }
}

/* ---- Tables with a key ---- */

static bool removals_are_published(const cdc_verify_shape *shape) {
    return shape->published.updates && shape->published.deletes && shape->published.truncates;
}

static void left_over_count(const cdc_verify_compare *compare, const cdc_verify_entry *entry) {
    if (!entry->present || entry->seen)
        return;
    if (!removals_are_published(compare->shape)) {
        compare->report->not_published++;
        return;
    }
    compare->report->only_in_stream++;
    cdc_verify_tell(compare, CDC_ONLY_IN_STREAM, entry->text, 1, NULL, NULL);
}

/* ---- Tables without ---- */

/* With REPLICA IDENTITY FULL every change is told: rows that the events do not account for were
 * there before, or the stream lacks them. */
static void alike_count_full(const cdc_verify_compare *compare, const cdc_verify_entry *entry) {
    cdc_verify_report *report = compare->report;
    int64_t before = compare->coverage.whole ? 0 : -entry->lowest; /* at the least */
    int64_t expected = before + entry->net > 0 ? before + entry->net : 0;
    int64_t surplus = (int64_t)entry->table_rows - expected;
    if (surplus < 0) {
        uint64_t lost = (uint64_t)-surplus;
        report->equal += entry->table_rows;
        report->only_in_stream += lost;
        cdc_verify_tell(compare, CDC_ONLY_IN_STREAM, entry->text, lost, NULL, NULL);
        return;
    }
    uint64_t missing = compare->coverage.whole           ? (uint64_t)surplus
                       : entry->table_new > entry->added ? entry->table_new - entry->added
                                                         : 0;
    report->equal += (uint64_t)expected;
    report->missing += missing;
    report->before_history += (uint64_t)surplus - missing;
    if (missing > 0)
        cdc_verify_tell(compare, CDC_MISSING_IN_STREAM, entry->text, missing, NULL, NULL);
}

/* Only inserts are told: what the table has beyond them, or lacks, an UPDATE or DELETE may have
 * done. But if all is covered and no inserted row is gone, none has: then the stream lacks it. */
static void alike_count_inserts(const cdc_verify_compare *compare, const cdc_verify_entry *entry) {
    cdc_verify_report *report = compare->report;
    uint64_t told = entry->added < entry->table_rows ? entry->added : entry->table_rows;
    uint64_t rest = entry->table_rows - told;
    report->equal += told;
    report->unaccounted += rest;
    report->gone += entry->added - told;
    report->not_published += entry->added - told;
    if (rest > 0 && compare->nothing_left) {
        report->missing += rest;
        cdc_verify_tell(compare, CDC_MISSING_IN_STREAM, entry->text, rest, NULL, NULL);
    } else if (entry->table_new == 0 && !compare->coverage.whole) {
        report->before_history += rest;
    } else {
        report->not_published += rest;
    }
}

static void alike_count(const cdc_verify_compare *compare, const cdc_verify_entry *entry) {
    if (removals_are_published(compare->shape) && compare->shape->published.inserts)
        alike_count_full(compare, entry);
    else
        alike_count_inserts(compare, entry);
}

/* ---- One part ---- */

typedef enum { PART_DONE, PART_TOO_LARGE, PART_FAILED } part_result;

static part_result stream_fold(const cdc_verify_compare *compare, cdc_verify_spill *stream,
                               unsigned part, cdc_verify_fold *fold, cdc_verify_row *row,
                               core_error *error) {
    cdc_verify_reader reader;
    part_result result = PART_DONE;
    bool end = false;
    cdc_verify_reader_init(&reader, stream, part);
    while (result == PART_DONE) {
        if (!cdc_verify_reader_next(&reader, row, fold->columns, &end, error))
            result = PART_FAILED;
        else if (end)
            break;
        else if (row->number >= compare->first_number && !cdc_verify_fold_apply(fold, row))
            result = PART_TOO_LARGE;
    }
    cdc_verify_reader_fini(&reader);
    return result;
}

static bool row_take(const cdc_verify_compare *compare, cdc_verify_fold *fold,
                     const cdc_verify_row *row) {
    cdc_verify_entry *entry;
    if (compare->shape->key_count > 0) {
        entry = cdc_verify_fold_find(fold, row->key);
        row_count(compare, row, entry);
        if (entry != NULL)
            entry->seen = true;
        return true;
    }
    entry = cdc_verify_fold_entry(fold, row);
    if (entry == NULL)
        return false;
    entry->table_rows++;
    entry->table_new += is_covered(&compare->coverage, row->number) ? 1 : 0;
    return true;
}

static part_result table_pass(const cdc_verify_compare *compare, cdc_verify_spill *table,
                              unsigned part, cdc_verify_fold *fold, cdc_verify_row *row,
                              core_error *error) {
    cdc_verify_reader reader;
    part_result result = PART_DONE;
    bool end = false;
    cdc_verify_reader_init(&reader, table, part);
    while (result == PART_DONE) {
        if (!cdc_verify_reader_next(&reader, row, fold->columns, &end, error))
            result = PART_FAILED;
        else if (end)
            break;
        else if (!row_take(compare, fold, row))
            result = PART_TOO_LARGE;
    }
    cdc_verify_reader_fini(&reader);
    return result;
}

static part_result part_compare(const cdc_verify_compare *compare, cdc_verify_spill *table,
                                cdc_verify_spill *stream, unsigned part, cdc_verify_fold *fold,
                                cdc_verify_row *row, core_error *error) {
    cdc_verify_fold_reset(fold);
    part_result result = stream_fold(compare, stream, part, fold, row, error);
    if (result == PART_DONE)
        result = table_pass(compare, table, part, fold, row, error);
    for (size_t i = 0; result == PART_DONE && i < fold->count; i++) {
        if (compare->shape->key_count > 0)
            left_over_count(compare, &fold->entries[i]);
        else
            alike_count(compare, &fold->entries[i]);
    }
    return result;
}

/* ---- All parts ---- */

/* One part spread over 256 by the hash's next byte. */
static cdc_verify_spill *part_split(const cdc_verify_compare *compare, cdc_verify_spill *spill,
                                    unsigned part, unsigned depth, cdc_verify_row *row,
                                    core_error *error) {
    cdc_verify_reader reader;
    cdc_verify_spill *finer = cdc_verify_spill_new(compare->config, depth, error);
    bool ok = finer != NULL;
    bool end = false;
    cdc_verify_reader_init(&reader, spill, part);
    while (ok && !end) {
        ok =
            cdc_verify_reader_next(&reader, row, compare->shape->column_count, &end, error) &&
            (end || row->number < compare->first_number || cdc_verify_spill_add(finer, row, error));
    }
    cdc_verify_reader_fini(&reader);
    if (ok && cdc_verify_spill_finish(finer, error))
        return finer;
    cdc_verify_spill_free(finer);
    return NULL;
}

static bool spills_compare(const cdc_verify_compare *compare, cdc_verify_spill *table,
                           cdc_verify_spill *stream, unsigned depth, cdc_verify_fold *fold,
                           cdc_verify_row *row, core_error *error);

static bool part_compare_split(const cdc_verify_compare *compare, cdc_verify_spill *table,
                               cdc_verify_spill *stream, unsigned part, unsigned depth,
                               cdc_verify_fold *fold, cdc_verify_row *row, core_error *error) {
    if (depth == CDC_VERIFY_DEPTH_MAX)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "more rows than %zu bytes hold have keys that begin alike in their "
                              "hash: out of memory",
                              compare->fold_bytes);
    cdc_verify_spill *finer_table = part_split(compare, table, part, depth, row, error);
    cdc_verify_spill *finer_stream =
        finer_table != NULL ? part_split(compare, stream, part, depth, row, error) : NULL;
    bool ok = finer_stream != NULL &&
              spills_compare(compare, finer_table, finer_stream, depth, fold, row, error);
    cdc_verify_spill_free(finer_table);
    cdc_verify_spill_free(finer_stream);
    return ok;
}

static bool spills_compare(const cdc_verify_compare *compare, cdc_verify_spill *table,
                           cdc_verify_spill *stream, unsigned depth, cdc_verify_fold *fold,
                           cdc_verify_row *row, core_error *error) {
    for (unsigned part = 0; part < CDC_VERIFY_PARTS; part++) {
        part_result result = part_compare(compare, table, stream, part, fold, row, error);
        if (result == PART_FAILED)
            return false;
        if (result == PART_TOO_LARGE &&
            !part_compare_split(compare, table, stream, part, depth + 1, fold, row, error))
            return false;
        if (depth == 0 && compare->on_part != NULL)
            compare->on_part(compare->context, part + 1);
    }
    return true;
}

bool cdc_verify_compare_run(const cdc_verify_compare *compare, cdc_verify_spill *table,
                            cdc_verify_spill *stream, core_error *error) {
    cdc_verify_fold fold;
    size_t columns = compare->shape->column_count;
    cdc_verify_row row = {.values = calloc(columns > 0 ? columns : 1, sizeof *row.values)};
    if (row.values == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a row to compare");
    cdc_verify_fold_init(&fold, compare->shape->column_count, compare->fold_bytes);
    bool ok = spills_compare(compare, table, stream, 0, &fold, &row, error);
    cdc_verify_fold_fini(&fold);
    free(row.values);
    return ok;
}
