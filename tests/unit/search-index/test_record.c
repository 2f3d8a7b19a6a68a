/* Records of the search log: what is written is read back; what is none is refused. */
#include "search-index/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_slice(core_slice slice, const char *text) {
    if (!core_slice_is(slice, text))
        fail_msg("\"%.*s\" instead of \"%s\"", CORE_SLICE_ARGS(slice), text);
}

static void test_round_trip(void **state) {
    (void)state;
    const search_swap swaps[] = {{core_slice_text("a"), core_slice_text("b")},
                                 {core_slice_text("c"), core_slice_text("d")}};
    const search_record given = {
        .kind = SEARCH_TASK_INDEX_SWAP,
        .project = core_slice_text("shop \"x\"\n"),
        .environment = core_slice_text("dev"),
        .index = core_slice_text("p-1"),
        .at_us = 1700000000000001,
        .primary_key = core_slice_text("id"),
        .is_held = true,
        .replaces = 7,
        .facts = core_slice_text("{\"tables\":[]}"),
        .swaps = swaps,
        .swap_count = 2,
        .body = core_slice_text("name: p\ntable: t\n"),
    };
    core_buffer out;
    core_arena arena;
    search_record read;
    core_error error;
    core_buffer_init(&out, 4096);
    core_arena_init(&arena, 1024, 1 << 20);
    search_record_write(&given, &out);
    assert_true(search_record_read(core_buffer_slice(&out), &arena, &read, &error));
    assert_int_equal(read.kind, SEARCH_TASK_INDEX_SWAP);
    assert_slice(read.project, "shop \"x\"\n");
    assert_slice(read.index, "p-1");
    assert_true(read.at_us == given.at_us);
    assert_true(read.is_held);
    assert_int_equal(read.replaces, 7);
    assert_slice(read.facts, "{\"tables\":[]}");
    assert_int_equal(read.swap_count, 2);
    assert_slice(read.swaps[1].b, "d");
    assert_slice(read.body, "name: p\ntable: t\n");
    core_arena_fini(&arena);
    core_buffer_fini(&out);
}

/* ---- Marks and cancelations ---- */

static void assert_back(const search_record *given) {
    core_buffer out;
    core_arena arena;
    search_record read;
    core_error error;
    core_buffer_init(&out, 4096);
    core_arena_init(&arena, 1024, 1 << 20);
    search_record_write(given, &out);
    assert_true(search_record_read(core_buffer_slice(&out), &arena, &read, &error));
    assert_int_equal(read.is_piece, given->is_piece);
    assert_int_equal(read.taken, given->taken);
    assert_int_equal(read.cancels, given->cancels);
    assert_int_equal(read.matched, given->matched);
    core_arena_fini(&arena);
    core_buffer_fini(&out);
}

static void test_marks_and_cancelations(void **state) {
    (void)state;
    assert_back(&(search_record){.is_piece = true, .taken = 12345678901});
    assert_back(&(search_record){.kind = SEARCH_TASK_CANCELATION, .cancels = true});
    assert_back(&(search_record){.kind = SEARCH_TASK_CANCELATION, .cancels = true, .matched = 7});
    assert_back(&(search_record){.kind = SEARCH_TASK_CANCELATION}); /* an earlier version's */
}

static void test_pieces(void **state) {
    (void)state;
    const uint64_t pieces[] = {7, 12345678901};
    search_record given = {.kind = SEARCH_TASK_DOCUMENTS_ADD,
                           .at_us = 5,
                           .pieces = pieces,
                           .piece_count = 2,
                           .body = core_slice_text("the end\n")};
    core_buffer out;
    core_arena arena;
    search_record read;
    core_error error;
    core_buffer_init(&out, 4096);
    core_arena_init(&arena, 1024, 1 << 20);
    search_record_write(&given, &out);
    assert_true(search_record_read(core_buffer_slice(&out), &arena, &read, &error));
    assert_false(read.is_piece);
    assert_int_equal(read.piece_count, 2);
    assert_true(read.pieces[1] == pieces[1]);
    assert_slice(read.body, "the end\n");
    given = (search_record){.kind = SEARCH_TASK_DOCUMENTS_ADD,
                            .at_us = 5,
                            .is_piece = true,
                            .body = core_slice_text("half")};
    core_buffer_reset(&out);
    search_record_write(&given, &out);
    assert_true(search_record_read(core_buffer_slice(&out), &arena, &read, &error));
    assert_true(read.is_piece);
    assert_int_equal(read.piece_count, 0);
    assert_slice(read.body, "half");
    core_arena_fini(&arena);
    core_buffer_fini(&out);
}

static void test_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "{}",
        "{}\n",
        "[]\n",
        "{\"v\":2,\"kind\":\"indexCreation\",\"at\":1}\n",
        "{\"v\":1,\"kind\":\"other\",\"at\":1}\n",
        "{\"v\":1,\"kind\":\"indexCreation\",\"at\":\"x\"}\n",
        "{\"v\":1,\"kind\":\"indexCreation\",\"at\":1",
        "{\"v\":1,\"kind\":\"indexCreation\",\"at\":1} x\n",
        "{\"v\":1,\"kind\":\"indexSwap\",\"at\":1,\"swaps\":[\"a\"]}\n",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        core_arena arena;
        search_record record;
        core_error error = {.text = ""};
        core_arena_init(&arena, 1024, 1 << 20);
        if (search_record_read(core_slice_text(texts[i]), &arena, &record, &error))
            fail_msg("taken: %s", texts[i]);
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        core_arena_fini(&arena);
    }
}

/* A later version's members are passed over. */
static void test_unknown_members(void **state) {
    (void)state;
    core_arena arena;
    search_record record;
    core_error error;
    core_arena_init(&arena, 1024, 1 << 20);
    assert_true(search_record_read(
        core_slice_text(
            "{\"v\":1,\"new\":{\"a\":[1]},\"kind\":\"indexDeletion\",\"at\":-1}\nbody\n"),
        &arena, &record, &error));
    assert_int_equal(record.kind, SEARCH_TASK_INDEX_DELETION);
    assert_slice(record.body, "body\n");
    core_arena_fini(&arena);
}

static void test_uids(void **state) {
    (void)state;
    char longest[SEARCH_UID_MAX + 2];
    memset(longest, 'a', sizeof longest);
    assert_true(search_uid_ok(core_slice_make(longest, SEARCH_UID_MAX)));
    assert_false(search_uid_ok(core_slice_make(longest, SEARCH_UID_MAX + 1)));
    assert_true(search_uid_ok(core_slice_text("A-z_9")));
    assert_false(search_uid_ok(core_slice_text("")));
    assert_false(search_uid_ok(core_slice_text("a b")));
    assert_false(search_uid_ok(core_slice_text("a/../b")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_marks_and_cancelations),
        cmocka_unit_test(test_pieces),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unknown_members), cmocka_unit_test(test_uids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
