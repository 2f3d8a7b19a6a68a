/* Triggers as JSON: one, and all of a project. */
#ifndef WALCAST_TRIGGERS_REST_LIST_H
#define WALCAST_TRIGGERS_REST_LIST_H

#include "triggers/store.h"

/* `warnings` may be NULL. */
void triggers_view_write(const triggers_stored *stored, uint64_t revision,
                         const core_problems *warnings, core_json_writer *json);

/* The answer to a request for all of the project's: `{"triggers": [...], "next": NAME|null}` in
 * order of names, `?limit=` (100, at most 1000) behind `?after=NAME`. Blocks. */
CORE_MUST_CHECK bool triggers_list_write(triggers_store *store, const char *project,
                                         core_route_reply *reply, core_error *error);

#endif
