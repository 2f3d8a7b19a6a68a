/* All triggers of a project as JSON. */
#ifndef WALCAST_TRIGGERS_REST_LIST_H
#define WALCAST_TRIGGERS_REST_LIST_H

#include "triggers/store.h"

/* The answer to a request for all of the project's (`only_schedules`: under "schedules"):
 * `{"triggers": [...], "next": NAME|null}` in order of names, `?limit=` (100, at most 1000) behind
 * `?after=NAME`. Blocks. */
CORE_MUST_CHECK bool triggers_list_write(triggers_store *store, const char *project,
                                         bool only_schedules, core_route_reply *reply,
                                         core_error *error);
/* Whether it is on cron; false too of one that cannot be read. */
bool triggers_view_is_schedule(const triggers_stored *stored);

#endif
