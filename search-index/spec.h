/* What the room's things are made of. */
#ifndef WALCAST_SEARCH_INDEX_SPEC_H
#define WALCAST_SEARCH_INDEX_SPEC_H

#include "auth/auth.h"

/* All must outlive what is made of it. */
typedef struct {
    const core_config *config; /* the source's */
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    auth_audit *audit;      /* NULL: nothing is recorded */
    struct search_api *api; /* through which requests come; NULL: none do */
} search_spec;

#endif
