/* Filters as a request has them: one expression, or a list of which all hold, of whose lists any.
 */
#include "search-index/filter_parser.h"

typedef struct {
    core_arena *arena;
    search_filter_budget *budget;
    core_json_reader reader;
    core_error *error;
} filter_reader;

static bool kind_fail(filter_reader *reader, const char *expected, core_json_token token) {
    core_slice whole;
    if (!core_json_skip(&reader->reader, token, &whole))
        return core_error_set(reader->error, CORE_ERROR_INPUT, "The filter is no valid JSON.");
    if (whole.length > 200)
        whole.length = 200;
    return core_error_set(reader->error, CORE_ERROR_INPUT,
                          "Invalid syntax for the filter parameter: `expected %s, found: %.*s`.",
                          expected, CORE_SLICE_ARGS(whole));
}

/* The string, escapes undone, kept in the arena. */
static bool text_read(filter_reader *reader, core_slice raw, core_slice *text) {
    core_buffer buffer;
    core_buffer_init(&buffer, SEARCH_FILTER_BYTES_MAX);
    bool ok = core_json_unescape(raw, &buffer);
    *text = core_slice_make("", 0);
    if (ok && buffer.length > 0) {
        *text = core_arena_copy(reader->arena, core_buffer_slice(&buffer));
        ok = text->data != NULL;
    }
    core_buffer_fini(&buffer);
    return ok || core_error_set(reader->error, CORE_ERROR_INPUT,
                                "The filter is longer than %zu bytes, or no valid text.",
                                SEARCH_FILTER_BYTES_MAX);
}

static bool expression_read(filter_reader *reader, core_slice raw, search_filter **filter) {
    core_slice text;
    return text_read(reader, raw, &text) &&
           search_filter_parse(reader->arena, text, reader->budget, filter, reader->error);
}

/* A node of `kind` over those of the list; alone it is what it is. */
static bool list_join(filter_reader *reader, search_filter_kind kind, search_filter *first,
                      search_filter **filter) {
    *filter = first;
    if (first == NULL || first->next == NULL)
        return true;
    filter_parser parser = {
        .arena = reader->arena, .budget = reader->budget, .error = reader->error};
    *filter = filter_node(&parser, kind);
    if (*filter != NULL)
        (*filter)->child = first;
    return *filter != NULL;
}

static bool inner_read(filter_reader *reader, search_filter **filter) {
    search_filter *first = NULL;
    search_filter **end = &first;
    for (;;) {
        core_json_token token = core_json_next(&reader->reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return list_join(reader, SEARCH_FILTER_OR, first, filter);
        if (token.kind != CORE_JSON_STRING)
            return kind_fail(reader, "String", token);
        if (!expression_read(reader, token.raw, end))
            return false;
        if (*end != NULL)
            end = &(*end)->next;
    }
}

static bool outer_read(filter_reader *reader, search_filter **filter) {
    search_filter *first = NULL;
    search_filter **end = &first;
    for (;;) {
        core_json_token token = core_json_next(&reader->reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return list_join(reader, SEARCH_FILTER_AND, first, filter);
        if (token.kind != CORE_JSON_STRING && token.kind != CORE_JSON_ARRAY_OPEN)
            return kind_fail(reader, "String, [String]", token);
        if (!(token.kind == CORE_JSON_STRING ? expression_read(reader, token.raw, end)
                                             : inner_read(reader, end)))
            return false;
        if (*end != NULL)
            end = &(*end)->next;
    }
}

bool search_filter_read(core_arena *arena, core_slice json, search_filter_budget *budget,
                        search_filter **filter, core_error *error) {
    filter_reader reader = {
        .arena = arena, .budget = budget, .reader = core_json_reader_make(json), .error = error};
    core_json_token token = core_json_next(&reader.reader);
    *filter = NULL;
    if (token.kind == CORE_JSON_NULL)
        return true;
    if (token.kind == CORE_JSON_STRING)
        return expression_read(&reader, token.raw, filter);
    if (token.kind == CORE_JSON_ARRAY_OPEN)
        return outer_read(&reader, filter);
    return kind_fail(&reader, "String, Array", token);
}

search_filter *search_filter_and(core_arena *arena, search_filter *a, search_filter *b, bool *ok) {
    *ok = true;
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    search_filter *node = core_arena_alloc(arena, sizeof *node);
    *ok = node != NULL;
    if (node == NULL)
        return NULL;
    assert(a->next == NULL && b->next == NULL);
    node->kind = SEARCH_FILTER_AND;
    node->child = a;
    a->next = b;
    return node;
}
