/* See job_part.h: the runner's life as the role wants it. */
#include "triggers/job_part.h"
#include "triggers/job_runner.h"

#include <stdlib.h>

#define PART_MAGIC 0x10b9a900u

typedef struct {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    triggers_host *host;
} jobs_part;

static jobs_part *part_of(triggers_part *base) {
    jobs_part *part = (jobs_part *)base;
    CORE_MAGIC_CHECK(part, PART_MAGIC);
    return part;
}

static bool part_start(triggers_part *base, core_error *error) {
    triggers_host *host = part_of(base)->host;
    const triggers_job_runner_spec spec = {.config = host->spec.config,
                                           .log = host->spec.log,
                                           .metrics = host->spec.metrics,
                                           .clock = host->spec.clock,
                                           .definitions = host->definitions};
    host->jobs = triggers_job_runner_new(&spec, error);
    return host->jobs != NULL;
}

static core_readiness part_ready(triggers_part *base, char *reason, size_t reason_size) {
    triggers_host *host = part_of(base)->host;
    return host->jobs != NULL ? triggers_job_runner_ready(host->jobs, reason, reason_size)
                              : CORE_READY_NO;
}

static void part_stop(triggers_part *base) {
    jobs_part *part = part_of(base);
    triggers_job_runner_free(part->host->jobs);
    part->host->jobs = NULL;
    part->magic = 0;
    free(part);
}

triggers_part *triggers_jobs_part(triggers_host *host, core_error *error) {
    jobs_part *part = calloc(1, sizeof *part);
    if (part == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for jobs");
        return NULL;
    }
    *part = (jobs_part){
        .part = {.name = "jobs", .start = part_start, .ready = part_ready, .stop = part_stop},
        .magic = PART_MAGIC,
        .host = host,
    };
    return &part->part;
}

void triggers_jobs_take(triggers_host *host, core_route_reply *reply) {
    triggers_job_runner_take(host->jobs, reply);
}
