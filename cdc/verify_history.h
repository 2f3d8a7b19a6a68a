/* What stands beside the stream, in its key-value bucket and at its end, that tells `walcast
 * verify` how far the stream is and from where on it is whole. Reads only. */
#ifndef WALCAST_CDC_VERIFY_HISTORY_H
#define WALCAST_CDC_VERIFY_HISTORY_H

#include "cdc/cdc.h"
#include "cdc/mark.h"
#include "cdc/position.h"
#include "fanout/fanout.h"

typedef struct {
    const core_config *config;
    fanout_connection *connection;
    fanout_bucket *bucket;
    const char *stream;
    core_buffer payload;
    core_arena arena;
} cdc_verify_history;

CORE_MUST_CHECK bool cdc_verify_history_init(cdc_verify_history *history, const core_config *config,
                                             fanout_connection *connection, core_error *error);
void cdc_verify_history_fini(cdc_verify_history *history);

/* The snapshots of one table, as their records say. */
typedef struct {
    bool running; /* one is asked for or under way */
    char
        done_id[CORE_SNAPSHOT_ID_SIZE]; /* the last that is done, of the whole table; empty: none */
    char done_epoch[CORE_EPOCH_TEXT_SIZE];
    uint64_t done_sequence; /* the stream's last message when it began */
} cdc_verify_snapshots;
CORE_MUST_CHECK bool cdc_verify_snapshots_look(cdc_verify_history *history, const char *schema,
                                               const char *table, cdc_verify_snapshots *found,
                                               core_error *error);

/* How far the stream is. */
typedef struct {
    fanout_stream_info stream;
    bool has_position;
    cdc_position position;
    core_lsn passed_lsn; /* every commit before it is stored */
} cdc_verify_progress_point;
CORE_MUST_CHECK bool cdc_verify_progress_look(cdc_verify_history *history,
                                              cdc_verify_progress_point *point, core_error *error);

CORE_MUST_CHECK bool cdc_verify_marks_look(cdc_verify_history *history, cdc_marks *marks,
                                           core_error *error);

/* The last messages of the table's subjects, and of the marks of gaps; 0: none. */
typedef struct {
    char filter[CORE_SUBJECT_MAX];
    uint64_t last_sequence;
    uint64_t gap_sequence;
} cdc_verify_subject;
CORE_MUST_CHECK bool cdc_verify_subject_look(cdc_verify_history *history, const char *schema,
                                             const char *table, cdc_verify_subject *subject,
                                             core_error *error);

/* One record against a table. Pure. */
void cdc_verify_snapshots_take(const core_snapshot *record, const char *schema, const char *table,
                               cdc_verify_snapshots *found);

#endif
