/* See keyed.h. */
#include "triggers/keyed.h"

#include <stdlib.h>

#define KEYED_MAGIC UINT32_C(0x5445594d) /* "TEYM" */

typedef struct {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    triggers_host *host;
} keyed_part;

static keyed_part *part_of(triggers_part *base) {
    keyed_part *part = (keyed_part *)base;
    CORE_MAGIC_CHECK(part, KEYED_MAGIC);
    return part;
}

static void work_take(void *context, const void *what, core_route_reply *reply) {
    const triggers_taker *take = what;
    (*take)(context, reply);
}

void triggers_keyed_take(triggers_host *host, core_route_reply *reply, const triggers_taker *take) {
    const fanout_keyed_work work = {.take = work_take, .context = host, .what = take};
    fanout_keyed_take(host->keyed, reply, &work);
}

static bool part_start(triggers_part *base, core_error *error) {
    return fanout_keyed_start(part_of(base)->host->keyed, error);
}

static core_readiness part_ready(triggers_part *base, char *reason, size_t reason_size) {
    return fanout_keyed_ready(part_of(base)->host->keyed, reason, reason_size);
}

static void part_stop(triggers_part *base) {
    keyed_part *part = part_of(base);
    fanout_keyed_stop(part->host->keyed);
    part->host->keyed = NULL;
    part->magic = 0;
    free(part);
}

triggers_part *triggers_keyed_part(triggers_host *host, core_error *error) {
    const fanout_keyed_spec spec = {.config = host->spec.config,
                                    .log = host->spec.log,
                                    .metrics = host->spec.metrics,
                                    .clock = host->spec.clock,
                                    .room = "triggers",
                                    .digest = auth_digest};
    keyed_part *part = calloc(1, sizeof *part);
    if (part == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for keyed requests");
        return NULL;
    }
    host->keyed = fanout_keyed_new(&spec, error);
    if (host->keyed == NULL) {
        free(part);
        return NULL;
    }
    *part = (keyed_part){
        .part = {.name = "keyed", .start = part_start, .ready = part_ready, .stop = part_stop},
        .magic = KEYED_MAGIC,
        .host = host,
    };
    return &part->part;
}
