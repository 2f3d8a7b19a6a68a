/* How much of one kind a project may ask in a sliding window, counted on several nodes: the
 * arithmetic, without threads, clock or messages.
 *
 * Time is cut into windows of equal length, the same on every node (wall clock). What was admitted
 * in the last whole window counts by the part of it that a window ending now still covers: so there
 * is no double burst at the edge.
 *
 * Each node holds a quota for each project. Between two looks, some hundred milliseconds apart, it
 * admits by itself: at a look it takes a grant, at most its equal share of what it knows to be
 * left, and tells the others what it has admitted and may (its claim). Why that keeps the limit: a
 * node decides on a share once a look at the most, and what others have decided is known to it but
 * for what is on its way, some milliseconds. Nodes that decide at the same moment see the same rest
 * L and take L/N each, together L. So what N nodes admit is at most the limit, and
 *
 *   - N - 1 more, since shares are rounded up (else the last ones would be nobody's);
 *   - of what is on its way between nodes while others decide, at most a quarter of the limit, and
 *     that only where all decide within that time (test_quota.c measures it);
 *   - the nodes' clocks' difference over the window's length, times the limit.
 *
 * What is asked of one node alone gets half of what is left at once where there are two, and half
 * of the rest with each look. A node that is asked nothing claims nothing.
 *
 * All members are atomics: any thread may take, one thread looks. Two that take at the same moment
 * never pass the grant together. */
#ifndef WALCAST_AUTH_QUOTA_H
#define WALCAST_AUTH_QUOTA_H

#include "core/core.h"

#include <stdatomic.h>

#define AUTH_QUOTA_NEVER INT64_C(-1) /* more at once than may ever be */

typedef struct {
    int64_t limit; /* in a window; at most UINT32_MAX / 4 */
    int64_t window_ms;
    int64_t look_ms;
    int64_t nodes; /* that share it, this one included */
} auth_quota_rule;

/* A count and the window it is of, in one word. All zero: nothing yet. */
typedef _Atomic uint64_t auth_quota_word;

typedef struct {
    auth_quota_word own[2];    /* admitted here, by the window's parity */
    auth_quota_word others[2]; /* the others' claims and counts */
    auth_quota_word grant;     /* how far own may go until the next look */
    _Atomic uint32_t asked;    /* since the last look, refused ones too */
} auth_quota;

/* What a node tells the others. */
typedef struct {
    uint64_t window;
    uint32_t claim;  /* admitted in it, and what may be until the next look */
    uint32_t before; /* admitted in the window before it */
} auth_quota_claim;

typedef struct {
    int64_t wait_ms; /* 0: admitted; else when to ask again, or NEVER */
    bool decided;    /* a share was taken between two looks: tell the others soon */
} auth_quota_answer;

/* Asks for `count`, all or none. `wall_ms` since 1970. */
auth_quota_answer auth_quota_take(auth_quota *quota, const auth_quota_rule *rule, int64_t wall_ms,
                                  uint32_t count);
/* What others told, summed up: replaces what was known. */
void auth_quota_learn(auth_quota *quota, const auth_quota_rule *rule, int64_t wall_ms,
                      uint64_t claims, uint64_t before);
/* The look: takes the next grant. False: nothing was asked since the last, and none was taken. */
bool auth_quota_look(auth_quota *quota, const auth_quota_rule *rule, int64_t wall_ms);
/* What is to be told now. */
auth_quota_claim auth_quota_tell(const auth_quota *quota, const auth_quota_rule *rule,
                                 int64_t wall_ms);

#endif
