/* The search log folded: which indexes there are behind each record, and what is refused. */
#include "search-index/catalog.h"
#include "search-index/code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    search_catalog *catalog;
    uint64_t sequence;
    search_outcome outcome;
} world;

static void world_open(world *it, size_t max) {
    *it = (world){.catalog = search_catalog_new(max)};
    assert_non_null(it->catalog);
}

static void world_close(world *it) {
    search_catalog_free(it->catalog);
}

static search_record record_of(search_task_kind kind, const char *index, const char *body) {
    return (search_record){.kind = kind,
                           .project = core_slice_text("shop"),
                           .index = core_slice_text(index),
                           .at_us = 1000,
                           .body = core_slice_text(body)};
}

static search_effect fold_record(world *it, const search_record *record) {
    assert_true(search_catalog_fold(it->catalog, ++it->sequence, record, &it->outcome));
    search_entry_release(it->outcome.entry);
    assert_int_equal(search_catalog_sequence(it->catalog), it->sequence);
    return it->outcome.effect;
}

static search_effect fold(world *it, search_task_kind kind, const char *index, const char *body) {
    search_record record = record_of(kind, index, body);
    return fold_record(it, &record);
}

static const search_entry *find(const world *it, const char *index) {
    const search_entry *entry =
        search_catalog_find(it->catalog, core_slice_text("shop"), core_slice_text(index));
    search_entry_release(entry); /* the catalog holds it too */
    return entry;
}

static void assert_failed(world *it, search_task_kind kind, const char *index, const char *body,
                          const char *code) {
    assert_int_equal(fold(it, kind, index, body), SEARCH_EFFECT_FAILED);
    assert_string_equal(it->outcome.code, code);
    assert_int_not_equal(search_code_find(core_slice_text(code)), SEARCH_CODE_NONE);
}

/* ---- Table-backed ---- */

static void test_definition(void **state) {
    (void)state;
    world it;
    world_open(&it, 10);
    assert_int_equal(fold(&it, SEARCH_TASK_DEFINITION, "p", "a"), SEARCH_EFFECT_MADE);
    assert_true(find(&it, "p")->is_table);
    assert_int_equal(find(&it, "p")->generation, 1);
    /* The same again is nothing new; another text is another generation. */
    assert_int_equal(fold(&it, SEARCH_TASK_DEFINITION, "p", "a"), SEARCH_EFFECT_NONE);
    assert_int_equal(find(&it, "p")->generation, 1);
    assert_int_equal(fold(&it, SEARCH_TASK_DEFINITION, "p", "b"), SEARCH_EFFECT_MADE);
    assert_int_equal(find(&it, "p")->generation, 3);
    assert_int_equal(find(&it, "p")->previous->generation, 1);
    search_record facts = record_of(SEARCH_TASK_DEFINITION, "p", "b");
    facts.facts = core_slice_text("{}");
    assert_int_equal(fold_record(&it, &facts), SEARCH_EFFECT_MADE);
    assert_int_equal(find(&it, "p")->generation, 4);
    world_close(&it);
}

static search_effect fold_held(world *it, search_task_kind kind, const char *body,
                               uint64_t replaces) {
    search_record record = record_of(kind, "p", body);
    record.is_held = true;
    record.replaces = replaces;
    return fold_record(it, &record);
}

/* Of what several nodes say of key-value the first counts, and the others change nothing: not a
 * definition, nor a deletion, of an older moment. */
static void test_held(void **state) {
    (void)state;
    world it;
    world_open(&it, 10);
    assert_int_equal(fold_held(&it, SEARCH_TASK_DEFINITION, "a", 0), SEARCH_EFFECT_MADE);
    assert_true(find(&it, "p")->is_held);
    assert_int_equal(fold_held(&it, SEARCH_TASK_DEFINITION, "a", 0), SEARCH_EFFECT_NONE);
    assert_int_equal(fold_held(&it, SEARCH_TASK_DEFINITION, "old", 0), SEARCH_EFFECT_NONE);
    assert_int_equal(find(&it, "p")->changed, 1);
    assert_int_equal(fold_held(&it, SEARCH_TASK_DEFINITION, "b", 1), SEARCH_EFFECT_MADE);
    assert_int_equal(fold_held(&it, SEARCH_TASK_INDEX_DELETION, "", 1), SEARCH_EFFECT_NONE);
    assert_true(core_slice_is(find(&it, "p")->text, "b"));
    assert_int_equal(fold_held(&it, SEARCH_TASK_INDEX_DELETION, "", 4), SEARCH_EFFECT_REMOVED);
    assert_int_equal(fold_held(&it, SEARCH_TASK_INDEX_DELETION, "", 4), SEARCH_EFFECT_NONE);
    assert_int_equal(fold_held(&it, SEARCH_TASK_DEFINITION, "b", 4), SEARCH_EFFECT_NONE);
    assert_null(find(&it, "p"));
    /* One of before there was key-value becomes held without being built again. */
    assert_int_equal(fold(&it, SEARCH_TASK_DEFINITION, "p", "c"), SEARCH_EFFECT_MADE);
    assert_int_equal(fold_held(&it, SEARCH_TASK_DEFINITION, "c", 9), SEARCH_EFFECT_NONE);
    assert_true(find(&it, "p")->is_held);
    assert_int_equal(find(&it, "p")->generation, 9);
    world_close(&it);
}

/* The chain of what an index was is bounded. */
static void test_previous_is_bounded(void **state) {
    (void)state;
    world it;
    char text[16];
    unsigned depth = 0;
    world_open(&it, 10);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        assert_int_equal(fold(&it, SEARCH_TASK_DEFINITION, "p", text), SEARCH_EFFECT_MADE);
    }
    for (const search_entry *at = find(&it, "p"); at != NULL; at = at->previous)
        depth++;
    assert_true(depth <= SEARCH_ENTRY_DEPTH_MAX + 1);
    world_close(&it);
}

static void test_table_backed_refuses_writes(void **state) {
    (void)state;
    world it;
    world_open(&it, 10);
    assert_int_equal(fold(&it, SEARCH_TASK_DEFINITION, "p", "a"), SEARCH_EFFECT_MADE);
    assert_failed(&it, SEARCH_TASK_DOCUMENTS_ADD, "p", "[]", "index_is_of_tables");
    assert_failed(&it, SEARCH_TASK_DOCUMENTS_UPDATE, "p", "[]", "index_is_of_tables");
    assert_failed(&it, SEARCH_TASK_DOCUMENTS_DELETE, "p", "{}", "index_is_of_tables");
    assert_failed(&it, SEARCH_TASK_SETTINGS_UPDATE, "p", "{}", "index_is_of_tables");
    assert_failed(&it, SEARCH_TASK_INDEX_UPDATE, "p", "", "index_is_of_tables");
    assert_failed(&it, SEARCH_TASK_INDEX_CREATION, "p", "", "index_already_exists");
    assert_int_equal(fold(&it, SEARCH_TASK_INDEX_DELETION, "p", ""), SEARCH_EFFECT_REMOVED);
    assert_null(find(&it, "p"));
    world_close(&it);
}

/* ---- Made over HTTP ---- */

static void test_made_over_http(void **state) {
    (void)state;
    world it;
    world_open(&it, 10);
    assert_failed(&it, SEARCH_TASK_INDEX_DELETION, "p", "", "index_not_found");
    assert_failed(&it, SEARCH_TASK_DOCUMENTS_DELETE, "p", "{}", "index_not_found");
    assert_failed(&it, SEARCH_TASK_INDEX_UPDATE, "p", "", "index_not_found");
    assert_int_equal(fold(&it, SEARCH_TASK_INDEX_CREATION, "p", ""), SEARCH_EFFECT_MADE);
    assert_false(find(&it, "p")->is_table);
    assert_failed(&it, SEARCH_TASK_DEFINITION, "p", "a", "index_already_exists");
    assert_int_equal(fold(&it, SEARCH_TASK_DOCUMENTS_ADD, "p", "[]"), SEARCH_EFFECT_DOCUMENTS);
    assert_false(it.outcome.is_new);
    /* Documents and settings make what is not there. */
    assert_int_equal(fold(&it, SEARCH_TASK_DOCUMENTS_ADD, "q", "[]"), SEARCH_EFFECT_DOCUMENTS);
    assert_true(it.outcome.is_new);
    assert_int_equal(find(&it, "q")->generation, it.sequence);
    world_close(&it);
}

static void test_settings(void **state) {
    (void)state;
    world it;
    world_open(&it, 10);
    assert_int_equal(fold(&it, SEARCH_TASK_SETTINGS_UPDATE, "p",
                          "{\"stopWords\":[\"a\"],\"sortableAttributes\":[\"n\"]}"),
                     SEARCH_EFFECT_CHANGED);
    assert_int_equal(fold(&it, SEARCH_TASK_SETTINGS_UPDATE, "p",
                          "{\"stopWords\":null,\"filterableAttributes\":[\"b\"]}"),
                     SEARCH_EFFECT_CHANGED);
    core_slice text = find(&it, "p")->text;
    assert_null(memmem(text.data, text.length, "stopWords", 9));
    assert_non_null(memmem(text.data, text.length, "sortableAttributes", 18));
    assert_non_null(memmem(text.data, text.length, "filterableAttributes", 20));
    assert_failed(&it, SEARCH_TASK_SETTINGS_UPDATE, "p", "{\"stopWords\":1}",
                  "invalid_settings_stop_words");
    assert_true(core_slice_equal(find(&it, "p")->text, text));
    world_close(&it);
}

static void test_swap(void **state) {
    (void)state;
    world it;
    const search_swap swaps[] = {{core_slice_text("a"), core_slice_text("b")}};
    search_record record = record_of(SEARCH_TASK_INDEX_SWAP, "", "");
    record.swaps = swaps;
    record.swap_count = 1;
    world_open(&it, 10);
    (void)fold(&it, SEARCH_TASK_INDEX_CREATION, "a", "");
    assert_int_equal(fold_record(&it, &record), SEARCH_EFFECT_FAILED);
    assert_string_equal(it.outcome.code, "index_not_found");
    (void)fold(&it, SEARCH_TASK_INDEX_CREATION, "b", "");
    uint64_t a = find(&it, "a")->generation, b = find(&it, "b")->generation;
    assert_int_equal(fold_record(&it, &record), SEARCH_EFFECT_SWAPPED);
    assert_int_equal(find(&it, "a")->generation, b);
    assert_int_equal(find(&it, "b")->generation, a);
    assert_true(core_slice_is(find(&it, "a")->uid, "a"));
    world_close(&it);
}

/* ---- Bounds ---- */

static void test_too_many(void **state) {
    (void)state;
    world it;
    char name[16];
    world_open(&it, 3);
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, sizeof name, "i%d", i);
        if (i < 3)
            assert_int_equal(fold(&it, SEARCH_TASK_DEFINITION, name, "x"), SEARCH_EFFECT_MADE);
        else
            assert_failed(&it, SEARCH_TASK_DEFINITION, name, "x", "too_many_indexes");
    }
    assert_int_equal(search_catalog_count(it.catalog), 3);
    assert_failed(&it, SEARCH_TASK_DOCUMENTS_ADD, "n", "[]", "too_many_indexes");
    /* One that is there is changed all the same. */
    assert_int_equal(fold(&it, SEARCH_TASK_DEFINITION, "i0", "y"), SEARCH_EFFECT_MADE);
    world_close(&it);
}

/* Names of different projects are different indexes, in order. */
static void test_order(void **state) {
    (void)state;
    world it;
    world_open(&it, 10);
    search_record other = record_of(SEARCH_TASK_INDEX_CREATION, "b", "");
    other.project = core_slice_text("acme");
    (void)fold(&it, SEARCH_TASK_INDEX_CREATION, "b", "");
    (void)fold(&it, SEARCH_TASK_INDEX_CREATION, "a", "");
    assert_int_equal(fold_record(&it, &other), SEARCH_EFFECT_MADE);
    static const char *const expected[] = {"acme/b", "shop/a", "shop/b"};
    for (size_t i = 0; i < 3; i++) {
        char text[64];
        const search_entry *entry = search_catalog_at(it.catalog, i);
        (void)snprintf(text, sizeof text, "%s/%s", (const char *)entry->project.data,
                       (const char *)entry->uid.data);
        assert_string_equal(text, expected[i]);
        search_entry_release(entry);
    }
    assert_null(search_catalog_at(it.catalog, 3));
    world_close(&it);
}

/* ---- Taken from elsewhere ---- */

static void test_load(void **state) {
    (void)state;
    world it, other;
    world_open(&it, 2);
    world_open(&other, 1);
    fold(&it, SEARCH_TASK_INDEX_CREATION, "a", "");
    fold(&it, SEARCH_TASK_DOCUMENTS_ADD, "b", "[]");
    const search_entry *entries[] = {find(&it, "a"), find(&it, "b")};
    fold(&other, SEARCH_TASK_INDEX_CREATION, "gone", "");
    assert_false(search_catalog_load(other.catalog, 9, entries, 2)); /* more than may be */
    assert_non_null(find(&other, "gone"));
    assert_true(search_catalog_load(other.catalog, 9, entries + 1, 1));
    assert_int_equal(search_catalog_sequence(other.catalog), 9);
    assert_null(find(&other, "gone"));
    assert_ptr_equal(find(&other, "b"), entries[1]);
    world_close(&it); /* it holds them by itself */
    assert_int_equal(find(&other, "b")->generation, 2);
    search_catalog_reset(other.catalog);
    assert_int_equal(search_catalog_count(other.catalog), 0);
    assert_int_equal(search_catalog_sequence(other.catalog), 0);
    world_close(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_previous_is_bounded),
        cmocka_unit_test(test_table_backed_refuses_writes),
        cmocka_unit_test(test_made_over_http),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_swap),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
