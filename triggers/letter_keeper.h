/* The keeper of dead letters: where schemas are tenants, one project's letters do not use up the
 * stream of all.
 *
 * Who holds the lease `letters` looks at the stream now and then. When that is more than half full
 * and a project has more than its share of it (`triggers.dlq_project_share`), that project's oldest
 * letters are removed, which is logged and counted; letters of others stay. Those that stand on a
 * subject where their project does not look for them are put on its own (letter_sort.h). Removing
 * is no matter of fences: two holders would remove the same ones. Private to the room. */
#ifndef WALCAST_TRIGGERS_LETTER_KEEPER_H
#define WALCAST_TRIGGERS_LETTER_KEEPER_H

#include "triggers/host.h"

/* The part. Without tenants it does nothing. */
CORE_MUST_CHECK triggers_part *triggers_letter_keeper_part(triggers_host *host, core_error *error);

#endif
