/* Any bytes as a filter of a search, by itself and as a request's JSON: read, or refused with a
 * reason; what was read points into the text and keeps to its bounds. */
#include "search-index/filter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t nodes_count(const search_filter *filter, unsigned depth) {
    uint32_t count = 1;
    if (depth > SEARCH_FILTER_DEPTH_MAX + 2)
        abort();
    for (size_t i = 0; i < filter->value_count; i++)
        if (filter->values[i].data == NULL && filter->values[i].length > 0)
            abort();
    if (filter->end > filter->text.length || filter->start > filter->end)
        abort();
    for (const search_filter *child = filter->child; child != NULL; child = child->next)
        count += nodes_count(child, depth + 1);
    return count;
}

static void outcome_check(bool ok, const search_filter *filter, const core_error *error) {
    if (ok != (error->text[0] == '\0'))
        abort();
    if (filter != NULL && nodes_count(filter, 0) > SEARCH_FILTER_NODES_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice input = core_slice_make(data, size);
    search_filter *filter;
    core_arena arena;
    core_arena_init(&arena, 4096, 1 << 20);
    for (int form = 0; form < 2; form++) {
        search_filter_budget budget = SEARCH_FILTER_BUDGET;
        core_error error = {.text = ""};
        bool ok = form == 0 ? search_filter_parse(&arena, input, &budget, &filter, &error)
                            : search_filter_read(&arena, input, &budget, &filter, &error);
        outcome_check(ok, filter, &error);
    }
    core_arena_fini(&arena);
    return 0;
}
