/* `Idempotency-Key` on a request that writes: what was asked once under a key is done once, and
 * answered alike for a day.
 *
 * A record a key (of one project, method and path) stands in the bucket `{nats.stream}_idem`, whose
 * values are gone after FANOUT_IDEMPOTENCY_MS. It is claimed before the work, by compare-and-set,
 * and has the answer once that is known. A claim whose process died is taken over after a while,
 * and one whose work ended without anybody knowing is given back; when it was first claimed stays
 * known, so ids that come of key and time are the same when it is done again. Records are pure;
 * keyed.h reads and writes them. Private to the room. */
#ifndef WALCAST_FANOUT_IDEMPOTENCY_H
#define WALCAST_FANOUT_IDEMPOTENCY_H

#include "core/core.h"

#define FANOUT_DIGEST_SIZE           32
#define FANOUT_IDEMPOTENCY_SUFFIX    "idem"
#define FANOUT_IDEMPOTENCY_MS        (INT64_C(24) * 3600 * CORE_MS_PER_S)
#define FANOUT_IDEMPOTENCY_KEY_MAX   255 /* bytes, of the header */
#define FANOUT_IDEMPOTENCY_NAME_SIZE 65  /* hexadecimal of SHA-256, and NUL */
#define FANOUT_IDEMPOTENCY_STALE_MS  (60 * CORE_MS_PER_S)

/* SHA-256, which is another room's. False: it cannot be had. */
typedef bool (*fanout_digest)(core_slice data, uint8_t digest[FANOUT_DIGEST_SIZE]);

/* One request under a key. */
typedef struct {
    char name[FANOUT_IDEMPOTENCY_NAME_SIZE]; /* of the record, a bucket's key */
    char body[FANOUT_IDEMPOTENCY_NAME_SIZE]; /* hash of the request's body and query */
} fanout_idempotency;

/* Of the request: project, method, path, key; body and query. The path's project must be the
 * caller's, or "-". INPUT when the key is too long. */
CORE_MUST_CHECK bool fanout_idempotency_of(const core_route_request *request, fanout_digest digest,
                                           fanout_idempotency *idempotency, core_error *error);

typedef enum {
    FANOUT_IDEMPOTENCY_FREE,       /* no claim, or one whose owner is gone: claim it */
    FANOUT_IDEMPOTENCY_DONE,       /* answer as it was answered */
    FANOUT_IDEMPOTENCY_UNDER_WAY,  /* somebody is at it: 409 */
    FANOUT_IDEMPOTENCY_OTHER_BODY, /* the key was for another body or query: 422 */
} fanout_idempotency_verdict;

typedef struct {
    fanout_idempotency_verdict verdict;
    int64_t began_us; /* of FREE: when it was first claimed; 0: it was not */
    /* Of DONE, in the record: */
    unsigned status;
    core_slice answer;  /* raw JSON; empty: none */
    core_slice headers; /* a raw JSON string */
} fanout_idempotency_found;

/* What a record says; an empty one (none, removed) is FREE, and so is one that is no record. */
fanout_idempotency_found fanout_idempotency_look(const fanout_idempotency *idempotency,
                                                 core_slice record, int64_t now_us);
/* The record of a claim that was first made at `began_us`; appended. `now_us` 0: it is given back.
 */
void fanout_idempotency_claim(const fanout_idempotency *idempotency, int64_t began_us,
                              int64_t now_us, core_buffer *record);
/* Of an answer, whose body is JSON or empty; appended. */
void fanout_idempotency_done(const fanout_idempotency *idempotency,
                             const core_route_response *response, core_buffer *record);
/* Answers as it was answered. */
void fanout_idempotency_replay(const fanout_idempotency_found *found, core_route_reply *reply);
/* The status and the words of a refusal: UNDER_WAY, OTHER_BODY. */
unsigned fanout_idempotency_refusal(fanout_idempotency_verdict verdict, const char **detail);

#endif
