/* Limits by tier: the calls that threads make, and the thread that shares the counts; see auth.h,
 * quota.h for the arithmetic and docs/LIMITS.md for what users are told.
 *
 * Happy path: a caller finds its project's quota and takes from it, without a lock. Every
 * `limits.sync` the thread sums up what the other nodes told, looks at each quota, and puts what
 * changed into the bucket `{nats.stream}_limits`, under keys of this node; a watch brings the
 * others'. Who takes a share between two looks wakes the thread, which tells of it at once.
 *
 * Failure: while NATS is away, or before everything in the bucket was read once, each node admits
 * its equal share of the limit, by the nodes that were known last; so together they hold it. */
#include "auth/failures.h"
#include "auth/limits_peers.h"

#include "auth/auth.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define LIMITS_MAGIC UINT32_C(0x6c696d73)

enum {
    VALUE_AGE_MIN_MS = 60000, /* of the bucket's values, and two windows */
    OPEN_FIRST_MS = 200,
    OPEN_MAX_MS = 5000,
    NODES_UNKNOWN = 2, /* until the bucket was read: there may be another */
};

struct auth_limits {
    uint32_t magic;
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    bool limited;         /* some project is */
    auth_quota_rule rule; /* its limit and nodes are filled in for each call */
    auth_quota_table table;
    auth_failures failures;
    atomic_int_fast64_t nodes;
    atomic_bool apart; /* the others are not heard: the limit is divided by their number */
    atomic_bool owes;  /* a share was taken since the last telling */
    atomic_bool stop;
    int wake_fd;
    bool started;
    pthread_t thread;
    /* The thread's own. */
    char node[AUTH_PEER_NAME_MAX + 1];
    auth_peers peers;
    fanout_connection *connection;
    fanout_bucket *bucket;
    fanout_watch *watch;
    int64_t look_ms, beat_ms, open_ms; /* when each is next due */
    core_backoff backoff;
    bool told_away;
    uint64_t told[AUTH_PEER_PARTS]; /* hashes of what was told last; 0: nothing */
};

/* ---- Taking ---- */

static int64_t limits_wall_ms(const auth_limits *limits) {
    return core_clock_wall_us(limits->clock) / CORE_US_PER_MS;
}

static auth_quota_rule limits_rule(const auth_limits *limits, int64_t limit) {
    auth_quota_rule rule = limits->rule;
    rule.nodes = atomic_load_explicit(&limits->nodes, memory_order_relaxed);
    rule.limit = limit;
    if (atomic_load_explicit(&limits->apart, memory_order_relaxed)) {
        rule.limit = (limit + rule.nodes - 1) / rule.nodes;
        rule.nodes = 1;
    }
    return rule;
}

int64_t auth_limits_take(auth_limits *limits, const char *project, auth_limit_kind kind,
                         uint32_t count) {
    if (limits == NULL || !limits->limited)
        return 0;
    CORE_MAGIC_CHECK(limits, LIMITS_MAGIC);
    auth_project *found = auth_quota_table_find(&limits->table, core_slice_text(project));
    if (found->limit == 0 || count == 0)
        return 0;
    const auth_quota_rule rule = limits_rule(limits, found->limit);
    auth_quota_answer answer =
        auth_quota_take(&found->quotas[kind], &rule, limits_wall_ms(limits), count);
    if (answer.decided && !atomic_exchange(&limits->owes, true))
        core_wake_set(limits->wake_fd);
    if (answer.wait_ms != 0)
        core_metrics_add(limits->metrics, CORE_METRIC_LIMITS_REFUSED, 1);
    return answer.wait_ms;
}

int64_t auth_limits_address_wait(auth_limits *limits, const core_address *address) {
    if (limits == NULL)
        return 0;
    CORE_MAGIC_CHECK(limits, LIMITS_MAGIC);
    int64_t wait_ns = auth_failures_wait_ns(&limits->failures, address,
                                            limits->clock->monotonic_ns(limits->clock));
    if (wait_ns > 0)
        core_metrics_add(limits->metrics, CORE_METRIC_LIMITS_ADDRESS_REFUSED, 1);
    return (wait_ns + CORE_NS_PER_MS - 1) / CORE_NS_PER_MS;
}

static bool verdict_is_failure(auth_verdict verdict) {
    return verdict == AUTH_MALFORMED || verdict == AUTH_SIGNATURE ||
           verdict == AUTH_CLAIM_MISSING || verdict == AUTH_CLAIM_INVALID ||
           verdict == AUTH_KEY_MALFORMED || verdict == AUTH_KEY_UNKNOWN;
}

void auth_limits_address_note(auth_limits *limits, const core_address *address,
                              auth_verdict verdict) {
    if (limits == NULL || !verdict_is_failure(verdict))
        return;
    CORE_MAGIC_CHECK(limits, LIMITS_MAGIC);
    auth_failures_add(&limits->failures, address, limits->clock->monotonic_ns(limits->clock));
}

/* ---- The watch ---- */

static auth_limits *limits_of(void *context) {
    auth_limits *limits = context;
    CORE_MAGIC_CHECK(limits, LIMITS_MAGIC);
    return limits;
}

static void watch_begin(void *context) {
    auth_peers_begin(&limits_of(context)->peers);
}

static void watch_entry(void *context, const fanout_bucket_entry *entry) {
    auth_limits *limits = limits_of(context);
    auth_peers_entry(&limits->peers, entry->key, entry->value, entry->deleted,
                     limits->rule.window_ms, core_clock_ms(limits->clock));
}

static void watch_all(void *context) {
    auth_limits *limits = limits_of(context);
    auth_peers_all(&limits->peers);
    core_wake_set(limits->wake_fd);
}

/* ---- The thread ---- */

static void limits_tell_away(auth_limits *limits, const core_error *error) {
    if (!limits->told_away)
        CORE_LOG(limits->log, WARN, "auth",
                 "limits are not shared: this node admits its part of each by itself",
                 CORE_LOG_NUMBER("nodes", atomic_load(&limits->nodes)),
                 CORE_LOG_TEXT("error", error->text));
    limits->told_away = true;
}

static bool limits_open(auth_limits *limits, core_error *error) {
    int64_t age_ms = 2 * limits->rule.window_ms;
    if (limits->connection == NULL)
        limits->connection = fanout_connection_new(limits->config, "walcast limits", limits->log,
                                                   limits->metrics, error);
    if (limits->connection == NULL)
        return false;
    if (limits->bucket == NULL)
        limits->bucket =
            fanout_bucket_new_brief(limits->connection, limits->config, "limits",
                                    age_ms > VALUE_AGE_MIN_MS ? age_ms : VALUE_AGE_MIN_MS, error);
    if (limits->bucket == NULL)
        return false;
    if (limits->watch == NULL) {
        const fanout_watch_spec spec = {.tokens = "n",
                                        .on_begin = watch_begin,
                                        .on_entry = watch_entry,
                                        .on_all = watch_all,
                                        .context = limits};
        limits->watch = fanout_bucket_watch(limits->bucket, &spec, limits->log, error);
    }
    return limits->watch != NULL;
}

/* One part's value, where it changed or `always`. */
static bool limits_tell_part(auth_limits *limits, size_t part, bool always, int64_t wall_ms,
                             core_error *error) {
    core_buffer value;
    char key[AUTH_PEER_KEY_MAX];
    core_buffer_init(&value, AUTH_LIMITS_VALUE_MAX);
    size_t told =
        auth_limits_write(&value, &limits->table, part * AUTH_LIMITS_PART, &limits->rule, wall_ms);
    uint64_t hash = told > 0 ? core_slice_hash(core_buffer_slice(&value)) : 0;
    bool ok = core_buffer_ok(&value);
    if (ok && (always || hash != limits->told[part])) {
        auth_peer_key(key, limits->node, part);
        ok = fanout_bucket_put(limits->bucket, key, core_buffer_slice(&value), error);
        if (ok)
            limits->told[part] = hash;
    }
    core_buffer_fini(&value);
    return ok;
}

static bool limits_tell(auth_limits *limits, core_error *error) {
    int64_t now_ms = core_clock_ms(limits->clock), wall_ms = limits_wall_ms(limits);
    size_t count = atomic_load(&limits->table.count);
    bool beat = now_ms >= limits->beat_ms;
    atomic_store(&limits->owes, false);
    for (size_t part = 0; part * AUTH_LIMITS_PART < count; part++)
        if (!limits_tell_part(limits, part, beat && part == 0, wall_ms, error))
            return false;
    if (beat)
        limits->beat_ms = now_ms + AUTH_PEER_BEAT_MS;
    return true;
}

/* Whether the others are heard; what they are known for then counts, and else nothing does. */
static void limits_look(auth_limits *limits, bool heard) {
    int64_t wall_ms = limits_wall_ms(limits);
    if (heard) {
        size_t others = auth_peers_alive(&limits->peers, core_clock_ms(limits->clock));
        atomic_store(&limits->nodes, (int64_t)others + 1);
        auth_peers_teach(&limits->peers, &limits->rule, wall_ms);
    }
    atomic_store(&limits->apart, !heard);
    core_metrics_set(limits->metrics, CORE_METRIC_LIMITS_NODES, atomic_load(&limits->nodes));
    core_metrics_set(limits->metrics, CORE_METRIC_LIMITS_SHARED, heard ? 1 : 0);
    size_t count = atomic_load(&limits->table.count);
    core_metrics_set(limits->metrics, CORE_METRIC_LIMITS_PROJECTS, (int64_t)count - 1);
    for (size_t i = 0; i < count; i++) {
        auth_project *project = auth_quota_table_at(&limits->table, i);
        const auth_quota_rule rule = limits_rule(limits, project->limit);
        for (size_t kind = 0; kind < AUTH_QUOTA_KINDS; kind++) {
            if (!heard)
                auth_quota_learn(&project->quotas[kind], &rule, wall_ms, 0, 0);
            (void)auth_quota_look(&project->quotas[kind], &rule, wall_ms);
        }
    }
}

/* True while NATS takes what is told and the bucket was read. */
static bool limits_share(auth_limits *limits, core_error *error) {
    int64_t now_ms = core_clock_ms(limits->clock);
    if (limits->watch == NULL) {
        if (now_ms < limits->open_ms)
            return core_error_set(error, CORE_ERROR_TRANSIENT, "NATS is away");
        if (!limits_open(limits, error)) {
            limits->open_ms = core_clock_ms(limits->clock) + core_backoff_next_ms(&limits->backoff);
            return false;
        }
        core_backoff_reset(&limits->backoff);
    }
    if (!fanout_connection_alive(limits->connection))
        return core_error_set(error, CORE_ERROR_TRANSIENT, "NATS is away");
    return limits_tell(limits, error);
}

static void limits_step(auth_limits *limits) {
    core_error error = {.text = "the others' counts have not come yet"};
    bool whole = auth_peers_whole(&limits->peers);
    if (core_clock_ms(limits->clock) >= limits->look_ms) {
        limits->look_ms = core_clock_ms(limits->clock) + limits->rule.look_ms;
        bool heard = whole && limits->connection != NULL &&
                     fanout_connection_alive(limits->connection) && !limits->told_away;
        limits_look(limits, heard);
    }
    if (limits_share(limits, &error))
        limits->told_away = false;
    else
        limits_tell_away(limits, &error);
}

static void *limits_run(void *argument) {
    auth_limits *limits = limits_of(argument);
    (void)pthread_setname_np(pthread_self(), "walcast-limits");
    while (!atomic_load(&limits->stop)) {
        struct pollfd wake = {.fd = limits->wake_fd, .events = POLLIN};
        int64_t wait_ms = limits->look_ms - core_clock_ms(limits->clock);
        if (wait_ms > 0)
            (void)poll(&wake, 1, (int)wait_ms);
        core_wake_clear(limits->wake_fd);
        limits_step(limits);
    }
    return NULL;
}

/* So that the others share the limit among themselves at once. */
static void limits_leave(auth_limits *limits) {
    core_error error;
    char key[AUTH_PEER_KEY_MAX];
    if (limits->bucket == NULL || !fanout_connection_alive(limits->connection))
        return;
    auth_peer_key(key, limits->node, 0);
    bool told = limits_tell(limits, &error) && /* the last counts, which the others keep */
                fanout_bucket_delete(limits->bucket, key, &error);
    (void)told; /* else it counts for as long as one that was killed */
}

/* ---- Life ---- */

static bool limits_any(const core_config *config) {
    if (auth_tier_limit(config, core_slice_text(core_config_text(config, "limits.tier"))) > 0)
        return true;
    for (size_t i = 0; i < core_config_list_count(config, "limits.projects"); i++) {
        core_slice project, tier;
        if (auth_tier_split(core_config_list_item(config, "limits.projects", i), &project, &tier) &&
            auth_tier_limit(config, tier) > 0)
            return true;
    }
    return false;
}

static bool limits_begin(auth_limits *limits, core_error *error) {
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no random number for the limits");
    auth_failures_init(&limits->failures,
                       core_config_integer(limits->config, "limits.auth_failures_per_minute"),
                       random[0]);
    (void)snprintf(limits->node, sizeof limits->node, "%016llx", (unsigned long long)random[1]);
    core_backoff_init(&limits->backoff, OPEN_FIRST_MS, OPEN_MAX_MS, random[1]);
    if (!auth_quota_table_init(&limits->table, limits->config))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the limits");
    auth_peers_init(&limits->peers, limits->node, &limits->table, limits->log);
    limits->limited = limits_any(limits->config);
    if (!limits->limited)
        return true;
    limits->started = pthread_create(&limits->thread, NULL, limits_run, limits) == 0;
    return limits->started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the limits' thread");
}

auth_limits *auth_limits_new(const core_config *config, core_log *log, core_metrics *metrics,
                             const core_clock *clock, core_error *error) {
    auth_limits *limits = calloc(1, sizeof *limits);
    if (limits == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the limits");
        return NULL;
    }
    limits->magic = LIMITS_MAGIC;
    limits->config = config;
    limits->log = log;
    limits->metrics = metrics;
    limits->clock = clock;
    limits->rule = (auth_quota_rule){.window_ms = core_config_integer(config, "limits.window"),
                                     .look_ms = core_config_integer(config, "limits.sync")};
    limits->nodes = NODES_UNKNOWN;
    limits->apart = true;
    limits->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (limits->wake_fd < 0)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "eventfd: %s", strerror(errno));
    else if (limits_begin(limits, error))
        return limits;
    auth_limits_free(limits);
    return NULL;
}

void auth_limits_free(auth_limits *limits) {
    if (limits == NULL)
        return;
    CORE_MAGIC_CHECK(limits, LIMITS_MAGIC);
    if (limits->started) {
        atomic_store(&limits->stop, true);
        core_wake_set(limits->wake_fd);
        (void)pthread_join(limits->thread, NULL);
    }
    fanout_watch_free(limits->watch);
    limits_leave(limits);
    fanout_bucket_free(limits->bucket);
    fanout_connection_free(limits->connection);
    if (limits->table.index != NULL) {
        auth_peers_fini(&limits->peers);
        auth_quota_table_fini(&limits->table);
    }
    if (limits->wake_fd >= 0)
        (void)close(limits->wake_fd);
    limits->magic = 0;
    free(limits);
}
