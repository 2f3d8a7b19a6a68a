/* DDL that the stream has told of, and what of it the database has been seen to show.
 *
 * A look at a role's grants counts behind DDL if a snapshot that was taken before the look began
 * sees that transaction, and it had let go of its locks by then: a commit that waits for a
 * synchronous standby is in the stream before anybody can see it, and a transaction that is seen
 * tells other sessions' caches of its changes a moment later, before it lets go of its locks.
 * Snapshots are numbered; what one of them shows, all looks that began behind it show.
 *
 * Pure: no clock of its own, no database. Private to auth; whoever owns it locks. */
#ifndef WALCAST_AUTH_DDL_H
#define WALCAST_AUTH_DDL_H

#include "core/core.h"

#define AUTH_DDL_UNSEEN_MAX 256   /* with more of them all that is as old must have ended */
#define AUTH_DDL_VIEW_MS    60000 /* an older view is not asked: ids come round */

typedef struct {
    uint32_t xid;
    int64_t told_ms;
} auth_ddl_unseen;

/* What a question to the database found; the sets are the asker's until taken. */
typedef struct {
    core_visibility visibility;
    core_xid_set holding; /* transactions that held their own lock, as all do until their end */
    core_xid_set waiting; /* those that wait for a synchronous standby */
} auth_ddl_view;

typedef struct {
    auth_ddl_view view; /* the last one */
    uint64_t number;    /* of it; 0: none was taken */
    int64_t viewed_ms;
    uint64_t wanted; /* a look must have begun behind the one of that number */
    uint64_t renewals;
    bool renewing; /* since `renew_ms`: what is known is too old, whatever it shows */
    int64_t renew_ms;
    auth_ddl_unseen unseen[AUTH_DDL_UNSEEN_MAX]; /* oldest first */
    size_t unseen_count;
    bool crowded; /* all up to `crowd.xid` must have ended */
    auth_ddl_unseen crowd;
} auth_ddl;

/* Zeroed is empty. */
void auth_ddl_fini(auth_ddl *ddl);
void auth_ddl_view_fini(auth_ddl_view *view);
/* A committed transaction that holds DDL. */
void auth_ddl_tell(auth_ddl *ddl, uint32_t xid, int64_t now_ms);
/* Some of the stream was not read: any DDL may have been in it. */
void auth_ddl_renew(auth_ddl *ddl, int64_t now_ms);
/* A new view is needed. */
bool auth_ddl_waits(const auth_ddl *ddl);
/* Since when it is waited for what; 0: for nothing. */
int64_t auth_ddl_since_ms(const auth_ddl *ddl);
/* Takes over a view whose question began when `renewals` was what it was; empties `view`. True:
 * nothing is waited for any more, and something was. */
bool auth_ddl_take(auth_ddl *ddl, auth_ddl_view *view, uint64_t renewals, int64_t now_ms);

#endif
