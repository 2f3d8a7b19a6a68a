/* The HTTP surface: Meilisearch's at the root, and /search/v1. Requests are handed to the role of
 * the source that hosts the caller's project, whose threads answer. */
#ifndef WALCAST_SEARCH_INDEX_API_H
#define WALCAST_SEARCH_INDEX_API_H

#include "search-index/call.h"
#include "search-index/search_index.h"

/* What a row of the surface needs besides its scope. */
enum {
    SEARCH_API_WRITES = 1,  /* may wait for the broker: on the thread for that */
    SEARCH_API_LONG = 2,    /* takes bodies of SEARCH_PAYLOAD_MAX */
    SEARCH_API_PROBLEM = 4, /* refuses as RFC 9457 has it: not of Meilisearch's surface */
    SEARCH_API_TENANT = 8,  /* a tenant's token may call it, and it looks at its rules */
    SEARCH_API_SOME = 16,   /* it names no index in its path, and looks itself at which of them a
                               key is for */
    SEARCH_API_SECRET = 32, /* its answer holds a secret, which is kept under no Idempotency-Key */
};

typedef struct {
    const char *method;
    const char *path;
    unsigned scope;
    unsigned flags;
    search_handler handle;
} search_api_row;

/* ---- The handlers, by file ---- */
/* api_index.c */
bool search_api_indexes(search_call *call);
bool search_api_index(search_call *call);
bool search_api_index_make(search_call *call);
bool search_api_index_change(search_call *call);
bool search_api_index_remove(search_call *call);
bool search_api_index_swap(search_call *call);
/* api_state.c */
bool search_api_stats(search_call *call);
bool search_api_index_stats(search_call *call);
bool search_api_version(search_call *call);
bool search_api_status(search_call *call);
/* api_definitions.c */
bool search_api_definitions(search_call *call);
bool search_api_definition_make(search_call *call);
bool search_api_definition(search_call *call);
bool search_api_definition_put(search_call *call);
bool search_api_definition_remove(search_call *call);
/* api_settings.c */
bool search_api_settings(search_call *call);
bool search_api_settings_change(search_call *call);
bool search_api_settings_reset(search_call *call);
/* api_tasks.c */
bool search_api_task(search_call *call);
bool search_api_tasks(search_call *call);
bool search_api_tasks_cancel(search_call *call);
bool search_api_tasks_remove(search_call *call);
/* api_documents.c */
bool search_api_document(search_call *call);
bool search_api_documents(search_call *call);
bool search_api_documents_fetch(search_call *call);
/* api_write.c */
bool search_api_documents_put(search_call *call);
bool search_api_documents_clear(search_call *call);
bool search_api_document_remove(search_call *call);
bool search_api_documents_remove(search_call *call);
bool search_api_documents_remove_by(search_call *call);
/* api_search.c */
bool search_api_query(search_call *call);
bool search_api_multi(search_call *call);
bool search_api_facet(search_call *call);
bool search_api_own_query(search_call *call);
/* api_keys.c */
bool search_api_keys(search_call *call);
bool search_api_key(search_call *call);
bool search_api_key_make(search_call *call);
bool search_api_key_change(search_call *call);
bool search_api_key_remove(search_call *call);
/* api.c */
bool search_api_not_offered(search_call *call);

#endif
