/* The thread that asks the database what roles may see; see access_private.h.
 *
 * A turn is one view (access_ddl.c) or one look at one role. Looks come at each interval, at once
 * for a table that was not there, and behind DDL. */
#include "auth/access_private.h"

#include <stdio.h>

enum { LOOK_SHARE = 20 }; /* looks that nobody asked for take one part in so many of the time */

/* ---- Who is told ---- */

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

/* ---- Turns ---- */

typedef enum { TURN_STOP, TURN_VIEW, TURN_ROLE } turn_kind;

typedef struct {
    turn_kind kind;
    char name[AUTH_NAME_MAX]; /* of the role */
    uint64_t number;          /* of the last view */
    uint64_t renewals;
    int64_t began_ms;
} access_turn;

static int64_t role_due_ms(const auth_role *role) {
    int64_t ddl_ms = auth_role_ddl_due_ms(role);
    return ddl_ms < role->due_ms ? ddl_ms : role->due_ms;
}

/* What is due, or how long nothing is. */
static bool due_find(auth_access *access, access_turn *turn, int64_t *wait_ms) {
    int64_t now = auth_now_ms();
    auth_roles_forget(access, now);
    const auth_role *first = NULL;
    for (size_t i = 0; i < access->count; i++)
        if (first == NULL || role_due_ms(access->roles[i]) < role_due_ms(first))
            first = access->roles[i];
    int64_t view_ms = auth_ddl_due_ms(access);
    int64_t at_ms = first == NULL ? now + AUTH_ROLE_IDLE_MS : role_due_ms(first);
    bool is_view = view_ms <= at_ms || view_ms <= now; /* looks behind it serve more */
    at_ms = is_view ? view_ms : at_ms;
    if (access->away && at_ms < access->retry_at_ms)
        at_ms = access->retry_at_ms;
    *wait_ms = at_ms - now;
    if (at_ms > now || (first == NULL && !is_view))
        return false;
    *turn = (access_turn){.kind = is_view ? TURN_VIEW : TURN_ROLE,
                          .number = access->ddl.number,
                          .renewals = access->ddl.renewals,
                          .began_ms = now};
    if (is_view)
        access->viewed_ms = now;
    else
        (void)snprintf(turn->name, sizeof turn->name, "%s", first->name);
    return true;
}

static void turn_await(auth_access *access, access_turn *turn) {
    int64_t wait_ms = 0;
    (void)pthread_mutex_lock(&access->mutex);
    while (!access->stopping && !due_find(access, turn, &wait_ms))
        (void)core_condition_wait(&access->wake, &access->mutex, wait_ms);
    if (access->stopping)
        turn->kind = TURN_STOP;
    (void)pthread_mutex_unlock(&access->mutex);
}

/* ---- Asking ---- */

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

typedef struct {
    auth_grants *grants; /* of a role */
    auth_ddl_view view;
} turn_answer;

static bool turn_ask(auth_access *access, const access_turn *turn, turn_answer *answer,
                     core_error *error) {
    if (turn->kind == TURN_VIEW)
        return auth_ddl_view_query(access->connection, &answer->view, error);
    answer->grants = auth_grants_query(access->connection, turn->name, access->publication, error);
    return answer->grants != NULL;
}

/* A connection that broke since the last turn is made anew at once. */
static bool turn_run(auth_access *access, const access_turn *turn, turn_answer *answer,
                     core_error *error) {
    bool was_connected = access->connection != NULL;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!access_connect(access, error))
            return false;
        if (turn_ask(access, turn, answer, error))
            return true;
        bool broke = !pg_connection_alive(access->connection);
        access_disconnect(access); /* after a time-out it is of no use either */
        if (!broke || !was_connected)
            return false;
    }
    return false;
}

/* ---- What follows ---- */

static void away_note(auth_access *access, const core_error *error) {
    if (!access->away && !access->stopping)
        CORE_LOG(access->log, WARN, "auth",
                 "the database cannot be asked what roles may see; tried again",
                 CORE_LOG_TEXT("error", error->text),
                 CORE_LOG_NUMBER("valid_ms", access->valid_ms));
    access->away = true;
    access->retry_at_ms = auth_now_ms() + core_backoff_next_ms(&access->backoff);
    core_metrics_set(access->metrics, CORE_METRIC_AUTH_GRANTS_UNAVAILABLE, 1);
}

/* Who waits, or is shown what no longer counts, hears that it is unavailable. */
static void lost_collect(auth_access *access, changed_list *list) {
    int64_t now = auth_now_ms();
    for (size_t i = 0; i < access->count; i++) {
        auth_role *role = access->roles[i];
        bool lost = !auth_role_counts(role, now);
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

/* Once for each answer that differs. */
static void unread_tell(const auth_access *access, const auth_role *role) {
    char name[2 * AUTH_NAME_MAX + 2];
    const auth_table *table = auth_grants_unread(role->grants);
    if (table == NULL)
        return;
    (void)snprintf(name, sizeof name, "%.*s.%.*s", CORE_SLICE_ARGS(table->schema),
                   CORE_SLICE_ARGS(table->name));
    CORE_LOG(access->log, WARN, "auth",
             "a table's policies are longer than 64 KiB: none of its rows is given to this role "
             "(put them into functions)",
             CORE_LOG_TEXT("role", role->name), CORE_LOG_TEXT("table", name));
}

/* Takes over `grants`. The role may have been forgotten meanwhile. */
static void look_apply(auth_access *access, const access_turn *turn, auth_grants *grants,
                       changed_list *list) {
    auth_role *role = auth_role_find(access, turn->name);
    if (role == NULL) {
        auth_grants_release(grants);
        return;
    }
    int64_t ended_ms = auth_now_ms();
    int64_t took_ms = ended_ms - turn->began_ms;
    int64_t rest_ms = took_ms * LOOK_SHARE;
    bool differs = role->grants == NULL || !auth_grants_equal(role->grants, grants);
    bool again = false; /* a table was asked for while the look was under way */
    for (size_t i = 0; i < AUTH_ASKED_MAX; i++)
        again = again || role->asked[i].asked_ms >= turn->began_ms;
    role->looked_ms = turn->began_ms;
    role->ended_ms = ended_ms;
    role->due_ms =
        again ? ended_ms + AUTH_LOOK_GAP_MS
              : turn->began_ms + (rest_ms > access->interval_ms ? rest_ms : access->interval_ms);
    auth_role_looked(role, turn->number, ended_ms);
    if (differs) {
        auth_grants_release(role->grants);
        role->grants = grants;
        role->generation = ++access->generation;
        core_metrics_add(access->metrics, CORE_METRIC_AUTH_GRANT_CHANGES, 1);
        unread_tell(access, role);
    } else {
        auth_grants_release(grants);
    }
    /* While DDL is not seen, who waits for it would only ask again. */
    bool counts = auth_role_currency(role, ended_ms) == AUTH_CURRENT;
    if (differs || (counts && (role->awaited || role->denied || role->lost)))
        changed_add(role, list);
    role->awaited = again || (!counts && role->awaited);
    role->denied = !counts && role->denied;
    role->lost = false;
}

/* Who waits for DDL that is not seen hears that it takes too long. */
static void view_apply(auth_access *access, const access_turn *turn, auth_ddl_view *view,
                       changed_list *list) {
    int64_t now = auth_now_ms();
    (void)auth_access_view_take(access, view, turn->renewals, now);
    for (size_t i = 0; auth_ddl_is_late(access, now) && i < access->count; i++)
        if (access->roles[i]->awaited)
            changed_add(access->roles[i], list);
}

static void turn_end(auth_access *access, const access_turn *turn, bool ok, turn_answer *answer,
                     const core_error *error) {
    changed_list list;
    list.count = 0;
    bool is_view = turn->kind == TURN_VIEW;
    core_metrics_add(access->metrics,
                     is_view ? CORE_METRIC_AUTH_DDL_VIEWS : CORE_METRIC_AUTH_GRANT_LOOKS, 1);
    (void)pthread_mutex_lock(&access->mutex);
    if (ok) {
        back_note(access);
        if (is_view)
            view_apply(access, turn, &answer->view, &list);
        else
            look_apply(access, turn, answer->grants, &list);
    } else {
        away_note(access, error);
        auth_role *role = is_view ? NULL : auth_role_find(access, turn->name);
        if (role != NULL)
            role->due_ms = access->retry_at_ms; /* the others' turn first */
        lost_collect(access, &list);
    }
    bool stopping = access->stopping;
    (void)pthread_mutex_unlock(&access->mutex);
    if (ok && is_view) /* an answer may have been given by what was not seen yet */
        auth_channels_forget(access->channels);
    if (!stopping)
        changed_tell(access, &list);
}

void *auth_access_thread(void *context) {
    auth_access *access = context;
    CORE_MAGIC_CHECK(access, AUTH_ACCESS_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-access");
    for (;;) {
        access_turn turn = {.kind = TURN_STOP};
        turn_await(access, &turn);
        if (turn.kind == TURN_STOP)
            break;
        core_error error = {.code = CORE_ERROR_NONE};
        turn_answer answer = {.grants = NULL};
        bool ok = turn_run(access, &turn, &answer, &error);
        turn_end(access, &turn, ok, &answer, &error);
        auth_ddl_view_fini(&answer.view);
    }
    access_disconnect(access);
    return NULL;
}
