/* Queries of the embedded engine. */
#include "search-index/query.h"

bool search_run_register(search_store_reader *reader) {
    return reader->database != NULL;
}

void search_run_unregister(search_store_reader *reader) {
    (void)reader;
}

static bool refuse(core_error *error) {
    return core_error_set(error, CORE_ERROR_INTERNAL, "search index: it answers no queries yet");
}

search_hits *search_store_query(search_reader *reader, const search_request *request,
                                core_error *error) {
    (void)reader;
    (void)request;
    (void)refuse(error);
    return NULL;
}

bool search_store_list(search_reader *reader, const search_request *request,
                       search_kept_taker *taker, void *context, uint64_t *total,
                       core_error *error) {
    (void)reader;
    (void)request;
    (void)taker;
    (void)context;
    *total = 0;
    return refuse(error);
}

void search_hits_free(search_hits *hits) {
    if (hits == NULL)
        return;
    core_arena arena = hits->arena; /* the answer itself is in it */
    core_arena_fini(&arena);
}
