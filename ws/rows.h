/* A piece of a snapshot's rows on its way to one member: frames made for its serializer.
 *
 * Made by who reads them, handed on whole, freed by who has sent them. */
#ifndef WALCAST_WS_ROWS_H
#define WALCAST_WS_ROWS_H

#include "ws/gate.h"

#define WS_ROWS_MAX 256 /* frames in one piece */

typedef struct ws_rows ws_rows;
struct ws_rows {
    ws_rows *next;
    size_t count, bytes;
    ws_gate *gate;  /* of the last piece: what goes before the changes that follow; else NULL */
    uint64_t total; /* of the last piece: rows in all */
    core_block *frames[WS_ROWS_MAX];
};

CORE_MUST_CHECK ws_rows *ws_rows_new(void);
/* Its frames and gate too; NULL is allowed. */
void ws_rows_free(ws_rows *rows);

#endif
