/* The assembler: decoded pgoutput messages in, finished runs out (DESIGN 3).
 *
 * Feeding a message may first need the run that is being written to be sent: then the answer is
 * READY, the message was not taken, and it must be fed again once the run was taken. So memory is
 * bounded by one run and one message, whatever a transaction's size.
 *
 * A run closes lazily: when the next row is of another table or operation, would pass a bound, or
 * by `flush` when no more input waits. So the run with a transaction's last row is always still at
 * hand when its Commit arrives, and `last` is right. Rows are numbered within their transaction
 * before anything is skipped; what the stream holds already is skipped by (commit LSN, index).
 * Owned by one thread. */
#ifndef WALCAST_CDC_RUN_BUILDER_H
#define WALCAST_CDC_RUN_BUILDER_H

#include "cdc/lookup.h"
#include "cdc/pgoutput.h"
#include "cdc/position.h"
#include "cdc/shape_log.h"

typedef struct {
    core_subject_scope scope;
    uint32_t run_rows;     /* a run closes at so many rows */
    size_t run_bytes;      /* or before it would pass so many bytes; one row may be larger */
    size_t message_max;    /* the broker's limit: only a run of one row is larger */
    size_t row_max;        /* a row beyond it stops the source; at least message_max */
    cdc_shape_log *shapes; /* NULL: no SCHEMA events */
    cdc_lookup *lookup;    /* NULL: nothing is asked */
    bool reads_values;     /* ask it for unchanged values */
} cdc_run_limits;

/* A run, closed and waiting to be sent. */
typedef struct {
    const char *subject;
    core_slice payload;
    uint32_t rows;
    core_transaction last; /* its last row's transaction */
    uint64_t last_index;
    bool last_complete;
    bool holds_last;    /* false: only a part of that row, or what comes before it */
    core_lsn shown_lsn; /* for the ledger */
    core_lsn safe_lsn;
    core_lsn before_lsn; /* the end of the last transaction that is wholly in runs before it */
} cdc_run;

typedef struct {
    uint64_t rows;         /* decoded */
    uint64_t skipped_rows; /* of these, not published: the stream held them */
    uint64_t transactions;
    uint64_t changing; /* transactions with changes: before 15 the server sends empty ones, too */
} cdc_run_counts;

typedef enum { CDC_FED, CDC_RUN_READY, CDC_REFUSED } cdc_feed_result;

typedef struct cdc_run_builder cdc_run_builder;

CORE_MUST_CHECK cdc_run_builder *cdc_run_builder_new(core_error *error);
void cdc_run_builder_free(cdc_run_builder *builder);
/* Before the first message of a connection: forgets what was pending, goes on behind `stored`. */
void cdc_run_builder_start(cdc_run_builder *builder, const cdc_run_limits *limits,
                           const cdc_position *stored);

/* `sent_us` is the frame's time. REFUSED: INPUT when the message does not fit what came before it,
 * LIMIT when a row is too large, TRANSIENT when the lookup is away; nothing was taken. */
CORE_MUST_CHECK cdc_feed_result cdc_run_builder_feed(cdc_run_builder *builder,
                                                     const cdc_message *message, int64_t sent_us,
                                                     core_error *error);
/* Closes the run at hand unless its transaction is still open. */
void cdc_run_builder_flush(cdc_run_builder *builder);
/* The closed run, or NULL; valid until `taken`. */
const cdc_run *cdc_run_builder_run(const cdc_run_builder *builder);
void cdc_run_builder_taken(cdc_run_builder *builder);

/* What a snapshot needs to put rows between transactions. Describes a table as the slot would, with
 * its types' names, and gives it as runs must have it; errors as `feed`. */
CORE_MUST_CHECK bool cdc_run_builder_describe(cdc_run_builder *builder,
                                              const core_relation *relation,
                                              const core_slice *type_names,
                                              const core_relation **held, core_error *error);
/* The place behind the last whole transaction. False while one is open, was cut at the start and
 * has not come again, or anything is at hand. */
CORE_MUST_CHECK bool cdc_run_builder_place(const cdc_run_builder *builder, core_transaction *place);
/* Before rows of a snapshot at that place: FED when the stream was told the relation's shape, READY
 * when a SCHEMA is to be sent first. */
CORE_MUST_CHECK cdc_feed_result cdc_run_builder_shape(cdc_run_builder *builder, uint32_t oid,
                                                      const core_transaction *place,
                                                      core_error *error);
CORE_MUST_CHECK bool cdc_run_builder_subject(const cdc_run_builder *builder,
                                             const core_relation *relation, core_op op,
                                             char subject[CORE_SUBJECT_MAX], core_error *error);
const core_relation *cdc_run_builder_relation(const cdc_run_builder *builder, uint32_t oid);
cdc_run_limits cdc_run_builder_limits(const cdc_run_builder *builder);

/* Rows are at hand that were not given out yet. */
bool cdc_run_builder_pending(const cdc_run_builder *builder);
bool cdc_run_builder_in_transaction(const cdc_run_builder *builder);
/* The end of the last transaction fed whole. With nothing pending, all before it was given out. */
core_lsn cdc_run_builder_whole_lsn(const cdc_run_builder *builder);
cdc_run_counts cdc_run_builder_counts(const cdc_run_builder *builder);

#endif
