/* Filters asked of documents: which of a small set each expression leaves, and every operator held
 * against a plain reading of thousands of random documents. */
#include "search-index/filter.h"
#include "search-index/geo.h"

#include "random_words.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ATTRIBUTE(text)                                                                            \
    { .name = {(const uint8_t *)(text), sizeof(text) - 1}, .is_filterable = true }

static const search_attribute attributes[] = {
    ATTRIBUTE("genre"),
    ATTRIBUTE("year"),
    ATTRIBUTE("tags"),
    ATTRIBUTE("meta"),
    ATTRIBUTE("note"),
    ATTRIBUTE("_geo"),
    {.name = {(const uint8_t *)"title", 5}, .weight = 1},
};

static const char *const documents[] = {
    /* 1 */ "{\"genre\":\"Horror\",\"year\":1979,\"tags\":[\"space\",\"Ship\",7],\"note\":null,"
            "\"_geo\":{\"lat\":48.8566,\"lng\":2.3522}}",
    /* 2 */
    "{\"genre\":\"Comedy\",\"year\":\"1990\",\"tags\":[],\"note\":\"\","
    "\"_geo\":{\"lat\":51.5074,\"lng\":-0.1278}}",
    /* 3 */
    "{\"genre\":[\"Horror\",\"Comedy\"],\"year\":2004.5,\"tags\":{},"
    "\"meta\":{\"lang\":\"fr\",\"size\":[1,2,3]}}",
    /* 4 */
    "{\"genre\":\"Documentary\",\"year\":-5,\"tags\":\"Über\",\"note\":true,"
    "\"_geo\":{\"lat\":-17.7,\"lng\":179.5}}",
    /* 5 */ "{\"title\":\"nothing else\"}",
};

typedef struct {
    search_schema *schema;
    search_columns *columns;
} filter_fixture;

static void fixture_init(filter_fixture *fixture) {
    search_schema_spec spec = search_schema_defaults();
    spec.attributes = attributes;
    spec.attribute_count = CORE_COUNT_OF(attributes);
    fixture->schema = search_schema_new(&spec, NULL);
    assert_non_null(fixture->schema);
    fixture->columns = search_columns_new(fixture->schema, (size_t)32 << 20);
    assert_non_null(fixture->columns);
}

static void fixture_fini(filter_fixture *fixture) {
    search_columns_free(fixture->columns);
    search_schema_release(fixture->schema);
}

static void fixture_put(filter_fixture *fixture, search_docid docid, const char *json) {
    core_error error = {.text = ""};
    search_row *row = search_row_read(fixture->columns, core_slice_text(json), &error);
    if (row == NULL || !search_columns_put(fixture->columns, docid, row, &error))
        fail_msg("%s: %s", json, error.text);
    search_row_free(row);
}

static bool bind(const filter_fixture *fixture, core_arena *arena, const char *text,
                 const search_bound_filter **bound, core_error *error) {
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    search_filter *filter;
    if (!search_filter_parse(arena, core_slice_text(text), &budget, &filter, error))
        fail_msg("%s: %s", text, error->text);
    return search_filter_bind(arena, filter, fixture->schema, fixture->columns, bound, error);
}

typedef struct {
    const char *text;
    const char *passes; /* documents' numbers */
} filter_case;

static const filter_case cases[] = {
    {"", "12345"},
    /* Texts, without regard to case; of an array any. */
    {"genre = horror", "13"},
    {"genre = HORROR", "13"},
    {"genre != horror", "245"},
    {"NOT genre = horror", "245"},
    {"genre = western", ""},
    {"genre != western", "12345"},
    {"tags = 'ÜBER'", "4"},
    {"tags = uber", ""},
    {"genre IN [horror, documentary]", "134"},
    {"genre NOT IN [horror, documentary]", "25"},
    {"genre IN []", ""},
    {"genre > comedy", "134"},
    {"genre >= comedy", "1234"},
    {"genre < horror", "234"},
    {"genre d TO i", "134"},
    {"genre CONTAINS 'OR'", "13"},
    {"genre CONTAINS ''", "1234"},
    {"genre NOT CONTAINS o", "5"},
    {"genre STARTS WITH com", "23"},
    {"genre STARTS WITH ''", "1234"},
    {"genre NOT STARTS WITH com", "145"},
    /* Numbers; a text that looks like one is a text still. */
    {"year = 1979", "1"},
    {"year = 1979.0", "1"},
    {"year = 1990", "2"},
    {"year = 1990.0", ""},
    {"year > 1979", "23"},
    {"year >= 1979", "123"},
    {"year < 0", "4"},
    {"year <= -5", "4"},
    {"year < -5", ""},
    {"year 1979 TO 2004.5", "123"},
    {"year 2004.5 TO 1979", ""},
    {"year -1e1 TO 1", "4"},
    {"year IN [1979, 2004.5]", "13"},
    {"year > abc", ""},
    {"year < abc", "2"},
    {"tags = 7", "1"},
    {"tags > 6", "14"}, /* Über is above the text 6 */
    {"tags 6 TO 8", "1"},
    {"meta.size = 2", "3"},
    {"meta.size > 3", ""},
    {"meta.lang = FR", "3"},
    {"note = true", "4"},
    {"note = TRUE", "4"},
    /* States. */
    {"note EXISTS", "124"},
    {"note NOT EXISTS", "35"},
    {"note IS NULL", "1"},
    {"note IS NOT NULL", "2345"},
    {"note IS EMPTY", "2"},
    {"tags IS EMPTY", "23"},
    {"tags IS NOT EMPTY", "145"},
    {"meta EXISTS", "3"},
    {"meta.nowhere EXISTS", ""},
    {"meta.nowhere NOT EXISTS", "12345"},
    {"meta.nowhere != x", "12345"},
    /* Joined. */
    {"genre = horror AND year > 2000", "3"},
    {"genre = horror OR year < 0", "134"},
    {"genre = horror AND (tags = space OR meta EXISTS)", "13"},
    {"NOT (genre = horror OR genre = comedy)", "45"},
    {"NOT genre = horror AND NOT note EXISTS", "5"},
    /* Places: Paris, London, and one beside the date line. */
    {"_geoRadius(48.85, 2.35, 1000)", "1"},
    {"_geoRadius(48.85, 2.35, 400000)", "12"},
    {"_geoRadius(48.85, 2.35, 0)", ""},
    {"NOT _geoRadius(48.85, 2.35, 400000)", "345"},
    {"_geoBoundingBox([52, 3], [48, -1])", "12"},
    {"_geoBoundingBox([49, 3], [48, -1])", "1"},
    {"_geoBoundingBox([0, -179], [-20, 179])", "4"}, /* over the date line */
    {"_geoBoundingBox([0, 179], [-20, -179])", ""},
    {"_geoPolygon([52, -1], [52, 3], [48, 3], [48, -1])", "12"},
    {"_geoPolygon([52, -1], [48, 3], [48, -1])", ""},
    {"_geoPolygon([50, 3], [48, 3], [49, 0])", "1"},
};

static void filters_leave_their_documents(void **state) {
    (void)state;
    filter_fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < CORE_COUNT_OF(documents); i++)
        fixture_put(&fixture, (search_docid)i + 1, documents[i]);
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        const search_bound_filter *bound;
        char passes[CORE_COUNT_OF(documents) + 1];
        size_t count = 0;
        core_error error = {.text = ""};
        core_arena arena;
        core_arena_init(&arena, 4096, 1 << 20);
        if (!bind(&fixture, &arena, cases[i].text, &bound, &error))
            fail_msg("%s: %s", cases[i].text, error.text);
        for (search_docid docid = 1; docid <= CORE_COUNT_OF(documents); docid++)
            if (search_filter_passes(bound, docid))
                passes[count++] = (char)('0' + docid);
        passes[count] = '\0';
        if (strcmp(passes, cases[i].passes) != 0)
            fail_msg("%s: passed %s, not %s", cases[i].text, passes, cases[i].passes);
        core_arena_fini(&arena);
    }
    fixture_fini(&fixture);
}

static void refused_is(const filter_fixture *fixture, const char *text, const char *message) {
    const search_bound_filter *bound;
    core_error error = {.text = ""};
    core_arena arena;
    core_arena_init(&arena, 4096, 1 << 20);
    assert_false(bind(fixture, &arena, text, &bound, &error));
    assert_string_equal(error.text, message);
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    core_arena_fini(&arena);
}

static void attributes_that_are_not_filterable_are_refused(void **state) {
    (void)state;
    filter_fixture fixture;
    fixture_init(&fixture);
    refused_is(&fixture, "title = x",
               "Attribute `title` is not filterable. Available filterable attribute patterns are: "
               "`_geo`, `genre`, `meta`, `note`, `tags`, `year`.\n1:6 title = x");
    refused_is(&fixture, "genre = a OR (\"dog go\" EXISTS)",
               "Attribute `dog go` is not filterable. Available filterable attribute patterns are: "
               "`_geo`, `genre`, `meta`, `note`, `tags`, `year`.\n16:22 genre = a OR (\"dog go\" "
               "EXISTS)");
    fixture_fini(&fixture);
    search_schema_spec spec = search_schema_defaults();
    fixture.schema = search_schema_new(&spec, NULL);
    fixture.columns = search_columns_new(fixture.schema, 1 << 20);
    refused_is(&fixture, "doggo=bernese",
               "Attribute `doggo` is not filterable. This index does not have configured "
               "filterable attributes.\n1:6 doggo=bernese");
    refused_is(&fixture, "_geoRadius(1, 2, 3)",
               "Attribute `_geo` is not filterable. This index does not have configured "
               "filterable attributes.\n1:20 _geoRadius(1, 2, 3)");
    fixture_fini(&fixture);
}

static void a_full_arena_is_an_error(void **state) {
    (void)state;
    filter_fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < CORE_COUNT_OF(documents); i++)
        fixture_put(&fixture, (search_docid)i + 1, documents[i]);
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    search_filter *filter;
    const search_bound_filter *bound;
    core_error error = {.code = CORE_ERROR_NONE};
    core_arena arena;
    core_arena small;
    core_arena_init(&arena, 4096, 1 << 20);
    core_arena_init(&small, 64, 256);
    assert_true(search_filter_parse(&arena, core_slice_text("year=1 AND year=2 AND genre > x"),
                                    &budget, &filter, &error));
    assert_false(
        search_filter_bind(&small, filter, fixture.schema, fixture.columns, &bound, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    core_arena_fini(&arena);
    core_arena_fini(&small);
    fixture_fini(&fixture);
}

/* ---- Against a plain reading ---- */
enum { RANDOM_DOCUMENTS = 3000, RANDOM_FILTERS = 400 };

/* A year, or none, and a genre of three letters. */
typedef struct {
    int year;
    bool has_year;
    char genre[4];
} plain_document;

static const char *const plain_letters[] = {"a", "b", "c"};

static void plain_make(plain_document *document, uint64_t *seed, char *json, size_t size) {
    document->has_year = random_below(seed, 5) > 0;
    document->year = (int)random_below(seed, 40) - 20;
    core_slice genre = random_word(seed, plain_letters, 3, 3, document->genre);
    document->genre[genre.length] = '\0';
    if (document->has_year)
        (void)snprintf(json, size, "{\"year\":%d,\"genre\":\"%s\"}", document->year,
                       document->genre);
    else
        (void)snprintf(json, size, "{\"genre\":\"%s\"}", document->genre);
}

static bool plain_order(const char *operation, int order) {
    if (strcmp(operation, "=") == 0)
        return order == 0;
    if (strcmp(operation, "!=") == 0)
        return order != 0;
    return operation[0] == '<' ? order < 0 || (order == 0 && operation[1] == '=')
                               : order > 0 || (order == 0 && operation[1] == '=');
}

typedef struct {
    const char *year_operation;
    int year;
    const char *genre_operation;
    char genre[4];
    bool is_or;
    bool is_not;
} plain_filter;

static void plain_filter_make(plain_filter *filter, uint64_t *seed, char *text, size_t size) {
    static const char *const operations[] = {"=", "!=", "<", "<=", ">", ">="};
    filter->year_operation = operations[random_below(seed, 6)];
    filter->year = (int)random_below(seed, 44) - 22;
    filter->genre_operation = operations[random_below(seed, 6)];
    core_slice genre =
        random_word(seed, plain_letters, 3, 1 + random_below(seed, 3), filter->genre);
    filter->genre[genre.length] = '\0';
    filter->is_or = random_below(seed, 2) == 1;
    filter->is_not = random_below(seed, 2) == 1;
    (void)snprintf(text, size, "%s(year %s %d %s genre %s %s)", filter->is_not ? "NOT " : "",
                   filter->year_operation, filter->year, filter->is_or ? "OR" : "AND",
                   filter->genre_operation, filter->genre);
}

static bool plain_passes(const plain_filter *filter, const plain_document *document) {
    int year_order = (document->year > filter->year) - (document->year < filter->year);
    bool year = document->has_year ? plain_order(filter->year_operation, year_order)
                                   : strcmp(filter->year_operation, "!=") == 0;
    bool genre = plain_order(filter->genre_operation, strcmp(document->genre, filter->genre));
    return (filter->is_or ? year || genre : year && genre) != filter->is_not;
}

static void random_filters_are_those_of_a_plain_reading(void **state) {
    (void)state;
    static plain_document plain[RANDOM_DOCUMENTS];
    uint64_t seed = 21;
    char text[128];
    filter_fixture fixture;
    fixture_init(&fixture);
    for (uint32_t i = 0; i < RANDOM_DOCUMENTS; i++) {
        plain_make(&plain[i], &seed, text, sizeof text);
        fixture_put(&fixture, i + 1, text);
    }
    size_t passed = 0;
    for (size_t i = 0; i < RANDOM_FILTERS; i++) {
        plain_filter filter;
        plain_filter_make(&filter, &seed, text, sizeof text);
        const search_bound_filter *bound;
        core_error error;
        core_arena arena;
        core_arena_init(&arena, 4096, 1 << 20);
        assert_true(bind(&fixture, &arena, text, &bound, &error));
        for (uint32_t at = 0; at < RANDOM_DOCUMENTS; at++) {
            bool passes = search_filter_passes(bound, at + 1);
            if (passes != plain_passes(&filter, &plain[at]))
                fail_msg("%s: document %u", text, at);
            passed += passes;
        }
        core_arena_fini(&arena);
    }
    assert_in_range(passed, RANDOM_FILTERS * RANDOM_DOCUMENTS / 5,
                    RANDOM_FILTERS * RANDOM_DOCUMENTS / 5 * 4);
    fixture_fini(&fixture);
}

static void distances_are_known_ones(void **state) {
    (void)state;
    assert_true(search_geo_metres(10, 20, 10, 20) == 0);
    /* Paris to London, a quarter of the equator, pole to pole. */
    assert_true(fabs(search_geo_metres(48.8566, 2.3522, 51.5074, -0.1278) - 343556) < 100);
    assert_true(fabs(search_geo_metres(0, 0, 0, 90) - 10007557) < 10);
    assert_true(fabs(search_geo_metres(90, 0, -90, 77) - 20015115) < 10);
    assert_true(fabs(search_geo_metres(0, 179.5, 0, -179.5) - 111195) < 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_leave_their_documents),
        cmocka_unit_test(attributes_that_are_not_filterable_are_refused),
        cmocka_unit_test(a_full_arena_is_an_error),
        cmocka_unit_test(random_filters_are_those_of_a_plain_reading),
        cmocka_unit_test(distances_are_known_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
