/* What the room's things are made of. */
#ifndef WALCAST_TRIGGERS_SPEC_H
#define WALCAST_TRIGGERS_SPEC_H

#include "auth/auth.h"

/* What it is made of; all must outlive it. */
typedef struct {
    const core_config *config; /* the process's; of a role the source's */
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    auth_audit *audit; /* NULL: nothing is recorded */
} triggers_spec;

#endif
