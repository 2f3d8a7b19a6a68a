/* A change as clients see it: the `data` of a postgres_changes message, and of a server-sent event.
 * Source: Supabase Realtime's protocol as @supabase/realtime-js reads it (transformers.ts). */
#ifndef WALCAST_WS_CHANGE_JSON_H
#define WALCAST_WS_CHANGE_JSON_H

#include "auth/auth.h"

/* Which columns: all when `count` is 0, else these and the key; of these only what `visible` lets
 * its role see (NULL: all). */
typedef struct {
    const core_slice *columns;
    size_t count;
    const auth_table *visible;
    bool
        brief; /* without values of more than WS_CHANGE_BRIEF_BYTES, which are named in `omitted` */
    bool left; /* of an UPDATE: that the old row is no longer what was asked for */
    bool hides_old;    /* of an UPDATE: its old row was not to be seen; only the key is told */
    core_slice schema; /* what its readers call the schema; empty: its name */
} ws_change_select;

#define WS_CHANGE_BRIEF_BYTES 64

/* Whether the column is in what the selection gives of a row. */
bool ws_change_selects(const core_relation *relation, const core_column *column,
                       const ws_change_select *select);
/* Appends the object. `change` is an INSERT, UPDATE, DELETE, TRUNCATE, or a READ: a snapshot's row,
 * which has no place in the stream (`offset` NULL). */
void ws_change_json(core_buffer *out, const core_change *change, const core_offset *offset,
                    const ws_change_select *select);

#endif
