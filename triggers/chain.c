/* See chain.h. */
#include "triggers/chain.h"

bool triggers_chain_told(core_slice told, uint16_t *depth, core_error *error) {
    uint64_t number = 0;
    if (told.length > 0 && !(core_slice_to_u64(told, &number) && number <= CORE_CHAIN_DEPTH_MAX))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "Walcast-Depth: expected a number up to %u, as it came with the "
                              "webhook",
                              CORE_CHAIN_DEPTH_MAX);
    *depth = (uint16_t)number;
    return true;
}
