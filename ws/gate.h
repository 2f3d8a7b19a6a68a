/* The gate between a snapshot's rows and the changes behind it: which changes the rows show
 * already.
 *
 * A transaction is shown if the snapshot sees it. That its commit stands at or before the place in
 * the WAL that was read behind the snapshot keeps ids that came round from being taken for old
 * ones; the stream is in commit order, so the first change beyond that place ends the gate. Owned
 * by one thread at a time. */
#ifndef WALCAST_WS_GATE_H
#define WALCAST_WS_GATE_H

#include "core/core.h"

typedef struct {
    core_visibility visibility;
    core_lsn lsn; /* every commit that the snapshot sees is before it */
} ws_gate;

typedef enum {
    WS_GATE_SHOWN, /* the rows show it */
    WS_GATE_NEW,   /* they do not */
    WS_GATE_OVER,  /* nor any change that follows */
} ws_gate_answer;

/* A change of the transaction that was committed there. */
ws_gate_answer ws_gate_ask(ws_gate *gate, uint32_t xid, core_lsn commit_lsn);
/* Frees it; NULL is allowed. */
void ws_gate_free(ws_gate *gate);

#endif
