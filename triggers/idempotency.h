/* `Idempotency-Key` on a POST: what was asked once under a key is done once, and answered alike for
 * a day.
 *
 * A record a key (of one project and path) stands in the bucket `{nats.stream}_idem`, whose values
 * are gone after TRIGGERS_IDEMPOTENCY_MS. It is claimed before the work, by compare-and-set, and
 * has the answer once that is known. A claim whose process died is taken over after a while; what
 * the work writes has ids that come of the key, so within the stream's duplicate window it is
 * written once even then. Records are pure; whoever reads and writes them asks as it must (events
 * by a courier). Private to the room. */
#ifndef WALCAST_TRIGGERS_IDEMPOTENCY_H
#define WALCAST_TRIGGERS_IDEMPOTENCY_H

#include "core/core.h"

#define TRIGGERS_IDEMPOTENCY_SUFFIX    "idem"
#define TRIGGERS_IDEMPOTENCY_MS        (INT64_C(24) * 3600 * CORE_MS_PER_S)
#define TRIGGERS_IDEMPOTENCY_KEY_MAX   255 /* bytes, of the header */
#define TRIGGERS_IDEMPOTENCY_NAME_SIZE 65  /* hexadecimal of SHA-256, and NUL */
#define TRIGGERS_IDEMPOTENCY_STALE_MS  (60 * CORE_MS_PER_S)

/* One request under a key. */
typedef struct {
    char name[TRIGGERS_IDEMPOTENCY_NAME_SIZE]; /* of the record, a bucket's key */
    char body[TRIGGERS_IDEMPOTENCY_NAME_SIZE]; /* hash of the request's body */
} triggers_idempotency;

/* Of the request: project, path, key and body. INPUT when the key is too long. */
CORE_MUST_CHECK bool triggers_idempotency_of(const core_route_request *request,
                                             triggers_idempotency *idempotency, core_error *error);

typedef enum {
    TRIGGERS_IDEMPOTENCY_FREE,       /* no claim, or one whose owner is gone: claim it */
    TRIGGERS_IDEMPOTENCY_DONE,       /* answer as it was answered */
    TRIGGERS_IDEMPOTENCY_UNDER_WAY,  /* somebody is at it: 409 */
    TRIGGERS_IDEMPOTENCY_OTHER_BODY, /* the key was for another body: 422 */
} triggers_idempotency_verdict;

typedef struct {
    triggers_idempotency_verdict verdict;
    unsigned status;   /* of DONE */
    core_slice answer; /* the same: raw JSON, in the record */
} triggers_idempotency_found;

/* What a record says; an empty one (none, removed) is FREE, and so is one that is no record. */
triggers_idempotency_found triggers_idempotency_look(const triggers_idempotency *idempotency,
                                                     core_slice record, int64_t now_us);
/* The record of a claim, and of an answer (valid JSON); appended. */
void triggers_idempotency_claim(const triggers_idempotency *idempotency, int64_t now_us,
                                core_buffer *record);
void triggers_idempotency_done(const triggers_idempotency *idempotency, unsigned status,
                               core_slice answer, core_buffer *record);
/* Answers the request in the words of the verdict, which is not FREE. */
void triggers_idempotency_answer(const triggers_idempotency_found *found, core_route_reply *reply);

#endif
