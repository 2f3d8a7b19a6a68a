/* Requests about jobs that go out, to a queue's endpoint and to whoever wants to hear of a job's
 * end: signed, under the guard, within the endpoint's rate, places and breaker.
 *
 * For the jobs' thread; answers come on the HTTP client's and wait for `turn`. Bounded: so many
 * calls at once, and so many bytes of bodies; beyond that there is none to be had until one ends.
 */
#ifndef WALCAST_TRIGGERS_JOB_CALL_H
#define WALCAST_TRIGGERS_JOB_CALL_H

#include "triggers/endpoints.h"
#include "triggers/job.h"
#include "triggers/signed.h"

#define TRIGGERS_JOB_CALLS_MAX     512
#define TRIGGERS_JOB_CALLS_BYTES   ((size_t)32 << 20)
#define TRIGGERS_JOB_CALL_BODY_MAX (TRIGGERS_JOB_PAYLOAD_MAX + 16384)
#define TRIGGERS_JOB_CALL_ID_SIZE  64
/* An endpoint's: of a callback, its origin and its secret's name. */
#define TRIGGERS_JOB_CALL_NAME_SIZE (TRIGGERS_JOB_URL_MAX + TRIGGERS_JOB_SECRET_MAX + 2)

typedef struct triggers_job_caller triggers_job_caller;
typedef struct triggers_job_call triggers_job_call;

struct triggers_job_call {
    /* Whoever sends sets these. */
    char id[TRIGGERS_JOB_CALL_ID_SIZE]; /* webhook-id */
    char url[TRIGGERS_JOB_URL_MAX + 1]; /* empty: the endpoint's */
    core_buffer body;
    uint16_t depth;    /* walcast-depth: of events that whoever is called publishes for it */
    size_t keep_bytes; /* of the answer's body */
    int64_t timeout_ms;
    void (*ended)(void *context, triggers_job_call *call); /* on the jobs' thread, once */
    void *context;
    unsigned slot; /* the job's partition, its id and lease */
    char job[TRIGGERS_JOB_ID_LENGTH + 1];
    uint32_t lease;
    char queue[TRIGGERS_JOB_QUEUE_MAX + 1];
    /* What became of it, when it has ended. */
    net_http_outcome outcome;
    unsigned status;        /* 0: none came */
    int64_t retry_after_ms; /* -1: none */
    core_buffer answer;
    bool answer_is_cut;
    char reason[TRIGGERS_JOB_CALLED_MAX]; /* why it is no success; empty: it is one (2xx) */
    /* The caller's own. */
    triggers_job_caller *caller;
    triggers_job_call *next;
    net_http_request request;
    triggers_signed headers;
    triggers_endpoint_texts *texts;
    char project[TRIGGERS_JOB_PROJECT_MAX + 1];
    char endpoint[TRIGGERS_JOB_CALL_NAME_SIZE];
    size_t bytes;
    uint32_t ticket;
    net_breaker_word word;
};

typedef struct {
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    int wake_fd; /* of the jobs' thread: made readable when `turn` has something to do */
} triggers_job_caller_spec;

/* Starts the client. */
CORE_MUST_CHECK triggers_job_caller *triggers_job_caller_new(const triggers_job_caller_spec *spec,
                                                             core_error *error);
/* Ends what is under way and frees; calls that have not ended are not told. NULL is allowed. */
void triggers_job_caller_free(triggers_job_caller *caller);

/* One more to the definition's endpoint. NULL, with when to ask again (monotonic clock): it may
 * have no more now, or nobody may. Either sent or given back. */
CORE_MUST_CHECK triggers_job_call *triggers_job_call_new(triggers_job_caller *caller,
                                                         const triggers_definition *definition,
                                                         int64_t *again_ms);
void triggers_job_call_give_back(triggers_job_call *call);
/* It ends, whatever happens; it is the caller's until then, and gone after. */
void triggers_job_call_send(triggers_job_call *call);
/* Tells of those that have ended. */
void triggers_job_caller_turn(triggers_job_caller *caller);
/* Why nothing can be sent to the endpoint, such as a secret that is not set; NULL: it can. */
const char *triggers_job_caller_fault(triggers_job_caller *caller,
                                      const triggers_definition *definition);
/* Whether the project may reach a URL at all, as far as can be told. DENIED or INPUT. */
CORE_MUST_CHECK bool triggers_job_caller_check(const triggers_job_caller *caller,
                                               core_slice project, core_slice url,
                                               core_error *error);

#endif
