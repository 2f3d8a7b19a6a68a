/* Jobs as a part of a source's role. */
#ifndef WALCAST_TRIGGERS_JOB_PART_H
#define WALCAST_TRIGGERS_JOB_PART_H

#include "triggers/host.h"

CORE_MUST_CHECK triggers_part *triggers_jobs_part(triggers_host *host, core_error *error);
/* A request on /jobs/v1 (api.h). */
void triggers_jobs_take(triggers_host *host, core_route_reply *reply);

#endif
