/* The role `cdc`: one source on one thread, and beside it what reads tables for it and the outbox,
 * behind core's role interface. */
#include "cdc/cdc.h"
#include "cdc/outbox.h"
#include "cdc/snapshots.h"
#include "cdc/source.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ROLE_MAGIC UINT32_C(0x63646372)

typedef struct {
    core_role base; /* first: the interface points here */
    uint32_t magic;
    cdc_source *source;
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    cdc_snapshots *snapshots;
    cdc_outbox *outbox;
    pthread_t thread;
    bool started;
} cdc_role;

static cdc_role *role_of(core_role *base) {
    cdc_role *role = (cdc_role *)base;
    CORE_MAGIC_CHECK(role, ROLE_MAGIC);
    return role;
}

static void *role_thread(void *context) {
    cdc_role *role = context;
    CORE_MAGIC_CHECK(role, ROLE_MAGIC);
    (void)pthread_setname_np(pthread_self(), "cdc");
    cdc_source_run(role->source);
    return NULL;
}

static void role_on_hold(void *context, bool holds, uint64_t end_sequence) {
    cdc_role *role = context;
    CORE_MAGIC_CHECK(role, ROLE_MAGIC);
    cdc_outbox_switch(role->outbox, holds, end_sequence);
}

static bool role_start(core_role *base, core_error *error) {
    cdc_role *role = role_of(base);
    role->snapshots = cdc_snapshots_new(role->config, role->log, role->metrics,
                                        cdc_source_gate(role->source), error);
    if (role->snapshots == NULL)
        return false;
    if (!cdc_outbox_start(role->outbox, error))
        return false;
    cdc_source_on_hold(role->source, role_on_hold, role);
    int failure = pthread_create(&role->thread, NULL, role_thread, role);
    if (failure != 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "starting the cdc thread: %s",
                              strerror(failure));
    role->started = true;
    return true;
}

static core_readiness role_ready(core_role *base, char *reason, size_t reason_size) {
    cdc_role *role = role_of(base);
    core_readiness readiness = cdc_source_ready(role->source, reason, reason_size);
    bool warns =
        readiness == CORE_READY_YES && cdc_outbox_problem(role->outbox, reason, reason_size);
    return warns ? CORE_READY_WARNING : readiness;
}

static void role_drain(core_role *base) {
    cdc_role *role = role_of(base);
    cdc_outbox_stop(role->outbox); /* what it does not relay now is relayed after the next start */
    cdc_source_drain(role->source);
}

static bool role_drained(core_role *base) {
    cdc_role *role = role_of(base);
    return !role->started || cdc_source_stopped(role->source);
}

static void role_stop(core_role *base) {
    cdc_role *role = role_of(base);
    if (role->started) {
        cdc_source_stop(role->source);
        (void)pthread_join(role->thread, NULL);
    }
    cdc_snapshots_free(role->snapshots);
    cdc_outbox_free(role->outbox);
    cdc_source_free(role->source);
    role->magic = 0;
    free(role);
}

/* The source owns the descriptor and the stream from here; on error both are closed. */
static cdc_source *source_make(const core_config *config, core_log *log, core_metrics *metrics,
                               const core_clock *clock, core_error *error) {
    int stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop_fd < 0) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "eventfd: %s", strerror(errno));
        return NULL;
    }
    cdc_wal_stream *wal = cdc_wal_stream_libpq_new(config, log, stop_fd, error);
    cdc_source *source =
        wal != NULL ? cdc_source_new(config, log, metrics, clock, wal, stop_fd, error) : NULL;
    if (source != NULL)
        return source;
    if (wal != NULL)
        wal->free(wal);
    (void)close(stop_fd);
    return NULL;
}

core_role *cdc_role_new(const core_config *config, core_log *log, core_metrics *metrics,
                        const core_clock *clock, core_error *error) {
    cdc_role *role = calloc(1, sizeof *role);
    if (role == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the role cdc");
        return NULL;
    }
    *role = (cdc_role){
        .base = {.name = "cdc",
                 .start = role_start,
                 .ready = role_ready,
                 .drain = role_drain,
                 .drained = role_drained,
                 .stop = role_stop},
        .magic = ROLE_MAGIC,
        .config = config,
        .log = log,
        .metrics = metrics,
        .outbox = cdc_outbox_new(config, log, metrics, clock, error),
    };
    if (role->outbox != NULL)
        role->source = source_make(config, log, metrics, clock, error);
    if (role->source != NULL)
        return &role->base;
    cdc_outbox_free(role->outbox);
    free(role);
    return NULL;
}
