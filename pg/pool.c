/* A few threads, each with a connection, and a bounded queue of jobs; see pg.h.
 *
 * Happy path: a thread takes the oldest job, runs it on its connection and ends it. Connections are
 * made when the first job needs them. Failure modes: a connection that broke, or that a job left
 * inside a transaction, is given up; one that broke while it was idle costs the job nothing but a
 * second run. While the server is away the first job to find out waits for it, and until the next
 * attempt is due all others end with its reason. A stop makes the cancel descriptor readable, which
 * calls off whatever a thread waits for in libpq. */
#include "pg/connection.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define POOL_MAGIC       UINT32_C(0x706f6f6c)
#define POOL_THREADS_MAX 64

enum { RETRY_FIRST_MS = 100, RETRY_MAX_MS = 5000 };

struct pg_pool {
    uint32_t magic;
    const char *url;
    char application_name[64];
    size_t queue_max;
    int64_t timeout_ms;
    core_log *log;
    core_metrics *metrics;
    int cancel_fd; /* readable once all is to end */

    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopped;
    pg_job *first; /* oldest */
    pg_job *last;
    size_t waiting;
    size_t connections;
    core_backoff backoff;
    int64_t retry_at_ms; /* no attempt to connect before it */
    core_error away;     /* why the last one failed */

    pthread_t threads[POOL_THREADS_MAX];
    size_t count;
};

static int64_t now_ms(void) {
    return core_clock_ms(core_clock_system());
}

/* ---- The queue; with the mutex held ---- */

static void queue_push(pg_pool *pool, pg_job *job) {
    job->next = NULL;
    if (pool->last != NULL)
        pool->last->next = job;
    else
        pool->first = job;
    pool->last = job;
    pool->waiting++;
    core_metrics_set(pool->metrics, CORE_METRIC_PG_POOL_WAITING, (int64_t)pool->waiting);
}

static pg_job *queue_pop(pg_pool *pool) {
    pg_job *job = pool->first;
    if (job == NULL)
        return NULL;
    pool->first = job->next;
    if (pool->first == NULL)
        pool->last = NULL;
    pool->waiting--;
    core_metrics_set(pool->metrics, CORE_METRIC_PG_POOL_WAITING, (int64_t)pool->waiting);
    return job;
}

static void job_end(pg_pool *pool, pg_job *job, bool ok, const core_error *error) {
    core_metrics_add(pool->metrics, CORE_METRIC_PG_POOL_JOBS, 1);
    if (!ok)
        core_metrics_add(pool->metrics, CORE_METRIC_PG_POOL_FAILURES, 1);
    job->done(job, ok, error);
}

bool pg_pool_submit(pg_pool *pool, pg_job *job, core_error *error) {
    CORE_MAGIC_CHECK(pool, POOL_MAGIC);
    job->deadline_ms = now_ms() + pool->timeout_ms;
    (void)pthread_mutex_lock(&pool->mutex);
    bool stopped = pool->stopped;
    bool full = pool->waiting >= pool->queue_max;
    if (!stopped && !full) {
        queue_push(pool, job);
        (void)pthread_cond_signal(&pool->wake);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    if (stopped)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "no query is taken any more: stopping");
    if (full)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "%zu queries wait for the database already (postgres.pool_queue)",
                              pool->queue_max);
    return true;
}

/* ---- A thread's connection ---- */

static void connections_count(pg_pool *pool, bool one_more) {
    (void)pthread_mutex_lock(&pool->mutex);
    pool->connections = one_more ? pool->connections + 1 : pool->connections - 1;
    core_metrics_set(pool->metrics, CORE_METRIC_PG_POOL_CONNECTIONS, (int64_t)pool->connections);
    (void)pthread_mutex_unlock(&pool->mutex);
}

/* False while the next attempt is not due, with the reason of the last one. */
static bool attempt_is_due(pg_pool *pool, core_error *error) {
    (void)pthread_mutex_lock(&pool->mutex);
    bool due = now_ms() >= pool->retry_at_ms;
    if (!due)
        *error = pool->away;
    (void)pthread_mutex_unlock(&pool->mutex);
    return due;
}

/* One log line for each time that it goes away, not for each attempt. */
static void attempt_note(pg_pool *pool, bool ok, const core_error *error) {
    (void)pthread_mutex_lock(&pool->mutex);
    bool was_away = pool->away.code != CORE_ERROR_NONE;
    bool stopped = pool->stopped;
    pool->retry_at_ms = ok ? 0 : now_ms() + core_backoff_next_ms(&pool->backoff);
    pool->away = ok ? (core_error){.code = CORE_ERROR_NONE} : *error;
    if (ok)
        core_backoff_reset(&pool->backoff);
    (void)pthread_mutex_unlock(&pool->mutex);
    if (!ok && !was_away && !stopped)
        CORE_LOG(pool->log, WARN, "pg", "the database cannot be asked; tried again",
                 CORE_LOG_TEXT("error", error->text));
    if (ok && was_away)
        CORE_LOG(pool->log, INFO, "pg", "the database can be asked again");
}

static pg_connection *pool_connect(pg_pool *pool, core_error *error) {
    if (!attempt_is_due(pool, error))
        return NULL;
    const pg_connection_spec spec = {
        .url = pool->url,
        .application_name = pool->application_name,
        .timeout_ms = pool->timeout_ms,
        .cancel_fd = pool->cancel_fd,
    };
    pg_connection *connection = pg_connection_new(&spec, error);
    attempt_note(pool, connection != NULL, error);
    if (connection != NULL)
        connections_count(pool, true);
    return connection;
}

static void pool_disconnect(pg_pool *pool, pg_connection **connection) {
    if (*connection == NULL)
        return;
    pg_connection_free(*connection);
    *connection = NULL;
    connections_count(pool, false);
}

static bool connection_is_clean(const pg_connection *connection) {
    return pg_connection_alive(connection) &&
           PQtransactionStatus(connection->native) == PQTRANS_IDLE;
}

static bool run_once(pg_pool *pool, pg_job *job, pg_connection **connection, core_error *error) {
    if (*connection == NULL)
        *connection = pool_connect(pool, error);
    return *connection != NULL && job->run(job, *connection, error);
}

static bool job_run(pg_pool *pool, pg_job *job, pg_connection **connection, core_error *error) {
    bool was_idle = *connection != NULL;
    bool ok = run_once(pool, job, connection, error);
    bool broke = *connection != NULL && !pg_connection_alive(*connection);
    if (*connection != NULL && !connection_is_clean(*connection))
        pool_disconnect(pool, connection);
    if (ok || !broke || !was_idle)
        return ok;
    ok = run_once(pool, job, connection, error);
    if (*connection != NULL && !connection_is_clean(*connection))
        pool_disconnect(pool, connection);
    return ok;
}

/* ---- Threads ---- */

/* NULL: stopped. */
static pg_job *job_await(pg_pool *pool) {
    (void)pthread_mutex_lock(&pool->mutex);
    while (!pool->stopped && pool->first == NULL)
        (void)pthread_cond_wait(&pool->wake, &pool->mutex);
    pg_job *job = pool->stopped ? NULL : queue_pop(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
    return job;
}

static void *pool_thread(void *context) {
    pg_pool *pool = context;
    CORE_MAGIC_CHECK(pool, POOL_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-pg");
    pg_connection *connection = NULL;
    for (;;) {
        pg_job *job = job_await(pool);
        if (job == NULL)
            break;
        core_error error = {.code = CORE_ERROR_NONE};
        bool ok = now_ms() <= job->deadline_ms
                      ? job_run(pool, job, &connection, &error)
                      : core_error_set(&error, CORE_ERROR_TRANSIENT,
                                       "no connection to the database became free within %lld ms "
                                       "(postgres.query_timeout)",
                                       (long long)pool->timeout_ms);
        job_end(pool, job, ok, &error);
    }
    pool_disconnect(pool, &connection);
    return NULL;
}

pg_pool *pg_pool_new(const core_config *config, const char *application_name, core_log *log,
                     core_metrics *metrics, core_error *error) {
    pg_pool *pool = calloc(1, sizeof *pool);
    int cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool == NULL || cancel_fd < 0) {
        if (cancel_fd >= 0)
            (void)close(cancel_fd);
        free(pool);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory or descriptor for the pool");
        return NULL;
    }
    pool->magic = POOL_MAGIC;
    pool->url = core_config_text(config, "postgres.url");
    if (!core_slice_to_text(core_slice_text(application_name), pool->application_name,
                            sizeof pool->application_name))
        pool->application_name[0] = '\0';
    pool->queue_max = (size_t)core_config_integer(config, "postgres.pool_queue");
    pool->timeout_ms = core_config_integer(config, "postgres.query_timeout");
    pool->log = log;
    pool->metrics = metrics;
    pool->cancel_fd = cancel_fd;
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_cond_init(&pool->wake, NULL);
    core_backoff_init(&pool->backoff, RETRY_FIRST_MS, RETRY_MAX_MS, (uint64_t)now_ms());
    size_t wanted = (size_t)core_config_integer(config, "postgres.pool_size");
    assert(wanted <= POOL_THREADS_MAX);
    for (; pool->count < wanted; pool->count++)
        if (pthread_create(&pool->threads[pool->count], NULL, pool_thread, pool) != 0) {
            (void)core_error_set(error, CORE_ERROR_INTERNAL, "no thread for the pool");
            pg_pool_free(pool);
            return NULL;
        }
    return pool;
}

void pg_pool_stop(pg_pool *pool) {
    CORE_MAGIC_CHECK(pool, POOL_MAGIC);
    (void)pthread_mutex_lock(&pool->mutex);
    pool->stopped = true;
    (void)pthread_cond_broadcast(&pool->wake);
    (void)pthread_mutex_unlock(&pool->mutex);
    core_wake_set(pool->cancel_fd);
    for (; pool->count > 0; pool->count--)
        (void)pthread_join(pool->threads[pool->count - 1], NULL);
    core_error error = {.code = CORE_ERROR_NONE};
    (void)core_error_set(&error, CORE_ERROR_TRANSIENT, "stopped before the query was begun");
    for (;;) {
        (void)pthread_mutex_lock(&pool->mutex);
        pg_job *job = queue_pop(pool);
        (void)pthread_mutex_unlock(&pool->mutex);
        if (job == NULL)
            break;
        job_end(pool, job, false, &error);
    }
}

void pg_pool_free(pg_pool *pool) {
    if (pool == NULL)
        return;
    pg_pool_stop(pool);
    (void)close(pool->cancel_fd);
    (void)pthread_cond_destroy(&pool->wake);
    (void)pthread_mutex_destroy(&pool->mutex);
    pool->magic = 0;
    free(pool);
}
