/* The run builder and what it asks the database: types once each, unchanged values once a row that
 * is published, and that an answer that fails loses nothing. The lookup here is simulated. */
#include "cdc/run_builder.h"
#include "tests/unit/cdc/run_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DOMAIN_OID = 20000, ARRAY_OID = 20001, GONE_OID = 20002, INT8 = 20, NUMERIC = 1700 };

typedef struct {
    cdc_lookup lookup; /* first: the interface points here */
    cdc_run_builder *builder;
    script script;
    unsigned types_asked;
    unsigned values_asked;
    size_t max_bytes;
    bool away;
    bool row_is_gone;
} fixture;

static bool fake_types(cdc_lookup *lookup, cdc_type_facts *types, size_t count, core_error *error) {
    fixture *it = (fixture *)lookup;
    if (it->away)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "away");
    it->types_asked += (unsigned)count;
    for (size_t i = 0; i < count; i++) {
        types[i].base_oid = types[i].oid == DOMAIN_OID ? INT8 : 0;
        types[i].element_oid = types[i].oid == ARRAY_OID ? NUMERIC : 0;
        types[i].delimiter = types[i].oid == ARRAY_OID ? ';' : 0;
    }
    return true;
}

static bool fake_values(cdc_lookup *lookup, core_change *change, size_t max_bytes,
                        core_error *error) {
    fixture *it = (fixture *)lookup;
    if (it->away)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "away");
    core_value *value = &change->new_tuple.values[1];
    if (value->kind != CORE_VALUE_UNCHANGED)
        return true;
    it->values_asked++;
    it->max_bytes = max_bytes;
    if (!it->row_is_gone)
        *value = (core_value){
            .kind = CORE_VALUE_TEXT, .read_later = true, .bytes = core_slice_text("read")};
    return true;
}

static const core_column columns[] = {
    {.name = {(const uint8_t *)"k", 1}, .type_oid = DOMAIN_OID, .typmod = -1, .key = true},
    {.name = {(const uint8_t *)"v", 1}, .type_oid = ARRAY_OID, .typmod = -1},
};

static void builder_start(fixture *it, bool reads_values, const cdc_position *stored) {
    core_error error = {0};
    cdc_run_builder_free(it->builder);
    it->builder = cdc_run_builder_new(&error);
    assert_non_null(it->builder);
    cdc_run_limits limits = {
        .scope = {.prefix = "p", .project = "d", .environment = "e", .home_schema = "public"},
        .run_rows = 1, /* each row is fed twice: it needs a run of its own */
        .run_bytes = 1 << 18,
        .message_max = 1 << 20,
        .lookup = &it->lookup,
        .reads_values = reads_values,
    };
    cdc_run_builder_start(it->builder, &limits, stored);
}

static const cdc_position nothing_stored = {.epoch = "e1"};

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    assert_non_null(it);
    it->lookup = (cdc_lookup){.types = fake_types, .values = fake_values};
    builder_start(it, true, &nothing_stored);
    *state = it;
    return 0;
}

static int teardown(void **state) {
    fixture *it = *state;
    cdc_run_builder_free(it->builder);
    free(it);
    return 0;
}

/* Two updates whose second value is unchanged. */
static core_value row_values[2][2];

static void script_make(fixture *it) {
    memset(&it->script, 0, sizeof it->script);
    script_begin(&it->script, 1);
    script_relation(&it->script, 1, columns, 2);
    for (size_t i = 0; i < 2; i++) {
        row_values[i][0] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text("7")};
        row_values[i][1] = (core_value){.kind = CORE_VALUE_UNCHANGED};
        script_add(&it->script,
                   (cdc_message){.kind = CDC_UPDATE,
                                 .row = {.relation_oid = 1, .new_tuple = {2, row_values[i]}}});
    }
    script_commit(&it->script);
}

/* Feeds all; checks each run's one change. */
static unsigned play(fixture *it, void (*check)(const core_change *change)) {
    core_error error = {0};
    unsigned runs = 0;
    for (size_t i = 0; i <= it->script.count; i++) {
        if (i == it->script.count)
            cdc_run_builder_flush(it->builder);
        cdc_feed_result result =
            i < it->script.count
                ? cdc_run_builder_feed(it->builder, &it->script.messages[i], 0, &error)
                : CDC_FED;
        if (result == CDC_REFUSED)
            fail_msg("%s", error.text);
        const cdc_run *run = cdc_run_builder_run(it->builder);
        if (run == NULL)
            continue;
        core_arena arena;
        core_run decoded;
        core_run_reader reader;
        core_arena_init(&arena, 4096, 1 << 20);
        assert_true(core_run_decode(run->payload, &arena, &decoded, &error));
        assert_true(core_run_reader_init(&reader, &decoded, &arena, &error));
        check(core_run_next(&reader));
        core_arena_fini(&arena);
        cdc_run_builder_taken(it->builder);
        runs++;
        i -= result == CDC_RUN_READY;
    }
    return runs;
}

static void check_types(const core_change *change) {
    const core_column *sent = change->relation->columns;
    assert_int_equal(sent[0].base_oid, INT8);
    assert_int_equal(sent[0].element_oid, 0);
    assert_int_equal(sent[1].element_oid, NUMERIC);
    assert_int_equal(sent[1].delimiter, ';');
}

static void types_are_asked_for_once_and_told(void **state) {
    fixture *it = *state;
    script_make(it);
    assert_int_equal(play(it, check_types), 2);
    assert_int_equal(it->types_asked, 2);
    script_begin(&it->script, 2);
    core_column more[3] = {
        columns[0], columns[1], {.name = core_slice_text("gone"), .type_oid = GONE_OID}};
    core_error error = {0};
    cdc_message relation = {.kind = CDC_RELATION,
                            .relation = {.oid = 2, .column_count = 3, .columns = more}};
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(cdc_run_builder_feed(it->builder, &relation, 0, &error), CDC_FED);
    assert_int_equal(it->types_asked, 3);
}

static void check_read(const core_change *change) {
    assert_true(core_slice_is(change->new_tuple.values[1].bytes, "read"));
    assert_true(change->new_tuple.values[1].read_later);
}

static void values_are_read_once_a_row(void **state) {
    fixture *it = *state;
    script_make(it);
    assert_int_equal(play(it, check_read), 2);
    assert_int_equal(it->values_asked, 2);
    assert_in_range(it->max_bytes, (1 << 20) - 1000, 1 << 20);
}

static void check_unchanged(const core_change *change) {
    assert_int_equal(change->new_tuple.values[1].kind, CORE_VALUE_UNCHANGED);
}

static void a_row_that_is_gone_stays_unchanged(void **state) {
    fixture *it = *state;
    it->row_is_gone = true;
    script_make(it);
    assert_int_equal(play(it, check_unchanged), 2);
}

static void nothing_is_read_unless_asked(void **state) {
    fixture *it = *state;
    builder_start(it, false, &nothing_stored);
    script_make(it);
    assert_int_equal(play(it, check_unchanged), 2);
    assert_int_equal(it->values_asked, 0);
}

static void what_the_stream_holds_is_not_read(void **state) {
    fixture *it = *state;
    cdc_position stored = {.epoch = "e1", .commit_lsn = 100, .index = 0};
    builder_start(it, true, &stored);
    script_make(it);
    assert_int_equal(play(it, check_read), 1);
    assert_int_equal(it->values_asked, 1);
}

static void a_database_that_is_away_refuses_and_loses_nothing(void **state) {
    fixture *it = *state;
    core_error error = {0};
    script_make(it);
    assert_int_equal(cdc_run_builder_feed(it->builder, &it->script.messages[0], 0, &error),
                     CDC_FED);
    for (size_t i = 1; i < 3; i++) {
        it->away = true;
        assert_int_equal(cdc_run_builder_feed(it->builder, &it->script.messages[i], 0, &error),
                         CDC_REFUSED);
        assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
        it->away = false;
        assert_int_equal(cdc_run_builder_feed(it->builder, &it->script.messages[i], 0, &error),
                         CDC_FED);
    }
    assert_int_equal(cdc_run_builder_counts(it->builder).rows, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(types_are_asked_for_once_and_told),
        TEST(values_are_read_once_a_row),
        TEST(a_row_that_is_gone_stays_unchanged),
        TEST(nothing_is_read_unless_asked),
        TEST(what_the_stream_holds_is_not_read),
        TEST(a_database_that_is_away_refuses_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
