/* What the parts of the events' API share: the thread that owns it all, and a request in work
 * there. */
#ifndef WALCAST_TRIGGERS_EVENTS_PRIVATE_H
#define WALCAST_TRIGGERS_EVENTS_PRIVATE_H

#include "triggers/api.h"
#include "triggers/event_request.h"
#include "triggers/events.h"
#include "triggers/keyed.h"

#include <pthread.h>

enum {
    TRIGGERS_EVENTS_INBOX = 1024, /* requests that the thread has not looked at yet */
    TRIGGERS_EVENTS_CALLS = 1024, /* in work */
};

#define TRIGGERS_EVENTS_PATH "/events/v1"

typedef struct events_call events_call;
typedef struct events_stream events_stream;

struct triggers_events {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    triggers_host *host;
    core_subject_scope scope;
    char stream[FANOUT_NAME_MAX];
    pthread_t thread;
    bool started;
    /* The thread's own. */
    fanout_courier *courier;
    bool prepared; /* the stream is there */
    int64_t prepare_at_ms;
    core_backoff backoff;
    int64_t created_us; /* of the stream */
    events_call *calls;
    size_t call_count;
    events_stream *streams;
    size_t stream_count;
    fanout_connection *news_connection;
    fanout_ordered *consumer;    /* that says what is new; NULL: none */
    int64_t news_at_ms;          /* when it may be tried again */
    atomic_bool news, news_lost; /* any thread */
    /* Shared, under the lock. */
    pthread_mutex_t lock;
    core_route_reply *inbox[TRIGGERS_EVENTS_INBOX];
    size_t inbox_first, inbox_count;
    bool stopping;
    char problem[CORE_ERROR_TEXT_MAX];
    int wake_fd;
};

/* Goes on with the call; from the thread's turn and from answers. */
typedef void (*events_step)(events_call *call);

struct events_call {
    uint32_t magic;
    triggers_events *events;
    core_route_reply *reply; /* NULL: sent */
    events_call *previous, *next;
    events_step stalled; /* what did not find room in the courier; NULL: nothing */
    unsigned waiting;    /* answers of the courier that will come */
    bool over;           /* freed with the last of them */
    char project[TRIGGERS_PROJECT_MAX];
    core_error failure;
    fanout_idempotency key; /* that it was claimed by; its name is empty: none */
    /* Published. */
    triggers_event_batch batch;
    bool many, early; /* a batch; answered before the stream's word */
    size_t sent;
    uint64_t *sequences;
    char time[CORE_CLOCK_TEXT_SIZE];
    char depth[8]; /* as the request's Walcast-Depth says */
    /* Read. */
    char filter[CORE_SUBJECT_MAX];
    uint64_t at; /* the sequence looked for */
    uint64_t shown;
    size_t left;
    core_json_writer json;
};

/* The reply goes out as it was filled; the call is over. */
void triggers_events_answer(events_call *call);
/* The same with a problem. */
void triggers_events_refuse(events_call *call, unsigned status, const char *detail);
void triggers_events_fail(events_call *call, const core_error *error);
/* Goes out while the call goes on. */
void triggers_events_answer_early(events_call *call);
/* Whoever sent with this has one answer more to wait for; `handler` must call _arrived first. */
fanout_reply triggers_events_expect(events_call *call, fanout_answer_handler handler, uint64_t tag);
events_call *triggers_events_arrived(void *context);
/* The courier did not take it: tried again when it may have room, or refused. */
void triggers_events_stall(events_call *call, events_step step, const core_error *error);

/* What a request asks for, by its method and path (events_publish.c, events_read.c). */
void triggers_events_publish(events_call *call);
void triggers_events_list(events_call *call);
void triggers_events_get(events_call *call);
void triggers_events_stream(events_call *call); /* events_stream.c, as the next two */
void triggers_events_streams_turn(triggers_events *events);
void triggers_events_streams_end(triggers_events *events);
/* The parameters `type`, into the call's filter, and `since` (or the other's value), into `at`: 0
 * when there is none. GAP: of a stream that is no more. */
CORE_MUST_CHECK bool triggers_events_type(events_call *call, core_slice query, core_error *error);
CORE_MUST_CHECK bool triggers_events_since(events_call *call, core_slice query,
                                           core_slice otherwise, core_error *error);

#endif
