/* What roles may see, kept up to date by one thread (access_look.c); see auth.h.
 *
 * Happy path: a role is asked for, the thread looks it up within milliseconds and again at each
 * interval; whoever decides takes the mutex for the time of a search in memory. Failure modes: the
 * database away (what was known counts for auth.grants_valid, then everything is UNAVAILABLE; what
 * was never known is so at once), a connection that breaks (another look at once, then backoff), a
 * look that takes long (the next one waits twenty times as long). The mutex is never held over a
 * query nor over `changed`. */
#include "auth/access_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

auth_channels *auth_access_channels(auth_access *access) {
    CORE_MAGIC_CHECK(access, AUTH_ACCESS_MAGIC);
    return access->channels;
}

/* ---- Roles; with the mutex held ---- */

auth_role *auth_role_find(const auth_access *access, const char *name) {
    for (size_t i = 0; i < access->count; i++)
        if (strcmp(access->roles[i]->name, name) == 0)
            return access->roles[i];
    return NULL;
}

void auth_role_remove(auth_access *access, size_t at) {
    auth_role *role = access->roles[at];
    assert(role->holders == 0);
    access->roles[at] = access->roles[--access->count];
    core_metrics_set(access->metrics, CORE_METRIC_AUTH_ROLES, (int64_t)access->count);
    auth_grants_release(role->grants);
    role->magic = 0;
    free(role);
}

void auth_roles_forget(auth_access *access, int64_t now) {
    for (size_t i = access->count; i > 0; i--) {
        const auth_role *role = access->roles[i - 1];
        if (role->holders == 0 && now - role->released_ms >= AUTH_ROLE_IDLE_MS)
            auth_role_remove(access, i - 1);
    }
}

/* Makes room by forgetting the role that was released first. */
static bool roles_make_room(auth_access *access) {
    size_t oldest = access->count;
    for (size_t i = 0; i < access->count; i++)
        if (access->roles[i]->holders == 0 &&
            (oldest == access->count ||
             access->roles[i]->released_ms < access->roles[oldest]->released_ms))
            oldest = i;
    if (oldest == access->count)
        return false;
    auth_role_remove(access, oldest);
    return true;
}

static auth_role *role_add(auth_access *access, const char *name) {
    auth_role *role = calloc(1, sizeof *role);
    if (role == NULL)
        return NULL;
    role->magic = AUTH_ROLE_MAGIC;
    role->access = access;
    (void)snprintf(role->name, sizeof role->name, "%s", name);
    role->generation = ++access->generation;
    access->roles[access->count++] = role;
    core_metrics_set(access->metrics, CORE_METRIC_AUTH_ROLES, (int64_t)access->count);
    (void)pthread_cond_signal(&access->wake);
    return role;
}

auth_role *auth_access_role(auth_access *access, const char *name, core_error *error) {
    CORE_MAGIC_CHECK(access, AUTH_ACCESS_MAGIC);
    size_t length = strlen(name);
    if (length == 0 || length >= AUTH_NAME_MAX) {
        (void)core_error_set(error, CORE_ERROR_INPUT,
                             "the token's role has %zu bytes; expected a PostgreSQL role's name, 1 "
                             "to %d bytes",
                             length, AUTH_NAME_MAX - 1);
        return NULL;
    }
    (void)pthread_mutex_lock(&access->mutex);
    auth_role *role = auth_role_find(access, name);
    bool room = role != NULL || access->count < AUTH_ROLES_MAX || roles_make_room(access);
    if (role == NULL && room)
        role = role_add(access, name);
    if (role != NULL && role->holders++ == 0)
        (void)pthread_cond_signal(&access->wake); /* for DDL it was not looked at meanwhile */
    (void)pthread_mutex_unlock(&access->mutex);
    if (!room)
        (void)core_error_set(error, CORE_ERROR_LIMIT,
                             "%d roles are in use already, as many as there may be at once",
                             AUTH_ROLES_MAX);
    else if (role == NULL)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a role");
    return role;
}

void auth_role_release(auth_role *role) {
    if (role == NULL)
        return;
    CORE_MAGIC_CHECK(role, AUTH_ROLE_MAGIC);
    auth_access *access = role->access;
    (void)pthread_mutex_lock(&access->mutex);
    assert(role->holders > 0);
    role->holders--;
    role->released_ms = auth_now_ms();
    (void)pthread_mutex_unlock(&access->mutex);
}

const char *auth_role_name(const auth_role *role) {
    CORE_MAGIC_CHECK(role, AUTH_ROLE_MAGIC);
    return role->name;
}

/* ---- Deciding; with the mutex held ---- */

bool auth_role_counts(const auth_role *role, int64_t now) {
    return role->grants != NULL && now - role->looked_ms <= role->access->valid_ms;
}

static void decide(auth_table_decision *decision, auth_access_verdict verdict, const char *reason) {
    decision->verdict = verdict;
    (void)snprintf(decision->reason, sizeof decision->reason, "%s", reason);
}

static void decide_unavailable(auth_role *role, auth_table_decision *decision) {
    role->denied = true;
    decide(decision, AUTH_ACCESS_UNAVAILABLE,
           "the database cannot be asked what this role may see; try again later");
}

static void decide_behind(auth_role *role, auth_table_decision *decision) {
    role->denied = true;
    decide(decision, AUTH_ACCESS_UNAVAILABLE,
           "policies or grants have changed and the database does not show them yet; try again "
           "later");
}

static void decide_pending(auth_role *role, auth_table_decision *decision) {
    role->awaited = true;
    decide(decision, AUTH_ACCESS_PENDING, "the database is being asked what this role may see");
}

/* False when the answer is no more than that. */
static bool role_decide(auth_role *role, int64_t now, auth_table_decision *decision) {
    *decision = (auth_table_decision){.generation = role->generation};
    if (!auth_role_counts(role, now)) {
        if (role->access->away || role->grants != NULL)
            decide_unavailable(role, decision);
        else
            decide_pending(role, decision);
        return false;
    }
    auth_currency currency = auth_role_currency(role, now);
    if (currency == AUTH_CATCHING_UP)
        decide_pending(role, decision);
    else if (currency == AUTH_BEHIND)
        decide_behind(role, decision);
    if (currency != AUTH_CURRENT)
        return false;
    decision->verdict = auth_grants_role_verdict(role->grants, role->name, decision->reason);
    return decision->verdict == AUTH_ACCESS_ALLOWED;
}

static uint64_t asked_hash(core_slice schema, core_slice table, uint32_t oid) {
    return (core_slice_hash(schema) * 31 + core_slice_hash(table)) * 31 + oid;
}

/* Whether a look that began after the table was first asked for has not shown it. Else one is
 * asked for. */
static bool table_was_asked(auth_role *role, uint64_t hash, int64_t now) {
    for (size_t i = 0; i < AUTH_ASKED_MAX; i++)
        if (role->asked[i].asked_ms != 0 && role->asked[i].hash == hash)
            return role->looked_ms > role->asked[i].asked_ms;
    role->asked[role->asked_next] = (auth_asked_table){.hash = hash, .asked_ms = now};
    role->asked_next = (role->asked_next + 1) % AUTH_ASKED_MAX;
    int64_t soon_ms =
        role->looked_ms + AUTH_LOOK_GAP_MS > now ? role->looked_ms + AUTH_LOOK_GAP_MS : now + 1;
    role->due_ms = role->due_ms < soon_ms ? role->due_ms : soon_ms;
    (void)pthread_cond_signal(&role->access->wake);
    return false;
}

/* The last look shows no such table, or another one of the name. */
static void absent_decide(auth_role *role, core_slice schema, core_slice table, uint32_t oid,
                          bool is_other, int64_t now, auth_table_decision *decision) {
    char name[2 * AUTH_NAME_MAX + 2];
    (void)snprintf(name, sizeof name, "%.*s.%.*s", CORE_SLICE_ARGS(schema), CORE_SLICE_ARGS(table));
    if (!table_was_asked(role, asked_hash(schema, table, oid), now)) {
        if (role->access->away)
            decide_unavailable(role, decision);
        else
            decide_pending(role, decision);
    } else if (is_other) {
        decision->verdict = AUTH_ACCESS_REFUSED;
        (void)snprintf(decision->reason, sizeof decision->reason,
                       "%s is another table now than the one that changed", name);
    } else if (role->grants->truncated) {
        decision->verdict = AUTH_ACCESS_REFUSED;
        (void)snprintf(decision->reason, sizeof decision->reason,
                       "the database has more than %d tables; what may be seen of %s is not known",
                       AUTH_TABLES_MAX, name);
    } else {
        decision->verdict = AUTH_ACCESS_ABSENT;
        (void)snprintf(decision->reason, sizeof decision->reason, "there is no table %s", name);
    }
}

void auth_role_table(auth_role *role, core_slice schema, core_slice table, uint32_t oid,
                     auth_table_decision *decision) {
    CORE_MAGIC_CHECK(role, AUTH_ROLE_MAGIC);
    int64_t now = auth_now_ms();
    (void)pthread_mutex_lock(&role->access->mutex);
    if (role_decide(role, now, decision)) {
        const auth_table *found = auth_grants_find(role->grants, schema, table);
        bool is_other = found != NULL && oid != 0 && found->oid != oid;
        if (found == NULL || is_other)
            absent_decide(role, schema, table, oid, is_other, now, decision);
        else
            decision->verdict = auth_grants_table_verdict(found, role->name, decision->reason);
        if (decision->verdict == AUTH_ACCESS_ALLOWED || decision->verdict == AUTH_ACCESS_FILTERED) {
            decision->grants = auth_grants_retain(role->grants);
            decision->table = found;
        }
    }
    (void)pthread_mutex_unlock(&role->access->mutex);
}

void auth_role_decision(auth_role *role, auth_table_decision *decision) {
    CORE_MAGIC_CHECK(role, AUTH_ROLE_MAGIC);
    (void)pthread_mutex_lock(&role->access->mutex);
    (void)role_decide(role, auth_now_ms(), decision);
    (void)pthread_mutex_unlock(&role->access->mutex);
}

bool auth_role_secured(auth_role *role, core_slice schema, core_slice table) {
    CORE_MAGIC_CHECK(role, AUTH_ROLE_MAGIC);
    (void)pthread_mutex_lock(&role->access->mutex);
    bool secured = role->grants != NULL && auth_grants_secured(role->grants, schema, table);
    (void)pthread_mutex_unlock(&role->access->mutex);
    return secured;
}

void auth_table_decision_fini(auth_table_decision *decision) {
    auth_grants_release(decision->grants);
    decision->grants = NULL;
    decision->table = NULL;
}

bool auth_access_role_bypasses(auth_access *access, const char *name) {
    (void)pthread_mutex_lock(&access->mutex);
    const auth_role *role = auth_role_find(access, name);
    int64_t now = auth_now_ms();
    bool bypasses = role != NULL && auth_role_counts(role, now) &&
                    auth_role_currency(role, now) == AUTH_CURRENT && role->grants->bypass;
    (void)pthread_mutex_unlock(&access->mutex);
    return bypasses;
}

/* ---- Life ---- */

auth_access *auth_access_new(const auth_access_spec *spec, core_error *error) {
    auth_access *access = calloc(1, sizeof *access);
    int cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (access == NULL || cancel_fd < 0) {
        if (cancel_fd >= 0)
            (void)close(cancel_fd);
        free(access);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory or descriptor for access");
        return NULL;
    }
    access->magic = AUTH_ACCESS_MAGIC;
    access->url = core_config_text(spec->config, "postgres.url");
    access->publication = core_config_text(spec->config, "postgres.publication");
    access->timeout_ms = core_config_integer(spec->config, "postgres.query_timeout");
    access->interval_ms = core_config_integer(spec->config, "auth.grants_interval");
    access->valid_ms = core_config_integer(spec->config, "auth.grants_valid");
    access->log = spec->log;
    access->metrics = spec->metrics;
    access->changed = spec->changed;
    access->context = spec->context;
    access->cancel_fd = cancel_fd;
    core_backoff_init(&access->backoff, AUTH_RETRY_FIRST_MS, AUTH_RETRY_MAX_MS,
                      (uint64_t)auth_now_ms());
    (void)pthread_mutex_init(&access->mutex, NULL);
    core_condition_init(&access->wake);
    access->channels = auth_channels_new(spec, error);
    access->started = access->channels != NULL &&
                      pthread_create(&access->thread, NULL, auth_access_thread, access) == 0;
    if (access->started)
        return access;
    if (access->channels != NULL)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no thread for access");
    auth_access_free(access);
    return NULL;
}

void auth_access_free(auth_access *access) {
    if (access == NULL)
        return;
    CORE_MAGIC_CHECK(access, AUTH_ACCESS_MAGIC);
    (void)pthread_mutex_lock(&access->mutex);
    access->stopping = true;
    (void)pthread_cond_signal(&access->wake);
    (void)pthread_mutex_unlock(&access->mutex);
    core_wake_set(access->cancel_fd);
    if (access->started)
        (void)pthread_join(access->thread, NULL);
    while (access->count > 0)
        auth_role_remove(access, access->count - 1);
    auth_channels_free(access->channels);
    auth_ddl_fini(&access->ddl);
    (void)close(access->cancel_fd);
    (void)pthread_cond_destroy(&access->wake);
    (void)pthread_mutex_destroy(&access->mutex);
    access->magic = 0;
    free(access);
}
