/* See gate.h. */
#include "ws/gate.h"

#include <stdlib.h>

ws_gate_answer ws_gate_ask(ws_gate *gate, uint32_t xid, core_lsn commit_lsn) {
    if (commit_lsn > gate->lsn)
        return WS_GATE_OVER;
    return core_visibility_sees(&gate->visibility, xid) ? WS_GATE_SHOWN : WS_GATE_NEW;
}

void ws_gate_free(ws_gate *gate) {
    if (gate == NULL)
        return;
    core_visibility_fini(&gate->visibility);
    free(gate);
}
