/* Access's inside, shared by its parts: roles and decisions (access.c), the thread that looks
 * (access_look.c), DDL in order with the data (access_ddl.c), private channels (channel.c). Private
 * to auth. */
#ifndef WALCAST_AUTH_ACCESS_PRIVATE_H
#define WALCAST_AUTH_ACCESS_PRIVATE_H

#include "auth/ddl.h"
#include "auth/grants.h"

#include <pthread.h>

typedef struct auth_channels auth_channels;

#define AUTH_ACCESS_MAGIC UINT32_C(0x61636365)
#define AUTH_ROLE_MAGIC   UINT32_C(0x726f6c65)

enum {
    AUTH_ROLE_IDLE_MS = 60000, /* remembered behind its last release */
    AUTH_LOOK_GAP_MS = 50,     /* between two looks for one role, however urgent */
    AUTH_RETRY_FIRST_MS = 100, /* to connect again */
    AUTH_RETRY_MAX_MS = 2000,
    AUTH_ASKED_MAX =
        64, /* tables that were not there, of a role; one that falls out is asked again */
};

/* A table, or an oid of its name, that the last look did not show. */
typedef struct {
    uint64_t hash;
    int64_t asked_ms;
} auth_asked_table;

struct auth_role {
    uint32_t magic;
    auth_access *access;
    char name[AUTH_NAME_MAX];
    unsigned holders;
    int64_t released_ms;
    auth_grants *grants; /* NULL: no look succeeded yet */
    uint64_t generation;
    int64_t looked_ms; /* when the last look that succeeded began */
    int64_t ended_ms;  /* and ended */
    int64_t due_ms;    /* the next one */
    uint64_t view;     /* the number of the last one of ddl that was taken before it began */
    int64_t behind_ms; /* since when `view` is not enough; 0: it is */
    bool awaited;      /* somebody was told PENDING */
    bool denied;       /* somebody was told UNAVAILABLE */
    bool lost;         /* all were told that what they have counts no longer */
    auth_asked_table asked[AUTH_ASKED_MAX];
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
    auth_ddl ddl;
    int64_t viewed_ms; /* when the last view was asked for */
    bool told_behind;  /* that DDL is not seen for too long */

    /* The thread's own. */
    pg_connection *connection;
    core_backoff backoff;
};

static inline int64_t auth_now_ms(void) {
    return core_clock_ms(core_clock_system());
}

/* ---- access.c; with the mutex held ---- */
auth_role *auth_role_find(const auth_access *access, const char *name);
/* Forgets those that nobody has held for long. */
void auth_roles_forget(auth_access *access, int64_t now_ms);
/* Nobody holds it. */
void auth_role_remove(auth_access *access, size_t at);
/* What the last look said counts still, if no DDL has come since. */
bool auth_role_counts(const auth_role *role, int64_t now_ms);

/* ---- access_look.c ---- */
void *auth_access_thread(void *context);

/* ---- access_ddl.c; with the mutex held ---- */
/* Where the role stands towards the DDL that the stream has told of. */
auth_currency auth_role_currency(const auth_role *role, int64_t now_ms);
/* When a view is to be asked for; INT64_MAX: none is. */
int64_t auth_ddl_due_ms(const auth_access *access);
/* When the role is to be looked at for DDL; INT64_MAX: it is not. */
int64_t auth_role_ddl_due_ms(const auth_role *role);
/* Behind a look that began behind view `number`. */
void auth_role_looked(auth_role *role, uint64_t number, int64_t now_ms);
/* Takes over the view, which was asked for when ddl's renewals were `renewals`. True: all DDL that
 * was told is seen, and some was not before. */
bool auth_access_view_take(auth_access *access, auth_ddl_view *view, uint64_t renewals,
                           int64_t now_ms);
/* Some is not seen for so long that nobody waits for it any more. */
bool auth_ddl_is_late(const auth_access *access, int64_t now_ms);
/* From the thread, without the mutex: one question to the database, into an empty view. */
CORE_MUST_CHECK bool auth_ddl_view_query(pg_connection *connection, auth_ddl_view *view,
                                         core_error *error);

/* ---- access.c ---- */
/* Whether the role is known, as of a look that still counts, to bypass row-level security. */
CORE_MUST_CHECK bool auth_access_role_bypasses(auth_access *access, const char *role);

/* ---- channel.c ---- */
CORE_MUST_CHECK auth_channels *auth_channels_new(const auth_access_spec *spec, core_error *error);
/* No check may be under way. */
void auth_channels_free(auth_channels *channels);
auth_channels *auth_access_channels(auth_access *access);
/* Policies have changed: no answer of before is given any more. Any thread. */
void auth_channels_forget(auth_channels *channels);

#endif
