/* A filter bound to an index's columns, and asked of one document; see filter.h.
 *
 * Binding turns attributes into columns and operands into numbers, texts' ids and folded texts, so
 * that a document costs a few comparisons. `=` is IN of one value. An attribute that no document
 * has binds to no column: nothing there exists, equals or is within anything. */
#include "search-index/filter_parser.h"

#include "search-index/geo.h"

#include <math.h>
#include <stdlib.h>

typedef enum {
    BOUND_AND,
    BOUND_OR,
    BOUND_NOT,
    BOUND_NOTHING,
    BOUND_IN,
    BOUND_RANGE,
    BOUND_STATE,
    BOUND_CONTAINS,
    BOUND_STARTS,
    BOUND_RADIUS,
    BOUND_BOX,
    BOUND_POLYGON,
} bound_kind;

/* Of a range: either end may be missing, or not belong to it. */
typedef struct {
    bool is_there;
    bool is_open;
    double number; /* of an end that is there: only when the range has numbers */
    core_slice text;
} bound_end;

struct search_bound_filter {
    bound_kind kind;
    const search_columns *columns;
    search_bound_filter *child;
    search_bound_filter *next;
    uint32_t column;
    unsigned state; /* of BOUND_STATE */
    /* BOUND_IN, sorted. */
    double *numbers;
    uint32_t *texts;
    size_t number_count;
    size_t text_count;
    /* BOUND_RANGE. */
    bool has_numbers;
    bound_end low;
    bound_end high;
    core_slice text;   /* BOUND_CONTAINS, BOUND_STARTS: folded */
    const double *geo; /* latitudes and longitudes by turns */
    size_t geo_count;
};

typedef struct {
    core_arena *arena;
    const search_schema *schema;
    const search_columns *columns;
    core_error *error;
} filter_binder;

static bool binder_full(filter_binder *binder) {
    return core_error_set(binder->error, CORE_ERROR_LIMIT,
                          "The filter takes more memory than a request may.");
}

/* ---- Attributes ---- */
static int name_compare(const void *a, const void *b) {
    return core_slice_compare(*(const core_slice *)a, *(const core_slice *)b);
}

/* The names of all filterable attributes in their order, as Meilisearch lists them. */
static bool filterable_list(const search_schema_spec *spec, core_arena *arena, core_buffer *out) {
    core_slice *names = core_arena_array(arena, spec->attribute_count + 1, sizeof *names);
    size_t count = 0;
    if (names == NULL)
        return false;
    for (size_t i = 0; i < spec->attribute_count; i++)
        if (spec->attributes[i].is_filterable)
            names[count++] = spec->attributes[i].name;
    qsort(names, count, sizeof *names, name_compare);
    for (size_t i = 0; i < count; i++)
        core_buffer_format(out, "%s`%.*s`", i > 0 ? ", " : "", CORE_SLICE_ARGS(names[i]));
    return count > 0;
}

static bool attribute_refuse(filter_binder *binder, const search_filter *filter) {
    char memory[CORE_ERROR_TEXT_MAX / 2];
    core_buffer list = core_buffer_over(memory, sizeof memory);
    filter_parser parser = {.text = filter->text, .error = binder->error};
    const search_schema_spec *spec = search_schema_get(binder->schema);
    if (filterable_list(spec, binder->arena, &list))
        return filter_fail(&parser, filter->start, filter->end,
                           "Attribute `%.*s` is not filterable. Available filterable attribute "
                           "patterns are: %.*s.",
                           CORE_SLICE_ARGS(filter->attribute),
                           CORE_SLICE_ARGS(core_buffer_slice(&list)));
    return filter_fail(&parser, filter->start, filter->end,
                       "Attribute `%.*s` is not filterable. This index does not have configured "
                       "filterable attributes.",
                       CORE_SLICE_ARGS(filter->attribute));
}

static bool attributes_check(filter_binder *binder, const search_filter *filter) {
    if (filter->kind > SEARCH_FILTER_NOT)
        return search_schema_is_filterable(binder->schema, filter->attribute) ||
               attribute_refuse(binder, filter);
    for (const search_filter *child = filter->child; child != NULL; child = child->next)
        if (!attributes_check(binder, child))
            return false;
    return true;
}

bool search_filter_check(core_arena *arena, const search_filter *filter,
                         const search_schema *schema, core_error *error) {
    filter_binder binder = {.arena = arena, .schema = schema, .error = error};
    return filter == NULL || attributes_check(&binder, filter);
}

/* ---- Operands ---- */
/* In the form that texts of columns are compared in. */
static bool text_fold(filter_binder *binder, core_slice text, core_slice *folded) {
    char memory[SEARCH_COLUMN_TEXT_MAX + 1];
    core_buffer buffer = core_buffer_over(memory, sizeof memory);
    search_columns_fold(binder->columns, text, &buffer);
    *folded = core_slice_make("", 0);
    if (buffer.length == 0)
        return true;
    *folded = core_arena_copy(binder->arena, core_buffer_slice(&buffer));
    return folded->data != NULL || binder_full(binder);
}

static int number_compare(const void *a, const void *b) {
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static int text_compare(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static bool in_bind(filter_binder *binder, const search_filter *filter,
                    search_bound_filter *bound) {
    size_t count = filter->value_count;
    bound->numbers = core_arena_array(binder->arena, count + 1, sizeof *bound->numbers);
    bound->texts = core_arena_array(binder->arena, count + 1, sizeof *bound->texts);
    if (bound->numbers == NULL || bound->texts == NULL)
        return binder_full(binder);
    for (size_t i = 0; i < count; i++) {
        double number;
        uint32_t text = search_column_text_find(bound->columns, bound->column, filter->values[i]);
        if (text != SEARCH_TEXT_NONE)
            bound->texts[bound->text_count++] = text;
        if (search_filter_number(filter->values[i], &number))
            bound->numbers[bound->number_count++] = number;
    }
    qsort(bound->numbers, bound->number_count, sizeof *bound->numbers, number_compare);
    qsort(bound->texts, bound->text_count, sizeof *bound->texts, text_compare);
    bound->kind = BOUND_IN;
    return true;
}

static bool end_bind(filter_binder *binder, core_slice value, bool is_open, bound_end *end,
                     bool *is_number) {
    end->is_there = true;
    end->is_open = is_open;
    *is_number = search_filter_number(value, &end->number) && *is_number;
    return text_fold(binder, value, &end->text);
}

static bool range_bind(filter_binder *binder, const search_filter *filter,
                       search_bound_filter *bound) {
    bound->kind = BOUND_RANGE;
    bound->has_numbers = true;
    core_slice first = filter->values[0];
    bool *is_number = &bound->has_numbers;
    switch (filter->kind) {
    case SEARCH_FILTER_GREATER:
    case SEARCH_FILTER_GREATER_EQUAL:
        return end_bind(binder, first, filter->kind == SEARCH_FILTER_GREATER, &bound->low,
                        is_number);
    case SEARCH_FILTER_LESS:
    case SEARCH_FILTER_LESS_EQUAL:
        return end_bind(binder, first, filter->kind == SEARCH_FILTER_LESS, &bound->high, is_number);
    default:
        return end_bind(binder, first, false, &bound->low, is_number) &&
               end_bind(binder, filter->values[1], false, &bound->high, is_number);
    }
}

/* A bound filter that is true of documents in that state. */
static bool state_bind(search_bound_filter *bound, unsigned state) {
    bound->kind = BOUND_STATE;
    bound->state = state;
    return true;
}

static bool text_bind(filter_binder *binder, const search_filter *filter,
                      search_bound_filter *bound) {
    bool is_contains = filter->kind == SEARCH_FILTER_CONTAINS;
    bound->kind = is_contains ? BOUND_CONTAINS : BOUND_STARTS;
    if (!text_fold(binder, filter->values[0], &bound->text))
        return false;
    return bound->text.length > 0 || is_contains || state_bind(bound, SEARCH_STATE_EXISTS);
}

static bool condition_bind(filter_binder *binder, const search_filter *filter,
                           search_bound_filter *bound) {
    switch (filter->kind) {
    case SEARCH_FILTER_EQUAL:
    case SEARCH_FILTER_NOT_EQUAL:
    case SEARCH_FILTER_IN:
        return in_bind(binder, filter, bound);
    case SEARCH_FILTER_GREATER:
    case SEARCH_FILTER_GREATER_EQUAL:
    case SEARCH_FILTER_LESS:
    case SEARCH_FILTER_LESS_EQUAL:
    case SEARCH_FILTER_BETWEEN:
        return range_bind(binder, filter, bound);
    case SEARCH_FILTER_EXISTS:
        return state_bind(bound, SEARCH_STATE_EXISTS);
    case SEARCH_FILTER_NULL:
        return state_bind(bound, SEARCH_STATE_NULL);
    case SEARCH_FILTER_EMPTY:
        return state_bind(bound, SEARCH_STATE_EMPTY);
    default:
        return text_bind(binder, filter, bound);
    }
}

/* ---- Binding ---- */
static search_bound_filter *filter_bind(filter_binder *binder, const search_filter *filter);

static bool geo_bind(const search_filter *filter, search_bound_filter *bound) {
    bound->kind = filter->kind == SEARCH_FILTER_GEO_RADIUS ? BOUND_RADIUS
                  : filter->kind == SEARCH_FILTER_GEO_BOX  ? BOUND_BOX
                                                           : BOUND_POLYGON;
    bound->geo = filter->numbers;
    bound->geo_count = filter->number_count;
    return true;
}

static bool children_bind(filter_binder *binder, const search_filter *filter,
                          search_bound_filter *bound) {
    bound->kind = filter->kind == SEARCH_FILTER_AND  ? BOUND_AND
                  : filter->kind == SEARCH_FILTER_OR ? BOUND_OR
                                                     : BOUND_NOT;
    search_bound_filter **end = &bound->child;
    for (const search_filter *child = filter->child; child != NULL; child = child->next) {
        *end = filter_bind(binder, child);
        if (*end == NULL)
            return false;
        end = &(*end)->next;
    }
    return true;
}

static bool leaf_bind(filter_binder *binder, const search_filter *filter,
                      search_bound_filter *bound) {
    if (!search_schema_is_filterable(binder->schema, filter->attribute))
        return attribute_refuse(binder, filter);
    if (filter->number_count > 0)
        return geo_bind(filter, bound);
    bound->column = search_columns_find(binder->columns, filter->attribute);
    bound->kind = BOUND_NOTHING;
    return bound->column == SEARCH_COLUMN_NONE || condition_bind(binder, filter, bound);
}

static search_bound_filter *bound_new(filter_binder *binder) {
    search_bound_filter *bound = core_arena_alloc(binder->arena, sizeof *bound);
    if (bound == NULL)
        (void)binder_full(binder);
    else
        bound->columns = binder->columns;
    return bound;
}

static search_bound_filter *filter_bind(filter_binder *binder, const search_filter *filter) {
    search_bound_filter *bound = bound_new(binder);
    bool is_leaf = filter->kind > SEARCH_FILTER_NOT;
    if (bound == NULL ||
        !(is_leaf ? leaf_bind(binder, filter, bound) : children_bind(binder, filter, bound)))
        return NULL;
    if (filter->kind != SEARCH_FILTER_NOT_EQUAL)
        return bound;
    search_bound_filter *negation = bound_new(binder);
    if (negation == NULL)
        return NULL;
    negation->kind = BOUND_NOT;
    negation->child = bound;
    return negation;
}

bool search_filter_bind(core_arena *arena, const search_filter *filter, const search_schema *schema,
                        const search_columns *columns, const search_bound_filter **bound,
                        core_error *error) {
    filter_binder binder = {.arena = arena, .schema = schema, .columns = columns, .error = error};
    *bound = filter != NULL ? filter_bind(&binder, filter) : NULL;
    return filter == NULL || *bound != NULL;
}

/* ---- Asking ---- */
static bool in_passes(const search_bound_filter *bound, search_value value) {
    if (search_value_is_number(value)) {
        double number = search_value_number(value);
        return bsearch(&number, bound->numbers, bound->number_count, sizeof number,
                       number_compare) != NULL;
    }
    uint32_t text = search_value_text(value);
    return bsearch(&text, bound->texts, bound->text_count, sizeof text, text_compare) != NULL;
}

/* Whether what compares as `order` with the end is on its right side. */
static bool end_passes(const bound_end *end, int order) {
    return !end->is_there || order > 0 || (order == 0 && !end->is_open);
}

static bool range_passes(const search_bound_filter *bound, search_value value) {
    if (search_value_is_number(value)) {
        double number = search_value_number(value);
        return bound->has_numbers &&
               end_passes(&bound->low, number_compare(&number, &bound->low.number)) &&
               end_passes(&bound->high, number_compare(&bound->high.number, &number));
    }
    core_slice text = search_column_text(bound->columns, bound->column, search_value_text(value));
    return end_passes(&bound->low, core_slice_compare(text, bound->low.text)) &&
           end_passes(&bound->high, core_slice_compare(bound->high.text, text));
}

static bool text_passes(const search_bound_filter *bound, search_value value) {
    if (search_value_is_number(value))
        return false;
    core_slice text = search_column_text(bound->columns, bound->column, search_value_text(value));
    if (bound->kind == BOUND_STARTS)
        return core_slice_begins(text, bound->text);
    return bound->text.length == 0 ||
           (text.length >= bound->text.length &&
            memmem(text.data, text.length, bound->text.data, bound->text.length) != NULL);
}

static bool any_passes(const search_bound_filter *bound, search_docid docid) {
    search_values values = search_column_values(bound->columns, bound->column, docid);
    for (uint32_t i = 0; i < values.count; i++) {
        bool passes = bound->kind == BOUND_IN      ? in_passes(bound, values.values[i])
                      : bound->kind == BOUND_RANGE ? range_passes(bound, values.values[i])
                                                   : text_passes(bound, values.values[i]);
        if (passes)
            return true;
    }
    return false;
}

/* ---- Places ---- */
/* Top right, bottom left; a right edge west of the left one goes around the date line. */
static bool box_passes(const double *box, double latitude, double longitude) {
    if (latitude > box[0] || latitude < box[2])
        return false;
    if (box[1] < box[3])
        return longitude >= box[3] || longitude <= box[1];
    return longitude >= box[3] && longitude <= box[1];
}

/* On how many edges a line to the east is crossed, as on a plane. */
static bool polygon_passes(const double *points, size_t count, double latitude, double longitude) {
    bool is_inside = false;
    for (size_t i = 0, before = count - 2; i < count; before = i, i += 2) {
        double low = points[i];
        double high = points[before];
        if ((low > latitude) == (high > latitude))
            continue;
        double along = (latitude - low) / (high - low);
        if (longitude < points[i + 1] + along * (points[before + 1] - points[i + 1]))
            is_inside = !is_inside;
    }
    return is_inside;
}

static bool geo_passes(const search_bound_filter *bound, search_docid docid) {
    double latitude;
    double longitude;
    const double *geo = bound->geo;
    if (!search_columns_geo(bound->columns, docid, &latitude, &longitude))
        return false;
    if (bound->kind == BOUND_RADIUS)
        return search_geo_metres(geo[0], geo[1], latitude, longitude) <= geo[2];
    if (bound->kind == BOUND_BOX)
        return box_passes(geo, latitude, longitude);
    return polygon_passes(geo, bound->geo_count, latitude, longitude);
}

static bool all_pass(const search_bound_filter *child, search_docid docid) {
    while (child != NULL && search_filter_passes(child, docid))
        child = child->next;
    return child == NULL;
}

static bool one_passes(const search_bound_filter *child, search_docid docid) {
    while (child != NULL && !search_filter_passes(child, docid))
        child = child->next;
    return child != NULL;
}

bool search_filter_passes(const search_bound_filter *bound, search_docid docid) {
    if (bound == NULL)
        return true;
    switch (bound->kind) {
    case BOUND_AND:
        return all_pass(bound->child, docid);
    case BOUND_OR:
        return one_passes(bound->child, docid);
    case BOUND_NOT:
        return !search_filter_passes(bound->child, docid);
    case BOUND_NOTHING:
        return false;
    case BOUND_STATE:
        return (search_column_state(bound->columns, bound->column, docid) & bound->state) != 0;
    case BOUND_RADIUS:
    case BOUND_BOX:
    case BOUND_POLYGON:
        return geo_passes(bound, docid);
    default:
        return any_passes(bound, docid);
    }
}
