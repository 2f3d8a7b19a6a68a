/* See ticker.h.
 *
 * Happy path: the thread keeps the lease, knows each schedule's next moment, and sleeps until the
 * first of them, or to look whether definitions have changed.
 *
 * Failure: without a broker, or without the lease, it waits; when it holds the lease again it reads
 * anew what was decided. A schedule that somebody else wrote to is read again at once; one that
 * cannot be written to now is tried again with the next turn, and its moments are late. */
#include "triggers/ticker.h"

#include "triggers/definitions.h"
#include "triggers/tick.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define TICKER_MAGIC UINT32_C(0x5449434b)

enum {
    TURN_MAX_MS = 500, /* how late a change of definitions is seen */
    RETRY_MS = 200,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    LEASE_PART = 3, /* renewed so often within its time */
    OWNER_MAX = 32,
};

typedef struct triggers_ticker {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    triggers_host *host;
    pthread_t thread;
    bool started;
    /* The thread's own. */
    triggers_tick_place place;
    fanout_bucket *leases;
    fanout_lease *lease;
    int64_t keep_at_ms;      /* when the lease is to be renewed */
    const triggers_set *set; /* holds what the ticks point to */
    triggers_tick *ticks;
    size_t count;
    triggers_timetable_due due;
    /* Shared, under the lock. */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
    char problem[CORE_ERROR_TEXT_MAX];
} triggers_ticker;

static triggers_ticker *ticker_of(void *context) {
    triggers_ticker *ticker = context;
    CORE_MAGIC_CHECK(ticker, TICKER_MAGIC);
    return ticker;
}

static void problem_set(triggers_ticker *ticker, const core_error *error) {
    (void)pthread_mutex_lock(&ticker->mutex);
    bool is_new = error != NULL && ticker->problem[0] == '\0';
    (void)snprintf(ticker->problem, sizeof ticker->problem, "%s", error != NULL ? error->text : "");
    (void)pthread_mutex_unlock(&ticker->mutex);
    if (is_new)
        CORE_LOG(ticker->host->spec.log, WARN, "triggers", "schedules wait; trying again",
                 CORE_LOG_TEXT("error", error->text));
}

/* ---- The schedules ---- */

static void ticks_free(triggers_ticker *ticker) {
    for (size_t i = 0; i < ticker->count; i++)
        triggers_timetable_free(ticker->ticks[i].timetable);
    free(ticker->ticks);
    ticker->ticks = NULL;
    ticker->count = 0;
}

static void tick_add(triggers_ticker *ticker, const triggers_definition *definition) {
    core_error error = {.text = ""};
    triggers_timetable *timetable =
        triggers_timetable_new(definition->schedule.expression, definition->schedule.time_zone,
                               TRIGGERS_ZONE_DIRECTORY, &error);
    if (timetable == NULL) {
        CORE_LOG(ticker->host->spec.log, ERROR, "triggers", "a schedule cannot be read",
                 CORE_LOG_TEXT("reason", error.text));
        return;
    }
    ticker->ticks[ticker->count++] =
        (triggers_tick){.definition = definition, .timetable = timetable};
}

/* All anew: what was decided is read again, so nothing is lost by it. */
static bool ticks_read(triggers_ticker *ticker, core_error *error) {
    if (!triggers_definitions_renew(ticker->host->definitions, &ticker->set))
        return true;
    ticks_free(ticker);
    const triggers_set *set = ticker->set;
    ticker->ticks = calloc(set->count + 1, sizeof *ticker->ticks);
    if (ticker->ticks == NULL) {
        triggers_set_release(set);
        ticker->set = NULL; /* tried again */
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for schedules");
    }
    for (size_t i = 0; i < set->count; i++)
        if (set->definitions[i]->on == TRIGGERS_ON_CRON)
            tick_add(ticker, set->definitions[i]);
    return true;
}

static void ticks_forget(triggers_ticker *ticker) {
    for (size_t i = 0; i < ticker->count; i++)
        ticker->ticks[i].loaded = false;
}

static bool tick_turn(triggers_ticker *ticker, triggers_tick *tick, core_error *error) {
    const triggers_tick_place *place = &ticker->place;
    if (!tick->loaded && !triggers_tick_load(place, tick, error))
        return false;
    int64_t now_us = core_clock_wall_us(place->clock);
    if (tick->next_us > now_us || triggers_tick_fire(place, tick, now_us, &ticker->due, error))
        return true;
    tick->loaded = false; /* what of it was written is read again */
    return false;
}

/* The moment to wake at. */
static int64_t ticks_turn(triggers_ticker *ticker, core_error *problem) {
    int64_t next_us = INT64_MAX;
    for (size_t i = 0; i < ticker->count && fanout_lease_held(ticker->lease); i++) {
        triggers_tick *tick = &ticker->ticks[i];
        core_error error = {.text = ""};
        if (!tick_turn(ticker, tick, &error)) {
            if (error.code != CORE_ERROR_CONFLICT)
                *problem = error;
            next_us = 0;
        } else if (tick->next_us < next_us) {
            next_us = tick->next_us;
        }
    }
    return next_us;
}

/* ---- The thread ---- */

static bool place_open(triggers_ticker *ticker, core_error *error) {
    const triggers_spec *spec = &ticker->host->spec;
    triggers_tick_place *place = &ticker->place;
    char subjects[CORE_SUBJECT_MAX], owner[OWNER_MAX];
    uint64_t random = 0;
    fanout_stream_info info;
    int64_t ttl_ms = core_config_integer(spec->config, "triggers.lease");
    if (ticker->lease != NULL)
        return true;
    if (place->connection == NULL)
        place->connection =
            fanout_connection_new(spec->config, "walcast-cron", spec->log, spec->metrics, error);
    if (place->connection == NULL)
        return false;
    fanout_stream_spec events =
        fanout_stream_event_spec(spec->config, place->stream, subjects, sizeof subjects);
    events.keeps_limits = true;
    if (!fanout_stream_ensure(place->connection, &events, &info, error))
        return false;
    if (place->state == NULL)
        place->state = fanout_bucket_new(place->connection, spec->config, "state", error);
    if (place->state != NULL && ticker->leases == NULL)
        ticker->leases =
            fanout_bucket_new_brief(place->connection, spec->config, "leases", ttl_ms, error);
    if (ticker->leases == NULL)
        return false;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no random number for a lease");
    (void)snprintf(owner, sizeof owner, "%016llx", (unsigned long long)random);
    const fanout_lease_spec lease = {.key = "cron", .owner = owner, .ttl_ms = ttl_ms};
    ticker->lease = fanout_lease_new(ticker->leases, &lease, spec->clock, error);
    return ticker->lease != NULL;
}

/* Renews the lease in time. False: it is not ours. */
static bool lease_turn(triggers_ticker *ticker, core_error *error) {
    int64_t now_ms = core_clock_ms(ticker->place.clock);
    bool held = fanout_lease_held(ticker->lease);
    if (held && now_ms < ticker->keep_at_ms)
        return true;
    core_error why = {.text = ""};
    int64_t ttl_ms = core_config_integer(ticker->host->spec.config, "triggers.lease");
    if (fanout_lease_keep(ticker->lease, &why)) {
        if (!held)
            ticks_forget(ticker); /* others wrote meanwhile */
        ticker->keep_at_ms = now_ms + ttl_ms / LEASE_PART;
        return true;
    }
    if (why.code != CORE_ERROR_CONFLICT)
        *error = why;
    return fanout_lease_held(ticker->lease);
}

static int64_t wait_ms(triggers_ticker *ticker, int64_t next_us) {
    if (next_us == 0)
        return RETRY_MS;
    int64_t left_us = next_us - core_clock_wall_us(ticker->place.clock);
    if (left_us >= TURN_MAX_MS * CORE_US_PER_MS)
        return TURN_MAX_MS;
    return left_us > 0 ? left_us / CORE_US_PER_MS + 1 : 0;
}

static int64_t ticker_turn(triggers_ticker *ticker, core_backoff *backoff) {
    core_error problem = {.text = ""};
    int64_t next_us = INT64_MAX;
    if (!place_open(ticker, &problem)) {
        problem_set(ticker, &problem);
        return core_backoff_next_ms(backoff);
    }
    core_backoff_reset(backoff);
    if (lease_turn(ticker, &problem) && ticks_read(ticker, &problem))
        next_us = ticks_turn(ticker, &problem);
    problem_set(ticker, problem.code != CORE_ERROR_NONE ? &problem : NULL);
    return problem.code != CORE_ERROR_NONE ? RETRY_MS : wait_ms(ticker, next_us);
}

/* False: it is to stop. */
static bool ticker_wait(triggers_ticker *ticker, int64_t timeout_ms) {
    (void)pthread_mutex_lock(&ticker->mutex);
    if (!ticker->stopping && timeout_ms > 0)
        (void)core_condition_wait(&ticker->wake, &ticker->mutex, timeout_ms);
    bool goes_on = !ticker->stopping;
    (void)pthread_mutex_unlock(&ticker->mutex);
    return goes_on;
}

static void *ticker_run(void *context) {
    triggers_ticker *ticker = ticker_of(context);
    core_backoff backoff;
    (void)pthread_setname_np(pthread_self(), "walcast-cron");
    core_backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, (uint64_t)(uintptr_t)context);
    while (ticker_wait(ticker, 0))
        if (!ticker_wait(ticker, ticker_turn(ticker, &backoff)))
            break;
    if (ticker->lease != NULL && fanout_lease_held(ticker->lease))
        fanout_lease_release(ticker->lease);
    return NULL;
}

/* ---- The part ---- */

static bool part_start(triggers_part *part, core_error *error) {
    triggers_ticker *ticker = ticker_of(part);
    ticker->started = pthread_create(&ticker->thread, NULL, ticker_run, ticker) == 0;
    return ticker->started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the schedules' thread");
}

static core_readiness part_ready(triggers_part *part, char *reason, size_t reason_size) {
    triggers_ticker *ticker = ticker_of(part);
    (void)pthread_mutex_lock(&ticker->mutex);
    bool has_problem = ticker->problem[0] != '\0';
    if (has_problem)
        (void)snprintf(reason, reason_size, "schedules wait: %s", ticker->problem);
    (void)pthread_mutex_unlock(&ticker->mutex);
    return has_problem ? CORE_READY_WARNING : CORE_READY_YES;
}

static void part_stop(triggers_part *part) {
    triggers_ticker *ticker = ticker_of(part);
    (void)pthread_mutex_lock(&ticker->mutex);
    ticker->stopping = true;
    (void)pthread_cond_signal(&ticker->wake);
    (void)pthread_mutex_unlock(&ticker->mutex);
    if (ticker->started)
        (void)pthread_join(ticker->thread, NULL);
    ticks_free(ticker);
    triggers_set_release(ticker->set);
    fanout_lease_free(ticker->lease);
    fanout_bucket_free(ticker->leases);
    fanout_bucket_free(ticker->place.state);
    fanout_connection_free(ticker->place.connection);
    (void)pthread_cond_destroy(&ticker->wake);
    (void)pthread_mutex_destroy(&ticker->mutex);
    ticker->magic = 0;
    free(ticker);
}

triggers_part *triggers_ticker_part(triggers_host *host, core_error *error) {
    triggers_ticker *ticker = calloc(1, sizeof *ticker);
    if (ticker == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for schedules");
        return NULL;
    }
    ticker->part = (triggers_part){
        .name = "cron", .start = part_start, .ready = part_ready, .stop = part_stop};
    ticker->magic = TICKER_MAGIC;
    ticker->host = host;
    ticker->place = (triggers_tick_place){
        .config = host->spec.config, .log = host->spec.log, .clock = host->spec.clock};
    (void)pthread_mutex_init(&ticker->mutex, NULL);
    core_condition_init(&ticker->wake);
    return &ticker->part;
}
