/* Requests under an Idempotency-Key, for keyed.c (the thread and its life) and keyed_call.c (a
 * request's steps). */
#ifndef WALCAST_FANOUT_KEYED_PRIVATE_H
#define WALCAST_FANOUT_KEYED_PRIVATE_H

#include "fanout/fanout.h"

#include <pthread.h>

#define FANOUT_KEYED_CALL_MAGIC UINT32_C(0x5445594b)

typedef enum {
    KEYED_LOOKING,  /* what does its record say? */
    KEYED_CLAIMING, /* the claim is being written */
    KEYED_WORKING,  /* the taker has it */
    KEYED_WRITING,  /* the answer is being kept, or the key given back */
} keyed_state;

typedef struct keyed_call keyed_call;
struct keyed_call {
    uint32_t magic;
    core_route_reply reply; /* what the taker gets; its response goes to: */
    core_route_reply *asked;
    fanout_keyed *keyed;
    fanout_keyed_work work;
    fanout_claim claim;
    core_state state;
    keyed_call *next, *previous; /* of all that our thread has looked at */
    keyed_call *queued;          /* behind it in `came` or `ended` */
    bool stalled;                /* its step found no room in the courier, or no answer */
    uint64_t number;             /* with the step it is the id of what is written */
    int64_t until_ms;            /* so long it is tried to write, */
    int64_t again_ms;            /* not before */
    uint64_t revision;           /* of the record, as we know it */
    core_buffer record;
};

typedef struct {
    keyed_call *first, **last;
} keyed_queue;

struct fanout_keyed {
    uint32_t magic;
    fanout_keyed_spec spec;
    char stream[FANOUT_NAME_MAX];
    char prefix[FANOUT_NAME_MAX];   /* of a record's subject */
    char id[CORE_SNAPSHOT_ID_SIZE]; /* of this process's writes */
    pthread_t thread;
    bool started;
    int wake_fd;
    /* The thread's own. */
    fanout_courier *courier;
    bool is_prepared; /* the bucket is there */
    int64_t prepare_ms;
    core_backoff backoff;
    uint64_t numbers;
    keyed_call *calls;
    /* Shared, under the lock. */
    pthread_mutex_t lock;
    keyed_queue came, ended;
    size_t count; /* of calls that live */
    bool stopping;
    bool is_detached; /* no thread any more: who ends a call sends its answer */
    char problem[CORE_ERROR_TEXT_MAX];
};

/* The call's first step, or the one that stalled. */
void fanout_keyed_step(keyed_call *call);
/* Its step is not to be tried yet, nor given up. `is_ready`: the courier is. */
bool fanout_keyed_waits(const keyed_call *call, bool is_ready);
/* The taker has answered: the answer is kept, or the key given back, and the client told. */
void fanout_keyed_end(keyed_call *call);
/* The client is told what the reply holds; the call is gone. */
void fanout_keyed_answer(keyed_call *call);
void fanout_keyed_refuse(keyed_call *call, unsigned status, const char *detail);
/* In the words of the work. */
void fanout_keyed_words(const fanout_keyed_work *work, core_route_reply *reply, unsigned status,
                        const char *detail);
/* Out of the thread's list, freed (keyed.c). */
void fanout_keyed_forget(keyed_call *call);

#endif
