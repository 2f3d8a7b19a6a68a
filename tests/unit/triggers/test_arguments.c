/* What an action gets of a change beside the body, and that nothing else is taken for it. */
#include "tests/unit/triggers/definitions.h"
#include "triggers/arguments.h"

#include <stdio.h>

#define TEXT(text)                                                                                 \
    { (const uint8_t *)(text), sizeof(text) - 1 }

static const core_column columns[] = {
    {.name = TEXT("id"), .type_oid = 20, .key = true},
    {.name = TEXT("status"), .type_oid = 25},
    {.name = TEXT("at"), .type_oid = 1184},
    {.name = TEXT("note"), .type_oid = 25},
};
enum { COLUMNS = CORE_COUNT_OF(columns) };

#define TIME "2026-01-01 00:00:00+00"

static core_relation relation_make(char identity) {
    return orders_relation(columns, COLUMNS, identity);
}

static const triggers_definition *definition_make(const char *action) {
    char text[2048];
    (void)snprintf(text, sizeof text,
                   "name: t\non: { table: public.orders, ops: [insert, update, delete] }\n"
                   "do: { %s }\n",
                   action);
    return definition_of("default", text);
}

/* A NULL is null, UNCHANGED what did not come. */
#define UNCHANGED "\1"

static core_tuple tuple_make(core_value values[COLUMNS], const char *const texts[COLUMNS]) {
    for (size_t i = 0; i < COLUMNS; i++) {
        values[i] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(texts[i])};
        if (texts[i] == NULL)
            values[i] = (core_value){.kind = CORE_VALUE_NULL};
        else if (strcmp(texts[i], UNCHANGED) == 0)
            values[i] = (core_value){.kind = CORE_VALUE_UNCHANGED};
    }
    return (core_tuple){.count = COLUMNS, .values = values};
}

/* "7|null|data|..." of what was written. */
static void said(core_slice arguments, core_buffer *out) {
    static const char *const names[] = {"",       "null",        "",         "<data>",
                                        "<type>", "<timestamp>", "<offset>", "<id>"};
    core_cursor cursor = core_cursor_make(arguments);
    triggers_argument argument;
    while (triggers_argument_read(&cursor, &argument)) {
        core_buffer_text(out, out->length > 0 ? "|" : "");
        core_buffer_text(out, names[argument.kind]);
        core_buffer_slice_append(out, argument.text);
    }
    assert_true(core_cursor_done(&cursor));
}

static void assert_says(const char *action, char identity, core_op op,
                        const char *const new_row[COLUMNS], const char *const old_row[COLUMNS],
                        const char *expected) {
    core_value new_values[COLUMNS], old_values[COLUMNS], room[COLUMNS];
    core_relation relation = relation_make(identity);
    core_change change = {.op = op, .relation = &relation};
    triggers_images images;
    triggers_rule_problem problem;
    core_buffer out, text;
    bool missing = false;
    if (new_row != NULL)
        change.new_tuple = tuple_make(new_values, new_row);
    if (old_row != NULL) {
        change.old_tuple = tuple_make(old_values, old_row);
        change.old_kind = identity == 'f' ? CORE_OLD_FULL : CORE_OLD_KEY;
    }
    const triggers_definition *definition = definition_make(action);
    triggers_rule *rule = triggers_rule_new(definition, &relation, NULL, &problem);
    if (rule == NULL)
        fail_msg("%s: %s", action, problem.error.text);
    triggers_images_make(&images, &change, room);
    core_buffer_init(&out, 1u << 16);
    core_buffer_init(&text, 1u << 16);
    if (triggers_arguments_write(rule, &change, &images, &out, &missing))
        said(core_buffer_slice(&out), &text);
    else
        core_buffer_text(&text, missing ? "missing" : "full");
    if (!core_slice_is(core_buffer_slice(&text), expected))
        fail_msg("%s says %.*s, not %s", action, CORE_SLICE_ARGS(core_buffer_slice(&text)),
                 expected);
    core_buffer_fini(&text);
    core_buffer_fini(&out);
    triggers_rule_free(rule);
    triggers_definition_release(definition);
}

static const char *const row[] = {"7", "paid", TIME, NULL};
static const char *const old_row[] = {"7", "open", TIME, "a \"note\""};

static void test_parameters_are_values_as_postgresql_writes_them(void **state) {
    (void)state;
    assert_says("sql: { statement: s, parameters: [new.id, old.status, new.at, new.note] }", 'f',
                CORE_OP_UPDATE, row, old_row, "7|open|" TIME "|null");
    assert_says(
        "sql: { statement: s, parameters: [data, new.status, type, timestamp, offset, id] }", 'd',
        CORE_OP_INSERT, row, NULL, "<data>|paid|<type>|<timestamp>|<offset>|<id>");
    assert_says("sql: { statement: s }", 'd', CORE_OP_INSERT, row, NULL, "");
    /* As in `select`: a row that is not there is null. */
    assert_says("sql: { statement: s, parameters: [new.status, old.status] }", 'f', CORE_OP_DELETE,
                NULL, old_row, "null|open");
    static const char *const cut[] = {"7", "paid", TIME, UNCHANGED};
    assert_says("sql: { statement: s, parameters: [new.id, new.note] }", 'd', CORE_OP_UPDATE, cut,
                NULL, "missing");
}

static void test_keys(void **state) {
    (void)state;
    assert_says("job: { queue: q }", 'd', CORE_OP_INSERT, row, NULL, "null|null");
    assert_says("job: { queue: q, unique: new.id, concurrency: [new.status, new.id] }", 'f',
                CORE_OP_UPDATE, row, old_row, "7|[\"paid\",7]");
    assert_says("job: { queue: q, concurrency: new.status }", 'f', CORE_OP_DELETE, NULL, old_row,
                "null|open");
    /* A null is like no other: no key. */
    assert_says("job: { queue: q, unique: [new.id, new.note], concurrency: new.note }", 'f',
                CORE_OP_UPDATE, row, old_row, "null|null");
    assert_says("workflow: { name: w }", 'd', CORE_OP_INSERT, row, NULL, "null");
    assert_says("workflow: { name: w, run: new.id }", 'd', CORE_OP_INSERT, row, NULL, "7");
    static const char *const cut[] = {"7", "paid", TIME, UNCHANGED};
    assert_says("workflow: { name: w, run: new.note }", 'f', CORE_OP_UPDATE, cut, row, "missing");
    assert_says("webhook: { url: https://example.org }", 'd', CORE_OP_INSERT, row, NULL, "");
}

static void test_a_long_key_keeps_what_tells_it_from_others(void **state) {
    char texts[2][600], action[] = "workflow: { name: w, run: new.note }";
    core_slice keys[2];
    core_buffer out[2];
    core_relation relation = relation_make('f');
    triggers_rule_problem problem;
    (void)state;
    const triggers_definition *definition = definition_make(action);
    triggers_rule *rule = triggers_rule_new(definition, &relation, NULL, &problem);
    assert_non_null(rule);
    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 0; at + 2 < sizeof texts[i]; at += 2)
            memcpy(texts[i] + at, "\xc3\xa4", 3);
        (void)snprintf(texts[i] + 590, 10, "%zu", i);
        const char *const long_row[] = {"7", "paid", TIME, texts[i]};
        core_value values[COLUMNS], room[COLUMNS];
        core_change change = {.op = CORE_OP_INSERT, .relation = &relation};
        triggers_images images;
        triggers_argument argument;
        bool missing;
        change.new_tuple = tuple_make(values, long_row);
        triggers_images_make(&images, &change, room);
        core_buffer_init(&out[i], 4096);
        assert_true(triggers_arguments_write(rule, &change, &images, &out[i], &missing));
        core_cursor cursor = core_cursor_make(core_buffer_slice(&out[i]));
        assert_true(triggers_argument_read(&cursor, &argument));
        assert_true(core_cursor_done(&cursor));
        keys[i] = argument.text;
        assert_in_range(keys[i].length, TRIGGERS_ARGUMENT_KEY_MAX - 1, TRIGGERS_ARGUMENT_KEY_MAX);
        assert_true(core_utf8_valid(keys[i]));
    }
    assert_false(core_slice_equal(keys[0], keys[1]));
    core_buffer_fini(&out[0]);
    core_buffer_fini(&out[1]);
    triggers_rule_free(rule);
    triggers_definition_release(definition);
}

static void test_keys_need_the_old_row_where_deletes_count(void **state) {
    core_relation relation = relation_make('d');
    triggers_rule_problem problem;
    (void)state;
    const triggers_definition *definition =
        definition_make("job: { queue: q, unique: new.status }");
    assert_null(triggers_rule_new(definition, &relation, NULL, &problem));
    assert_string_equal(problem.part, "do");
    assert_non_null(strstr(problem.error.text, "REPLICA IDENTITY FULL"));
    triggers_definition_release(definition);
}

static void test_what_is_no_argument_is_refused(void **state) {
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"\0", 1}, {"\10", 1}, {"\2\0\0\0\2x", 6}, {"\2\0\0", 3}, {"\2\xff\xff\xff\xff", 5}};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        core_cursor cursor = core_cursor_make(core_slice_make(cases[i].bytes, cases[i].length));
        triggers_argument argument;
        assert_false(triggers_argument_read(&cursor, &argument));
        assert_false(core_cursor_ok(&cursor));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_are_values_as_postgresql_writes_them),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_a_long_key_keeps_what_tells_it_from_others),
        cmocka_unit_test(test_keys_need_the_old_row_where_deletes_count),
        cmocka_unit_test(test_what_is_no_argument_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
