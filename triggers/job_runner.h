/* The jobs' thread of a source: owns partitions by lease and log, answers workers over NATS and
 * requests over HTTP, takes accepted jobs out of the inbox stream.
 *
 * Every node with the role hears what workers say; the owner of the queue's partition answers. What
 * is asked over HTTP on another node goes to the owner over NATS. */
#ifndef WALCAST_TRIGGERS_JOB_RUNNER_H
#define WALCAST_TRIGGERS_JOB_RUNNER_H

#include "triggers/definitions.h"

typedef struct triggers_job_runner triggers_job_runner;

typedef struct {
    const core_config *config; /* the source's */
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    triggers_definitions *definitions; /* outlive the runner */
} triggers_job_runner_spec;

/* Starts the thread; NATS may be away. All in the spec must outlive it. */
CORE_MUST_CHECK triggers_job_runner *triggers_job_runner_new(const triggers_job_runner_spec *spec,
                                                             core_error *error);
/* Ends the thread; every reply has been sent when it returns. NULL is allowed. */
void triggers_job_runner_free(triggers_job_runner *runner);
/* A request on /jobs/v1; any thread, never waits. The reply is the runner's. */
void triggers_job_runner_take(triggers_job_runner *runner, core_route_reply *reply);
/* As core_role's. */
core_readiness triggers_job_runner_ready(triggers_job_runner *runner, char *reason,
                                         size_t reason_size);

#endif
