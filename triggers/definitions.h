/* The definitions of a source, as they stand now: a watch of the bucket writes a table, of which
 * each change makes a new immutable set. */
#ifndef WALCAST_TRIGGERS_DEFINITIONS_H
#define WALCAST_TRIGGERS_DEFINITIONS_H

#include "triggers/host.h"
#include "triggers/set.h"

#define TRIGGERS_DEFINITIONS_MAX 100000

typedef struct triggers_definitions triggers_definitions;

/* The set at this moment, held for the caller; never NULL, with generation 0 until all have been
 * read once. Any thread; holds a lock for a moment. */
const triggers_set *triggers_definitions_get(triggers_definitions *definitions);
/* Of that set, without holding it; any thread, without a lock. */
uint64_t triggers_definitions_generation(const triggers_definitions *definitions);
/* Called on the watch's thread behind each change; must not block. At most eight, for as long as
 * the definitions live; before the part has started. */
typedef void (*triggers_definitions_listener)(void *context);
CORE_MUST_CHECK bool triggers_definitions_listen(triggers_definitions *definitions,
                                                 triggers_definitions_listener listener,
                                                 void *context);

/* The part. */
CORE_MUST_CHECK core_role *triggers_definitions_part(triggers_host *host, core_error *error);

#endif
