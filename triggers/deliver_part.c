/* See deliver_part.h. Two parts, each made and stopped by itself:
 *
 *   deliveries: the senders, the worker, and the share of partitions, stopped in the order share
 *               (attempts end, leases are given back), worker, senders
 *   matcher     the matcher */
#include "triggers/deliver_part.h"

#include "triggers/definitions.h"
#include "triggers/matcher.h"
#include "triggers/share.h"

#include <stdio.h>
#include <stdlib.h>

#define DELIVER_MAGIC      UINT32_C(0x74646c76)
#define MATCHER_PART_MAGIC UINT32_C(0x746d7074)

enum { STOP_WAIT_MS = 3000 };

/* ---- deliveries ---- */

typedef struct {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    triggers_host *host;
    triggers_senders *senders;
    triggers_share *share;
    triggers_worker *worker;
} deliver_part;

static deliver_part *deliver_of(void *context) {
    deliver_part *deliver = context;
    CORE_MAGIC_CHECK(deliver, DELIVER_MAGIC);
    return deliver;
}

static bool worker_make(deliver_part *deliver, core_error *error) {
    const triggers_spec *spec = &deliver->host->spec;
    const triggers_worker_spec worker = {
        .config = spec->config,
        .log = spec->log,
        .metrics = spec->metrics,
        .clock = spec->clock,
        .senders = deliver->senders,
        .definitions = deliver->host->definitions,
        .on_back = triggers_share_back,
        .on_back_context = deliver->share,
    };
    deliver->worker = triggers_worker_new(&worker, error);
    return deliver->worker != NULL;
}

static bool deliver_start(triggers_part *part, core_error *error) {
    deliver_part *deliver = deliver_of(part);
    const triggers_spec *spec = &deliver->host->spec;
    const triggers_sender_spec senders = {
        .config = spec->config, .log = spec->log, .metrics = spec->metrics, .clock = spec->clock};
    const triggers_share_spec share = {
        .config = spec->config, .log = spec->log, .metrics = spec->metrics, .clock = spec->clock};
    deliver->senders = triggers_senders_new(&senders, error);
    if (deliver->senders == NULL)
        return false;
    deliver->share = triggers_share_new(&share, error);
    return deliver->share != NULL && worker_make(deliver, error) &&
           triggers_share_start(deliver->share, deliver->worker, error);
}

static core_readiness deliver_ready(triggers_part *part, char *reason, size_t reason_size) {
    deliver_part *deliver = deliver_of(part);
    triggers_share_trouble(deliver->share, reason, reason_size);
    if (reason[0] != '\0')
        return CORE_READY_NO;
    triggers_worker_stats stats = triggers_worker_look(deliver->worker);
    if (stats.holds_up)
        (void)snprintf(reason, reason_size,
                       "deliveries wait: the streams of parked ones or of dead letters have no "
                       "room (triggers.parked_bytes, triggers.dlq_bytes)");
    else if (stats.is_limited)
        (void)snprintf(reason, reason_size,
                       "deliveries of a trigger wait unattempted: its share, or its project's, of "
                       "what may wait for a next attempt is used up (triggers.parked_keys, "
                       "triggers.parked_bytes)");
    else
        return CORE_READY_YES;
    return CORE_READY_WARNING;
}

static void deliver_stop(triggers_part *part) {
    deliver_part *deliver = deliver_of(part);
    triggers_share_stop(deliver->share, STOP_WAIT_MS);
    triggers_worker_stop(deliver->worker);
    triggers_senders_stop(deliver->senders);
    triggers_worker_free(deliver->worker);
    triggers_share_free(deliver->share);
    triggers_senders_free(deliver->senders);
    deliver->magic = 0;
    free(deliver);
}

triggers_part *triggers_deliver_part(triggers_host *host, core_error *error) {
    deliver_part *deliver = calloc(1, sizeof *deliver);
    if (deliver == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for deliveries");
        return NULL;
    }
    *deliver = (deliver_part){.part = {.name = "deliveries",
                                       .start = deliver_start,
                                       .ready = deliver_ready,
                                       .stop = deliver_stop},
                              .magic = DELIVER_MAGIC,
                              .host = host};
    return &deliver->part;
}

/* ---- the matcher ---- */

typedef struct {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    triggers_host *host;
    triggers_matcher *matcher;
} matcher_part;

static matcher_part *matcher_of(triggers_part *part) {
    matcher_part *matcher = (matcher_part *)part;
    CORE_MAGIC_CHECK(matcher, MATCHER_PART_MAGIC);
    return matcher;
}

static bool matcher_start(triggers_part *part, core_error *error) {
    matcher_part *matcher = matcher_of(part);
    const triggers_spec *spec = &matcher->host->spec;
    const triggers_matcher_spec made = {.config = spec->config,
                                        .log = spec->log,
                                        .metrics = spec->metrics,
                                        .clock = spec->clock,
                                        .definitions = matcher->host->definitions};
    matcher->matcher = triggers_matcher_new(&made, error);
    return matcher->matcher != NULL;
}

static core_readiness matcher_ready(triggers_part *part, char *reason, size_t reason_size) {
    static const core_readiness readiness[] = {[TRIGGERS_MATCHER_TROUBLE] = CORE_READY_NO,
                                               [TRIGGERS_MATCHER_STANDBY] = CORE_READY_YES,
                                               [TRIGGERS_MATCHER_RUNS] = CORE_READY_YES,
                                               [TRIGGERS_MATCHER_GAP] = CORE_READY_WARNING};
    return readiness[triggers_matcher_look(matcher_of(part)->matcher, reason, reason_size)];
}

static void matcher_stop(triggers_part *part) {
    matcher_part *matcher = matcher_of(part);
    triggers_matcher_free(matcher->matcher);
    matcher->magic = 0;
    free(matcher);
}

triggers_part *triggers_matcher_part(triggers_host *host, core_error *error) {
    matcher_part *matcher = calloc(1, sizeof *matcher);
    if (matcher == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a matcher");
        return NULL;
    }
    *matcher = (matcher_part){.part = {.name = "matcher",
                                       .start = matcher_start,
                                       .ready = matcher_ready,
                                       .stop = matcher_stop},
                              .magic = MATCHER_PART_MAGIC,
                              .host = host};
    return &matcher->part;
}
