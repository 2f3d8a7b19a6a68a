/* What roles may see, kept up to date by one thread; see auth.h.
 *
 * Happy path: a role is asked for, the thread looks it up within milliseconds and again at each
 * interval; whoever decides takes the mutex for the time of a search in memory. Failure modes: the
 * database away (what was known counts for auth.grants_valid, then everything is UNAVAILABLE; what
 * was never known is so at once), a connection that breaks (another look at once, then backoff), a
 * look that takes long (the next one waits twenty times as long). The mutex is never held over a
 * query nor over `changed`. */
#include "auth/access_private.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ACCESS_MAGIC UINT32_C(0x61636365)
#define ROLE_MAGIC   UINT32_C(0x726f6c65)

enum {
    ROLE_IDLE_MS = 60000, /* remembered behind its last release */
    LOOK_GAP_MS = 50,     /* between two looks for one role, however urgent */
    LOOK_SHARE = 20,      /* a look takes at most one part in so many of the time */
    RETRY_FIRST_MS = 100, /* to connect again */
    RETRY_MAX_MS = 2000,
    ASKED_MAX = 64, /* tables that were not there, of a role; one that falls out is asked again */
};

/* A table, or an oid of its name, that the last look did not show. */
typedef struct {
    uint64_t hash;
    int64_t asked_ms;
} asked_table;

struct auth_role {
    uint32_t magic;
    auth_access *access;
    char name[AUTH_NAME_MAX];
    unsigned holders;
    int64_t released_ms;
    auth_grants *grants; /* NULL: no look succeeded yet */
    uint64_t generation;
    int64_t looked_ms; /* when the last look that succeeded began */
    int64_t due_ms;    /* the next one */
    bool awaited;      /* somebody was told PENDING */
    bool denied;       /* somebody was told UNAVAILABLE */
    bool lost;         /* all were told that what they have counts no longer */
    asked_table asked[ASKED_MAX];
    size_t asked_next;
};

struct auth_access {
    uint32_t magic;
    const char *url;
    const char *publication;
    int64_t timeout_ms;
    int64_t interval_ms;
    int64_t valid_ms;
    core_log *log;
    core_metrics *metrics;
    auth_changed changed;
    void *context;
    int cancel_fd;
    auth_channels *channels;
    pthread_t thread;
    bool started;

    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
    bool away; /* the last attempt failed */
    int64_t retry_at_ms;
    uint64_t generation;
    auth_role *roles[AUTH_ROLES_MAX];
    size_t count;

    /* The thread's own. */
    pg_connection *connection;
    core_backoff backoff;
};

static int64_t now_ms(void) {
    return core_clock_ms(core_clock_system());
}

auth_channels *auth_access_channels(auth_access *access) {
    CORE_MAGIC_CHECK(access, ACCESS_MAGIC);
    return access->channels;
}

/* ---- Roles; with the mutex held ---- */

static auth_role *role_find(const auth_access *access, const char *name) {
    for (size_t i = 0; i < access->count; i++)
        if (strcmp(access->roles[i]->name, name) == 0)
            return access->roles[i];
    return NULL;
}

static void role_remove(auth_access *access, size_t at) {
    auth_role *role = access->roles[at];
    assert(role->holders == 0);
    access->roles[at] = access->roles[--access->count];
    core_metrics_set(access->metrics, CORE_METRIC_AUTH_ROLES, (int64_t)access->count);
    auth_grants_release(role->grants);
    role->magic = 0;
    free(role);
}

static void roles_forget(auth_access *access, int64_t now) {
    for (size_t i = access->count; i > 0; i--) {
        const auth_role *role = access->roles[i - 1];
        if (role->holders == 0 && now - role->released_ms >= ROLE_IDLE_MS)
            role_remove(access, i - 1);
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
    role_remove(access, oldest);
    return true;
}

static auth_role *role_add(auth_access *access, const char *name) {
    auth_role *role = calloc(1, sizeof *role);
    if (role == NULL)
        return NULL;
    role->magic = ROLE_MAGIC;
    role->access = access;
    (void)snprintf(role->name, sizeof role->name, "%s", name);
    role->generation = ++access->generation;
    access->roles[access->count++] = role;
    core_metrics_set(access->metrics, CORE_METRIC_AUTH_ROLES, (int64_t)access->count);
    (void)pthread_cond_signal(&access->wake);
    return role;
}

auth_role *auth_access_role(auth_access *access, const char *name, core_error *error) {
    CORE_MAGIC_CHECK(access, ACCESS_MAGIC);
    size_t length = strlen(name);
    if (length == 0 || length >= AUTH_NAME_MAX) {
        (void)core_error_set(error, CORE_ERROR_INPUT,
                             "the token's role has %zu bytes; expected a PostgreSQL role's name, 1 "
                             "to %d bytes",
                             length, AUTH_NAME_MAX - 1);
        return NULL;
    }
    (void)pthread_mutex_lock(&access->mutex);
    auth_role *role = role_find(access, name);
    bool room = role != NULL || access->count < AUTH_ROLES_MAX || roles_make_room(access);
    if (role == NULL && room)
        role = role_add(access, name);
    if (role != NULL)
        role->holders++;
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
    CORE_MAGIC_CHECK(role, ROLE_MAGIC);
    auth_access *access = role->access;
    (void)pthread_mutex_lock(&access->mutex);
    assert(role->holders > 0);
    role->holders--;
    role->released_ms = now_ms();
    (void)pthread_mutex_unlock(&access->mutex);
}

const char *auth_role_name(const auth_role *role) {
    CORE_MAGIC_CHECK(role, ROLE_MAGIC);
    return role->name;
}

/* ---- Deciding; with the mutex held ---- */

static bool role_counts(const auth_role *role, int64_t now) {
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

static void decide_pending(auth_role *role, auth_table_decision *decision) {
    role->awaited = true;
    decide(decision, AUTH_ACCESS_PENDING, "the database is being asked what this role may see");
}

/* False when the answer is no more than that. */
static bool role_decide(auth_role *role, int64_t now, auth_table_decision *decision) {
    *decision = (auth_table_decision){.generation = role->generation};
    if (!role_counts(role, now)) {
        if (role->access->away || role->grants != NULL)
            decide_unavailable(role, decision);
        else
            decide_pending(role, decision);
        return false;
    }
    decision->verdict = auth_grants_role_verdict(role->grants, role->name, decision->reason);
    return decision->verdict == AUTH_ACCESS_ALLOWED;
}

static uint64_t asked_hash(core_slice schema, core_slice table, uint32_t oid) {
    return (core_slice_hash(schema) * 31 + core_slice_hash(table)) * 31 + oid;
}

/* Whether a look that began after the table was first asked for has not shown it. Else one is
 * asked for. */
static bool table_was_asked(auth_role *role, uint64_t hash, int64_t now) {
    for (size_t i = 0; i < ASKED_MAX; i++)
        if (role->asked[i].asked_ms != 0 && role->asked[i].hash == hash)
            return role->looked_ms > role->asked[i].asked_ms;
    role->asked[role->asked_next] = (asked_table){.hash = hash, .asked_ms = now};
    role->asked_next = (role->asked_next + 1) % ASKED_MAX;
    int64_t soon_ms = role->looked_ms + LOOK_GAP_MS > now ? role->looked_ms + LOOK_GAP_MS : now + 1;
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
    CORE_MAGIC_CHECK(role, ROLE_MAGIC);
    int64_t now = now_ms();
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
    CORE_MAGIC_CHECK(role, ROLE_MAGIC);
    (void)pthread_mutex_lock(&role->access->mutex);
    (void)role_decide(role, now_ms(), decision);
    (void)pthread_mutex_unlock(&role->access->mutex);
}

bool auth_role_secured(auth_role *role, core_slice schema, core_slice table) {
    CORE_MAGIC_CHECK(role, ROLE_MAGIC);
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
    const auth_role *role = role_find(access, name);
    bool bypasses = role != NULL && role_counts(role, now_ms()) && role->grants->bypass;
    (void)pthread_mutex_unlock(&access->mutex);
    return bypasses;
}

/* ---- The thread ---- */

typedef struct {
    char name[AUTH_NAME_MAX];
    uint64_t generation;
} changed_role;

/* Roles whose holders must look again; told when the mutex is free. */
typedef struct {
    changed_role roles[AUTH_ROLES_MAX];
    size_t count;
} changed_list;

static void changed_add(auth_role *role, changed_list *list) {
    role->awaited = false;
    changed_role *changed = &list->roles[list->count++];
    (void)snprintf(changed->name, sizeof changed->name, "%s", role->name);
    changed->generation = role->generation;
}

static void changed_tell(const auth_access *access, const changed_list *list) {
    for (size_t i = 0; i < list->count; i++)
        access->changed(access->context, list->roles[i].name, list->roles[i].generation);
}

/* The name of the role whose look is due, or how long none is. */
static bool due_find(auth_access *access, char name[AUTH_NAME_MAX], int64_t *wait_ms) {
    int64_t now = now_ms();
    roles_forget(access, now);
    const auth_role *first = NULL;
    for (size_t i = 0; i < access->count; i++)
        if (first == NULL || access->roles[i]->due_ms < first->due_ms)
            first = access->roles[i];
    int64_t at_ms = first == NULL ? now + ROLE_IDLE_MS : first->due_ms;
    if (access->away && at_ms < access->retry_at_ms)
        at_ms = access->retry_at_ms;
    *wait_ms = at_ms - now;
    if (first == NULL || at_ms > now)
        return false;
    (void)snprintf(name, AUTH_NAME_MAX, "%s", first->name);
    return true;
}

/* False: stopping. */
static bool due_await(auth_access *access, char name[AUTH_NAME_MAX]) {
    int64_t wait_ms = 0;
    (void)pthread_mutex_lock(&access->mutex);
    while (!access->stopping && !due_find(access, name, &wait_ms))
        (void)core_condition_wait(&access->wake, &access->mutex, wait_ms);
    bool go_on = !access->stopping;
    (void)pthread_mutex_unlock(&access->mutex);
    return go_on;
}

static bool access_connect(auth_access *access, core_error *error) {
    if (access->connection != NULL)
        return true;
    const pg_connection_spec spec = {
        .url = access->url,
        .application_name = "walcast access",
        .timeout_ms = access->timeout_ms,
        .cancel_fd = access->cancel_fd,
    };
    access->connection = pg_connection_new(&spec, error);
    return access->connection != NULL;
}

static void access_disconnect(auth_access *access) {
    pg_connection_free(access->connection);
    access->connection = NULL;
}

/* A connection that broke since the last look is made anew at once. */
static auth_grants *role_look(auth_access *access, const char *name, core_error *error) {
    bool was_connected = access->connection != NULL;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!access_connect(access, error))
            return NULL;
        auth_grants *grants =
            auth_grants_query(access->connection, name, access->publication, error);
        if (grants != NULL)
            return grants;
        bool broke = !pg_connection_alive(access->connection);
        access_disconnect(access); /* after a time-out it is of no use either */
        if (!broke || !was_connected)
            return NULL;
    }
    return NULL;
}

static void away_note(auth_access *access, const core_error *error) {
    if (!access->away && !access->stopping)
        CORE_LOG(access->log, WARN, "auth",
                 "the database cannot be asked what roles may see; tried again",
                 CORE_LOG_TEXT("error", error->text),
                 CORE_LOG_NUMBER("valid_ms", access->valid_ms));
    access->away = true;
    access->retry_at_ms = now_ms() + core_backoff_next_ms(&access->backoff);
    core_metrics_set(access->metrics, CORE_METRIC_AUTH_GRANTS_UNAVAILABLE, 1);
}

/* Who waits, or is shown what no longer counts, hears that it is unavailable. */
static void lost_collect(auth_access *access, changed_list *list) {
    int64_t now = now_ms();
    for (size_t i = 0; i < access->count; i++) {
        auth_role *role = access->roles[i];
        bool lost = !role_counts(role, now);
        if (role->awaited || (lost && !role->lost))
            changed_add(role, list);
        role->lost = lost;
    }
}

static void back_note(auth_access *access) {
    if (access->away)
        CORE_LOG(access->log, INFO, "auth", "the database can be asked again");
    access->away = false;
    core_backoff_reset(&access->backoff);
    core_metrics_set(access->metrics, CORE_METRIC_AUTH_GRANTS_UNAVAILABLE, 0);
}

/* Takes over `grants`. The role may have been forgotten meanwhile. */
static void look_apply(auth_access *access, const char *name, auth_grants *grants, int64_t began_ms,
                       changed_list *list) {
    auth_role *role = role_find(access, name);
    if (role == NULL) {
        auth_grants_release(grants);
        return;
    }
    int64_t took_ms = now_ms() - began_ms;
    int64_t rest_ms = took_ms * LOOK_SHARE;
    bool differs = role->grants == NULL || !auth_grants_equal(role->grants, grants);
    bool again = false; /* a table was asked for while the look was under way */
    for (size_t i = 0; i < ASKED_MAX; i++)
        again = again || role->asked[i].asked_ms >= began_ms;
    role->looked_ms = began_ms;
    role->due_ms = again
                       ? began_ms + took_ms + LOOK_GAP_MS
                       : began_ms + (rest_ms > access->interval_ms ? rest_ms : access->interval_ms);
    if (differs) {
        auth_grants_release(role->grants);
        role->grants = grants;
        role->generation = ++access->generation;
        core_metrics_add(access->metrics, CORE_METRIC_AUTH_GRANT_CHANGES, 1);
    } else {
        auth_grants_release(grants);
    }
    if (differs || role->awaited || role->denied || role->lost)
        changed_add(role, list);
    role->awaited = again;
    role->denied = role->lost = false;
}

static void look_end(auth_access *access, const char *name, auth_grants *grants, int64_t began_ms,
                     const core_error *error) {
    changed_list list;
    list.count = 0;
    core_metrics_add(access->metrics, CORE_METRIC_AUTH_GRANT_LOOKS, 1);
    (void)pthread_mutex_lock(&access->mutex);
    if (grants != NULL) {
        back_note(access);
        look_apply(access, name, grants, began_ms, &list);
    } else {
        away_note(access, error);
        auth_role *role = role_find(access, name);
        if (role != NULL)
            role->due_ms = access->retry_at_ms; /* the others' turn first */
        lost_collect(access, &list);
    }
    bool stopping = access->stopping;
    (void)pthread_mutex_unlock(&access->mutex);
    if (!stopping)
        changed_tell(access, &list);
}

static void *access_thread(void *context) {
    auth_access *access = context;
    CORE_MAGIC_CHECK(access, ACCESS_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-access");
    char name[AUTH_NAME_MAX];
    while (due_await(access, name)) {
        core_error error = {.code = CORE_ERROR_NONE};
        int64_t began_ms = now_ms();
        auth_grants *grants = role_look(access, name, &error);
        look_end(access, name, grants, began_ms, &error);
    }
    access_disconnect(access);
    return NULL;
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
    access->magic = ACCESS_MAGIC;
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
    core_backoff_init(&access->backoff, RETRY_FIRST_MS, RETRY_MAX_MS, (uint64_t)now_ms());
    (void)pthread_mutex_init(&access->mutex, NULL);
    core_condition_init(&access->wake);
    access->channels = auth_channels_new(spec, error);
    access->started = access->channels != NULL &&
                      pthread_create(&access->thread, NULL, access_thread, access) == 0;
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
    CORE_MAGIC_CHECK(access, ACCESS_MAGIC);
    (void)pthread_mutex_lock(&access->mutex);
    access->stopping = true;
    (void)pthread_cond_signal(&access->wake);
    (void)pthread_mutex_unlock(&access->mutex);
    core_wake_set(access->cancel_fd);
    if (access->started)
        (void)pthread_join(access->thread, NULL);
    while (access->count > 0)
        role_remove(access, access->count - 1);
    auth_channels_free(access->channels);
    (void)close(access->cancel_fd);
    (void)pthread_cond_destroy(&access->wake);
    (void)pthread_mutex_destroy(&access->mutex);
    access->magic = 0;
    free(access);
}
