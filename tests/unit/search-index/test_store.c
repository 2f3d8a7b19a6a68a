/* The index file: versions, hidden documents, side rows, groups that end or do not, what is
 * refused, and what is in memory beside what is in the file. */
#include "store_world.h"

#include <fcntl.h>

static core_error error;

static search_item_result apply_one(search_backend *backend, search_item item) {
    search_item_result result;
    if (!search_backend_apply(backend, &item, 1, &result, &error))
        fail_msg("%s", error.text);
    return result;
}

static search_item item_of(const char *id, const char *json, uint64_t version) {
    return (search_item){
        .id = core_slice_text(id), .json = core_slice_text(json), .version = version};
}

static void commit(search_backend *backend, uint64_t sequence) {
    if (!world_commit(backend, sequence, &error))
        fail_msg("%s", error.text);
}

static search_kept kept_of(search_backend *backend, const char *id) {
    search_kept kept;
    assert_true(search_backend_kept(backend, core_slice_text(id), &kept, &error));
    return kept;
}

static uint32_t documents_with(search_backend *backend, const char *term) {
    return search_terms_documents(search_store_of(backend)->shared.terms, core_slice_text(term));
}

static void a_greater_version_wins(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    assert_int_equal(apply_one(backend, item_of("a", "{\"title\":\"one\"}", 5)).state,
                     SEARCH_ITEM_DONE);
    assert_int_equal(apply_one(backend, item_of("a", "{\"title\":\"two\"}", 5)).state,
                     SEARCH_ITEM_STALE);
    commit(backend, 1);
    assert_int_equal(apply_one(backend, item_of("a", "{\"title\":\"two\"}", 4)).state,
                     SEARCH_ITEM_STALE);
    assert_int_equal(apply_one(backend, item_of("a", "", 5)).state, SEARCH_ITEM_STALE);
    assert_int_equal(apply_one(backend, item_of("a", "{\"title\":\"three\"}", 6)).state,
                     SEARCH_ITEM_DONE);
    assert_true(core_slice_is(kept_of(backend, "a").json, "{\"title\":\"three\"}"));
    assert_int_equal(documents_with(backend, "one"), 1); /* nobody sees the open group */
    commit(backend, 2);
    assert_int_equal(documents_with(backend, "one"), 0);
    assert_int_equal(documents_with(backend, "three"), 1);
    assert_int_equal(search_backend_position(backend).change_sequence, 2);
    search_backend_close(backend);
    world_fini(&w);
}

/* In one call too: the last that counts stands, and results say which did. */
static void items_of_one_call_meet(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    search_item items[] = {item_of("a", "{\"title\":\"one\"}", 1), item_of("b", "{}", 1),
                           item_of("a", "", 3), item_of("a", "{\"title\":\"two\"}", 2),
                           item_of("c", "", 9)};
    search_item_result results[5];
    assert_true(search_backend_apply(backend, items, 5, results, &error));
    static const search_item_state expected[] = {
        SEARCH_ITEM_DONE, SEARCH_ITEM_DONE, SEARCH_ITEM_DONE, SEARCH_ITEM_STALE, SEARCH_ITEM_DONE};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(results[i].state, expected[i]);
    commit(backend, 1);
    assert_null(kept_of(backend, "a").id.data);
    assert_int_equal(search_backend_stats(backend).documents, 1);
    search_backend_close(backend);
    world_fini(&w);
}

/* While the snapshot runs, its older row must not bring back what the stream deleted. */
static void tombstones_hold_while_building(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    assert_true(search_backend_stats(backend).is_building);
    (void)apply_one(backend, item_of("a", "", 7));
    commit(backend, 1);
    search_backend_close(backend);
    backend = world_open(&w, w.path);
    assert_int_equal(apply_one(backend, item_of("a", "{}", 6)).state, SEARCH_ITEM_STALE);
    assert_int_equal(apply_one(backend, item_of("a", "{}", 8)).state, SEARCH_ITEM_DONE);
    (void)apply_one(backend, item_of("b", "", 7));
    assert_true(search_backend_built(backend, &error));
    commit(backend, 2);
    assert_false(search_backend_stats(backend).is_building);
    assert_int_equal(apply_one(backend, item_of("b", "{}", 6)).state, SEARCH_ITEM_DONE);
    search_backend_close(backend);
    world_fini(&w);
}

static void hidden_documents_are_kept_and_not_found(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    search_item item = item_of("a", "{\"title\":\"secret\",\"price\":1}", 1);
    item.is_hidden = true;
    (void)apply_one(backend, item);
    commit(backend, 1);
    assert_int_equal(documents_with(backend, "secret"), 0);
    assert_int_equal(search_backend_stats(backend).hidden, 1);
    assert_int_equal(search_backend_stats(backend).documents, 0);
    assert_true(kept_of(backend, "a").is_hidden);
    search_reader *reader = search_backend_reader_new(backend, &error);
    assert_non_null(reader);
    search_kept kept;
    assert_true(search_reader_get(reader, core_slice_text("a"), &kept, &error));
    assert_null(kept.id.data);
    item.is_hidden = false;
    item.version = 2;
    (void)apply_one(backend, item);
    commit(backend, 2);
    assert_int_equal(documents_with(backend, "secret"), 1);
    assert_true(search_reader_get(reader, core_slice_text("a"), &kept, &error));
    assert_true(core_slice_is(kept.json, "{\"title\":\"secret\",\"price\":1}"));
    search_reader_free(reader);
    search_backend_close(backend);
    world_fini(&w);
}

static void what_is_no_document_is_refused_and_the_rest_stands(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    char deep[600], long_id[600];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    for (size_t i = 0; i < 290; i++)
        deep[5 + 290 + i] = ']';
    deep[5 + 580] = '}';
    deep[5 + 581] = '\0';
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    search_item items[] = {item_of("a", "[1]", 1),
                           item_of("b", "{", 1),
                           item_of("c", "{\"a\":\"\xFF\"}", 1),
                           item_of("", "{}", 1),
                           item_of(long_id, "{}", 1),
                           item_of("\xFF", "{}", 1),
                           item_of("d", deep, 1),
                           item_of("e", "{\"title\":\"fine\"}", 1)};
    search_item_result results[8];
    assert_true(search_backend_apply(backend, items, 8, results, &error));
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(results[i].state, SEARCH_ITEM_REFUSED);
        assert_true(strlen(results[i].reason) > 20);
    }
    assert_int_equal(results[7].state, SEARCH_ITEM_DONE);
    commit(backend, 1);
    assert_int_equal(search_backend_stats(backend).documents, 1);
    search_backend_close(backend);
    world_fini(&w);
}

static void a_group_that_is_rolled_back_was_never_there(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    for (uint64_t at = 1; at <= 2000; at += 40) {
        assert_true(world_apply(backend, at, at + 200, &error));
        search_backend_rollback(backend);
        assert_true(world_apply(backend, at, at + 39, &error));
        commit(backend, at + 39);
    }
    dump running, opened;
    dump_init(&running);
    dump_memory(&running, backend);
    search_backend_close(backend);
    world_compare(&w, 2000);
    backend = world_open(&w, w.path);
    dump_init(&opened);
    dump_memory(&opened, backend);
    search_backend_close(backend);
    dumps_equal(&running, &opened, 2000);
    free(running.text);
    free(opened.text);
    world_fini(&w);
}

static void upkeep_ends_and_changes_nothing(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    for (uint64_t at = 1; at <= 3000; at += 10) {
        assert_true(world_apply(backend, at, at + 9, &error));
        commit(backend, at + 9);
    }
    bool is_done = false;
    int steps = 0;
    while (!is_done && ++steps < 1000)
        assert_true(search_backend_upkeep(backend, &is_done, &error));
    assert_true(is_done);
    search_backend_close(backend);
    world_compare(&w, 3000);
    world_fini(&w);
}

static void a_cleared_index_is_empty_and_goes_on(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    assert_true(world_apply(backend, 1, 500, &error));
    commit(backend, 500);
    assert_true(search_backend_clear(backend, &error));
    search_backend_rollback(backend);
    assert_true(search_backend_stats(backend).documents > 50);
    assert_true(search_backend_clear(backend, &error));
    (void)apply_one(backend, item_of("a", "{\"title\":\"alone\"}", 1));
    commit(backend, 501);
    assert_int_equal(search_backend_stats(backend).documents, 1);
    assert_int_equal(search_backend_stats(backend).hidden, 0);
    assert_int_equal(documents_with(backend, "river"), 0);
    assert_int_equal(documents_with(backend, "alone"), 1);
    dump running, opened;
    dump_init(&running);
    dump_memory(&running, backend);
    search_backend_close(backend);
    backend = world_open(&w, w.path);
    dump_init(&opened);
    dump_memory(&opened, backend);
    dumps_equal(&running, &opened, 501);
    free(running.text);
    free(opened.text);
    search_backend_close(backend);
    world_fini(&w);
}

/* ---- Side rows ---- */
typedef struct {
    char text[256];
    size_t length;
} listed;

static bool list_side(void *context, const search_side *row) {
    listed *l = context;
    l->length += (size_t)snprintf(l->text + l->length, sizeof l->text - l->length, "%.*s=%.*s ",
                                  CORE_SLICE_ARGS(row->key), CORE_SLICE_ARGS(row->bytes));
    return true;
}

static void side_put(search_backend *backend, uint8_t space, const char *key, const char *parent,
                     const char *bytes, uint64_t version) {
    search_side row = {.space = space,
                       .key = core_slice_text(key),
                       .parent = core_slice_text(parent),
                       .bytes = core_slice_text(bytes),
                       .version = version};
    assert_true(search_backend_side_put(backend, &row, &error));
}

static void expect_side(search_backend *backend, uint8_t space, const char *parent,
                        const char *after, uint32_t max, const char *expected) {
    listed l = {.length = 0};
    core_slice of = core_slice_text(parent);
    assert_true(search_backend_side_each(backend, space, parent != NULL ? &of : NULL,
                                         core_slice_text(after), max, list_side, &l, &error));
    assert_string_equal(l.text, expected);
}

static void side_rows_go_by_version(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    side_put(backend, 1, "a", "p", "1", 5);
    side_put(backend, 1, "b", "q", "2", 5);
    side_put(backend, 1, "c", "p", "3", 5);
    side_put(backend, 2, "a", "", "other", 0);
    side_put(backend, 1, "a", "p", "old", 4);
    expect_side(backend, 1, NULL, "", 9, "a=1 b=2 c=3 ");
    expect_side(backend, 1, NULL, "a", 1, "b=2 ");
    expect_side(backend, 1, "p", "", 9, "a=1 c=3 ");
    expect_side(backend, 2, NULL, "", 9, "a=other ");
    assert_true(search_backend_side_delete(backend, 1, core_slice_text("a"), 6, &error));
    assert_true(search_backend_side_delete(backend, 1, core_slice_text("b"), 4, &error));
    side_put(backend, 1, "a", "p", "older", 5); /* there is a tombstone of 6 */
    expect_side(backend, 1, NULL, "", 9, "b=2 c=3 ");
    assert_true(search_backend_built(backend, &error));
    commit(backend, 1);
    side_put(backend, 1, "a", "p", "anew", 5);
    search_side row;
    assert_true(search_backend_side_get(backend, 1, core_slice_text("a"), &row, &error));
    assert_true(core_slice_is(row.bytes, "anew"));
    assert_true(search_backend_side_get(backend, 1, core_slice_text("z"), &row, &error));
    assert_null(row.key.data);
    search_backend_rollback(backend);
    expect_side(backend, 1, NULL, "", 9, "b=2 c=3 ");
    search_backend_close(backend);
    world_fini(&w);
}

/* ---- Files that do not fit ---- */
static void another_schema_is_told(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend_close(world_open(&w, w.path));
    search_schema_spec spec = *search_schema_get(w.schema);
    spec.language = core_slice_text("german");
    search_schema *other = search_schema_new(&spec, NULL), *before = w.schema;
    w.schema = other;
    assert_null(world_try(&w, w.path, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFLICT);
    w.schema = before;
    search_schema_release(other);
    world_fini(&w);
}

static void a_second_opener_is_refused(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    assert_null(world_try(&w, w.path, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    search_backend_close(backend);
    world_fini(&w);
}

static void a_damaged_file_is_told(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    assert_true(world_apply(backend, 1, 1000, &error));
    commit(backend, 1000);
    search_backend_close(backend);
    static uint8_t whole[4 << 20];
    int file = open(w.path, O_RDWR);
    ssize_t size = pread(file, whole, sizeof whole, 0);
    assert_true(size > 40000 && size < (ssize_t)sizeof whole);
    uint64_t random = 3;
    int told = 0;
    for (int round = 0; round < 60; round++) {
        uint8_t noise[2048];
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)world_random(&random);
        off_t at = round == 0 ? 0 : (off_t)(world_random(&random) % (uint32_t)(size - 2048));
        assert_int_equal(pwrite(file, noise, sizeof noise, at), 2048);
        backend = world_try(&w, w.path, &error);
        /* Other settings than ours are to be rebuilt as well. */
        if (backend == NULL && error.code != CORE_ERROR_GAP && error.code != CORE_ERROR_CONFLICT)
            fail_msg("%s", error.text);
        if (backend != NULL)
            search_backend_close(backend);
        told += backend == NULL;
        assert_int_equal(pwrite(file, whole, (size_t)size, 0), size);
        assert_int_equal(ftruncate(file, size), 0);
    }
    assert_true(told > 20);
    (void)close(file);
    world_compare(&w, 1000);
    world_fini(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greater_version_wins),
        cmocka_unit_test(items_of_one_call_meet),
        cmocka_unit_test(tombstones_hold_while_building),
        cmocka_unit_test(hidden_documents_are_kept_and_not_found),
        cmocka_unit_test(what_is_no_document_is_refused_and_the_rest_stands),
        cmocka_unit_test(a_group_that_is_rolled_back_was_never_there),
        cmocka_unit_test(upkeep_ends_and_changes_nothing),
        cmocka_unit_test(a_cleared_index_is_empty_and_goes_on),
        cmocka_unit_test(side_rows_go_by_version),
        cmocka_unit_test(another_schema_is_told),
        cmocka_unit_test(a_second_opener_is_refused),
        cmocka_unit_test(a_damaged_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
