/* The comparison itself: the table's rows against the stream's last state, part by part.
 *
 * Only what both sides surely say is called a difference; whatever the stream cannot know is
 * counted as not covered, with its reason. Memory: one part's keys, up to a maximum beyond which
 * the part is split on disk. */
#ifndef WALCAST_CDC_VERIFY_COMPARE_H
#define WALCAST_CDC_VERIFY_COMPARE_H

#include "cdc/cdc.h"
#include "cdc/verify_fold.h"
#include "cdc/verify_shape.h"
#include "cdc/verify_spill.h"

/* From where on the stream surely holds every change of the table. */
typedef struct {
    bool whole;    /* every row: all of it was read into the stream, or none was before */
    bool has_mark; /* rows written by `mark` or a later transaction */
    uint64_t mark;
    bool xmin_tells;
} cdc_verify_coverage;

typedef struct {
    const core_config *config; /* cdc.spill_dir */
    const cdc_verify_shape *shape;
    cdc_verify_coverage coverage;
    uint64_t first_number; /* events before it do not count */
    bool nothing_left; /* only inserts are told, and of none the row is gone: none was changed */
    size_t fold_bytes;
    size_t limit; /* differences told; all are counted */
    cdc_difference_handler on_difference;
    void (*on_part)(void *context, unsigned done); /* of 256; NULL: nobody asks */
    void *context;
    cdc_verify_report *report; /* its counts are added to */
} cdc_verify_compare;

CORE_MUST_CHECK bool cdc_verify_compare_run(const cdc_verify_compare *compare,
                                            cdc_verify_spill *table, cdc_verify_spill *stream,
                                            core_error *error);

/* What becomes of one row of a table with a key; `entry` NULL: no event told of it. */
typedef enum {
    CDC_VERIFY_EQUAL,
    CDC_VERIFY_DIFFERS,
    CDC_VERIFY_MISSES, /* the stream lacks it */
    CDC_VERIFY_BEFORE_HISTORY,
    CDC_VERIFY_NOT_TOLD,      /* a value that the stream does not tell */
    CDC_VERIFY_NOT_PUBLISHED, /* the operation that would tell is not */
} cdc_verify_verdict;
cdc_verify_verdict cdc_verify_judge(const cdc_verify_shape *shape,
                                    const cdc_verify_coverage *coverage, const cdc_verify_row *row,
                                    const cdc_verify_entry *entry);
/* The column's values are surely two. */
bool cdc_verify_value_differs(const cdc_verify_value *table, const cdc_verify_value *stream);

#endif
