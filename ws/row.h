/* Which row a frame tells of, so that a newer frame of the same row may stand for an older one that
 * still waits (queue.h).
 *
 * Compared exactly, not by a hash alone. The frames of one row for different sets of bindings are
 * different rows here: each set has a last state of its own. Made by the hub, once a frame, only
 * for those who ask for it; shared by all who wait for the frame, on any thread. */
#ifndef WALCAST_WS_ROW_H
#define WALCAST_WS_ROW_H

#include "core/core.h"

typedef enum {
    WS_ROW_STATE, /* all that is to know of the row, but for columns that `missing` names */
    WS_ROW_MOVED, /* a key became another: tells of both, so no other frame stands for it */
    WS_ROW_ALL,   /* of every row of the table: a TRUNCATE */
} ws_row_kind;

typedef struct {
    ws_row_kind kind;
    core_slice table;  /* and the bindings that the frame is for */
    core_slice key;    /* of the row; ALL: empty */
    core_slice former; /* MOVED: the key before, else empty */
    /* STATE: columns whose values the frame does not have; a frame that has them must stay. */
    core_slice missing;
} ws_row_parts;

typedef struct ws_row ws_row;

/* Copies the parts. NULL when memory is out. One reference, the caller's. */
CORE_MUST_CHECK ws_row *ws_row_new(const ws_row_parts *parts);
/* NULL is allowed. Any thread. */
ws_row *ws_row_retain(ws_row *row);
void ws_row_release(ws_row *row);

ws_row_kind ws_row_kind_of(const ws_row *row);
/* Of table and key; equal rows have equal ones. */
uint64_t ws_row_hash(const ws_row *row);
/* The same of the key before. */
uint64_t ws_row_former_hash(const ws_row *row);
/* Who gets `newer` needs `older` no more. */
bool ws_row_replaces(const ws_row *newer, const ws_row *older);

#endif
