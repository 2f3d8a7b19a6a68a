/* The threads that answer requests which may wait for a file or the broker. Requests stand in one
 * bounded line; one that finds no room is refused by whoever puts it. */
#ifndef WALCAST_SEARCH_INDEX_DESK_H
#define WALCAST_SEARCH_INDEX_DESK_H

#include "search-index/worker.h"

#define SEARCH_DESK_THREADS_MAX 64

typedef struct search_desk search_desk;

typedef struct {
    const char *name; /* of the threads; static */
    search_host *host;
    size_t threads;
    size_t line_max; /* requests that wait */
    /* On one of the threads; must answer. `what` is what the request was put with. */
    void (*work)(search_worker *worker, core_route_reply *reply, const void *what);
    /* The same of those that wait when the desk stops. */
    void (*refuse)(core_route_reply *reply);
} search_desk_spec;

/* Starts the threads. */
CORE_MUST_CHECK search_desk *search_desk_new(const search_desk_spec *spec, core_error *error);
/* Ends them behind the requests at hand, and refuses those that wait; none must be put any more.
 * NULL is allowed. */
void search_desk_free(search_desk *desk);
/* Any thread; never waits. False: there is no room, the reply is the caller's. */
CORE_MUST_CHECK bool search_desk_put(search_desk *desk, core_route_reply *reply, const void *what);

#endif
