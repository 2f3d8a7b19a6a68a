/* Tenants' tokens: which indexes they open, and under which filter; whatever is malformed opens
 * none. */
#include "search-index/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_verdict(const char *claims, const char *index, search_rules_verdict wanted,
                           const char *filter) {
    core_slice found;
    search_rules_verdict verdict =
        search_rules_look(core_slice_text(claims), core_slice_text(index), &found);
    if (verdict != wanted || !core_slice_is(found, filter))
        fail_msg("%s of %s: %d \"%.*s\"", claims, index, (int)verdict, CORE_SLICE_ARGS(found));
}

static void test_without_the_claim_nothing_is_bound(void **state) {
    (void)state;
    assert_verdict("", "movies", SEARCH_RULES_FREE, "");
    assert_verdict("{\"role\":\"anon\"}", "movies", SEARCH_RULES_FREE, "");
    assert_verdict("{\"a\":{\"searchRules\":[]}}", "movies", SEARCH_RULES_FREE, "");
    assert_false(search_rules_bind(core_slice_text("{\"role\":\"anon\"}")));
    assert_true(search_rules_bind(core_slice_text("{\"searchRules\":null}")));
}

static void test_rules_name_indexes_and_filters(void **state) {
    static const char rules[] =
        "{\"sub\":\"x\",\"searchRules\":{\"*\":{\"filter\":\"z = 1\"},\"mov*\":{\"filter\":[\"a\","
        "[\"b\"]]},\"movies\":{\"filter\":\"user = 1\"},\"books\":null,\"free\":{}}}";
    (void)state;
    assert_verdict(rules, "movies", SEARCH_RULES_BOUND, "\"user = 1\"");
    assert_verdict(rules, "movers", SEARCH_RULES_BOUND, "[\"a\",[\"b\"]]");
    assert_verdict(rules, "books", SEARCH_RULES_BOUND, "");
    assert_verdict(rules, "free", SEARCH_RULES_BOUND, "");
    assert_verdict(rules, "other", SEARCH_RULES_BOUND, "\"z = 1\"");
    assert_verdict("{\"searchRules\":[\"movies\",\"b*\"]}", "movies", SEARCH_RULES_BOUND, "");
    assert_verdict("{\"searchRules\":[\"movies\",\"b*\"]}", "books", SEARCH_RULES_BOUND, "");
}

static void test_what_no_rule_names_is_denied(void **state) {
    static const char *const rows[] = {
        "{\"searchRules\":{\"movies\":{}}}",
        "{\"searchRules\":[\"movies\"]}",
        "{\"searchRules\":{}}",
        "{\"searchRules\":[]}",
        /* Malformed. */
        "{\"searchRules\":null}",
        "{\"searchRules\":\"*\"}",
        "{\"searchRules\":true}",
        "{\"searchRules\":[\"*\",1]}",
        "{\"searchRules\":{\"*\":\"user = 1\"}}",
        "{\"searchRules\":{\"*\":{\"filter\":1}}}",
        "{\"searchRules\":{\"*\":{\"filters\":\"user = 1\"}}}",
        "{\"searchRules\":{\"*\":{\"filter\":\"a\",\"filter\":\"b\"}}}",
        "{\"searchRules\":{\"*\":{}},\"searchRules\":{\"*\":{}}}",
        "{\"searchRules\":{\"*\":{}}",
        "{\"searchRules\":{\"book\\u0073\":{}}}",
        "[]",
        "x",
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        assert_verdict(rows[i], "books", SEARCH_RULES_DENIED, "");
}

/* A key's own list, whatever its rules: what it does not name is denied, and a rule beside it too.
 */
static void test_a_keys_indexes(void **state) {
    static const struct {
        const char *claims, *index;
        bool has;
    } rows[] = {
        {"", "books", true},
        {"{\"role\":\"anon\"}", "books", true},
        {"{\"searchIndexes\":[\"movies\",\"b*\"]}", "books", true},
        {"{\"searchIndexes\":[\"movies\",\"b*\"]}", "movies", true},
        {"{\"searchIndexes\":[\"movies\",\"b*\"]}", "movies2", false},
        {"{\"searchIndexes\":[\"book\"]}", "books", false},
        {"{\"searchIndexes\":[]}", "books", false},
        {"{\"searchIndexes\":{\"books\":null}}", "books", false},
        {"{\"searchIndexes\":[\"*\",1]}", "books", false},
        {"{\"searchIndexes\":[\"*\"],\"searchIndexes\":[\"*\"]}", "books", false},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_slice claims = core_slice_text(rows[i].claims);
        if (search_rules_has(claims, core_slice_text(rows[i].index)) != rows[i].has)
            fail_msg("%s: %s", rows[i].claims, rows[i].index);
        assert_int_equal(search_rules_limited(claims), i > 1);
        assert_false(search_rules_bind(claims));
        assert_verdict(rows[i].claims, rows[i].index,
                       rows[i].has ? SEARCH_RULES_FREE : SEARCH_RULES_DENIED, "");
    }
    assert_verdict("{\"searchIndexes\":[\"books\"],\"searchRules\":[\"*\"]}", "movies",
                   SEARCH_RULES_DENIED, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_the_claim_nothing_is_bound),
        cmocka_unit_test(test_rules_name_indexes_and_filters),
        cmocka_unit_test(test_what_no_rule_names_is_denied),
        cmocka_unit_test(test_a_keys_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
