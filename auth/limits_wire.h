/* What a node tells the others of its quotas, in JSON:
 *
 *   {"v":1,"window_ms":60000,"window":28333333,"projects":{"acme":[CR,BR,CW,BW],...}}
 *
 * for each project that was asked something the claim and the count before it, of reads and of
 * writes (quota.h). Others' bytes are untrusted: whatever they hold, reading ends with an answer.
 */
#ifndef WALCAST_AUTH_LIMITS_WIRE_H
#define WALCAST_AUTH_LIMITS_WIRE_H

#include "auth/quota_table.h"

#define AUTH_LIMITS_PART      256 /* projects in one value */
#define AUTH_LIMITS_VALUE_MAX ((size_t)128 << 10)

typedef struct {
    int64_t window_ms;
    uint64_t window;
} auth_limits_head;

typedef struct {
    core_slice project; /* valid during the call */
    uint32_t claims[AUTH_QUOTA_KINDS];
    uint32_t before[AUTH_QUOTA_KINDS];
} auth_limits_row;

typedef void (*auth_limits_row_handler)(void *context, const auth_limits_row *row);

/* Of the projects numbered from `first` on, at most AUTH_LIMITS_PART of `count`; returns how many
 * it told of. */
size_t auth_limits_write(core_buffer *out, const auth_quota_table *table, size_t first,
                         const auth_quota_rule *rule, int64_t wall_ms);
/* False: it is not such a value; some rows may have been given by then. At most AUTH_LIMITS_PART
 * are. */
CORE_MUST_CHECK bool auth_limits_read(core_slice value, auth_limits_head *head,
                                      auth_limits_row_handler handler, void *context);

#endif
