/* A few threads, each with a connection, and a bounded queue of jobs of each kind; see pg.h.
 *
 * Happy path: a thread takes the oldest job that may run now, runs it on its connection and ends
 * it. Connections are made when the first job needs them. A thread rather takes a job that its
 * connection suits: a short one leaves settings in its session, and for all others the connection
 * is then made anew, so where both wait each thread keeps to one of them for a while. Failure
 * modes: a connection that broke, or that a job left inside a transaction, is given up; one that
 * broke while it was idle costs the job nothing but a second run. While the server is away the
 * first job to find out waits for it, and until the next attempt is due all others end with its
 * reason. A stop makes the cancel descriptor readable, which calls off whatever a thread waits for
 * in libpq. */
#include "pg/connection.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define POOL_MAGIC       UINT32_C(0x706f6f6c)
#define POOL_THREADS_MAX 64

enum {
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 5000,
    SUIT_WAIT_MS = 50, /* a job waits so long for a connection that suits it, while others go on */
    ROWS_QUEUE_PART = 4,
};

typedef struct {
    pg_job *first; /* oldest */
    pg_job *last;
} pool_queue;

typedef struct {
    pg_pool *pool;
    pthread_t thread;
    pthread_cond_t wake;
    bool idle; /* waits for a job, and was not woken for one */
    bool connected;
    bool used; /* a short job ran in its session */
} pool_worker;

struct pg_pool {
    uint32_t magic;
    const char *url;
    char application_name[64];
    const char *queue_key, *timeout_key;
    bool keeps_search_path;
    size_t queue_max;
    int64_t timeout_ms;
    core_log *log;
    core_metrics *metrics;
    int cancel_fd; /* readable once all is to end */

    pthread_mutex_t mutex;
    bool stopped;
    pool_queue queues[PG_JOB_KINDS];
    size_t waiting;
    size_t running[PG_JOB_KINDS];
    size_t size; /* all connections */
    size_t connections;
    core_backoff backoff;
    int64_t retry_at_ms; /* no attempt to connect before it */
    core_error away;     /* why the last one failed */

    pool_worker workers[POOL_THREADS_MAX];
    size_t count;
};

static int64_t now_ms(void) {
    return core_clock_ms(core_clock_system());
}

/* ---- The queues; with the mutex held ---- */

static void waiting_count(pg_pool *pool, size_t waiting) {
    pool->waiting = waiting;
    core_metrics_set(pool->metrics, CORE_METRIC_PG_POOL_WAITING, (int64_t)waiting);
}

static void queue_push(pg_pool *pool, pg_job *job) {
    pool_queue *queue = &pool->queues[job->kind];
    job->next = NULL;
    if (queue->last != NULL)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
    waiting_count(pool, pool->waiting + 1);
}

static pg_job *queue_pop(pg_pool *pool, pg_job_kind kind) {
    pool_queue *queue = &pool->queues[kind];
    pg_job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->last = NULL;
    waiting_count(pool, pool->waiting - 1);
    return job;
}

/* One more of the kind may run: the others keep their connections. */
static bool kind_may_run(const pg_pool *pool, pg_job_kind kind) {
    size_t rows = pool->running[PG_JOB_ROWS], all = rows + pool->running[PG_JOB_LONG];
    size_t rows_max = pool->size > 2 ? pool->size - 2 : 1;
    size_t all_max = pool->size > 1 ? pool->size - 1 : 1;
    return kind == PG_JOB_SHORT || (all < all_max && (kind == PG_JOB_LONG || rows < rows_max));
}

static bool kind_suits(const pool_worker *worker, pg_job_kind kind) {
    return !worker->connected || worker->used == (kind == PG_JOB_SHORT);
}

/* Of those that may run the oldest that suits, or the oldest when it has waited. NULL: none may. */
static const pg_job *job_choose(const pg_pool *pool, const pool_worker *worker) {
    const pg_job *oldest = NULL, *suits = NULL;
    for (pg_job_kind kind = 0; kind < PG_JOB_KINDS; kind++) {
        const pg_job *job = kind_may_run(pool, kind) ? pool->queues[kind].first : NULL;
        if (job == NULL)
            continue;
        if (oldest == NULL || job->deadline_ms < oldest->deadline_ms)
            oldest = job;
        if (kind_suits(worker, kind) && (suits == NULL || job->deadline_ms < suits->deadline_ms))
            suits = job;
    }
    bool patient =
        oldest != NULL && now_ms() < oldest->deadline_ms - pool->timeout_ms + SUIT_WAIT_MS;
    return suits != NULL && patient ? suits : oldest;
}

/* Wakes an idle thread for a job that may run, rather one that it suits. */
static void workers_wake(pg_pool *pool) {
    pool_worker *woken = NULL;
    for (size_t i = 0; i < pool->count; i++) {
        pool_worker *worker = &pool->workers[i];
        const pg_job *job = worker->idle ? job_choose(pool, worker) : NULL;
        if (job == NULL)
            continue;
        bool suits = kind_suits(worker, job->kind);
        if (woken == NULL || (suits && worker->connected))
            woken = worker;
        if (suits && worker->connected)
            break;
    }
    if (woken == NULL)
        return;
    woken->idle = false;
    (void)pthread_cond_signal(&woken->wake);
}

/* What runs on its connection; NULL: stopped. */
static pg_job *job_await(pool_worker *worker) {
    pg_pool *pool = worker->pool;
    const pg_job *chosen = NULL;
    (void)pthread_mutex_lock(&pool->mutex);
    while (!pool->stopped && (chosen = job_choose(pool, worker)) == NULL) {
        worker->idle = true;
        (void)pthread_cond_wait(&worker->wake, &pool->mutex);
    }
    worker->idle = false;
    pg_job *job = pool->stopped ? NULL : queue_pop(pool, chosen->kind);
    if (job != NULL) {
        pool->running[job->kind]++;
        workers_wake(pool);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return job;
}

/* `ran`: its connection is as a job of that kind leaves it. */
static void job_left(pool_worker *worker, pg_job_kind kind, bool ran, bool connected) {
    pg_pool *pool = worker->pool;
    (void)pthread_mutex_lock(&pool->mutex);
    pool->running[kind]--;
    worker->connected = connected;
    if (ran)
        worker->used = connected && kind == PG_JOB_SHORT;
    (void)pthread_mutex_unlock(&pool->mutex);
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
    size_t most =
        pool->queue_max - (job->kind == PG_JOB_ROWS ? pool->queue_max / ROWS_QUEUE_PART : 0);
    bool full = pool->waiting >= most;
    if (!stopped && !full) {
        queue_push(pool, job);
        workers_wake(pool);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    if (stopped)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "no query is taken any more: stopping");
    if (full)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "%zu queries wait for the database already (%s)", most,
                              pool->queue_key);
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
        .keeps_search_path = pool->keeps_search_path,
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

static bool job_run(pool_worker *worker, pg_job *job, pg_connection **connection,
                    core_error *error) {
    pg_pool *pool = worker->pool;
    if (worker->used && job->kind != PG_JOB_SHORT)
        pool_disconnect(pool, connection);
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

static void *pool_thread(void *context) {
    pool_worker *worker = context;
    pg_pool *pool = worker->pool;
    CORE_MAGIC_CHECK(pool, POOL_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-pg");
    pg_connection *connection = NULL;
    for (;;) {
        pg_job *job = job_await(worker);
        if (job == NULL)
            break;
        core_error error = {.code = CORE_ERROR_NONE};
        bool in_time = now_ms() <= job->deadline_ms;
        bool ok = in_time ? job_run(worker, job, &connection, &error)
                          : core_error_set(&error, CORE_ERROR_TRANSIENT,
                                           "no connection to the database became free within %lld "
                                           "ms (%s)",
                                           (long long)pool->timeout_ms, pool->timeout_key);
        job_left(worker, job->kind, in_time, connection != NULL);
        job_end(pool, job, ok, &error);
    }
    pool_disconnect(pool, &connection);
    return NULL;
}

static bool worker_start(pg_pool *pool, pool_worker *worker) {
    *worker = (pool_worker){.pool = pool};
    (void)pthread_cond_init(&worker->wake, NULL);
    if (pthread_create(&worker->thread, NULL, pool_thread, worker) == 0)
        return true;
    (void)pthread_cond_destroy(&worker->wake);
    return false;
}

static void pool_prepare(pg_pool *pool, const pg_pool_spec *spec) {
    pool->magic = POOL_MAGIC;
    pool->url = spec->url;
    if (!core_slice_to_text(core_slice_text(spec->application_name), pool->application_name,
                            sizeof pool->application_name))
        pool->application_name[0] = '\0';
    pool->queue_key = spec->queue_key;
    pool->timeout_key = spec->timeout_key;
    pool->keeps_search_path = spec->keeps_search_path;
    pool->queue_max = spec->queue_max;
    pool->timeout_ms = spec->timeout_ms;
    pool->log = spec->log;
    pool->metrics = spec->metrics;
    (void)pthread_mutex_init(&pool->mutex, NULL);
    core_backoff_init(&pool->backoff, RETRY_FIRST_MS, RETRY_MAX_MS, (uint64_t)now_ms());
    pool->size = spec->size;
    assert(pool->size <= POOL_THREADS_MAX);
}

pg_pool *pg_pool_new_of(const pg_pool_spec *spec, core_error *error) {
    pg_pool *pool = calloc(1, sizeof *pool);
    int cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool == NULL || cancel_fd < 0) {
        if (cancel_fd >= 0)
            (void)close(cancel_fd);
        free(pool);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory or descriptor for the pool");
        return NULL;
    }
    pool_prepare(pool, spec);
    pool->cancel_fd = cancel_fd;
    size_t started = 0;
    while (started < pool->size && worker_start(pool, &pool->workers[started]))
        started++;
    (void)pthread_mutex_lock(&pool->mutex);
    pool->count = started;
    (void)pthread_mutex_unlock(&pool->mutex);
    if (started < pool->size) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no thread for the pool");
        pg_pool_free(pool);
        return NULL;
    }
    return pool;
}

pg_pool *pg_pool_new(const core_config *config, const char *application_name, core_log *log,
                     core_metrics *metrics, core_error *error) {
    const pg_pool_spec spec = {
        .url = core_config_text(config, "postgres.url"),
        .application_name = application_name,
        .size = (size_t)core_config_integer(config, "postgres.pool_size"),
        .queue_max = (size_t)core_config_integer(config, "postgres.pool_queue"),
        .timeout_ms = core_config_integer(config, "postgres.query_timeout"),
        .queue_key = "postgres.pool_queue",
        .timeout_key = "postgres.query_timeout",
        .log = log,
        .metrics = metrics,
    };
    return pg_pool_new_of(&spec, error);
}

static void workers_join(pg_pool *pool) {
    for (size_t i = 0; i < pool->count; i++) {
        (void)pthread_join(pool->workers[i].thread, NULL);
        (void)pthread_cond_destroy(&pool->workers[i].wake);
    }
    pool->count = 0;
}

void pg_pool_stop(pg_pool *pool) {
    CORE_MAGIC_CHECK(pool, POOL_MAGIC);
    (void)pthread_mutex_lock(&pool->mutex);
    pool->stopped = true;
    for (size_t i = 0; i < pool->count; i++)
        (void)pthread_cond_signal(&pool->workers[i].wake);
    (void)pthread_mutex_unlock(&pool->mutex);
    core_wake_set(pool->cancel_fd);
    workers_join(pool);
    core_error error = {.code = CORE_ERROR_NONE};
    (void)core_error_set(&error, CORE_ERROR_TRANSIENT, "stopped before the query was begun");
    for (pg_job_kind kind = 0; kind < PG_JOB_KINDS;) {
        (void)pthread_mutex_lock(&pool->mutex);
        pg_job *job = queue_pop(pool, kind);
        (void)pthread_mutex_unlock(&pool->mutex);
        if (job == NULL)
            kind++;
        else
            job_end(pool, job, false, &error);
    }
}

void pg_pool_free(pg_pool *pool) {
    if (pool == NULL)
        return;
    pg_pool_stop(pool);
    (void)close(pool->cancel_fd);
    (void)pthread_mutex_destroy(&pool->mutex);
    pool->magic = 0;
    free(pool);
}
