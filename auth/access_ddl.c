/* DDL that the change stream tells of, as it concerns what roles may see; see auth.h.
 *
 * Happy path: a transaction is told, the thread asks once what the database shows by now (a view),
 * finds it there, looks at each role that is held, and whoever waits goes on; a few milliseconds.
 * While it is not shown the view is asked for again, more seldom the longer it takes; after
 * DDL_PATIENCE_MS the roles count as UNAVAILABLE. However much DDL comes, views and looks have gaps
 * between them, and each serves all that was told before it began. */
#include "auth/access_private.h"

enum {
    DDL_PATIENCE_MS = 5000,
    DDL_GAP_MS = 20,      /* between two views, or two looks at a role */
    DDL_GAP_MAX_MS = 500, /* while a commit waits for a standby */
    DDL_GAP_PART = 4,     /* of what was waited so far */
};

/* ---- Asking; on the thread ---- */

enum { VIEW_SNAPSHOT, VIEW_HOLDING, VIEW_WAITING };

/* The locks are read while the snapshot is there: who is seen and holds none has ended. Where
 * nothing tells of DDL (`walcast setup` was not applied), no commit that waits is one that was
 * told. Without pg_read_all_stats nothing is seen of other users' sessions but that they have a
 * transaction: with synchronous standbys each may be one that waits. */
static const char view_sql[] =
    "SELECT pg_current_snapshot()::text,"
    " (SELECT string_agg(l.transactionid::text, ',') FROM pg_locks l"
    "  WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted),"
    " (SELECT string_agg(a.backend_xid::text, ',') FROM pg_stat_activity a"
    "  WHERE a.datname = current_database() AND a.backend_xid IS NOT NULL"
    "  AND (a.wait_event = 'SyncRep'"
    "   OR (a.state IS NULL AND current_setting('synchronous_standby_names') <> ''))"
    "  AND EXISTS (SELECT FROM"
    "   pg_event_trigger t WHERE t.evtname = 'walcast_ddl' AND t.evtenabled <> 'D'))";

static bool xids_read(const char *text, core_xid_set *set) {
    while (text != NULL && *text != '\0') {
        uint64_t xid = 0;
        size_t length = strcspn(text, ",");
        if (!core_slice_to_u64(core_slice_make(text, length), &xid) ||
            !core_xid_set_add(set, (uint32_t)xid))
            return false;
        text += length + (text[length] == ',');
    }
    return true;
}

bool auth_ddl_view_query(pg_connection *connection, auth_ddl_view *view, core_error *error) {
    pg_result *result = pg_query_kept(connection, view_sql, NULL, 0, error);
    if (result == NULL)
        return core_error_wrap(error, "asking which transactions can be seen");
    bool ok = core_visibility_read(core_slice_text(pg_result_value(result, 0, VIEW_SNAPSHOT)),
                                   &view->visibility, error);
    if (ok && (!xids_read(pg_result_value(result, 0, VIEW_HOLDING), &view->holding) ||
               !xids_read(pg_result_value(result, 0, VIEW_WAITING), &view->waiting)))
        ok = core_error_set(error, CORE_ERROR_INTERNAL, "no memory for open transactions");
    pg_result_free(result);
    return ok;
}

/* ---- Where roles stand; with the mutex held ---- */

static bool is_patient(int64_t since_ms, int64_t now_ms) {
    return now_ms - since_ms <= DDL_PATIENCE_MS;
}

auth_currency auth_role_currency(const auth_role *role, int64_t now_ms) {
    const auth_ddl *ddl = &role->access->ddl;
    int64_t since_ms = auth_ddl_since_ms(ddl);
    if (!auth_ddl_waits(ddl)) {
        if (role->view >= ddl->wanted)
            return AUTH_CURRENT;
        since_ms = role->behind_ms;
    }
    return is_patient(since_ms, now_ms) ? AUTH_CATCHING_UP : AUTH_BEHIND;
}

bool auth_ddl_is_late(const auth_access *access, int64_t now_ms) {
    return auth_ddl_waits(&access->ddl) && !is_patient(auth_ddl_since_ms(&access->ddl), now_ms);
}

int64_t auth_ddl_due_ms(const auth_access *access) {
    const auth_ddl *ddl = &access->ddl;
    bool fills = ddl->crowded || ddl->unseen_count > AUTH_DDL_UNSEEN_MAX / 2;
    if (!auth_ddl_waits(ddl) || (access->count == 0 && !fills))
        return INT64_MAX;
    int64_t gap_ms = (access->viewed_ms - auth_ddl_since_ms(ddl)) / DDL_GAP_PART;
    if (gap_ms > DDL_GAP_MAX_MS)
        gap_ms = DDL_GAP_MAX_MS;
    return access->viewed_ms + (gap_ms > DDL_GAP_MS ? gap_ms : DDL_GAP_MS);
}

int64_t auth_role_ddl_due_ms(const auth_role *role) {
    const auth_ddl *ddl = &role->access->ddl;
    bool is_wanted = role->holders > 0 || role->awaited;
    if (auth_ddl_waits(ddl) || role->view >= ddl->wanted || !is_wanted)
        return INT64_MAX;
    int64_t took_ms = role->ended_ms - role->looked_ms;
    return role->ended_ms + (took_ms > DDL_GAP_MS ? took_ms : DDL_GAP_MS);
}

void auth_role_looked(auth_role *role, uint64_t number, int64_t now_ms) {
    role->view = number;
    role->behind_ms = number < role->access->ddl.wanted ? now_ms : 0;
}

/* What is wanted may have grown. */
static void roles_fall_behind(auth_access *access, int64_t since_ms) {
    for (size_t i = 0; i < access->count; i++)
        if (access->roles[i]->view < access->ddl.wanted && access->roles[i]->behind_ms == 0)
            access->roles[i]->behind_ms = since_ms;
}

bool auth_access_view_take(auth_access *access, auth_ddl_view *view, uint64_t renewals,
                           int64_t now_ms) {
    int64_t since_ms = auth_ddl_since_ms(&access->ddl);
    bool done = auth_ddl_take(&access->ddl, view, renewals, now_ms);
    roles_fall_behind(access, since_ms > 0 ? since_ms : now_ms);
    return done;
}

/* ---- Any thread ---- */

void auth_access_altered(auth_access *access, uint32_t xid) {
    CORE_MAGIC_CHECK(access, AUTH_ACCESS_MAGIC);
    int64_t now_ms = auth_now_ms();
    core_metrics_add(access->metrics, CORE_METRIC_AUTH_DDL, 1);
    (void)pthread_mutex_lock(&access->mutex);
    auth_ddl_tell(&access->ddl, xid, now_ms);
    roles_fall_behind(access, now_ms);
    (void)pthread_cond_signal(&access->wake);
    (void)pthread_mutex_unlock(&access->mutex);
    auth_channels_forget(access->channels);
}

void auth_access_renew(auth_access *access) {
    CORE_MAGIC_CHECK(access, AUTH_ACCESS_MAGIC);
    (void)pthread_mutex_lock(&access->mutex);
    auth_ddl_renew(&access->ddl, auth_now_ms());
    (void)pthread_cond_signal(&access->wake);
    (void)pthread_mutex_unlock(&access->mutex);
    auth_channels_forget(access->channels);
}

static auth_currency currency_worst(auth_access *access, int64_t now_ms) {
    auth_currency worst = AUTH_CURRENT;
    for (size_t i = 0; i < access->count; i++) {
        auth_role *role = access->roles[i];
        if (role->holders == 0 || role->grants == NULL)
            continue;
        auth_currency currency = auth_role_currency(role, now_ms);
        role->awaited |= currency == AUTH_CATCHING_UP;
        role->denied |= currency == AUTH_BEHIND;
        worst = currency > worst ? currency : worst;
    }
    return worst;
}

auth_currency auth_access_currency(auth_access *access) {
    CORE_MAGIC_CHECK(access, AUTH_ACCESS_MAGIC);
    int64_t now_ms = auth_now_ms();
    (void)pthread_mutex_lock(&access->mutex);
    auth_currency worst = currency_worst(access, now_ms);
    bool tell = worst == AUTH_BEHIND && !access->told_behind;
    if (worst != AUTH_CATCHING_UP)
        access->told_behind = worst == AUTH_BEHIND;
    (void)pthread_mutex_unlock(&access->mutex);
    if (tell)
        CORE_LOG(access->log, WARN, "auth",
                 "the stream tells of changed policies or grants that the database does not show "
                 "yet (a commit that waits for a synchronous standby, or a standby behind its "
                 "primary?): changes are given to nobody until it does",
                 CORE_LOG_NUMBER("waited_ms", DDL_PATIENCE_MS));
    return worst;
}
