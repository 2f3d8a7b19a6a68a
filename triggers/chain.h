/* How deep in a chain of triggers a request stands, as its caller says. Pure. */
#ifndef WALCAST_TRIGGERS_CHAIN_H
#define WALCAST_TRIGGERS_CHAIN_H

#include "core/core.h"

/* Of a request's Walcast-Depth, 0 where there is none: whoever was called by a trigger passes on
 * what it was told, so that a loop through him ends. INPUT error when it is no depth. */
CORE_MUST_CHECK bool triggers_chain_told(core_slice told, uint16_t *depth, core_error *error);

#endif
