/* The cdc room's public header: one replication slot's WAL into the change stream, exactly once. */
#ifndef WALCAST_CDC_CDC_H
#define WALCAST_CDC_CDC_H

#include "core/core.h"

/* The role `cdc`: one thread that owns the slot and the stream's publisher. `config`, `log`,
 * `metrics` and `clock` must outlive it. */
CORE_MUST_CHECK core_role *cdc_role_new(const core_config *config, core_log *log,
                                        core_metrics *metrics, const core_clock *clock,
                                        core_error *error);

/* For `walcast check`: asks the database whether the role could work (reachable, wal_level,
 * replication privilege, publication, slot) and prints a line a finding. True when nothing is
 * wrong. Blocks up to the connection's time limit. Changes nothing. */
CORE_MUST_CHECK bool cdc_check(const core_config *config, FILE *report);

/* ---- For `walcast verify` ---- */

typedef enum {
    CDC_DIFFERENT,
    CDC_MISSING_IN_STREAM,
    CDC_ONLY_IN_STREAM,
} cdc_difference_kind;

/* Valid during the call. */
typedef struct {
    cdc_difference_kind kind;
    core_slice key;     /* a JSON object; of a table without a key the row, long values cut */
    core_slice columns; /* a JSON array of the names that differ; empty but for DIFFERENT */
    core_slice
        table_values; /* JSON objects of these columns, long values cut; empty unless asked */
    core_slice stream_values;
    uint64_t rows; /* alike; 1 with a key */
} cdc_difference;
typedef void (*cdc_difference_handler)(void *context, const cdc_difference *difference);

typedef enum {
    CDC_VERIFY_READING,   /* the table */
    CDC_VERIFY_WAITING,   /* for the stream to come as far: `done` and `total` are LSNs */
    CDC_VERIFY_FOLDING,   /* the stream: messages */
    CDC_VERIFY_COMPARING, /* parts */
} cdc_verify_phase;
/* A few times a second, on the calling thread. `total` may be an estimate; 0: not known. */
typedef void (*cdc_verify_progress)(void *context, cdc_verify_phase phase, uint64_t done,
                                    uint64_t total);

typedef struct {
    const char *schema;
    const char *table;
    size_t limit;       /* differences told of; all are counted */
    bool shows_values;  /* of columns that differ: they are then written to cdc.spill_dir, cut */
    int64_t timeout_ms; /* longest wait for a stream that does not move */
    cdc_difference_handler on_difference;
    cdc_verify_progress on_progress; /* NULL: none */
    void *context;
} cdc_verify_options;

#define CDC_VERIFY_POINT_MAX 256

typedef struct {
    uint64_t rows; /* of the table */
    uint64_t equal;
    uint64_t different;
    uint64_t missing; /* in the stream */
    uint64_t only_in_stream;
    /* Not covered: rows that cannot be compared, and why. */
    uint64_t before_history; /* written before what the stream holds */
    uint64_t not_told;       /* a value that the stream does not tell */
    uint64_t not_published;  /* by an operation that is not published */
    uint64_t told;           /* differences that the handler got */
    /* Where only inserts are published: rows that none accounts for, inserts whose row is gone. */
    uint64_t unaccounted;
    uint64_t gone;
    uint64_t changes;       /* of the stream, folded */
    uint64_t changes_later; /* skipped: of transactions that the reading one does not see */
    bool has_key;
    core_lsn lsn;                        /* the point: what the stream must have passed */
    char snapshot[CDC_VERIFY_POINT_MAX]; /* the reading transaction's, cut */
    int64_t took_ms;
} cdc_verify_report;

/* Compares a table with the stream's last state of each of its rows, at one point. Reads the table
 * in one read-only transaction, ends that, then waits for the stream to pass the point and reads
 * the table's part of it. Writes to cdc.spill_dir only (about 100 bytes and 9 a column for each row
 * and change). Blocks; for a thread of its own. Errors: CONFIG for no such table or one that is not
 * published; DENIED; TRANSIENT when a server is away or the stream does not move; GAP when the
 * history goes away while it is read. */
CORE_MUST_CHECK bool cdc_verify(const core_config *config, core_log *log,
                                const cdc_verify_options *options, cdc_verify_report *report,
                                core_error *error);

#endif
