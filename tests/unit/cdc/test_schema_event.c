/* SCHEMA events through the run builder: the shape stands before the first row of it, once, and a
 * kill behind any message of the stream neither loses, doubles nor renumbers anything. */
#include "cdc/message_stage.h"
#include "cdc/run_builder.h"
#include "cdc/start.h"
#include "tests/unit/cdc/run_script.h"

#include <stdlib.h>

enum { MESSAGES_MAX = 64 };

#define EPOCH "abcdefghij012345"

typedef struct {
    core_buffer payload;
    char subject[CORE_SUBJECT_MAX];
} message;

/* The stream, and what its writer knows of it. */
typedef struct {
    message messages[MESSAGES_MAX];
    size_t count;
    cdc_shape_log *shapes;
    cdc_message_stage *stage;
    size_t message_max;
    script script;
} fixture;

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    if (it == NULL)
        return 1;
    it->shapes = cdc_shape_log_new();
    it->stage = cdc_message_stage_new(NULL, 1 << 20, core_clock_system());
    it->message_max = 1 << 20;
    *state = it;
    return it->shapes == NULL || it->stage == NULL;
}

static void stream_cut(fixture *it, size_t count) {
    while (it->count > count)
        core_buffer_fini(&it->messages[--it->count].payload);
}

static int teardown(void **state) {
    fixture *it = *state;
    stream_cut(it, 0);
    cdc_shape_log_free(it->shapes);
    cdc_message_stage_free(it->stage);
    free(it);
    return 0;
}

/* ---- Driving ---- */

static void run_publish(fixture *it, cdc_run_builder *builder) {
    const cdc_run *run;
    core_error error = {0};
    while ((run = cdc_run_builder_run(builder)) != NULL) {
        const cdc_run *sent = cdc_message_stage_next(it->stage, run, &error);
        assert_non_null(sent);
        assert_true(it->count < MESSAGES_MAX);
        message *next = &it->messages[it->count++];
        core_buffer_init(&next->payload, 1 << 20);
        core_buffer_slice_append(&next->payload, sent->payload);
        (void)snprintf(next->subject, sizeof next->subject, "%s", sent->subject);
        if (cdc_message_stage_taken(it->stage))
            cdc_run_builder_taken(builder);
    }
}

static cdc_run_limits limits_of(const fixture *it) {
    return (cdc_run_limits){
        .scope = {.prefix = "p", .project = "d", .environment = "e", .home_schema = "public"},
        .run_rows = 2,
        .run_bytes = 1 << 16,
        .message_max = it->message_max,
        .row_max = 1 << 20,
        .shapes = it->shapes,
    };
}

static void play(fixture *it, size_t from, const cdc_position *stored) {
    core_error error = {0};
    cdc_run_limits limits = limits_of(it);
    cdc_run_builder *builder = cdc_run_builder_new(&error);
    assert_non_null(builder);
    cdc_message_stage_start(it->stage, it->message_max);
    cdc_run_builder_start(builder, &limits, stored);
    for (size_t i = from; i < it->script.count; i++) {
        while (cdc_run_builder_feed(builder, &it->script.messages[i], 9, &error) == CDC_RUN_READY)
            run_publish(it, builder);
        assert_string_equal(error.text, "");
    }
    cdc_run_builder_flush(builder);
    run_publish(it, builder);
    cdc_run_builder_free(builder);
}

static bool is_last_of_subject(const fixture *it, size_t at) {
    for (size_t i = at + 1; i < it->count; i++)
        if (strcmp(it->messages[i].subject, it->messages[at].subject) == 0)
            return false;
    return true;
}

/* As source_shapes.c does: the last message of each subject; whole ones only. */
static void shapes_read(fixture *it) {
    core_arena arena;
    core_run run;
    core_error error = {0};
    core_slice whole;
    core_assembly assembly;
    core_arena_init(&arena, 4096, 1 << 20);
    core_assembly_init(&assembly, 1 << 20);
    cdc_shape_log_reset(it->shapes);
    for (size_t i = 0; i < it->count; i++) {
        core_slice payload = core_buffer_slice(&it->messages[i].payload);
        bool is_whole =
            core_assembly_feed(&assembly, payload, i + 1, &whole, &error) == CORE_ASSEMBLY_WHOLE;
        if (!is_whole || !is_last_of_subject(it, i))
            continue;
        assert_true(core_run_decode(whole, &arena, &run, &error));
        if (run.op == CORE_OP_SCHEMA)
            cdc_shape_log_put(it->shapes, &run.relation);
    }
    core_assembly_fini(&assembly);
    core_arena_fini(&arena);
}

static void restart(fixture *it) {
    core_arena arena;
    core_run tail;
    core_error error = {0};
    cdc_start start;
    core_arena_init(&arena, 4096, 1 << 20);
    cdc_start_facts facts = {.slot = "s", .stream = "S", .fresh_epoch = EPOCH};
    if (it->count > 0) {
        core_slice payload = core_buffer_slice(&it->messages[it->count - 1].payload);
        assert_true(core_run_decode(payload, &arena, &tail, &error));
        facts.tail = &tail;
        facts.last_sequence = it->count;
    }
    assert_true(cdc_start_decide(&facts, &start, &error));
    shapes_read(it);
    size_t from = 0;
    while (from < it->script.count &&
           (it->script.messages[from].kind != CDC_BEGIN ||
            it->script.messages[from].begin.commit_lsn < start.start_lsn))
        from++;
    play(it, from, &start.position);
    core_arena_fini(&arena);
}

/* "INSERT a 0 1|": operation, table, index, columns of each change, in stream order. */
static void story_write(const fixture *it, core_buffer *out) {
    core_arena arena;
    core_run run;
    core_run_reader reader;
    core_assembly assembly;
    core_slice whole;
    core_error error = {0};
    core_buffer_reset(out);
    core_arena_init(&arena, 4096, 1 << 20);
    core_assembly_init(&assembly, 1 << 20);
    for (size_t i = 0; i < it->count; i++) {
        core_slice payload = core_buffer_slice(&it->messages[i].payload);
        if (core_assembly_feed(&assembly, payload, i + 1, &whole, &error) != CORE_ASSEMBLY_WHOLE)
            continue;
        assert_true(core_run_decode(whole, &arena, &run, &error));
        assert_true(core_run_reader_init(&reader, &run, &arena, &error));
        for (const core_change *change; (change = core_run_next(&reader)) != NULL;)
            core_buffer_format(out, "%s %.*s %llu %u|", core_op_name(change->op),
                               CORE_SLICE_ARGS(change->relation->table),
                               (unsigned long long)change->index, change->relation->column_count);
    }
    core_buffer_u8(out, 0);
    core_assembly_fini(&assembly);
    core_arena_fini(&arena);
}

static void assert_story(const fixture *it, const char *expected) {
    core_buffer story;
    core_buffer_init(&story, 1 << 16);
    story_write(it, &story);
    assert_string_equal(story.data, expected);
    core_buffer_fini(&story);
}

static const cdc_position nothing_stored = {.epoch = EPOCH};

/* pgoutput describes a table in each transaction that a new connection gets: so does this script.
 * Within the second one the shape changes. */
static void altered_script(script *it) {
    script_begin(it, 1);
    script_relation(it, 1, one_column, 1);
    script_row(it, CDC_INSERT, 1);
    script_row(it, CDC_INSERT, 1);
    script_commit(it);
    script_begin(it, 2);
    script_relation(it, 1, one_column, 1);
    script_row(it, CDC_INSERT, 1);
    script_relation(it, 1, two_columns, 2);
    script_row_wide(it, 1);
    script_row_wide(it, 1);
    script_row_wide(it, 1);
    script_commit(it);
    script_begin(it, 3);
    script_relation(it, 1, two_columns, 2);
    script_row_wide(it, 1);
    script_relation(it, 1, one_column, 1);
    script_row(it, CDC_INSERT, 1);
    script_commit(it);
}

#define ALTERED_STORY                                                                              \
    "SCHEMA a 0 1|INSERT a 0 1|INSERT a 1 1|INSERT a 0 1|SCHEMA a 1 2|INSERT a 1 2|"               \
    "INSERT a 2 2|INSERT a 3 2|INSERT a 0 2|SCHEMA a 1 1|INSERT a 1 1|"

static void assert_altered_survives_kills(fixture *it, size_t messages) {
    for (size_t kept = 0; kept <= messages; kept++) {
        stream_cut(it, 0);
        restart(it);
        stream_cut(it, kept);
        restart(it);
        assert_story(it, ALTERED_STORY);
    }
}

/* ---- Tests ---- */

static void the_shape_stands_before_its_first_row(void **state) {
    fixture *it = *state;
    altered_script(&it->script);
    play(it, 0, &nothing_stored);
    assert_story(it, ALTERED_STORY);
    assert_string_equal(it->messages[0].subject, "p.d.e.a.SCHEMA");
}

static void a_kill_behind_any_message_tells_each_shape_once(void **state) {
    fixture *it = *state;
    altered_script(&it->script);
    play(it, 0, &nothing_stored);
    assert_altered_survives_kills(it, it->count);
}

/* One message at a time, so that every point of the stream is a kill behind a kill. */
static void a_kill_behind_every_message_tells_each_shape_once(void **state) {
    fixture *it = *state;
    altered_script(&it->script);
    play(it, 0, &nothing_stored);
    size_t messages = it->count;
    stream_cut(it, 0);
    for (size_t kept = 1; kept <= messages; kept++) {
        restart(it);
        assert_story(it, ALTERED_STORY);
        stream_cut(it, kept);
    }
    restart(it);
    assert_story(it, ALTERED_STORY);
}

static void a_shape_that_is_split_is_told_once_too(void **state) {
    fixture *it = *state;
    altered_script(&it->script);
    play(it, 0, &nothing_stored);
    size_t unsplit = it->count;
    stream_cut(it, 0);
    it->message_max = 300;
    restart(it);
    size_t messages = it->count;
    assert_true(messages > unsplit); /* some were */
    assert_altered_survives_kills(it, messages);
}

/* ---- Names ---- */

static void renamed(script *it, const char *name, uint32_t oid) {
    script_relation(it, oid, one_column, 1);
    it->messages[it->count - 1].relation.table = core_slice_text(name);
}

/* Away and back: the stream's last word on each name is not the last on the table. */
static void a_name_that_comes_back_is_told_again(void **state) {
    static const char *const story = "SCHEMA a 0 1|INSERT a 0 1|SCHEMA b 0 1|INSERT b 0 1|"
                                     "SCHEMA a 0 1|INSERT a 0 1|";
    static const char *const names[] = {"a", "b", "a"};
    fixture *it = *state;
    for (uint32_t i = 0; i < CORE_COUNT_OF(names); i++) {
        script_begin(&it->script, i + 1);
        renamed(&it->script, names[i], 1);
        script_row(&it->script, CDC_INSERT, 1);
        script_commit(&it->script);
    }
    for (size_t kept = 0; kept <= 6; kept++) {
        stream_cut(it, kept);
        restart(it);
        assert_story(it, story);
    }
}

/* The second table's shape changed what consumers know under this name. */
static void a_table_made_anew_says_what_was_there_before(void **state) {
    fixture *it = *state;
    core_arena arena;
    core_run run;
    core_run_reader reader;
    core_error error = {0};
    for (uint32_t oid = 1; oid <= 2; oid++) {
        script_begin(&it->script, oid);
        renamed(&it->script, "a", oid);
        script_row(&it->script, CDC_INSERT, oid);
        script_commit(&it->script);
    }
    play(it, 0, &nothing_stored);
    assert_story(it, "SCHEMA a 0 1|INSERT a 0 1|SCHEMA a 0 1|INSERT a 0 1|");
    core_arena_init(&arena, 4096, 1 << 20);
    assert_true(core_run_decode(core_buffer_slice(&it->messages[2].payload), &arena, &run, &error));
    assert_true(core_run_reader_init(&reader, &run, &arena, &error));
    assert_true(core_slice_is(core_run_next(&reader)->message.prefix, "changed"));
    core_arena_fini(&arena);
}

static void a_shape_without_rows_is_not_told(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 1);
    script_relation(&it->script, 1, one_column, 1);
    script_relation(&it->script, 1, two_columns, 2);
    script_commit(&it->script);
    play(it, 0, &nothing_stored);
    assert_int_equal(it->count, 0);
}

/* Before a snapshot's rows: behind the last whole transaction, which a restart does not send again.
 */
static void a_shape_behind_a_transaction_holds_its_place(void **state) {
    fixture *it = *state;
    core_error error = {0};
    core_transaction place;
    cdc_run_limits limits = limits_of(it);
    script_begin(&it->script, 1);
    script_relations(&it->script);
    script_row(&it->script, CDC_INSERT, 1);
    script_commit(&it->script);
    size_t first = it->script.count;
    script_begin(&it->script, 2);
    script_relations(&it->script);
    script_row(&it->script, CDC_INSERT, 2);
    script_commit(&it->script);
    cdc_run_builder *builder = cdc_run_builder_new(&error);
    assert_non_null(builder);
    cdc_message_stage_start(it->stage, it->message_max);
    cdc_run_builder_start(builder, &limits, &nothing_stored);
    for (size_t i = 0; i < first; i++)
        while (cdc_run_builder_feed(builder, &it->script.messages[i], 9, &error) == CDC_RUN_READY)
            run_publish(it, builder);
    cdc_run_builder_flush(builder);
    run_publish(it, builder);
    assert_true(cdc_run_builder_place(builder, &place));
    assert_int_equal(cdc_run_builder_shape(builder, 2, &place, &error), CDC_RUN_READY);
    assert_true(cdc_run_builder_run(builder)->holds_last);
    assert_int_equal(cdc_run_builder_run(builder)->safe_lsn, place.end_lsn);
    run_publish(it, builder);
    assert_int_equal(cdc_run_builder_shape(builder, 2, &place, &error), CDC_FED);
    cdc_run_builder_free(builder);
    restart(it);
    assert_story(it, "SCHEMA a 0 1|INSERT a 0 1|SCHEMA b 0 1|INSERT b 0 1|");
}

static void the_event_says_the_shape_and_the_one_before(void **state) {
    fixture *it = *state;
    core_arena arena;
    core_run first, second;
    core_run_reader reader;
    core_error error = {0};
    altered_script(&it->script);
    play(it, 0, &nothing_stored);
    core_arena_init(&arena, 4096, 1 << 20);
    size_t at = 1;
    while (strcmp(it->messages[at].subject, "p.d.e.a.SCHEMA") != 0)
        at++;
    assert_true(
        core_run_decode(core_buffer_slice(&it->messages[0].payload), &arena, &first, &error));
    assert_true(
        core_run_decode(core_buffer_slice(&it->messages[at].payload), &arena, &second, &error));
    assert_true(core_run_reader_init(&reader, &second, &arena, &error));
    const core_change *change = core_run_next(&reader);
    char expected[512];
    (void)snprintf(expected, sizeof expected,
                   "{\"version\":%u,\"previous_version\":%u,\"replica_identity\":\"d\",\"columns\":"
                   "[{\"name\":\"v\",\"type\":\"text\",\"type_oid\":25,\"typmod\":-1,\"key\":true},"
                   "{\"name\":\"w\",\"type\":\"text\",\"type_oid\":25,\"typmod\":-1,\"key\":false}"
                   "]}",
                   second.relation.version, first.relation.version);
    assert_true(core_slice_is(change->message.content, expected));
    assert_true(core_slice_is(change->message.prefix, "changed"));
    assert_false(core_run_holds_last(&second));
    core_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_shape_stands_before_its_first_row, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_behind_any_message_tells_each_shape_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_kill_behind_every_message_tells_each_shape_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_shape_that_is_split_is_told_once_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_comes_back_is_told_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_made_anew_says_what_was_there_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_shape_without_rows_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_shape_behind_a_transaction_holds_its_place, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_event_says_the_shape_and_the_one_before, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
