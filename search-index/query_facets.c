/* Facets: how many of the matches have each value of an attribute, by counting ids. */
#include "search-index/query.h"

#include <stdlib.h>

#define NUMBER_TEXT_MAX 32
#define NUMBERS_MAX     ((size_t)4 << 20) /* of one facet: 32 MiB; what is beyond is not counted */

typedef struct {
    search_run *run;
    search_hits *hits;
    uint32_t column;
    uint32_t *counts; /* by text */
    uint32_t text_end;
    double *numbers; /* as they come; sorted at the end */
    size_t number_count;
    size_t number_capacity;
    bool is_over; /* there were more numbers than are counted */
    bool is_failed;
} facet_count;

static void number_add(facet_count *facet, double number) {
    if (facet->number_count == NUMBERS_MAX) {
        facet->is_over = true;
        return;
    }
    if (facet->number_count == facet->number_capacity) {
        size_t capacity = facet->number_capacity > 0 ? 2 * facet->number_capacity : 1024;
        double *grown = realloc(facet->numbers, capacity * sizeof *grown);
        if (grown == NULL) {
            facet->is_failed = true;
            return;
        }
        facet->numbers = grown;
        facet->number_capacity = capacity;
    }
    facet->numbers[facet->number_count++] = number;
}

static void document_count(facet_count *facet, search_docid docid) {
    search_values values = search_column_values(facet->run->shared->columns, facet->column, docid);
    for (uint32_t i = 0; i < values.count; i++) {
        if (search_value_is_number(values.values[i]))
            number_add(facet, search_value_number(values.values[i]));
        else
            facet->counts[search_value_text(values.values[i])]++;
    }
}

static void matches_count(facet_count *facet) {
    const search_run *run = facet->run;
    for (uint32_t word = 0; word <= (run->end - 1) / 64 && !facet->is_failed; word++)
        for (uint64_t bits = run->seen[word]; bits != 0; bits &= bits - 1)
            document_count(facet, word * 64 + (uint32_t)__builtin_ctzll(bits));
}

static int number_compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* As JavaScript writes it: shortest that reads back the same. */
static core_slice number_text(core_arena *arena, double number) {
    char text[NUMBER_TEXT_MAX];
    int digits = 15;
    int length;
    do
        length = snprintf(text, sizeof text, "%.*g", digits, number);
    while (strtod(text, NULL) != number && ++digits <= 17);
    return core_arena_copy(arena, core_slice_make(text, (size_t)length));
}

static int by_value(const void *left, const void *right) {
    const search_facet_value *a = left, *b = right;
    return core_slice_compare(a->shown, b->shown);
}

static int by_count(const void *left, const void *right) {
    const search_facet_value *a = left, *b = right;
    return a->count != b->count ? (a->count < b->count ? 1 : -1)
                                : core_slice_compare(a->shown, b->shown);
}

static void values_gather(facet_count *facet, search_facet_value *values, uint32_t *count) {
    const search_columns *columns = facet->run->shared->columns;
    for (size_t i = 0; i < facet->number_count;) {
        size_t first = i;
        while (i < facet->number_count && facet->numbers[i] == facet->numbers[first])
            i++;
        core_slice text = number_text(&facet->hits->arena, facet->numbers[first]);
        facet->is_failed = facet->is_failed || text.data == NULL;
        values[(*count)++] = (search_facet_value){.shown = text, .count = i - first};
    }
    for (uint32_t text = 0; text < facet->text_end; text++)
        if (facet->counts[text] > 0)
            values[(*count)++] = (search_facet_value){
                .shown = search_column_text_shown(columns, facet->column, text),
                .count = facet->counts[text]};
}

static uint32_t values_bound(const facet_count *facet) {
    uint32_t count = 0;
    for (uint32_t text = 0; text < facet->text_end; text++)
        count += facet->counts[text] > 0;
    for (size_t i = 0; i < facet->number_count; i++)
        count += i == 0 || facet->numbers[i] != facet->numbers[i - 1];
    return count;
}

/* The answer has copies, for at most the schema's maximum of values. */
static bool facet_close(facet_count *facet, search_facet *out) {
    const search_schema_spec *schema = facet->run->schema;
    if (facet->number_count > 0)
        qsort(facet->numbers, facet->number_count, sizeof *facet->numbers, number_compare);
    uint32_t count = 0, bound = values_bound(facet), max = schema->max_facet_values;
    search_facet_value *values = calloc(bound + 1, sizeof *values);
    if (values == NULL)
        return false;
    values_gather(facet, values, &count);
    qsort(values, count, sizeof *values, count > max ? by_count : by_value);
    out->is_cut = count > max;
    out->value_count = count < max ? count : max;
    if (out->is_cut)
        qsort(values, out->value_count, sizeof *values, by_value);
    search_facet_value *kept =
        core_arena_array(&facet->hits->arena, out->value_count + 1, sizeof *kept);
    bool done = kept != NULL && !facet->is_failed;
    for (uint32_t i = 0; done && i < out->value_count; i++) {
        kept[i].count = values[i].count;
        kept[i].shown = core_arena_copy(&facet->hits->arena, values[i].shown);
        done = kept[i].shown.data != NULL;
    }
    out->values = kept;
    out->has_numbers = facet->number_count > 0;
    if (out->has_numbers) {
        out->number_min = facet->numbers[0];
        out->number_max = facet->numbers[facet->number_count - 1];
    }
    free(values);
    return done;
}

static bool facet_make(search_run *run, search_hits *hits, core_slice name, search_facet *out) {
    const search_columns *columns = run->shared->columns;
    facet_count facet = {.run = run, .hits = hits, .column = search_columns_find(columns, name)};
    *out = (search_facet){.attribute = core_arena_copy(&hits->arena, name)};
    if (out->attribute.data == NULL)
        return false;
    if (facet.column == SEARCH_COLUMN_NONE)
        return true;
    facet.text_end = search_column_text_end(columns, facet.column);
    facet.counts = calloc((size_t)facet.text_end + 1, sizeof *facet.counts);
    bool done = facet.counts != NULL;
    if (done) {
        matches_count(&facet);
        done = !facet.is_failed && facet_close(&facet, out);
        hits->is_facets_exact = hits->is_facets_exact && !facet.is_over;
    }
    free(facet.counts);
    free(facet.numbers);
    return done;
}

/* `*`: every column that is filterable. */
static uint32_t names_of(const search_run *run, core_slice *names, uint32_t max) {
    const search_names *asked = &run->request->facets;
    uint32_t count = 0;
    bool is_all = search_names_have(asked, core_slice_text("*"));
    for (uint32_t i = 0; !is_all && i < asked->count && count < max; i++)
        names[count++] = asked->names[i];
    for (uint32_t i = 0; is_all && i < search_columns_count(run->shared->columns) && count < max;
         i++) {
        core_slice name = search_column_name(run->shared->columns, i);
        if (search_schema_is_filterable(run->reader->store->schema, name))
            names[count++] = name;
    }
    return count;
}

bool search_facets_count(search_run *run, search_hits *hits) {
    core_slice *names = core_arena_array(&run->arena, SEARCH_ATTRIBUTES_MAX, sizeof *names);
    if (names == NULL)
        return false;
    uint32_t count = names_of(run, names, SEARCH_ATTRIBUTES_MAX);
    search_facet *facets = core_arena_array(&hits->arena, count + 1, sizeof *facets);
    bool done = facets != NULL;
    hits->is_facets_exact = !run->is_cut;
    for (uint32_t i = 0; done && i < count; i++)
        done = facet_make(run, hits, names[i], &facets[i]);
    hits->facets = facets;
    hits->facet_count = count;
    return done;
}
