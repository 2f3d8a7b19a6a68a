/* A filter's tree as text, so that tests can say what a filter was read as:
 * `OR[AND[{a} = {1}, NOT ({b} EXISTS)], {c} {1} TO {2}]`. */
#ifndef WALCAST_TESTS_UNIT_SEARCH_INDEX_FILTER_TEXT_H
#define WALCAST_TESTS_UNIT_SEARCH_INDEX_FILTER_TEXT_H

#include "search-index/filter.h"

static inline void filter_text(const search_filter *filter, core_buffer *out);

static inline void filter_list_text(const search_filter *filter, const char *name,
                                    core_buffer *out) {
    core_buffer_format(out, "%s[", name);
    for (const search_filter *child = filter->child; child != NULL; child = child->next) {
        filter_text(child, out);
        core_buffer_text(out, child->next != NULL ? ", " : "]");
    }
}

static inline void filter_values_text(const search_filter *filter, core_buffer *out) {
    core_buffer_text(out, "[");
    for (size_t i = 0; i < filter->value_count; i++)
        core_buffer_format(out, "%s{%.*s}", i > 0 ? ", " : "", CORE_SLICE_ARGS(filter->values[i]));
    core_buffer_text(out, "]");
}

static inline void filter_geo_text(const search_filter *filter, const char *name,
                                   core_buffer *out) {
    core_buffer_format(out, "%s(", name);
    for (size_t i = 0; i < filter->number_count; i++)
        core_buffer_format(out, "%s%g", i > 0 ? ", " : "", filter->numbers[i]);
    core_buffer_text(out, ")");
}

static inline void filter_text(const search_filter *filter, core_buffer *out) {
    static const char *const names[] = {
        "AND",        "OR",       "NOT",      "=",           "!=",         ">",
        ">=",         "<",        "<=",       "TO",          "IN",         "EXISTS",
        "IS NULL",    "IS EMPTY", "CONTAINS", "STARTS WITH", "_geoRadius", "_geoBoundingBox",
        "_geoPolygon"};
    const char *name = names[filter->kind];
    if (filter->kind == SEARCH_FILTER_AND || filter->kind == SEARCH_FILTER_OR) {
        filter_list_text(filter, name, out);
        return;
    }
    if (filter->kind == SEARCH_FILTER_NOT) {
        core_buffer_text(out, "NOT (");
        filter_text(filter->child, out);
        core_buffer_text(out, ")");
        return;
    }
    if (filter->number_count > 0) {
        filter_geo_text(filter, name, out);
        return;
    }
    core_buffer_format(out, "{%.*s} ", CORE_SLICE_ARGS(filter->attribute));
    if (filter->kind == SEARCH_FILTER_BETWEEN)
        core_buffer_format(out, "{%.*s} ", CORE_SLICE_ARGS(filter->values[0]));
    core_buffer_text(out, name);
    if (filter->kind == SEARCH_FILTER_IN)
        filter_values_text(filter, out);
    else if (filter->value_count > 0)
        core_buffer_format(out, " {%.*s}",
                           CORE_SLICE_ARGS(filter->values[filter->value_count - 1]));
}

#endif
