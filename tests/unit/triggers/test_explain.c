/* Why a trigger acts on an event or does not, what it would deliver, and under which key. */
#include "tests/unit/triggers/definitions.h"
#include "triggers/explain.h"

#include <stdio.h>

#define TEXT(text)                                                                                 \
    { (const uint8_t *)(text), sizeof(text) - 1 }

static const core_column columns[] = {
    {.name = TEXT("id"), .type_oid = 20, .key = true},
    {.name = TEXT("status"), .type_oid = 25},
    {.name = TEXT("total"), .type_oid = 1700},
    {.name = TEXT("at"), .type_oid = 1184},
    {.name = TEXT("doc"), .type_oid = 3802},
    {.name = TEXT("Odd \"name\""), .type_oid = 25},
};

static core_relation relation_make(char identity) {
    return orders_relation(columns, CORE_COUNT_OF(columns), identity);
}

static const triggers_definition *definition_make(const char *yaml) {
    char text[4096];
    (void)snprintf(text, sizeof text, "name: t\n%s\ndo: { nats: { subject: x } }\n", yaml);
    return definition_of("default", text);
}

static void explain(const char *yaml, const char *event, const core_relation *relation,
                    bool as_json, core_buffer *out, core_error *error, bool *ok) {
    bool matched = false;
    const triggers_definition *definition = definition_make(yaml);
    core_buffer_reset(out);
    *ok = triggers_explain_event(definition, core_slice_text(event), relation, NULL,
                                 INT64_C(1767225600123456), as_json, out, &matched, error);
    triggers_definition_release(definition);
}

static void assert_says(const char *yaml, const char *event, char identity, const char *expected) {
    core_buffer out;
    core_error error = {.text = ""};
    core_relation relation = relation_make(identity);
    bool ok = false;
    core_buffer_init(&out, 1u << 20);
    explain(yaml, event, &relation, false, &out, &error, &ok);
    core_slice said = ok ? core_buffer_slice(&out) : core_slice_text(error.text);
    if (!core_slice_is(said, expected))
        fail_msg("%s\n%s\nsays:\n%.*s\nnot:\n%s", yaml, event, CORE_SLICE_ARGS(said), expected);
    core_buffer_fini(&out);
}

#define ROW                                                                                        \
    "{\"id\": 7, \"status\": \"paid\", \"total\": 10.50, \"at\": \"2026-01-01T00:00:00+00:00\", "  \
    "\"doc\": {\"a\": \"q\\\"\"}, \"Odd \\\"name\\\"\": \"x\\ny\"}"
#define OLD_ROW                                                                                    \
    "{\"id\": 7, \"status\": \"open\", \"total\": null, \"at\": null, \"doc\": null, "             \
    "\"Odd \\\"name\\\"\": null}"
#define UPDATE                                                                                     \
    "{\"op\": \"UPDATE\", \"offset\": \"abc-9.1\", \"record\": " ROW ", \"old_record\": " OLD_ROW  \
    "}"
#define INSERT "{\"op\": \"insert\", \"record\": " ROW ", \"old_record\": null}"
#define DELETE "{\"op\": \"DELETE\", \"record\": null, \"old_record\": {\"id\": 7}}"

#define ON "on: { table: public.orders, ops: [insert, update, delete] }\n"

static void test_outcomes(void **state) {
    (void)state;
    assert_says(
        ON "when: new.status = 'paid' and old.status is distinct from new.status\n"
           "select: [new.id, new.total, old.status]\nkey: new.id",
        UPDATE, 'f',
        "t: matched\n"
        "  true      at 1    new.status = 'paid'   {\"new.status\":\"paid\"}\n"
        "  true      at 25   old.status is distinct from new.status   "
        "{\"new.status\":\"paid\",\"old.status\":\"open\"}\n"
        "  key  7\n"
        "  body {\"type\":\"public.orders.update\",\"timestamp\":\"2026-01-01T00:00:00.123Z\","
        "\"data\":{\"id\":7,\"total\":10.50,\"old.status\":\"open\"},\"offset\":\"abc-9.1\"}\n");
    assert_says(ON "when: new.status = 'paid' and new.total between 11 and 12 and (new.id = 7)",
                UPDATE, 'f',
                "t: not matched\n"
                "  at character 25 of when: new.total between 11 and 12 is false, with "
                "{\"new.total\":10.50}\n"
                "  true      at 1    new.status = 'paid'   {\"new.status\":\"paid\"}\n"
                "  false     at 25   new.total between 11 and 12   {\"new.total\":10.50}\n"
                "  true      at 57   (new.id = 7)   {\"new.id\":7}\n");
    assert_says(ON "when: (old.total > 1 AND (new.id = 7 or new.id = 8))", UPDATE, 'f',
                "t: not matched\n"
                "  at character 2 of when: old.total > 1 is null, with {\"old.total\":null}\n"
                "  null      at 2    old.total > 1   {\"old.total\":null}\n"
                "  true      at 20   (new.id = 7 or new.id = 8)   {\"new.id\":7}\n");
    assert_says(ON "when: new.id = 7 and 1 / (new.id - 7) = 1", UPDATE, 'f',
                "t: error\n"
                "  at character 16 of when: 1 / (new.id - 7) = 1 is error: division by zero, with "
                "{\"new.id\":7}\n"
                "  true      at 1    new.id = 7   {\"new.id\":7}\n"
                "  error     at 16   1 / (new.id - 7) = 1   {\"new.id\":7}\n");
    assert_says(ON "when: new.doc is not null",
                "{\"op\":\"UPDATE\",\"record\":{\"id\":7},\"old_record\":null}", 'd',
                "t: missing\n"
                "  at character 1 of when: new.doc is not null is missing, with {}\n"
                "  missing   at 1    new.doc is not null   {}\n");
    assert_says("on: { table: public.orders, ops: [insert] }", UPDATE, 'f',
                "t: not matched\n  the trigger's ops do not name UPDATE\n");
    assert_says(ON "when: old.total = 1", UPDATE, 'd',
                "t: unfit\n  when: old.total is not in the write-ahead log: the table's replica "
                "identity is only its key; mend it with: ALTER TABLE \"public\".\"orders\" REPLICA "
                "IDENTITY FULL\n");
    assert_says(ON "select: [new.gone]", INSERT, 'd',
                "t: unfit\n  select: column \"gone\" does not exist in \"public\".\"orders\"\n");
}

/* ---- Bodies and keys ---- */

static void assert_body(const char *yaml, const char *event, char identity, const char *key,
                        const char *data) {
    char expected[2048];
    core_buffer out;
    core_error error = {.text = ""};
    core_relation relation = relation_make(identity);
    bool ok = false;
    core_buffer_init(&out, 1u << 20);
    explain(yaml, event, &relation, false, &out, &error, &ok);
    assert_true(ok);
    (void)snprintf(expected, sizeof expected, "\n  key  %s\n  body {\"type\":\"public.orders.",
                   key);
    core_buffer_u8(&out, 0);
    if (strstr((const char *)out.data, expected) == NULL)
        fail_msg("%s\n%s\nno %s", yaml, (const char *)out.data, expected);
    (void)snprintf(expected, sizeof expected, "\"data\":%s,\"offset\":\"", data);
    if (strstr((const char *)out.data, expected) == NULL)
        fail_msg("%s\n%s\nno %s", yaml, (const char *)out.data, expected);
    core_buffer_fini(&out);
}

static void test_bodies(void **state) {
    (void)state;
    assert_body(ON, DELETE, 'd', "7", "{\"new\":null,\"old\":{\"id\":7}}");
    assert_body(ON, "{\"op\":\"UPDATE\",\"record\":{\"id\":7,\"status\":null}}", 'd', "7",
                "{\"new\":{\"id\":7,\"status\":null},\"old\":null},\"unchanged\":[\"total\",\"at\","
                "\"doc\",\"Odd \\\"name\\\"\"]");
    assert_body(ON "select: [new.doc, new.id, {label: 'new.\"Odd \"\"name\"\"\"'}]", UPDATE, 'f',
                "", "{\"doc\":{\"a\": \"q\\\"\"},\"id\":7,\"label\":\"x\\ny\"}");
    assert_body(ON "select: [new.doc, new.id]",
                "{\"op\":\"UPDATE\",\"record\":{\"id\":7,\"status\":null}}", 'd', "7",
                "{\"id\":7},\"unchanged\":[\"doc\"]");
    assert_body("on: { table: public.orders, ops: [insert] }\nselect: [old.id, new.total]", INSERT,
                'd', "7", "{\"old.id\":null,\"total\":10.50}");
    /* Keys: nothing where the table has none, null as such, the old row's of a DELETE. */
    assert_body(ON "select: [new.id]", UPDATE, 'n', "", "{\"id\":7}");
    assert_body(
        "on: { table: public.orders, ops: [insert, update] }\nkey: [new.status, new.total]\n"
        "select: [new.id]",
        INSERT, 'd', "[\"paid\",10.50]", "{\"id\":7}");
    assert_body(ON "key: old.total\nselect: [new.id]", UPDATE, 'f', "null", "{\"id\":7}");
    assert_body(ON "key: new.id\nselect: [new.id]", DELETE, 'd', "7", "{\"id\":null}");
}

static void test_templates(void **state) {
    (void)state;
    assert_body(ON "template: '{\"text\": \"${new.status}: ${new.total} $${x} ${new.doc}\", \"n\": "
                   "${new.total}, \"o\": ${new.doc}, \"none\": \"${old.total}\", \"null\": "
                   "${old.total}}'",
                UPDATE, 'f', "",
                "{\"text\": \"paid: 10.50 ${x} {\\\"a\\\": \\\"q\\\\\\\"\\\"}\", \"n\": 10.50, "
                "\"o\": {\"a\": \"q\\\"\"}, \"none\": \"\", \"null\": null}");
    assert_body(ON "template: 'Order ${new.id} \"${new.\"Odd \"\"name\"\"\"}\"'", UPDATE, 'f', "",
                "\"Order 7 \\\"x\\ny\\\"\"");
    assert_body(ON "template: '[\"${new.\\\"Odd \\\"\\\"name\\\"\\\"\\\"}\"]'", UPDATE, 'f', "",
                "[\"x\\ny\"]");
    assert_says(ON "template: '{\"a\": ${new.id}'", UPDATE, 'f',
                "t: unfit\n  template: at byte 1: what begins with { or [ must be one JSON "
                "document; values stand in strings or in the place of a value\n");
    assert_says(ON "template: 'x ${new.id'", UPDATE, 'f',
                "t: unfit\n  template: at byte 3: expected ${new.COLUMN} or ${old.COLUMN}; $${ is "
                "the text ${\n");
    assert_says(ON "template: 'x ${new.gone}'", UPDATE, 'f',
                "t: unfit\n  template: column \"gone\" does not exist in \"public\".\"orders\"\n");
    assert_says(ON "template: 'x ${new.doc}'",
                "{\"op\":\"UPDATE\",\"record\":{\"id\":7,\"status\":null}}", 'd',
                "t: missing\n  the change does not carry a value of the template\n");
    assert_says(ON "key: new.doc", "{\"op\":\"UPDATE\",\"record\":{\"id\":7,\"status\":null}}", 'f',
                "t: missing\n  the change does not carry a value of the key\n");
}

/* ---- Events ---- */

static void test_events(void **state) {
    static const char *const refused[][2] = {
        {"[]", "the event: expected a JSON object"},
        {"{\"op\": \"INSERT\", \"record\": {\"id\": 7}", "the event: its JSON is malformed"},
        {"{\"op\": \"SCHEMA\"}",
         "the event: op: expected INSERT, UPDATE, DELETE, TRUNCATE or READ"},
        {"{\"op\": \"INSERT\"}", "the event: record: expected an object, the row"},
        {"{\"op\": \"DELETE\"}", "the event: old_record: expected an object, the row that is gone"},
        {"{\"op\": \"INSERT\", \"record\": {\"id\": 7}}",
         "the event: record lacks the column \"status\""},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        assert_says(ON, refused[i][0], 'f', refused[i][1]);
}

/* Without the table the types are those of the values. */
static void test_inferred(void **state) {
    core_buffer out;
    core_error error = {.text = ""};
    bool ok = false;
    (void)state;
    core_buffer_init(&out, 1u << 20);
    explain(ON "when: new.total > 10 and new.done and new.doc ->> 'a' = 'x' and old.name is null",
            "{\"op\": \"UPDATE\", \"record\": {\"total\": 10.5, \"done\": true, \"doc\": "
            "{\"a\":\"x\"}, \"name\": \"n\"}, \"old_record\": {\"total\": 1, \"done\": null, "
            "\"doc\": null, \"name\": null}}",
            NULL, true, &out, &error, &ok);
    if (!ok)
        fail_msg("%s", error.text);
    core_buffer_u8(&out, 0);
    const char *expected =
        "{\"trigger\":\"t\",\"outcome\":\"matched\",\"clauses\":[{\"text\":\"new.total > 10\","
        "\"position\":1,\"result\":\"true\",\"values\":{\"new.total\":10.5}},{\"text\":\"new."
        "done\","
        "\"position\":20,\"result\":\"true\",\"values\":{\"new.done\":true}},{\"text\":\"new.doc "
        "->> 'a' = 'x'\",\"position\":33,\"result\":\"true\",\"values\":{\"new.doc\":{\"a\":\"x\"}}"
        "},{\"text\":\"old.name is null\",\"position\":59,\"result\":\"true\",\"values\":{"
        "\"old.name\":null}}],\"key\":\"\",\"body\":{\"type\":\"public.orders.update\"";
    if (strstr((const char *)out.data, expected) != (const char *)out.data)
        fail_msg("%s", (const char *)out.data);
    core_buffer_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes), cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_templates), cmocka_unit_test(test_events),
        cmocka_unit_test(test_inferred)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
