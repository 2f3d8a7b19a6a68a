/* What the parts of a source's role share: the spec, and one another. Private to the room.
 *
 * A part is made by a row of the table in role.c and started in that order, stopped in the reverse
 * one. Everything in the host outlives the parts. */
#ifndef WALCAST_SEARCH_INDEX_HOST_H
#define WALCAST_SEARCH_INDEX_HOST_H

#include "search-index/catalog.h"
#include "search-index/registry.h"
#include "search-index/spec.h"
#include "search-index/task_store.h"

typedef struct search_host search_host;
struct search_host {
    search_spec spec;
    core_tenants tenants;
    search_catalog *catalog;     /* the indexes as the log has them */
    search_registry *registry;   /* those that answer here */
    search_tasks *tasks;         /* what was asked, and how far it is here */
    search_task_store *outcomes; /* of ended tasks, on disk; the indexer's thread's */
    atomic_bool is_folded;       /* the log is taken up to where it ended when we began */
    atomic_uint waiting;         /* queries that wait for an offset, each on a thread */
    struct search_asked *asked;  /* of requests here; the api part's */
    /* How far the indexer stands behind the change stream: messages, and the age of what it took
     * last; both 0 when it has all. */
    atomic_ullong lag_messages;
    atomic_llong lag_us;
    int wake_fd; /* an eventfd: the indexer has something to look at in the log */
};

typedef struct search_part search_part;
struct search_part {
    const char *name;
    bool (*start)(search_part *part, core_error *error);
    /* As core_role's; NULL: it always is. */
    core_readiness (*ready)(search_part *part, char *reason, size_t reason_size);
    /* Ends and frees it; works in every state. */
    void (*stop)(search_part *part);
};

typedef search_part *(*search_part_maker)(search_host *host, core_error *error);

CORE_MUST_CHECK search_part *search_indexer_part(search_host *host, core_error *error);
CORE_MUST_CHECK search_part *search_keeper_part(search_host *host, core_error *error);
CORE_MUST_CHECK search_part *search_directory_part(search_host *host, core_error *error);
CORE_MUST_CHECK search_part *search_api_part(search_host *host, core_error *error);

#endif
