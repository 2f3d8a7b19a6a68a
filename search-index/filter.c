/* The filter language's grammar, and the forms that a request may give filters in; see filter.h.
 *
 *     or      = and ("OR" and)*
 *     and     = not ("AND" not)*
 *     not     = "NOT" not | primary
 *     primary = "(" or ")" | place | value operator
 *
 * By recursion, as deep as SEARCH_FILTER_DEPTH_MAX. */
#include "search-index/filter_parser.h"

static search_filter *or_take(filter_parser *parser, unsigned depth);

static const char operations[] =
    "Was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, `EXISTS`, "
    "`NOT EXISTS`, `IS NULL`, `IS NOT NULL`, `IS EMPTY`, `IS NOT EMPTY`, `CONTAINS`, `NOT "
    "CONTAINS`, `STARTS WITH`, `NOT STARTS WITH`, `_geoRadius`, `_geoBoundingBox` or "
    "`_geoPolygon` ";

static search_filter *fail_primary(filter_parser *parser, size_t start) {
    char before[sizeof operations + 8];
    size_t end = parser->text.length;
    if (parser->failed)
        return NULL;
    if (start == end) {
        (void)filter_fail(parser, start, end, "%sbut instead got nothing.", operations);
        return NULL;
    }
    memcpy(before, operations, sizeof operations - 1);
    memcpy(before + sizeof operations - 1, "at `", sizeof "at `");
    (void)filter_fail_at(parser, start, end, before, "`.");
    return NULL;
}

static bool depth_check(filter_parser *parser, unsigned depth) {
    if (depth <= SEARCH_FILTER_DEPTH_MAX)
        return true;
    return filter_fail(parser, parser->at, parser->text.length,
                       "The filter exceeded the maximum depth limit. Try rewriting the filter so "
                       "that it contains fewer nested conditions.");
}

/* ---- Conditions ---- */
static search_filter *condition_node(filter_parser *parser, search_filter_kind kind,
                                     const filter_value *attribute) {
    search_filter *node = filter_node(parser, kind);
    if (node == NULL)
        return NULL;
    node->attribute = attribute->text;
    node->start = attribute->start;
    node->end = attribute->end;
    return node;
}

static search_filter *condition_of(filter_parser *parser, search_filter_kind kind,
                                   const filter_value *attribute, const core_slice *values,
                                   size_t count) {
    search_filter *node = condition_node(parser, kind, attribute);
    core_slice *kept = count > 0 ? core_arena_array(parser->arena, count, sizeof *kept) : NULL;
    if (node == NULL)
        return NULL;
    if (count > 0 && kept == NULL) {
        (void)filter_fail_full(parser);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        kept[i] = values[i];
    node->values = kept;
    node->value_count = count;
    return node;
}

static search_filter *negated(filter_parser *parser, search_filter *child) {
    if (child == NULL)
        return NULL;
    if (child->kind == SEARCH_FILTER_NOT)
        return child->child;
    search_filter *node = filter_node(parser, SEARCH_FILTER_NOT);
    if (node != NULL)
        node->child = child;
    return node;
}

/* The value that must stand behind an operator. */
static search_filter *with_value(filter_parser *parser, search_filter_kind kind,
                                 const filter_value *attribute) {
    filter_value value;
    filter_value_result result = filter_value_take(parser, &value);
    if (result != FILTER_VALUE_READ) {
        (void)filter_value_fail(parser, result);
        return NULL;
    }
    return condition_of(parser, kind, attribute, &value.text, 1);
}

/* Behind `attribute value`: `TO value`. */
static search_filter *between_take(filter_parser *parser, size_t start,
                                   const filter_value *attribute) {
    filter_value values[2];
    filter_value_result result = filter_value_take(parser, &values[0]);
    if (result != FILTER_VALUE_READ || !filter_word_take(parser, "TO"))
        return fail_primary(parser, start);
    result = filter_value_take(parser, &values[1]);
    if (result != FILTER_VALUE_READ) {
        (void)filter_value_fail(parser, result);
        return NULL;
    }
    core_slice texts[2] = {values[0].text, values[1].text};
    return condition_of(parser, SEARCH_FILTER_BETWEEN, attribute, texts, 2);
}

/* ---- IN ---- */
static bool list_fail(filter_parser *parser) {
    size_t start = parser->at;
    size_t end = parser->text.length;
    if (start == end)
        return filter_fail(parser, start, end,
                           "Expected matching `]` after the list of field names given to `IN[`");
    filter_value value;
    filter_value_result result = filter_value_take(parser, &value);
    if (result == FILTER_VALUE_FAILED)
        return false;
    core_slice rest = core_slice_make(parser->text.data + start, end - start);
    if (result == FILTER_VALUE_KEYWORD)
        return filter_fail(parser, start, end,
                           "Expected only comma-separated field names inside `IN[..]` but instead "
                           "found `%.*s`, which is a keyword. To use `%.*s` as a field name or a "
                           "value, surround it by quotes.",
                           CORE_SLICE_ARGS(rest), CORE_SLICE_ARGS(rest));
    return filter_fail_at(parser, start, end,
                          "Expected only comma-separated field names inside `IN[..]` but instead "
                          "found `",
                          "`.");
}

/* Values with commas between, one more comma allowed, up to the bracket. Counted first: `values` is
 * NULL then. */
static bool list_take(filter_parser *parser, core_slice *values, size_t *count) {
    for (*count = 0;; (*count)++) {
        filter_value value;
        filter_blanks_skip(parser);
        size_t start = parser->at;
        filter_value_result result = filter_value_take(parser, &value);
        if (result == FILTER_VALUE_FAILED)
            return false;
        if (result != FILTER_VALUE_READ) {
            parser->at = start;
            return filter_text_take(parser, "]") || list_fail(parser);
        }
        if (values != NULL)
            values[*count] = value.text;
        else if (*count >= parser->budget->words)
            return filter_fail_full(parser);
        if (!filter_text_take(parser, ",")) {
            (*count)++;
            return filter_text_take(parser, "]") || list_fail(parser);
        }
    }
}

static search_filter *in_take(filter_parser *parser, const filter_value *attribute) {
    size_t count;
    if (!filter_text_take(parser, "[")) {
        (void)filter_fail(parser, parser->at, parser->text.length,
                          "Expected `[` after `IN` keyword.");
        return NULL;
    }
    search_filter *node = condition_node(parser, SEARCH_FILTER_IN, attribute);
    size_t start = parser->at;
    if (node == NULL || !list_take(parser, NULL, &count))
        return NULL;
    parser->budget->words -= (uint32_t)count;
    core_slice *values = core_arena_array(parser->arena, count + 1, sizeof *values);
    parser->at = start;
    if (values == NULL) {
        (void)filter_fail_full(parser);
        return NULL;
    }
    if (!list_take(parser, values, &count))
        return NULL;
    filter_blanks_skip(parser);
    node->values = values;
    node->value_count = count;
    return node;
}

/* ---- Operators ---- */
static bool sign_take(filter_parser *parser, search_filter_kind *kind) {
    static const struct {
        const char *text;
        search_filter_kind kind;
    } signs[] = {
        {"<=", SEARCH_FILTER_LESS_EQUAL}, {">=", SEARCH_FILTER_GREATER_EQUAL},
        {"!=", SEARCH_FILTER_NOT_EQUAL},  {"<", SEARCH_FILTER_LESS},
        {">", SEARCH_FILTER_GREATER},     {"=", SEARCH_FILTER_EQUAL},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(signs); i++)
        if (filter_text_take(parser, signs[i].text)) {
            *kind = signs[i].kind;
            return true;
        }
    return false;
}

/* `IS [NOT] NULL`, `IS [NOT] EMPTY`. */
static search_filter *is_take(filter_parser *parser, size_t start, const filter_value *attribute) {
    bool is_not = filter_word_take(parser, "NOT");
    search_filter *node;
    if (filter_word_take(parser, "NULL"))
        node = condition_node(parser, SEARCH_FILTER_NULL, attribute);
    else if (filter_word_take(parser, "EMPTY"))
        node = condition_node(parser, SEARCH_FILTER_EMPTY, attribute);
    else
        return fail_primary(parser, start);
    return is_not ? negated(parser, node) : node;
}

/* The operators that NOT may stand before. `*is_one` false: none of them. */
static search_filter *word_take(filter_parser *parser, const filter_value *attribute,
                                bool *is_one) {
    *is_one = true;
    if (filter_word_take(parser, "IN"))
        return in_take(parser, attribute);
    if (filter_word_take(parser, "EXISTS"))
        return condition_node(parser, SEARCH_FILTER_EXISTS, attribute);
    if (filter_word_take(parser, "CONTAINS"))
        return with_value(parser, SEARCH_FILTER_CONTAINS, attribute);
    if (filter_word_take(parser, "STARTS") && filter_word_take(parser, "WITH"))
        return with_value(parser, SEARCH_FILTER_STARTS_WITH, attribute);
    *is_one = false;
    return NULL;
}

static search_filter *operator_take(filter_parser *parser, size_t start,
                                    const filter_value *attribute) {
    search_filter_kind kind;
    bool is_one;
    if (sign_take(parser, &kind))
        return with_value(parser, kind, attribute);
    if (filter_word_take(parser, "IS"))
        return is_take(parser, start, attribute);
    bool is_not = filter_word_take(parser, "NOT");
    search_filter *node = word_take(parser, attribute, &is_one);
    if (is_one)
        return is_not ? negated(parser, node) : node;
    return is_not ? fail_primary(parser, start) : between_take(parser, start, attribute);
}

static bool foreign_refuse(filter_parser *parser) {
    core_slice word = filter_word_at(parser, parser->at);
    if (core_slice_is(word, "_foreign"))
        return filter_fail(parser, parser->at, parser->text.length,
                           "`_foreign` filters are not supported.");
    if (core_slice_is(word, "_vectors") || core_slice_begins(word, core_slice_text("_vectors.")))
        return filter_fail(parser, parser->at, parser->text.length,
                           "`_vectors` filters are not supported.");
    return true;
}

static search_filter *brackets_take(filter_parser *parser, size_t start, unsigned depth) {
    search_filter *node = or_take(parser, depth + 1);
    if (node == NULL)
        return NULL;
    if (!filter_text_take(parser, ")")) {
        (void)filter_fail_at(parser, start, parser->text.length, "Expression `",
                             "` is missing the following closing delimiter: `)`.");
        return NULL;
    }
    filter_blanks_skip(parser);
    return node;
}

static search_filter *primary_take(filter_parser *parser, unsigned depth) {
    filter_blanks_skip(parser);
    size_t start = parser->at;
    if (!depth_check(parser, depth))
        return NULL;
    if (filter_text_take(parser, "("))
        return brackets_take(parser, start, depth);
    bool is_geo;
    search_filter *node = filter_geo_take(parser, &is_geo);
    if (is_geo)
        return node;
    filter_value attribute;
    if (!foreign_refuse(parser))
        return NULL;
    filter_value_result result = filter_value_take(parser, &attribute);
    if (result == FILTER_VALUE_READ)
        return operator_take(parser, start, &attribute);
    if (result == FILTER_VALUE_KEYWORD)
        (void)filter_value_fail(parser, result);
    return fail_primary(parser, start);
}

static search_filter *not_take(filter_parser *parser, unsigned depth) {
    if (!depth_check(parser, depth))
        return NULL;
    if (filter_word_take(parser, "NOT"))
        return negated(parser, not_take(parser, depth + 1));
    return primary_take(parser, depth + 1);
}

/* A node over the list that begins with `first`; alone it is what it is. */
static search_filter *joined(filter_parser *parser, search_filter_kind kind, search_filter *first) {
    if (first->next == NULL)
        return first;
    search_filter *node = filter_node(parser, kind);
    if (node != NULL)
        node->child = first;
    return node;
}

static search_filter *and_take(filter_parser *parser, unsigned depth) {
    if (!depth_check(parser, depth))
        return NULL;
    search_filter *first = not_take(parser, depth + 1);
    for (search_filter *last = first; last != NULL && filter_word_take(parser, "AND");
         last = last->next) {
        last->next = not_take(parser, depth + 1);
        if (last->next == NULL)
            return NULL;
    }
    return first != NULL ? joined(parser, SEARCH_FILTER_AND, first) : NULL;
}

static search_filter *or_take(filter_parser *parser, unsigned depth) {
    if (!depth_check(parser, depth))
        return NULL;
    search_filter *first = and_take(parser, depth + 1);
    for (search_filter *last = first; last != NULL && filter_word_take(parser, "OR");
         last = last->next) {
        last->next = and_take(parser, depth + 1);
        if (last->next == NULL)
            return NULL;
    }
    return first != NULL ? joined(parser, SEARCH_FILTER_OR, first) : NULL;
}

bool search_filter_parse(core_arena *arena, core_slice text, search_filter_budget *budget,
                         search_filter **filter, core_error *error) {
    filter_parser parser = {.arena = arena, .budget = budget, .text = text, .error = error};
    *filter = NULL;
    if (text.length > SEARCH_FILTER_BYTES_MAX)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "The filter has %zu bytes; at most %zu are taken.", text.length,
                              SEARCH_FILTER_BYTES_MAX);
    filter_blanks_skip(&parser);
    if (filter_is_at_end(&parser))
        return true;
    search_filter *node = or_take(&parser, 0);
    if (node != NULL && !filter_is_at_end(&parser))
        (void)filter_fail_at(&parser, parser.at, text.length,
                             "Found unexpected characters at the end of the filter: `",
                             "`. You probably forgot an `OR` or an `AND` rule.");
    if (parser.failed)
        return false;
    *filter = node;
    return true;
}
