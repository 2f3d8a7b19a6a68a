/* Any bytes as a search's JSON, as one of several queries and as a URL's query: read within its
 * bounds, or refused with a code and a reason. */
#include "search-index/request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void request_check(const search_request *request) {
    if (request->retrieve.count > SEARCH_REQUEST_NAMES_MAX ||
        request->sort_count > SEARCH_REQUEST_SORTS_MAX ||
        request->vector_count > SEARCH_REQUEST_VECTOR_MAX)
        abort();
    for (uint32_t i = 0; i < request->facets.count; i++)
        if (request->facets.names[i].data == NULL && request->facets.names[i].length > 0)
            abort();
    if (request->has_threshold && !(request->threshold >= 0 && request->threshold <= 1))
        abort();
    if (request->vector != NULL && !request->has_hybrid)
        abort();
}

static bool read_as(int form, core_arena *arena, core_slice input, search_request *request,
                    search_refusal *refusal) {
    search_request_options options = {.is_multi = form == 1,
                                      .location = form == 1 ? ".queries[0]" : ""};
    if (form == 2)
        return search_request_read_query(arena, input, request, refusal);
    return search_request_read_json(arena, input, &options, request, refusal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int form = 0; form < 3; form++) {
        search_request request;
        search_refusal refusal = {.code = SEARCH_CODE_NONE};
        core_arena arena;
        core_arena_init(&arena, 4096, SEARCH_REQUEST_ARENA_BYTES);
        bool ok = read_as(form, &arena, core_slice_make(data, size), &request, &refusal);
        if (ok != (refusal.code == SEARCH_CODE_NONE) || (!ok && refusal.message[0] == '\0'))
            abort();
        if (ok)
            request_check(&request);
        core_arena_fini(&arena);
    }
    return 0;
}
