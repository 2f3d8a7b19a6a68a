/* Where the workers that read tables meet the source's thread, which alone writes the stream.
 *
 * A worker's piece of a table is a ticket. The worker asks for its window, reads rows, submits them
 * and waits; the source opens the window, and when the live stream has passed the moment at which
 * the rows were read, it sends them between two transactions, or says that they must be read again.
 * A ticket has one owner at a time, by its state; states change under the gate's mutex, contents
 * are its owner's alone. */
#ifndef WALCAST_CDC_SNAPSHOT_GATE_H
#define WALCAST_CDC_SNAPSHOT_GATE_H

#include "cdc/snapshot_chunk.h"
#include "cdc/snapshot_flow.h"
#include "cdc/snapshot_table.h"

#define CDC_SNAPSHOT_WORKERS_MAX 16
#define CDC_SNAPSHOT_CUT_TICKET  CDC_SNAPSHOT_WORKERS_MAX /* the jobs' own */
#define CDC_SNAPSHOT_TICKETS     (CDC_SNAPSHOT_WORKERS_MAX + 1)

typedef enum {
    CDC_TICKET_IDLE,    /* the worker's */
    CDC_TICKET_ASKED,   /* the source's: open the window */
    CDC_TICKET_OPEN,    /* the worker's, but the window is the source's */
    CDC_TICKET_READ,    /* the source's: waits for its place */
    CDC_TICKET_SENDING, /* the source's */
    CDC_TICKET_SENT,    /* the source's: not all is acknowledged */
    CDC_TICKET_DONE,    /* the worker's: in the stream */
    CDC_TICKET_PLACED,  /* the worker's: the rows belong after `after_sequence` */
    CDC_TICKET_AGAIN,   /* the worker's: read again, `reason` says why */
    CDC_TICKET_ABORTED, /* the worker's: the stream broke */
    CDC_TICKET_STATES
} cdc_ticket_state;

/* What the source is at: valid while it streams, or takes the initial snapshot. */
typedef struct {
    char epoch[CORE_EPOCH_TEXT_SIZE];
    cdc_snapshot_run_limits limits; /* `epoch` is this session's */
    char exported[64];              /* initial: the slot's snapshot; empty: live */
    char database[256];             /* its name */
    uint64_t start_sequence;
    uint64_t number; /* of the session; grows */
} cdc_snapshot_session;

static inline bool cdc_snapshot_session_is_initial(const cdc_snapshot_session *session) {
    return session->exported[0] != '\0';
}

typedef struct {
    /* Written under the gate's mutex; who sees it become his sees all that was written before. */
    _Atomic cdc_ticket_state state;
    /* The worker's. */
    const cdc_snapshot_table *table;
    cdc_snapshot_chunk *chunk;
    core_slice encoded; /* the relation that the runs were made with; empty: just asks for it */
    core_visibility visibility;
    core_lsn high_lsn; /* all that the rows show was committed before it */
    int64_t read_us;
    bool yields;            /* was read knowing that changes flow */
    bool addressed;         /* goes to a stream of its own: only its place is asked for */
    bool cut;               /* no rows: where the stream holds just what the visibility sees */
    uint64_t mark_sequence; /* for event.proto's Snapshot.after_sequence */
    /* The source's, whatever the state. */
    cdc_snapshot_window window;
    uint64_t published; /* transactions, when the window was opened */
    uint64_t last_sequence;
    /* Answers. */
    core_buffer relation; /* as runs must have it now: encoded */
    uint64_t after_sequence;
    char reason[128];
} cdc_snapshot_ticket;

typedef struct cdc_snapshot_gate cdc_snapshot_gate;

CORE_MUST_CHECK cdc_snapshot_gate *cdc_snapshot_gate_new(core_error *error);
void cdc_snapshot_gate_free(cdc_snapshot_gate *gate);

/* ---- Workers, and whoever runs them ---- */

/* Waits for a session, `timeout_ms` at the most. False: there is none. */
CORE_MUST_CHECK bool cdc_snapshot_gate_session(cdc_snapshot_gate *gate, int64_t timeout_ms,
                                               cdc_snapshot_session *session);
/* What broke that session, when it was the last one that ended; else "". */
void cdc_snapshot_gate_reason(cdc_snapshot_gate *gate, uint64_t session,
                              char reason[CORE_ERROR_TEXT_MAX]);
/* Worker `at`'s ticket. */
cdc_snapshot_ticket *cdc_snapshot_gate_ticket(cdc_snapshot_gate *gate, size_t at);
/* Hands the ticket over as ASKED or READ and waits until it comes back; gives its state. ABORTED at
 * once when the session is another than number `session`. */
cdc_ticket_state cdc_snapshot_gate_pass(cdc_snapshot_gate *gate, cdc_snapshot_ticket *ticket,
                                        cdc_ticket_state as, uint64_t session);
/* Gives up a ticket that is OPEN. */
void cdc_snapshot_gate_leave(cdc_snapshot_gate *gate, cdc_snapshot_ticket *ticket);
/* The initial snapshot is over, as far as it goes. */
void cdc_snapshot_gate_initial_end(cdc_snapshot_gate *gate);
/* Lets everybody who waits look again (a stop request); nobody waits from then on. */
void cdc_snapshot_gate_stop(cdc_snapshot_gate *gate);

/* ---- The source ---- */

void cdc_snapshot_gate_begin(cdc_snapshot_gate *gate, const cdc_snapshot_session *session);
/* Takes every ticket back. `reason`: what broke the session, or "". */
void cdc_snapshot_gate_end(cdc_snapshot_gate *gate, const char *reason);
/* Whether snapshots give way to changes that flow (snapshot_flow.h). Set by the source; any thread.
 */
void cdc_snapshot_gate_yield_set(cdc_snapshot_gate *gate, bool yields);
bool cdc_snapshot_gate_yields(const cdc_snapshot_gate *gate);
/* Some ticket may have something to do; cheap. */
bool cdc_snapshot_gate_busy(const cdc_snapshot_gate *gate);
bool cdc_snapshot_gate_initial_ended(const cdc_snapshot_gate *gate);
/* Readable when a ticket was handed over. */
int cdc_snapshot_gate_wake_fd(const cdc_snapshot_gate *gate);
void cdc_snapshot_gate_wake_clear(cdc_snapshot_gate *gate);
/* The next of the tickets that are the source's or have an open window, behind `after`; NULL: no
 * more. */
cdc_snapshot_ticket *cdc_snapshot_gate_next(cdc_snapshot_gate *gate,
                                            const cdc_snapshot_ticket *after);
void cdc_snapshot_gate_move(cdc_snapshot_gate *gate, cdc_snapshot_ticket *ticket,
                            cdc_ticket_state state);

#endif
