/* The definitions of a source, as they stand now: a watch of the bucket writes a table, of which
 * each change makes a new immutable set. */
#ifndef WALCAST_TRIGGERS_DEFINITIONS_H
#define WALCAST_TRIGGERS_DEFINITIONS_H

#include "triggers/host.h"
#include "triggers/set.h"

#define TRIGGERS_DEFINITIONS_MAX 100000

typedef struct triggers_definitions triggers_definitions;

/* Whether `*set`, which is the caller's (NULL: it has none), is not the set of this moment. Then
 * that, with a reference of its own, has taken its place; it has generation 0 until all have been
 * read once. Any thread; without a lock where nothing has changed, so it may be asked often. */
bool triggers_definitions_renew(triggers_definitions *definitions, const triggers_set **set);

/* The part. */
CORE_MUST_CHECK triggers_part *triggers_definitions_part(triggers_host *host, core_error *error);

#endif
