/* See rows.h. */
#include "ws/rows.h"

#include <stdlib.h>

ws_rows *ws_rows_new(void) {
    return calloc(1, sizeof(ws_rows));
}

void ws_rows_free(ws_rows *rows) {
    if (rows == NULL)
        return;
    for (size_t i = 0; i < rows->count; i++)
        core_block_release(rows->frames[i]);
    ws_gate_free(rows->gate);
    free(rows);
}
