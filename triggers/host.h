/* What the parts of a source's role share: the spec, and one another. Private to triggers.
 *
 * A part is made by a row of the table in role.c and started in that order, stopped in the reverse
 * one. It gets the host when it is made, puts itself in there for those behind it, and must not use
 * one that comes later. */
#ifndef WALCAST_TRIGGERS_HOST_H
#define WALCAST_TRIGGERS_HOST_H

#include "triggers/triggers.h"

typedef struct triggers_host triggers_host;
struct triggers_host {
    triggers_spec spec;
    core_tenants tenants;
    struct triggers_definitions *definitions; /* definitions.h */
    struct triggers_desk *desk;               /* desk.h */
    struct triggers_rest *rest;               /* rest.h */
    struct triggers_events *events;           /* events.h */
    struct triggers_job_runner *jobs;         /* job_runner.h */
    struct fanout_keyed *keyed;               /* keyed.h */
};

typedef struct triggers_part triggers_part;
struct triggers_part {
    const char *name;
    bool (*start)(triggers_part *part, core_error *error);
    /* As core_role's; NULL: it always is. */
    core_readiness (*ready)(triggers_part *part, char *reason, size_t reason_size);
    /* Ends and frees it; works in every state. */
    void (*stop)(triggers_part *part);
};

typedef triggers_part *(*triggers_part_maker)(triggers_host *host, core_error *error);

#endif
