/* Columns: values as filters see them, changes that leave nothing behind, and the memory's bound.
 */
#include "search-index/columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const search_attribute attributes[] = {
    {.name = {(const uint8_t *)"price", 5}, .is_sortable = true},
    {.name = {(const uint8_t *)"tags", 4}, .is_filterable = true},
    {.name = {(const uint8_t *)"meta", 4}, .is_filterable = true},
    {.name = {(const uint8_t *)"_geo", 4}, .is_filterable = true},
    {.name = {(const uint8_t *)"x_*", 3}, .is_filterable = true},
};

static search_schema *schema_make(void) {
    search_schema_spec spec = search_schema_defaults();
    spec.attributes = attributes;
    spec.attribute_count = CORE_COUNT_OF(attributes);
    search_schema *schema = search_schema_new(&spec, NULL);
    assert_non_null(schema);
    return schema;
}

static search_columns *columns_make(size_t max_bytes) {
    search_schema *schema = schema_make();
    search_columns *columns = search_columns_new(schema, max_bytes);
    assert_non_null(columns);
    search_schema_release(schema);
    return columns;
}

static bool put(search_columns *columns, search_docid docid, const char *json) {
    core_error error = {.code = CORE_ERROR_NONE};
    search_row *row = search_row_read(columns, core_slice_text(json), &error);
    if (row == NULL)
        fail_msg("%s", error.text);
    bool is_put = search_columns_put(columns, docid, row, &error);
    assert_true(is_put || error.code == CORE_ERROR_LIMIT);
    search_row_free(row);
    return is_put;
}

/* Every value and state of an attribute, as text. */
static void expect(const search_columns *columns, search_docid docid, const char *name,
                   const char *expected) {
    char text[512] = "";
    size_t length = 0;
    uint32_t column = search_columns_find(columns, core_slice_text(name));
    if (column == SEARCH_COLUMN_NONE) {
        assert_string_equal("none", expected);
        return;
    }
    unsigned state = search_column_state(columns, column, docid);
    search_values values = search_column_values(columns, column, docid);
    length += (size_t)snprintf(text, sizeof text, "%s%s%s", state & SEARCH_STATE_EXISTS ? "E" : "",
                               state & SEARCH_STATE_NULL ? "N" : "",
                               state & SEARCH_STATE_EMPTY ? "0" : "");
    for (uint32_t i = 0; i < values.count; i++) {
        search_value value = values.values[i];
        if (search_value_is_number(value))
            length += (size_t)snprintf(text + length, sizeof text - length, " %g",
                                       search_value_number(value));
        else
            length += (size_t)snprintf(
                text + length, sizeof text - length, " %.*s",
                CORE_SLICE_ARGS(search_column_text(columns, column, search_value_text(value))));
    }
    assert_string_equal(text, expected);
}

static void values_are_as_filters_see_them(void **state) {
    (void)state;
    search_columns *columns = columns_make(1 << 20);
    assert_true(
        put(columns, 1,
            "{\"id\":1,\"price\":9.5,\"tags\":[\"Red\",\"BLUE\",null,3,true],"
            "\"meta\":{\"a\":[{\"b\":1},{\"b\":\"Zwei\"}],\"c\":null,\"d\":[],\"e\":\"\"}}"));
    assert_true(put(columns, 2, "{\"price\":null,\"tags\":[],\"x_y\":\"Ärger \",\"other\":1}"));
    assert_true(put(columns, 3, "{\"price\":-0.0,\"tags\":\"\\u0041b\",\"meta\":1e400}"));
    expect(columns, 1, "price", "E 9.5");
    expect(columns, 1, "tags", "E red blue 3 true");
    expect(columns, 1, "meta", "E");
    expect(columns, 1, "meta.a", "E");
    expect(columns, 1, "meta.a.b", "E 1 zwei");
    expect(columns, 1, "meta.c", "EN");
    expect(columns, 1, "meta.d", "E0");
    expect(columns, 1, "meta.e", "E0");
    expect(columns, 1, "x_y", "");
    expect(columns, 2, "price", "EN");
    expect(columns, 2, "tags", "E0");
    expect(columns, 2, "x_y", "E ärger");
    expect(columns, 2, "other", "none");
    expect(columns, 3, "price", "E 0");
    expect(columns, 3, "tags", "E ab");
    expect(columns, 3, "meta", "E inf");
    expect(columns, 4, "tags", "");
    search_columns_free(columns);
}

static void texts_are_one_whatever_their_case(void **state) {
    (void)state;
    search_columns *columns = columns_make(1 << 20);
    assert_true(put(columns, 1, "{\"tags\":\"Über\"}"));
    assert_true(put(columns, 2, "{\"tags\":\"ÜBER\"}"));
    uint32_t column = search_columns_find(columns, core_slice_text("tags"));
    uint32_t text = search_column_text_find(columns, column, core_slice_text("üBER"));
    assert_int_not_equal(text, SEARCH_TEXT_NONE);
    assert_int_equal(search_column_text_end(columns, column), 1);
    assert_true(core_slice_is(search_column_text_shown(columns, column, text), "Über"));
    assert_true(core_slice_is(search_column_text(columns, column, text), "über"));
    search_columns_remove(columns, 1);
    assert_int_equal(search_column_text_find(columns, column, core_slice_text("über")), text);
    search_columns_remove(columns, 2);
    assert_int_equal(search_column_text_find(columns, column, core_slice_text("über")),
                     SEARCH_TEXT_NONE);
    assert_int_equal(search_columns_documents(columns), 0);
    search_columns_free(columns);
}

static void places_are_kept(void **state) {
    (void)state;
    search_columns *columns = columns_make(1 << 20);
    double latitude, longitude;
    assert_true(put(columns, 5, "{\"_geo\":{\"lat\":48.137154,\"lng\":\"11.576124\"}}"));
    assert_true(put(columns, 6, "{\"_geo\":{\"lat\":91,\"lng\":0}}"));
    assert_true(put(columns, 7, "{\"_geo\":{\"lat\":\"north\",\"lng\":0}}"));
    assert_true(search_columns_geo(columns, 5, &latitude, &longitude));
    assert_true(latitude > 48.1371539 && latitude < 48.1371541);
    assert_true(longitude > 11.5761239 && longitude < 11.5761241);
    assert_false(search_columns_geo(columns, 6, &latitude, &longitude));
    assert_false(search_columns_geo(columns, 7, &latitude, &longitude));
    search_columns_remove(columns, 5);
    assert_false(search_columns_geo(columns, 5, &latitude, &longitude));
    search_columns_free(columns);
}

static void no_object_is_refused(void **state) {
    (void)state;
    search_columns *columns = columns_make(1 << 20);
    static const char *const texts[] = {"", "[]", "1", "{", "{\"a\":}", "{} {}", "{\"a\":1,}"};
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        core_error error = {.code = CORE_ERROR_NONE};
        assert_null(search_row_read(columns, core_slice_text(texts[i]), &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
    search_columns_free(columns);
}

/* Random puts and removes against a plain table of what each document should have. */
static void a_long_life_leaves_nothing_behind(void **state) {
    (void)state;
    enum { DOCUMENTS = 300, ROUNDS = 60000 };
    static char tables[DOCUMENTS + 1][64];
    search_columns *columns = columns_make(8 << 20);
    size_t highest = 0;
    uint32_t random = 12345;
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 1664525 + 1013904223;
        search_docid docid = 1 + (random >> 8) % DOCUMENTS;
        unsigned kind = random >> 20 & 3, figure = random >> 22 & 511;
        char json[128];
        if (kind == 0)
            (void)snprintf(json, sizeof json, "{\"price\":%u}", figure);
        else if (kind == 1)
            (void)snprintf(json, sizeof json, "{\"tags\":\"t%u\"}", figure);
        else
            (void)snprintf(json, sizeof json, "{\"tags\":[\"t%u\",\"T%u\",%u]}", figure, figure / 2,
                           figure);
        if (kind == 3) {
            search_columns_remove(columns, docid);
            tables[docid][0] = '\0';
        } else {
            assert_true(put(columns, docid, json));
            if (kind == 0)
                tables[docid][0] = '\0';
            else if (kind == 1)
                (void)snprintf(tables[docid], sizeof tables[docid], "E t%u", figure);
            else
                (void)snprintf(tables[docid], sizeof tables[docid], "E t%u t%u %u", figure,
                               figure / 2, figure);
        }
        if (round == ROUNDS / 2)
            highest = search_columns_bytes(columns);
    }
    for (search_docid docid = 1; docid <= DOCUMENTS; docid++)
        expect(columns, docid, "tags", tables[docid]);
    assert_true(search_columns_bytes(columns) < highest + highest / 2);
    for (search_docid docid = 1; docid <= DOCUMENTS; docid++)
        search_columns_remove(columns, docid);
    uint32_t column = search_columns_find(columns, core_slice_text("tags"));
    for (uint32_t text = 0; text < search_column_text_end(columns, column); text++)
        assert_null(search_column_text(columns, column, text).data);
    search_columns_free(columns);
}

static void beyond_the_maximum_a_document_has_no_values(void **state) {
    (void)state;
    search_columns *columns = columns_make(20000);
    search_docid docid = 1;
    char json[64];
    do
        (void)snprintf(json, sizeof json, "{\"tags\":[\"text %u\",1],\"price\":1}", docid);
    while (put(columns, docid, json) && ++docid < 5000);
    assert_in_range(docid, 50, 4000);
    assert_true(search_columns_bytes(columns) <= 20000);
    expect(columns, docid, "tags", "");
    expect(columns, docid - 1, "price", "E 1");
    search_columns_remove(columns, docid);
    search_columns_free(columns);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_as_filters_see_them),
        cmocka_unit_test(texts_are_one_whatever_their_case),
        cmocka_unit_test(places_are_kept),
        cmocka_unit_test(no_object_is_refused),
        cmocka_unit_test(a_long_life_leaves_nothing_behind),
        cmocka_unit_test(beyond_the_maximum_a_document_has_no_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
