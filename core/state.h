/* State machines as tables of allowed transitions, moved through one function.
 *
 * A machine's states are an enum from 0; its table gives each state's name and the set of states it
 * may go to. A move that the table does not allow is a bug in our code and stops the process; so
 * `input decides`, never `input moves`. Owned by one thread. */
#ifndef WALCAST_CORE_STATE_H
#define WALCAST_CORE_STATE_H

#include "core/base.h"

typedef struct {
    const char *name;
    uint32_t allowed; /* bit N set: may go to state N */
} core_state_row;

typedef struct {
    const char *machine; /* for messages, e.g. "cdc source" */
    const core_state_row *rows;
    unsigned count; /* at most 32 */
    unsigned current;
} core_state;

#define CORE_STATE_BIT(state) (UINT32_C(1) << (state))

void core_state_init(core_state *state, const char *machine, const core_state_row *rows,
                     unsigned count, unsigned first);
/* Aborts with both names when the table does not allow it. */
void core_state_move(core_state *state, unsigned next);
const char *core_state_name(const core_state *state);

#endif
