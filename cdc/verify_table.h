/* The table's side of `walcast verify`: what is published of it, and its rows, read in one
 * transaction that is over before the stream is looked at.
 *
 * Read-only and repeatable; it holds back what any reader of that table does (a lock against being
 * altered, one snapshot) and only as long as the rows take to come. Rows are streamed: of each,
 * hashes go to the spill. */
#ifndef WALCAST_CDC_VERIFY_TABLE_H
#define WALCAST_CDC_VERIFY_TABLE_H

#include "cdc/cdc.h"
#include "cdc/verify_shape.h"
#include "cdc/verify_spill.h"

typedef struct {
    core_arena arena; /* of the shape */
    cdc_snapshot_table described;
    cdc_verify_shape shape;
    core_slice snapshot_text; /* in the arena */
    core_visibility visibility;
    core_lsn lsn; /* all that the snapshot sees is before it in the log */
    uint64_t system_id;
    uint64_t rows;
    cdc_verify_spill *spill; /* finished */
} cdc_verify_table;

/* CONFIG: no such table, not published, another form of values; DENIED; TRANSIENT. Must be followed
 * by _fini either way. */
CORE_MUST_CHECK bool cdc_verify_table_read(cdc_verify_table *table, const core_config *config,
                                           const cdc_verify_seed *seed,
                                           const cdc_verify_options *options, core_error *error);
void cdc_verify_table_fini(cdc_verify_table *table);

/* Wakes a log that is not written out: a transaction without changes, committed. What is in the
 * log's buffers is then flushed, and the walsender can read it. */
void cdc_verify_table_nudge(const core_config *config);

#endif
