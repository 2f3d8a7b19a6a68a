/* The source's inside, shared by source.c (states), source_open.c and source_shapes.c (coming up),
 * source_stream.c (streaming) and source_positions.c (what is confirmed). */
#ifndef WALCAST_CDC_SOURCE_PRIVATE_H
#define WALCAST_CDC_SOURCE_PRIVATE_H

#include "cdc/confirm_delay.h"
#include "cdc/heartbeat.h"
#include "cdc/ledger.h"
#include "cdc/message_stage.h"
#include "cdc/pacing.h"
#include "cdc/position_writer.h"
#include "cdc/recent_xids.h"
#include "cdc/reorder.h"
#include "cdc/run_builder.h"
#include "cdc/snapshot_gate.h"
#include "cdc/source.h"
#include "cdc/start.h"
#include "cdc/transcoder.h"
#include "fanout/fanout.h"

#include <pthread.h>
#include <stdatomic.h>

typedef enum {
    SOURCE_CONNECTING_BROKER,
    SOURCE_CONNECTING_DATABASE,
    SOURCE_SETTING_UP,
    SOURCE_SNAPSHOTTING, /* the initial snapshot is published; the slot waits unread */
    SOURCE_STREAMING,
    SOURCE_BLOCKED, /* the publisher's window is full: the socket is not read, feedback goes on */
    SOURCE_FULL,    /* the stream has no room: nothing is read or published, feedback goes on */
    SOURCE_BACKING_OFF,
    SOURCE_DRAINING,
    SOURCE_FAILED, /* needs a person: nothing is read, nothing confirmed, the slot keeps the WAL */
    SOURCE_STOPPED,
    SOURCE_STATES
} cdc_source_state;

/* Runs of a snapshot beside the live stream that are not acknowledged, at the most; one while
 * changes flow, which may have to wait for it. */
#define CDC_SNAPSHOT_INFLIGHT 16

/* Snapshots' rows on their way (source_snapshot.c). */
typedef struct {
    cdc_snapshot_ticket *tickets[CDC_SNAPSHOT_TICKETS]; /* to look at */
    size_t count;
    bool waits;             /* for the stream to pass some position */
    core_lsn passed_lsn;    /* all before it is published or has no rows */
    uint64_t last_sequence; /* of the messages sent so far */
    cdc_run run;            /* closed, waiting for room in the publisher's window */
    bool has_run;
    cdc_snapshot_ticket *owner; /* its */
    char subject[CORE_SUBJECT_MAX];
    uint64_t inflight[CDC_SNAPSHOT_INFLIGHT]; /* sequences of the last ones sent, a ring */
    uint64_t sent;
    int64_t poked_ms;
    cdc_snapshot_flow flow;
    bool yields;        /* while changes flow */
    int64_t send_at_ms; /* then rows go out not before */
    bool rests;         /* some wait for that */
} cdc_source_snapshot;

/* The last message of what the stream holds without a hole; see source_tail.c. */
typedef struct {
    uint64_t sequence;
    bool is_run; /* tail_run is it */
    bool is_gap; /* it is a GAP event */
    cdc_position gap;
    bool wants_snapshot;
    uint64_t first_missing; /* behind it; 0: no hole */
} cdc_source_tail;

struct cdc_source {
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    cdc_wal_stream *wal;
    int stop_fd;
    atomic_bool drain_asked;
    atomic_bool stop_asked;
    atomic_bool stopped;

    core_state state;
    core_backoff backoff;
    int64_t retry_at_ms;
    int64_t stand_by_until_ms; /* then all of coming up is tried again, taken or not */
    int64_t drain_until_ms;
    bool holds; /* we stream the slot, also while we cannot go on */
    cdc_source_hook hook;
    void *hook_context;
    bool standing_by; /* another process streams the slot */

    /* Coming up */
    fanout_publisher *publisher;
    fanout_bucket *bucket;
    core_arena tail_arena;
    core_run tail_run;
    const fanout_tail *tail;
    core_buffer anchor_payload; /* what tail_run points into when there is a hole */
    cdc_source_tail tail_found;
    bool has_record;
    cdc_position_writer *writer;
    cdc_position record; /* as stored; `record_revision` was its key's when read */
    uint64_t record_revision;
    uint64_t record_revision_before; /* at the last attempt, so read before this tail */
    uint64_t acked_sequence; /* the greatest that this process saw in the stream made then */
    int64_t acked_created_us;
    uint64_t acked_gaps; /* GAP events before it */
    bool snapshot_due;   /* after the gap just settled */
    cdc_wal_server server;
    core_lsn confirmed_before_lsn;
    cdc_start start;
    char exported[64]; /* the slot's snapshot, while the initial one is taken from it */

    /* Streaming */
    bool whole;     /* on this connection streaming is not asked for */
    bool two_phase; /* on this connection prepared transactions come at PREPARE */
    int64_t whole_until_ms;
    cdc_reorder *reorder;
    cdc_shape_log *shapes;
    cdc_run_builder *builder;
    cdc_message_stage *stage; /* NULL until the database told its name */
    cdc_ledger *ledger;
    cdc_transcoder *transcoder; /* of the messages' text; NULL: it is UTF-8 */
    core_arena message_arena;
    cdc_frame frame;
    cdc_message message;
    bool message_held; /* decoded, not yet fed */
    core_lsn received_lsn;
    core_lsn progress_lsn;  /* all before it is stored once the run at hand is; 0: not known */
    core_lsn server_lsn;    /* how far the server has sent or written */
    core_lsn confirmed_lsn; /* told to the server as flushed */
    core_lsn told_lsn;      /* the last feedback's */
    cdc_confirm_delay delay;
    cdc_snapshot_gate *gate; /* its owner's */
    cdc_recent_xids *recent;
    cdc_source_snapshot snapshot;
    cdc_pacing pacing;
    uint64_t round_messages;
    bool reply_due;
    bool ping_sent;
    int64_t feedback_at_ms; /* when it was sent last; the same for the following */
    int64_t record_at_ms;   /* posted */
    bool record_refused;    /* there was no room for it, and it is not stored since */
    int64_t received_at_ms;
    int64_t maintained_at_ms;
    int64_t maintain_every_ms;
    int64_t mark_due_ms;
    cdc_run_counts counted;
    uint64_t received_bytes;

    bool acked_any; /* since the connection began to stream */
    int64_t streaming_since_ms;

    /* Waiting for room in the stream */
    fanout_stream_info full_stream; /* as it was when it refused */
    int64_t full_look_at_ms;
    int64_t full_until_ms;

    /* Watching the slot */
    cdc_slot_health health;
    bool has_health;
    int64_t watch_at_ms;
    int64_t health_us;    /* wall time at which it was asked */
    int64_t caught_up_us; /* all that was written until then is stored */
    cdc_heartbeat heartbeat;
    bool heartbeat_refused;

    /* What `ready` shows. */
    pthread_mutex_t status_mutex;
    core_readiness status;
    char status_text[CORE_ERROR_TEXT_MAX];
    char warning_text[CORE_ERROR_TEXT_MAX]; /* shown while streaming; empty: none */
    char told_text[CORE_ERROR_TEXT_MAX];    /* the last error logged, so as not to repeat it */
    int64_t told_at_ms;
};

/* The state it shows besides its own one; any of its steps. */
void cdc_source_warn(cdc_source *source, const char *warning);
void cdc_source_move(cdc_source *source, cdc_source_state next);

/* source_open.c: one step of each state; false with `error` set when it did not work. */
CORE_MUST_CHECK bool cdc_source_broker_open(cdc_source *source, core_error *error);
CORE_MUST_CHECK bool cdc_source_database_open(cdc_source *source, core_error *error);
CORE_MUST_CHECK bool cdc_source_set_up(cdc_source *source, core_error *error);
/* The initial snapshot is in the stream: changes begin. */
CORE_MUST_CHECK bool cdc_source_initial_end(cdc_source *source, core_error *error);

/* source_tail.c: what the stream holds, once tail and record are read. */
CORE_MUST_CHECK bool cdc_source_tail_read(cdc_source *source, core_error *error);
/* Fills the facts that tell of the stream and the record. */
void cdc_source_tail_facts(const cdc_source *source, cdc_start_facts *facts);

/* source_gap.c: tells of a gap as cdc.on_gap says, before streaming begins. GAP error when it is to
 * stop. */
CORE_MUST_CHECK bool cdc_source_gap_settle(cdc_source *source, cdc_start_facts *facts,
                                           cdc_start *start, core_error *error);
/* What remains to be done before the position record says that it is settled. */
CORE_MUST_CHECK bool cdc_source_gap_finish(cdc_source *source, const cdc_start *start,
                                           core_error *error);

/* The position record as the ledger stands. */
cdc_position cdc_source_record_make(const cdc_source *source);
/* Stores it and waits; afterwards `record` is it. */
CORE_MUST_CHECK bool cdc_source_record_write(cdc_source *source, core_error *error);
void cdc_source_close(cdc_source *source);

/* source_mark.c: when one is due, notes from which transaction on the stream holds everything
 * (cdc/mark.h). Its failure is only logged. */
void cdc_source_mark(cdc_source *source);

/* source_shapes.c: fills the log of told shapes from the stream. Blocks. */
CORE_MUST_CHECK bool cdc_source_shapes_read(cdc_source *source, core_error *error);

/* source_positions.c: stores and confirms what may be, and watches over the server's silence. */
CORE_MUST_CHECK bool cdc_source_positions_tell(cdc_source *source, core_error *error);
/* Until it has something to do by itself. */
int64_t cdc_source_timers_left_ms(const cdc_source *source);
/* The last record and feedback, waited for. */
CORE_MUST_CHECK bool cdc_source_positions_close(cdc_source *source, core_error *error);

/* Record and feedback while nothing is read or published. */
CORE_MUST_CHECK bool cdc_source_positions_keep(cdc_source *source, core_error *error);
int64_t cdc_source_keep_left_ms(const cdc_source *source);

/* source_full.c: waiting until the stream has room again. */
void cdc_source_full_begin(cdc_source *source);
/* `*over`: come up again. */
CORE_MUST_CHECK bool cdc_source_full_step(cdc_source *source, bool *over, core_error *error);
/* When the next step has something to do. */
int64_t cdc_source_full_until_ms(const cdc_source *source);

/* source_watch.c: the slot's figures, warnings and the heartbeat. */
void cdc_source_watch_begin(cdc_source *source);
/* Now and then, in every state but the last ones; asks the server when it is due. */
void cdc_source_watch(cdc_source *source);
/* Looks at once: another process streams the slot. False also when the server does not say. */
bool cdc_source_slot_taken(cdc_source *source);
void cdc_source_lag_update(cdc_source *source);

/* source_snapshot.c. A session begins when changes can be published and ends with the connection;
 * `exported` names the initial snapshot, or is empty. */
void cdc_source_snapshot_begin(cdc_source *source, const char *exported);
/* `reason`: what broke it, or "". */
void cdc_source_snapshot_end(cdc_source *source, const char *reason);
/* A change that is, or was, given to the stream. */
void cdc_source_snapshot_note(cdc_source *source, const core_change *change);
/* Transactions with changes that were taken in since it was called last. */
void cdc_source_snapshot_flow(cdc_source *source, uint64_t transactions, int64_t now_us);
/* All before `lsn` is published or has no rows. */
void cdc_source_snapshot_passed(cdc_source *source, core_lsn lsn);
/* Between two messages: does what can be done. `*acted`: come again. */
CORE_MUST_CHECK bool cdc_source_snapshot_step(cdc_source *source, bool *acted, core_error *error);
/* Sends the run that waits for room, if one does; `*full` when it goes on waiting. */
CORE_MUST_CHECK bool cdc_source_snapshot_flush(cdc_source *source, bool *full, core_error *error);
/* When the server is to be asked how far it is. */
int64_t cdc_source_snapshot_poke_ms(const cdc_source *source);
/* When its next rows may go out. */
int64_t cdc_source_snapshot_send_ms(const cdc_source *source);

/* source_stream.c: hands the run's next message to the broker; false with `*full` false: broken. */
CORE_MUST_CHECK bool cdc_source_message_send(cdc_source *source, const cdc_run *run, bool *full,
                                             core_error *error);
/* One round of the initial snapshot. */
CORE_MUST_CHECK bool cdc_source_initial(cdc_source *source, bool *done, core_error *error);

/* source_stream.c: one bounded round in STREAMING, BLOCKED or DRAINING. */
CORE_MUST_CHECK bool cdc_source_stream(cdc_source *source, core_error *error);
CORE_MUST_CHECK bool cdc_source_drain_step(cdc_source *source, bool *done, core_error *error);
/* The last word to the server: position record, feedback, end of the stream. */
void cdc_source_finish(cdc_source *source);

#endif
