/* Whether an index can answer a request; see request.h. */
#include "search-index/request.h"

#include <stdlib.h>

#define NAME_SHOWN_MAX 200

typedef struct {
    core_arena *arena;
    const search_request *request;
    const search_schema *schema;
    search_refusal *refusal;
} request_checker;

typedef bool attribute_test(const search_attribute *attribute);

static bool is_filterable(const search_attribute *attribute) {
    return attribute->is_filterable;
}

static bool is_sortable(const search_attribute *attribute) {
    return attribute->is_sortable;
}

static bool is_searchable(const search_attribute *attribute) {
    return attribute->weight > 0;
}

static int name_compare(const void *a, const void *b) {
    return core_slice_compare(*(const core_slice *)a, *(const core_slice *)b);
}

/* "AVAILABLE: `a, b`." of the attributes that pass, or "This index does not have configured KIND
 * attributes." */
static const char *available_write(const request_checker *checker, attribute_test *test,
                                   const char *kind, const char *available, core_buffer *out) {
    const search_schema_spec *spec = search_schema_get(checker->schema);
    core_slice *names = core_arena_array(checker->arena, spec->attribute_count + 1, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; names != NULL && i < spec->attribute_count; i++)
        if (test(&spec->attributes[i]))
            names[count++] = spec->attributes[i].name;
    if (count == 0) {
        core_buffer_format(out, "This index does not have configured %s attributes.", kind);
    } else {
        qsort(names, count, sizeof *names, name_compare);
        core_buffer_format(out, "%s: `", available);
        for (size_t i = 0; i < count; i++)
            core_buffer_format(out, "%s%.*s", i > 0 ? ", " : "", CORE_SLICE_ARGS(names[i]));
        core_buffer_text(out, "`.");
    }
    /* As much of it as there is room for. */
    out->data[out->length < out->capacity ? out->length : out->capacity - 1] = '\0';
    return (const char *)out->data;
}

static core_slice shown(core_slice name) {
    if (name.length > NAME_SHOWN_MAX)
        name.length = NAME_SHOWN_MAX;
    return name;
}

/* ---- Checks ---- */
static bool sorts_check(const request_checker *checker) {
    char memory[SEARCH_REFUSAL_MAX] = "";
    core_buffer out = core_buffer_over(memory, sizeof memory);
    for (uint32_t i = 0; i < checker->request->sort_count; i++) {
        const search_sort *sort = &checker->request->sorts[i];
        core_slice name = sort->is_geo ? core_slice_text("_geo") : sort->attribute;
        if (search_schema_is_sortable(checker->schema, name))
            continue;
        return search_refuse(checker->refusal, SEARCH_CODE_INVALID_SEARCH_SORT,
                             "Attribute `%.*s` is not sortable. %s", CORE_SLICE_ARGS(shown(name)),
                             available_write(checker, is_sortable, "sortable",
                                             "Available sortable attributes are", &out));
    }
    return true;
}

/* A pattern stands for the filterable attributes that it fits; alone it must fit one. */
static bool facet_fits(const request_checker *checker, core_slice name) {
    const search_schema_spec *spec = search_schema_get(checker->schema);
    if (core_slice_is(name, "*") || search_schema_is_filterable(checker->schema, name))
        return true;
    for (size_t i = 0; i < spec->attribute_count; i++)
        if (spec->attributes[i].is_filterable &&
            search_attribute_fits(name, spec->attributes[i].name))
            return true;
    return false;
}

static bool facets_check(const request_checker *checker) {
    char memory[SEARCH_REFUSAL_MAX] = "";
    core_buffer out = core_buffer_over(memory, sizeof memory);
    const search_names *facets = &checker->request->facets;
    for (uint32_t i = 0; i < facets->count; i++) {
        if (facet_fits(checker, facets->names[i]))
            continue;
        return search_refuse(checker->refusal, SEARCH_CODE_INVALID_SEARCH_FACETS,
                             "Invalid facet distribution: Pattern `%.*s` is not filterable. %s",
                             CORE_SLICE_ARGS(shown(facets->names[i])),
                             available_write(checker, is_filterable, "filterable",
                                             "Available filterable attributes patterns are", &out));
    }
    return true;
}

static bool distinct_check(const request_checker *checker) {
    char memory[SEARCH_REFUSAL_MAX] = "";
    core_buffer out = core_buffer_over(memory, sizeof memory);
    core_slice name = checker->request->distinct;
    if (name.length == 0 || search_schema_is_filterable(checker->schema, name))
        return true;
    return search_refuse(checker->refusal, SEARCH_CODE_INVALID_SEARCH_DISTINCT,
                         "Attribute `%.*s` is not filterable and thus, cannot be used as distinct "
                         "attribute. %s",
                         CORE_SLICE_ARGS(shown(name)),
                         available_write(checker, is_filterable, "filterable",
                                         "Available filterable attributes patterns are", &out));
}

static bool search_on_check(const request_checker *checker) {
    char memory[SEARCH_REFUSAL_MAX] = "";
    core_buffer out = core_buffer_over(memory, sizeof memory);
    const search_names *names = &checker->request->search_on;
    for (uint32_t i = 0; i < names->count; i++) {
        const search_attribute *attribute = search_schema_find(checker->schema, names->names[i]);
        if (core_slice_is(names->names[i], "*") || (attribute != NULL && attribute->weight > 0))
            continue;
        return search_refuse(checker->refusal, SEARCH_CODE_INVALID_SEARCH_ATTRIBUTES_TO_SEARCH_ON,
                             "Attribute `%.*s` is not searchable. %s",
                             CORE_SLICE_ARGS(shown(names->names[i])),
                             available_write(checker, is_searchable, "searchable",
                                             "Available searchable attributes are", &out));
    }
    return true;
}

static bool filter_check(const request_checker *checker) {
    core_error error = {.text = ""};
    return search_filter_check(checker->arena, checker->request->filter, checker->schema, &error) ||
           search_refuse_error(checker->refusal, SEARCH_CODE_INVALID_SEARCH_FILTER, &error);
}

bool search_request_check(core_arena *arena, const search_request *request,
                          const search_schema *schema, search_refusal *refusal) {
    request_checker checker = {
        .arena = arena, .request = request, .schema = schema, .refusal = refusal};
    return filter_check(&checker) && sorts_check(&checker) && facets_check(&checker) &&
           distinct_check(&checker) && search_on_check(&checker);
}
