/* See snapshots.h. */
#include "cdc/snapshots.h"

#include "cdc/snapshot_worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SNAPSHOTS_MAGIC UINT32_C(0x736e6170)

struct cdc_snapshots {
    uint32_t magic;
    int cancel_fd; /* readable once everything is to end */
    cdc_snapshot_gate *gate;
    cdc_snapshot_jobs *jobs;
    pthread_t thread;
    bool started;
    cdc_snapshot_worker *workers[CDC_SNAPSHOT_WORKERS_MAX];
    size_t count;
};

static void *snapshots_thread(void *context) {
    cdc_snapshots *snapshots = context;
    CORE_MAGIC_CHECK(snapshots, SNAPSHOTS_MAGIC);
    (void)pthread_setname_np(pthread_self(), "cdc-snapshots");
    cdc_snapshot_jobs_run(snapshots->jobs);
    return NULL;
}

static bool threads_start(cdc_snapshots *snapshots, const core_config *config, core_log *log,
                          core_error *error) {
    if (pthread_create(&snapshots->thread, NULL, snapshots_thread, snapshots) != 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no thread for snapshots");
    snapshots->started = true;
    size_t wanted = (size_t)core_config_integer(config, "snapshot.workers");
    while (snapshots->count < wanted) {
        cdc_snapshot_worker *worker =
            cdc_snapshot_worker_new(config, log, snapshots->gate, snapshots->jobs, snapshots->count,
                                    snapshots->cancel_fd, error);
        if (worker == NULL)
            return false;
        snapshots->workers[snapshots->count++] = worker;
    }
    return true;
}

cdc_snapshots *cdc_snapshots_new(const core_config *config, core_log *log, core_metrics *metrics,
                                 cdc_snapshot_gate *gate, core_error *error) {
    cdc_snapshots *snapshots = calloc(1, sizeof *snapshots);
    int cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (snapshots == NULL || cancel_fd < 0) {
        if (cancel_fd >= 0)
            (void)close(cancel_fd);
        free(snapshots);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory or descriptor for snapshots");
        return NULL;
    }
    snapshots->magic = SNAPSHOTS_MAGIC;
    snapshots->cancel_fd = cancel_fd;
    snapshots->gate = gate;
    snapshots->jobs = cdc_snapshot_jobs_new(config, log, metrics, gate, error);
    if (snapshots->jobs != NULL && threads_start(snapshots, config, log, error))
        return snapshots;
    cdc_snapshots_free(snapshots);
    return NULL;
}

void cdc_snapshots_free(cdc_snapshots *snapshots) {
    if (snapshots == NULL)
        return;
    core_wake_set(snapshots->cancel_fd);
    if (snapshots->jobs != NULL)
        cdc_snapshot_jobs_stop(snapshots->jobs);
    cdc_snapshot_gate_stop(snapshots->gate);
    for (size_t i = 0; i < snapshots->count; i++)
        cdc_snapshot_worker_free(snapshots->workers[i]);
    if (snapshots->started)
        (void)pthread_join(snapshots->thread, NULL);
    cdc_snapshot_jobs_free(snapshots->jobs);
    (void)close(snapshots->cancel_fd);
    snapshots->magic = 0;
    free(snapshots);
}
