/* The triggers room's public header: rules, webhooks, jobs, schedules and workflows.
 *
 * A process makes one API before its HTTP server, which hands what the room serves into the route
 * table, and for each source a role, which does the work and answers for its projects. The room
 * meets the other upper rooms only in core's event and in stream subjects. */
#ifndef WALCAST_TRIGGERS_TRIGGERS_H
#define WALCAST_TRIGGERS_TRIGGERS_H

#include "triggers/account.h"
#include "triggers/again.h"
#include "triggers/history.h"
#include "triggers/job_client.h"
#include "triggers/kind.h"
#include "triggers/rehearsal.h"
#include "triggers/task_view.h"
#include "triggers/trial.h"

typedef struct triggers_api triggers_api;

CORE_MUST_CHECK triggers_api *triggers_api_new(const triggers_spec *spec, core_error *error);
/* The server must have stopped. NULL is allowed. */
void triggers_api_free(triggers_api *api);
/* Adds what the room serves. While no role of a project's source runs, requests get 503. */
CORE_MUST_CHECK bool triggers_api_serve(triggers_api *api, core_route_table *routes,
                                        core_error *error);

/* The role `triggers` of one source. */
CORE_MUST_CHECK core_role *triggers_role_new(triggers_api *api, const triggers_spec *spec,
                                             core_error *error);

#endif
