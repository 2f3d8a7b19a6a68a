/* Settings: what is merged and shown, what is refused and in which words, and the schema that they
 * make. */
#include "search-index/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    core_arena arena;
    core_buffer buffer;
    search_settings settings;
    search_refusal refusal;
} fixture;

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    core_arena_init(&it->arena, 4096, (size_t)16 << 20);
    core_buffer_init(&it->buffer, (size_t)1 << 20);
    *state = it;
    return 0;
}

static int teardown(void **state) {
    fixture *it = *state;
    core_buffer_fini(&it->buffer);
    core_arena_fini(&it->arena);
    free(it);
    return 0;
}

static bool patch(fixture *it, const char *json) {
    it->refusal = (search_refusal){.code = SEARCH_CODE_NONE};
    return search_settings_patch(&it->settings, core_slice_text(json), &it->arena, &it->refusal);
}

static void assert_patched(fixture *it, const char *json) {
    if (!patch(it, json))
        fail_msg("%s: %s", json, it->refusal.message);
}

static void assert_shown(fixture *it, bool all, const char *json) {
    core_json_writer writer = core_json_writer_make(&it->buffer);
    core_buffer_reset(&it->buffer);
    search_settings_write(&it->settings, all, &writer);
    if (!core_slice_is(core_buffer_slice(&it->buffer), json))
        fail_msg("\"%.*s\" instead of \"%s\"", CORE_SLICE_ARGS(core_buffer_slice(&it->buffer)),
                 json);
}

static void test_defaults_are_meilisearchs(void **state) {
    assert_shown(
        *state, true,
        "{\"displayedAttributes\":[\"*\"],\"searchableAttributes\":[\"*\"],"
        "\"filterableAttributes\":[],\"sortableAttributes\":[],\"rankingRules\":[\"words\","
        "\"typo\",\"proximity\",\"attributeRank\",\"sort\",\"wordPosition\",\"exactness\"],"
        "\"stopWords\":[],\"nonSeparatorTokens\":[],\"separatorTokens\":[],\"dictionary\":[],"
        "\"synonyms\":{},\"distinctAttribute\":null,\"proximityPrecision\":\"byWord\","
        "\"typoTolerance\":{\"enabled\":true,\"minWordSizeForTypos\":{\"oneTypo\":5,"
        "\"twoTypos\":9},\"disableOnWords\":[],\"disableOnAttributes\":[],"
        "\"disableOnNumbers\":false},\"faceting\":{\"maxValuesPerFacet\":100,"
        "\"sortFacetValuesBy\":{\"*\":\"alpha\"}},\"pagination\":{\"maxTotalHits\":1000},"
        "\"embedders\":{},\"searchCutoffMs\":null,\"localizedAttributes\":null,"
        "\"facetSearch\":true,\"prefixSearch\":\"indexingTime\"}");
}

static void test_a_patch_changes_what_it_names(void **state) {
    fixture *it = *state;
    assert_patched(it, "{\"typoTolerance\":{\"minWordSizeForTypos\":{\"oneTypo\":3},"
                       "\"disableOnWords\":[\"b\",\"a\",\"b\"]},\"stopWords\":[\"the\",\"a\"]}");
    assert_patched(it, "{\"typoTolerance\":{\"enabled\":false}}");
    assert_shown(it, false,
                 "{\"stopWords\":[\"a\",\"the\"],\"typoTolerance\":{\"enabled\":false,"
                 "\"minWordSizeForTypos\":{\"oneTypo\":3},\"disableOnWords\":[\"a\",\"b\"]}}");
    assert_patched(it, "{\"typoTolerance\":{\"minWordSizeForTypos\":null},\"stopWords\":null}");
    assert_shown(it, false,
                 "{\"typoTolerance\":{\"enabled\":false,\"disableOnWords\":[\"a\",\"b\"]}}");
    assert_patched(it, "{\"typoTolerance\":null}");
    assert_shown(it, false, "{}");
}

static void test_what_is_shown_is_a_patch_again(void **state) {
    fixture *it = *state;
    static const char text[] =
        "{\"displayedAttributes\":[\"id\",\"t\\u00e9xt\"],\"filterableAttributes\":[\"genre\","
        "{\"attributePatterns\":[\"meta_*\"],\"features\":{\"facetSearch\":true}}],"
        "\"rankingRules\":[\"words\",\"year:desc\"],\"synonyms\":{\"tv\":[\"telly\"]},"
        "\"distinctAttribute\":\"sku\",\"faceting\":{\"sortFacetValuesBy\":{\"*\":\"count\"}},"
        "\"pagination\":{\"maxTotalHits\":50},\"searchCutoffMs\":20,\"facetSearch\":false,"
        "\"prefixSearch\":\"disabled\"}";
    assert_patched(it, text);
    assert_shown(it, false, text);
}

static void test_one_setting_is_merged_by_itself(void **state) {
    fixture *it = *state;
    search_setting setting = search_setting_find(core_slice_text("ranking-rules"));
    assert_int_equal(setting, SEARCH_SETTING_RANKING);
    assert_false(search_setting_is_group(setting));
    assert_true(search_setting_is_group(search_setting_find(core_slice_text("typo-tolerance"))));
    assert_int_equal(search_setting_find(core_slice_text("oneTypo")), SEARCH_SETTING_NONE);
    assert_true(search_settings_patch_one(&it->settings, setting, core_slice_text("[\"words\"]"),
                                          &it->arena, &it->refusal));
    assert_shown(it, false, "{\"rankingRules\":[\"words\"]}");
    assert_false(search_settings_patch_one(&it->settings, setting, core_slice_text("\"doggo\""),
                                           &it->arena, &it->refusal));
    assert_string_equal(it->refusal.message,
                        "Invalid value type: expected an array, but found a string: `\"doggo\"`");
    assert_int_equal(it->refusal.code, SEARCH_CODE_INVALID_SETTINGS_RANKING_RULES);
}

static void test_what_is_wrong_is_refused_in_meilisearchs_words(void **state) {
    static const struct {
        const char *patch;
        search_code code;
        const char *message; /* its beginning */
    } rows[] = {
        {"{\"displayedAttributes\":\"doggo\"}", SEARCH_CODE_INVALID_SETTINGS_DISPLAYED_ATTRIBUTES,
         "Invalid value type at `.displayedAttributes`: expected an array, but found a string: "
         "`\"doggo\"`"},
        {"{\"distinctAttribute\":[\"doggo\"]}", SEARCH_CODE_INVALID_SETTINGS_DISTINCT_ATTRIBUTE,
         "Invalid value type at `.distinctAttribute`: expected a string, but found an array: "
         "`[\"doggo\"]`"},
        {"{\"typoTolerance\":{\"minWordSizeForTypos\":\"doggo\"}}",
         SEARCH_CODE_INVALID_SETTINGS_TYPO_TOLERANCE,
         "Invalid value type at `.typoTolerance.minWordSizeForTypos`: expected an object, but "
         "found a string: `\"doggo\"`"},
        {"{\"typoTolerance\":{\"minWordSizeForTypos\":{\"oneTypo\":10}}}",
         SEARCH_CODE_INVALID_SETTINGS_TYPO_TOLERANCE,
         "`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields should be "
         "between `0` and `255`, and `twoTypos` should be greater or equals to `oneTypo` but found "
         "`oneTypo: 10` and twoTypos: 9`."},
        {"{\"stopWords\":[\"a\",3]}", SEARCH_CODE_INVALID_SETTINGS_STOP_WORDS,
         "Invalid value type at `.stopWords[1]`: expected a string, but found a positive integer: "
         "`3`"},
        {"{\"pagination\":{\"maxTotalHits\":-1}}", SEARCH_CODE_INVALID_SETTINGS_PAGINATION,
         "Invalid value type at `.pagination.maxTotalHits`: expected a positive integer, but found "
         "a negative integer: `-1`"},
        {"{\"pagination\":{\"maxTotalHits\":0}}", SEARCH_CODE_INVALID_SETTINGS_PAGINATION,
         "Invalid value at `.pagination.maxTotalHits`: a non-zero integer value lower than "},
        {"{\"rankingRules\":[\"words\",\"doggo\"]}", SEARCH_CODE_INVALID_SETTINGS_RANKING_RULES,
         "Invalid value at `.rankingRules[1]`: `doggo` ranking rule is invalid."},
        {"{\"rankingRules\":[\"attribute\",\"wordPosition\"]}",
         SEARCH_CODE_INVALID_SETTINGS_RANKING_RULES, "Mixed usage of the attribute"},
        {"{\"prefixSearch\":\"always\"}", SEARCH_CODE_INVALID_SETTINGS_PREFIX_SEARCH,
         "Unknown value `always` at `.prefixSearch`: expected one of `indexingTime`, `disabled`"},
        {"{\"embedders\":{\"default\":{\"source\":\"openAi\"}}}",
         SEARCH_CODE_INVALID_SETTINGS_EMBEDDERS, "Invalid value at `.embedders.default`: "},
        {"{\"synonyms\":{\"a\":\"b\"}}", SEARCH_CODE_INVALID_SETTINGS_SYNONYMS,
         "Invalid value type at `.synonyms.a`: expected an array"},
        {"{\"doggo\":1}", SEARCH_CODE_BAD_REQUEST,
         "Unknown field `doggo`: expected one of `displayedAttributes`, `searchableAttributes`"},
        {"[1]", SEARCH_CODE_BAD_REQUEST,
         "Invalid value type: expected an object, but found an array: `[1]`"},
        {"{\"stopWords\":[\"a\"", SEARCH_CODE_MALFORMED_PAYLOAD, "The json payload"},
        {"", SEARCH_CODE_MALFORMED_PAYLOAD, "The json payload"},
        {"{} {}", SEARCH_CODE_MALFORMED_PAYLOAD, "The json payload"},
        {"{\"stopWords\":[\"\xff\"]}", SEARCH_CODE_MALFORMED_PAYLOAD, "The json payload"},
    };
    fixture *it = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        it->settings = (search_settings){0};
        if (patch(it, rows[i].patch))
            fail_msg("taken: %s", rows[i].patch);
        if (it->refusal.code != rows[i].code ||
            strncmp(it->refusal.message, rows[i].message, strlen(rows[i].message)) != 0)
            fail_msg("%s: %s %s", rows[i].patch, search_code_look(it->refusal.code)->name,
                     it->refusal.message);
    }
}

/* ---- The schema ---- */

static search_schema *schema_of(fixture *it, const char *json) {
    it->settings = (search_settings){0};
    assert_patched(it, json);
    search_schema *schema =
        search_settings_schema(&it->settings, core_slice_text("id"), &it->refusal);
    if (schema == NULL)
        fail_msg("%s", it->refusal.message);
    return schema;
}

static double weight_of(const search_schema *schema, const char *name) {
    const search_attribute *found = search_schema_find(schema, core_slice_text(name));
    return found != NULL ? found->weight : 0;
}

static void test_attributes_are_found_whatever_list_names_them(void **state) {
    search_schema *schema =
        schema_of(*state, "{\"searchableAttributes\":[\"title\",\"meta\"],"
                          "\"filterableAttributes\":[\"meta.tags\",\"*_id\"],"
                          "\"sortableAttributes\":[\"year\"],\"displayedAttributes\":[\"title\"]}");
    assert_true(weight_of(schema, "title") > weight_of(schema, "meta.x"));
    assert_true(weight_of(schema, "meta.x") == weight_of(schema, "meta.tags"));
    assert_true(weight_of(schema, "meta.tags") > 0);
    assert_true(weight_of(schema, "year") == 0);
    assert_true(search_schema_is_filterable(schema, core_slice_text("meta.tags")));
    assert_false(search_schema_is_filterable(schema, core_slice_text("meta.x")));
    assert_true(search_schema_is_filterable(schema, core_slice_text("user_id")));
    assert_true(search_schema_is_sortable(schema, core_slice_text("year")));
    assert_false(search_schema_is_sortable(schema, core_slice_text("title")));
    assert_true(search_schema_is_displayed(schema, core_slice_text("title")));
    assert_false(search_schema_is_displayed(schema, core_slice_text("year")));
    search_schema_release(schema);
}

static void test_all_is_searched_and_shown_by_default(void **state) {
    search_schema *schema = schema_of(*state, "{\"filterableAttributes\":[\"genre\"]}");
    assert_true(weight_of(schema, "whatever") == weight_of(schema, "genre"));
    assert_true(weight_of(schema, "genre") > 0);
    assert_true(search_schema_is_displayed(schema, core_slice_text("whatever")));
    assert_true(search_schema_is_filterable(schema, core_slice_text("genre")));
    assert_false(search_schema_is_filterable(schema, core_slice_text("other")));
    search_schema_release(schema);
}

static void test_the_rest_of_the_schema(void **state) {
    search_schema *schema = schema_of(
        *state,
        "{\"rankingRules\":[\"sort\",\"attributeRank\",\"a.b:desc\"],\"stopWords\":[\"the\"]"
        ",\"separatorTokens\":[\"|\",\"&sep\",\"\\u00b7\"],\"synonyms\":{\"a\":[\"b\","
        "\"c d\"]},\"distinctAttribute\":\"sku\",\"prefixSearch\":\"disabled\","
        "\"localizedAttributes\":[{\"attributePatterns\":[\"*\"],\"locales\":[\"deu\"]}],"
        "\"typoTolerance\":{\"disableOnNumbers\":true},\"searchCutoffMs\":7}");
    const search_schema_spec *spec = search_schema_get(schema);
    assert_int_equal(spec->ranking_rule_count, 3);
    assert_int_equal(spec->ranking_rules[0].kind, SEARCH_RULE_SORT);
    assert_int_equal(spec->ranking_rules[1].kind, SEARCH_RULE_ATTRIBUTE);
    assert_int_equal(spec->ranking_rules[2].kind, SEARCH_RULE_DESCENDING);
    assert_true(core_slice_is(spec->ranking_rules[2].attribute, "a.b"));
    assert_int_equal(spec->separator_count, 2);
    assert_int_equal(spec->synonyms[0].other_count, 2);
    assert_true(core_slice_is(spec->synonyms[0].others[1], "c d"));
    assert_true(core_slice_is(spec->distinct, "sku"));
    assert_true(core_slice_is(spec->language, "german"));
    assert_true(core_slice_is(spec->primary_key, "id"));
    assert_false(spec->has_prefix_search);
    assert_true(spec->typo.is_enabled && spec->typo.is_off_on_numbers);
    assert_int_equal(spec->typo.one_characters, 5);
    assert_int_equal(spec->cutoff_ms, 7);
    search_schema_release(schema);
}

static void test_a_schema_shows_as_the_settings_that_made_it(void **state) {
    fixture *it = *state;
    search_schema *schema =
        schema_of(it, "{\"searchableAttributes\":[\"title\"],\"filterableAttributes\":[\"a\"],"
                      "\"synonyms\":{\"x\":[\"y\"]},\"stopWords\":[\"the\"]}");
    search_settings shown;
    assert_true(search_settings_of_schema(&shown, schema, &it->arena));
    assert_true(core_slice_is(shown.values[SEARCH_SETTING_SEARCHABLE], "[\"title\"]"));
    assert_true(core_slice_is(shown.values[SEARCH_SETTING_FILTERABLE], "[\"a\"]"));
    assert_true(core_slice_is(shown.values[SEARCH_SETTING_DISPLAYED], "[\"*\"]"));
    assert_true(core_slice_is(shown.values[SEARCH_SETTING_SYNONYMS], "{\"x\":[\"y\"]}"));
    assert_true(core_slice_is(shown.values[SEARCH_SETTING_STOP_WORDS], "[\"the\"]"));
    search_schema_release(schema);
}

static void test_what_the_schema_does_not_take_is_refused(void **state) {
    fixture *it = *state;
    assert_patched(it, "{\"filterableAttributes\":[\"a*b\"]}");
    assert_null(search_settings_schema(&it->settings, core_slice_text("id"), &it->refusal));
    assert_int_equal(it->refusal.code, SEARCH_CODE_BAD_REQUEST);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults_are_meilisearchs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_patch_changes_what_it_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_shown_is_a_patch_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_setting_is_merged_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_is_refused_in_meilisearchs_words, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_attributes_are_found_whatever_list_names_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_all_is_searched_and_shown_by_default, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_rest_of_the_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_schema_shows_as_the_settings_that_made_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_the_schema_does_not_take_is_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
