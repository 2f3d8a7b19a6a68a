/* The quotas of all projects, found by name without a lock.
 *
 * A project is known by its name from the first time that somebody asks for it, and is never taken
 * out: names come from verified credentials and from other nodes of the same configuration, so
 * there are as many as projects. Beyond AUTH_PROJECTS_MAX all further ones share one quota, of
 * limits.tier. */
#ifndef WALCAST_AUTH_QUOTA_TABLE_H
#define WALCAST_AUTH_QUOTA_TABLE_H

#include "auth/quota.h"

#include <pthread.h>

#define AUTH_PROJECTS_MAX    10000
#define AUTH_PROJECT_MAX     64 /* bytes of a name; core_subject_id_valid's */
#define AUTH_PROJECTS_OTHERS "(others)"
#define AUTH_QUOTA_KINDS     2

typedef struct {
    char name[AUTH_PROJECT_MAX + 1];
    int64_t limit; /* of its tier, in a window; 0: none */
    auth_quota quotas[AUTH_QUOTA_KINDS];
    /* What others told, being summed up: the limits' thread's own. */
    uint64_t claims[AUTH_QUOTA_KINDS], before[AUTH_QUOTA_KINDS];
} auth_project;

/* A tier's limit, and who has another than the usual one. */
typedef struct {
    const core_config *config;
    int64_t usual;
} auth_tiers;

typedef struct {
    auth_tiers tiers;
    pthread_mutex_t lock; /* of adding */
    atomic_size_t count;
    _Atomic(auth_project *) *projects; /* by number, the others' is 0; AUTH_PROJECTS_MAX + 1 */
    _Atomic uint32_t *index;           /* by hash: number + 1; 0: none */
} auth_quota_table;

/* "free" to "unlimited" as a limit; 0: none. */
int64_t auth_tier_limit(const core_config *config, core_slice tier);
/* "PROJECT=TIER"; false: it is not that. */
CORE_MUST_CHECK bool auth_tier_split(const char *item, core_slice *project, core_slice *tier);
/* False when memory is out. */
CORE_MUST_CHECK bool auth_quota_table_init(auth_quota_table *table, const core_config *config);
void auth_quota_table_fini(auth_quota_table *table);
/* Any thread. One that is not there yet is made, for which there is a lock. Never NULL. */
auth_project *auth_quota_table_find(auth_quota_table *table, core_slice name);
/* Any thread: those with a number below `count`, which only grows. */
auth_project *auth_quota_table_at(const auth_quota_table *table, size_t number);

#endif
