/* The one function that moves a state machine; see state.h. */
#include "core/state.h"

#include <stdio.h>
#include <stdlib.h>

void core_state_init(core_state *state, const char *machine, const core_state_row *rows,
                     unsigned count, unsigned first) {
    assert(count <= 32 && first < count);
    *state = (core_state){.machine = machine, .rows = rows, .count = count, .current = first};
}

void core_state_move(core_state *state, unsigned next) {
    assert(next < state->count);
    if (!(state->rows[state->current].allowed & CORE_STATE_BIT(next))) {
        (void)fprintf(stderr, "walcast: bug: %s may not go from %s to %s\n", state->machine,
                      state->rows[state->current].name, state->rows[next].name);
        abort();
    }
    state->current = next;
}

const char *core_state_name(const core_state *state) {
    return state->rows[state->current].name;
}
