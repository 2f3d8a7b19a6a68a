/* Where a new trigger begins in its stream. */
#ifndef WALCAST_TRIGGERS_START_H
#define WALCAST_TRIGGERS_START_H

#include "fanout/fanout.h"
#include "triggers/definition.h"

/* The definition's `since` (definition.h). Asks the stream for its end; one that does not exist yet
 * is empty. Blocks up to the connection's time limit. */
CORE_MUST_CHECK bool triggers_start_find(fanout_connection *connection, const core_config *config,
                                         const triggers_definition *definition,
                                         char since[CORE_OFFSET_TEXT_SIZE], core_error *error);

#endif
