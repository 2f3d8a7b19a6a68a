/* See ddl.h. Ids are compared modulo 2^32, as core_visibility does. */
#include "auth/ddl.h"

static bool is_before(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) < 0;
}

void auth_ddl_view_fini(auth_ddl_view *view) {
    core_visibility_fini(&view->visibility);
    core_xid_set_fini(&view->holding);
    core_xid_set_fini(&view->waiting);
}

void auth_ddl_fini(auth_ddl *ddl) {
    auth_ddl_view_fini(&ddl->view);
}

static bool ddl_sees(auth_ddl *ddl, uint32_t xid) {
    return ddl->number > 0 && core_visibility_sees(&ddl->view.visibility, xid) &&
           !core_xid_set_has(&ddl->view.holding, xid);
}

/* The newest of both, waited for since the oldest was told. */
static void crowd_add(auth_ddl *ddl, const auth_ddl_unseen *one) {
    if (!ddl->crowded)
        ddl->crowd = *one;
    else if (is_before(ddl->crowd.xid, one->xid))
        ddl->crowd.xid = one->xid;
    ddl->crowded = true;
}

static bool is_told(const auth_ddl *ddl, uint32_t xid) {
    for (size_t i = 0; i < ddl->unseen_count; i++)
        if (ddl->unseen[i].xid == xid)
            return true;
    return ddl->crowded && ddl->crowd.xid == xid;
}

void auth_ddl_tell(auth_ddl *ddl, uint32_t xid, int64_t now_ms) {
    if (now_ms - ddl->viewed_ms < AUTH_DDL_VIEW_MS && ddl_sees(ddl, xid)) {
        ddl->wanted = ddl->number;
        return;
    }
    if (is_told(ddl, xid))
        return;
    for (size_t i = 0; ddl->unseen_count == AUTH_DDL_UNSEEN_MAX && i < AUTH_DDL_UNSEEN_MAX; i++)
        crowd_add(ddl, &ddl->unseen[i]);
    if (ddl->crowded)
        ddl->unseen_count = 0;
    const auth_ddl_unseen one = {.xid = xid, .told_ms = now_ms};
    if (ddl->crowded)
        crowd_add(ddl, &one);
    else
        ddl->unseen[ddl->unseen_count++] = one;
}

void auth_ddl_renew(auth_ddl *ddl, int64_t now_ms) {
    ddl->renew_ms = ddl->renewing ? ddl->renew_ms : now_ms;
    ddl->renewing = true;
    ddl->renewals++;
}

bool auth_ddl_waits(const auth_ddl *ddl) {
    return ddl->renewing || ddl->crowded || ddl->unseen_count > 0;
}

int64_t auth_ddl_since_ms(const auth_ddl *ddl) {
    int64_t since_ms = INT64_MAX;
    if (ddl->renewing)
        since_ms = ddl->renew_ms;
    if (ddl->crowded && ddl->crowd.told_ms < since_ms)
        since_ms = ddl->crowd.told_ms;
    if (ddl->unseen_count > 0 && ddl->unseen[0].told_ms < since_ms)
        since_ms = ddl->unseen[0].told_ms;
    return since_ms == INT64_MAX ? 0 : since_ms;
}

/* All up to it have ended: none of them runs, nor holds its lock. */
static bool crowd_is_seen(const auth_ddl *ddl) {
    if (!is_before(ddl->crowd.xid, ddl->view.visibility.xmin))
        return false;
    for (size_t i = 0; i < ddl->view.holding.length; i++)
        if (!is_before(ddl->crowd.xid, ddl->view.holding.xids[i]))
            return false;
    return true;
}

/* What may have been in the part of the stream that was not read: a commit that nobody sees yet. */
static void waiting_tell(auth_ddl *ddl, int64_t now_ms) {
    for (size_t i = 0; i < ddl->view.waiting.length; i++)
        auth_ddl_tell(ddl, ddl->view.waiting.xids[i], now_ms);
}

bool auth_ddl_take(auth_ddl *ddl, auth_ddl_view *view, uint64_t renewals, int64_t now_ms) {
    bool waited = auth_ddl_waits(ddl);
    auth_ddl_view_fini(&ddl->view);
    ddl->view = *view;
    *view = (auth_ddl_view){.holding = {.length = 0}};
    ddl->number++;
    ddl->viewed_ms = now_ms;
    if (waited)
        ddl->wanted = ddl->number;
    size_t left = 0;
    for (size_t i = 0; i < ddl->unseen_count; i++)
        if (!ddl_sees(ddl, ddl->unseen[i].xid))
            ddl->unseen[left++] = ddl->unseen[i];
    ddl->unseen_count = left;
    ddl->crowded = ddl->crowded && !crowd_is_seen(ddl);
    if (ddl->renewing && ddl->renewals == renewals) {
        ddl->renewing = false;
        waiting_tell(ddl, now_ms);
    }
    return waited && !auth_ddl_waits(ddl);
}
