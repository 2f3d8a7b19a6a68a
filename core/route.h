/* Where rooms hang what they serve over HTTP, without knowing the server.
 *
 * main.c makes one table, rooms add routes to it before the server starts, and the ws room's server
 * looks requests up in it. A route states the scope that it needs: whoever has no credential with
 * it is refused by the server, and the handler not called. A handler runs on a service thread: it
 * must not block. It answers at once by filling the response; or the route defers: then the room is
 * handed a reply, which any of its threads completes once. Read-only once the server runs. */
#ifndef WALCAST_CORE_ROUTE_H
#define WALCAST_CORE_ROUTE_H

#include "core/error.h"
#include "core/json.h"
#include "core/problems.h"
#include "core/scope.h"

#include <stdatomic.h>

#define CORE_ROUTES_MAX 160

/* Who asks, as the server verified it; all empty on an open route. */
typedef struct {
    core_slice project;
    core_slice environment;
    core_slice role;        /* a PostgreSQL role */
    core_slice subject;     /* may be empty */
    core_slice id;          /* of the token (jti), or an API key's prefix; may be empty */
    core_slice claims_json; /* what policies see of it */
    unsigned scopes;        /* all that it has */
} core_route_caller;

typedef struct {
    core_slice method;
    core_slice path; /* without query, percent-decoding not undone */
    core_slice
        query; /* after '?', or empty; it may hold the caller's credential: not to be logged */
    core_slice body;
    /* The headers' values; empty: not sent. */
    core_slice if_match, idempotency_key, prefer, last_event_id, walcast_depth, content_type;
    core_route_caller caller;
} core_route_request;

#define CORE_ROUTE_HEADERS_MAX 384

typedef struct {
    unsigned status;                      /* 200 by default */
    const char *content_type;             /* static; "text/plain; charset=utf-8" by default */
    const char *extra_header;             /* static "Name: value", or NULL */
    char headers[CORE_ROUTE_HEADERS_MAX]; /* see core_route_response_header */
    core_buffer body;
} core_route_response;

/* One header more. False: it has no room, and is left out. `value` must hold no control bytes. */
bool core_route_response_header(core_route_response *response, const char *name, const char *value);

/* RFC 9110's phrase for the status. Static. */
const char *core_route_status_text(unsigned status);
/* Begins an RFC 9457 problem: an object that may get further members, and is then closed. */
void core_route_problem_open(core_json_writer *json, unsigned status, const char *detail);

/* The next parameter of a query, as it stands there, which `query` moves behind. `query` is not
 * empty. */
core_slice core_route_query_next(core_slice *query);
/* `"7"` of If-Match; UINT64_MAX: none was sent, or "*". False: it is no ETag of ours. */
CORE_MUST_CHECK bool core_route_if_match(core_slice value, uint64_t *expected);

typedef void (*core_route_handler)(void *context, const core_route_request *request,
                                   core_route_response *response);

/* A request that is answered later. The room has it from the handler's call until it calls
 * core_route_reply_send, which it must, once, from any thread, before its role's stop returns; also
 * when nobody waits any more. The server answers 504 when it takes too long. */
typedef struct core_route_reply core_route_reply;
struct core_route_reply {
    core_route_request request;   /* copies, which live as long as the reply */
    core_route_response response; /* for the room to fill */
    atomic_bool abandoned; /* set by the server: the client went away, or the answer is late */
    void (*send)(core_route_reply *reply); /* the server's, as the next one */
    struct core_route_stream *(*stream)(core_route_reply *reply);
};

/* A response that goes on: server-sent events to one client. The room has it until it calls
 * core_route_stream_end, which it must, once, before its role's stop returns; also when it is
 * closed. It ends with the caller's credential and with the server. */
typedef struct core_route_stream core_route_stream;

typedef struct {
    const char *name; /* static; NULL: a message */
    core_slice id;    /* with which the client comes back, in Last-Event-ID */
    core_slice data;  /* JSON */
} core_route_event;

struct core_route_stream {
    atomic_bool closed; /* set by the server: nothing can be sent any more */
    atomic_size_t held; /* bytes that the client has not taken: send no more beyond what it may */
    bool (*send)(core_route_stream *stream, const core_route_event *event); /* the server's */
    void (*end)(core_route_stream *stream, unsigned status, const char *detail);
};

/* Instead of core_route_reply_send, any thread: the reply is gone, the stream the room's. NULL:
 * memory is out, and the reply is to be sent. */
CORE_MUST_CHECK static inline core_route_stream *core_route_reply_stream(core_route_reply *reply) {
    return reply->stream(reply);
}
/* One thread at a time; copied. False: memory is out. Of one that is closed it is dropped. */
CORE_MUST_CHECK static inline bool core_route_stream_send(core_route_stream *stream,
                                                          const core_route_event *event) {
    return stream->send(stream, event);
}
/* The stream is gone. `status` 0: it ends without a word; else with a problem, whose `detail` is
 * static text. */
static inline void core_route_stream_end(core_route_stream *stream, unsigned status,
                                         const char *detail) {
    stream->end(stream, status, detail);
}

/* Runs on a service thread: it hands the reply on and must not block. */
typedef void (*core_route_deferred)(void *context, core_route_reply *reply);

/* Any thread, once; the reply is gone then. Never blocks. */
static inline void core_route_reply_send(core_route_reply *reply) {
    reply->send(reply);
}
/* Any thread: work for it may stop; it must be sent all the same. */
static inline bool core_route_reply_abandoned(const core_route_reply *reply) {
    return atomic_load_explicit(&reply->abandoned, memory_order_relaxed);
}

/* Begins a JSON answer; its body is then written with the writer. */
core_json_writer core_route_answer(core_route_reply *reply, unsigned status);
/* A problem; `problems` may be NULL. It takes the place of what was written. */
void core_route_refuse(core_route_reply *reply, unsigned status, const char *detail,
                       const core_problems *problems);
/* The status of an error's code. */
unsigned core_route_error_status(core_error_code code);
/* The part of the path between the `index`th slash and the next, percent-decoded, as a C string.
 * False: there is none, or it has no room or is not valid. */
CORE_MUST_CHECK bool core_route_path_part(core_slice path, size_t index, char *text,
                                          size_t text_size);

/* What a surface that other people's clients know has of its own; static. */
typedef struct {
    size_t body_max; /* of who may call the route; 0: as of all others, 1 MiB */
    /* Appends the JSON with which the server refuses a request, instead of an RFC 9457 problem.
     * The status that the surface's clients know for it. */
    unsigned (*refuse)(core_buffer *body, unsigned status, const char *detail);
} core_route_surface;

typedef struct {
    const char *method;
    /* A '*' at its end stands for all that may follow, any other for one part between slashes. */
    const char *path;
    core_route_handler handler; /* one of both */
    core_route_deferred defer;
    void *context;
    unsigned scope;                    /* a core_scope; 0: open to all */
    const core_route_surface *surface; /* NULL: the server's own */
} core_route;

typedef struct {
    core_route routes[CORE_ROUTES_MAX];
    size_t count;
} core_route_table;

/* `method` and `path` are static text; `scope` is a core_scope, or 0 for what is open to all as
 * /metrics is. False when the table is full or the route is taken. */
CORE_MUST_CHECK bool core_route_add(core_route_table *table, const char *method, const char *path,
                                    unsigned scope, core_route_handler handler, void *context,
                                    core_error *error);
/* The same for a route that answers later. */
CORE_MUST_CHECK bool core_route_add_deferred(core_route_table *table, const char *method,
                                             const char *path, unsigned scope,
                                             core_route_deferred defer, void *context,
                                             core_error *error);
/* The same for any route, which has a handler or defers; copied. */
CORE_MUST_CHECK bool core_route_put(core_route_table *table, const core_route *route,
                                    core_error *error);
/* The route for a request, exact before prefix, longest prefix first. NULL: none; `path_known`
 * tells 405 from 404. */
const core_route *core_route_find(const core_route_table *table, core_slice method, core_slice path,
                                  bool *path_known);

#endif
